/** What stands behind `#` in an address of the sign-in page. */
export interface Fragment {
  /** Of a link; empty if there is none. */
  secret: string
  /** The link makes an account, for whoever opens it, with an address of theirs. */
  bootstrap: boolean
  /** Why a login at a provider came to nothing; empty if it did not. */
  problem: string
}

const PROBLEMS: Record<string, string> = {
  'not-allowed':
    'You may not sign in here with this account: ask an admin to invite the address that it has.',
  failed: 'Signing in there came to nothing. Begin once more, in this browser.',
  'too-often': 'Too many tries. Wait a few minutes.',
  unavailable: 'Accounts or the provider cannot be reached right now. Try again in a moment.',
}

/** The server's bound of a secret. */
const MAX_SECRET = 512

export function parseFragment(hash: string): Fragment {
  const text = hash.replace(/^#/, '')
  const problem = /^error=(.*)$/.exec(text)
  if (problem) return { secret: '', bootstrap: false, problem: PROBLEMS[problem[1]] ?? PROBLEMS.failed }
  const secret = /^weft[a-z]{3}_[A-Za-z0-9]+$/.test(text) && text.length <= MAX_SECRET ? text : ''
  return { secret, bootstrap: secret.startsWith('weftboo_'), problem: '' }
}
