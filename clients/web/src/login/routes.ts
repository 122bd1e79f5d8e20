/** The routes by which people log in: JSON beside the page, because their answers set cookies that no script reads. */

export interface LoginOptions {
  /** False where a cookie would not be safe: without TLS, other than on loopback. */
  possible: boolean
  mail: boolean
  oidc: { id: string; name: string }[]
  passkeys: boolean
  signUp: boolean
}

export class LoginError extends Error {
  constructor(
    message: string,
    /** HTTP's; 0 when the server cannot be reached. */
    readonly status: number,
  ) {
    super(message)
  }
}

/** The folder that the page is served from; it may lie under any path. */
function base(): string {
  return new URL('.', window.location.href).pathname
}

async function request(method: 'GET' | 'POST', path: string, message?: object): Promise<Response> {
  const init: RequestInit = { method, credentials: 'same-origin', cache: 'no-store' }
  if (message) {
    init.headers = { 'content-type': 'application/json' }
    init.body = JSON.stringify(message)
  }
  const response = await fetch(`${base()}api/users/${path}`, init).catch(() => {
    throw new LoginError('the server cannot be reached', 0)
  })
  if (response.ok) return response
  const said: unknown = await response.json().catch(() => '')
  throw new LoginError(typeof said === 'string' ? said : '', response.status)
}

export async function loginOptions(): Promise<LoginOptions> {
  return (await request('GET', 'login')).json()
}

export async function sendLink(email: string): Promise<void> {
  await request('POST', 'login/mail', { email })
}

export async function openLink(secret: string, email: string): Promise<void> {
  await request('POST', 'login/link', email === '' ? { secret } : { secret, email })
}

/** Where to send the browser. */
export async function startOidc(id: string): Promise<string> {
  const answer: { url: string } = await (
    await request('POST', `login/oidc/${encodeURIComponent(id)}`, { returnTo: base() })
  ).json()
  const { protocol } = new URL(answer.url)
  if (protocol !== 'https:' && protocol !== 'http:') throw new LoginError('the provider has no address', 502)
  return answer.url
}

/** What a passkey shall sign. */
export async function startPasskey(
  again: boolean,
): Promise<{ publicKey: PublicKeyCredentialRequestOptionsJSON }> {
  return (await request('POST', 'login/passkey', { again })).json()
}

/** And what it signed. */
export async function finishPasskey(credential: object): Promise<void> {
  await request('POST', 'login/passkey/finish', { credential })
}

export async function logout(): Promise<void> {
  await request('POST', 'logout')
}

/** What went wrong, as a sentence that says what to do. */
export function explainLogin(error: unknown): string {
  if (!(error instanceof LoginError)) return 'Something went wrong in this page; load it anew.'
  switch (error.status) {
    case 0:
      return 'The server cannot be reached. Try again in a moment.'
    case 401:
      return 'This link is unknown, was used already, or has expired. Ask for a new one.'
    case 409:
      return 'There is an account with this address already: sign in with it instead, or give another address.'
    case 429:
      return 'Too many tries. Wait a few minutes.'
    case 503:
      return 'Accounts cannot be reached right now. Try again in a moment.'
    default:
      return error.message === ''
        ? `The server answers ${error.status}.`
        : `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`
  }
}
