/** To the sign-in page, and back to where one was. */

const KEY = 'weft.return'
/** As long as a link by mail works. */
const KEPT_MS = 15 * 60_000

function loginPage(): string {
  return new URL('login', new URL('.', window.location.href)).href
}

/** Goes there, and remembers the view for the way back, which may begin in another tab. */
export function goToSignIn(): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ hash: window.location.hash, at: Date.now() }))
  } catch {
    // Then the way back leads to the beginning.
  }
  window.location.assign(loginPage())
}

/** After signing out: whoever comes next finds nothing of what was open. */
export function forgetAndSignIn(): void {
  try {
    sessionStorage.clear()
    localStorage.removeItem(KEY)
  } catch {
    // Then nothing was kept either.
  }
  window.location.assign(loginPage())
}

/** After signing in: to the view that was left. */
export function leaveSignIn(): void {
  window.location.replace(new URL('.', window.location.href).href + takeReturn())
}

/** The view that was left for signing in, once; empty if there is none. */
export function takeReturn(): string {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? 'null') as { hash: string; at: number } | null
    localStorage.removeItem(KEY)
    return kept && Date.now() - kept.at < KEPT_MS && kept.hash.startsWith('#') ? kept.hash : ''
  } catch {
    return ''
  }
}
