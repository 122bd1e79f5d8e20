import type { AccountCalls, AccountMethod } from '../shared/accounts'
import { LOGIN_TOO_OLD } from '../shared/messages'
import { backend } from './app'
import { CallError } from './backend'

/** Asks about the caller's organisation. */
export function ask<M extends AccountMethod>(
  what: M,
  ask: AccountCalls[M]['ask'],
): Promise<AccountCalls[M]['answer']> {
  // The types of question and answer belong together by the key.
  return backend.call({ method: 'account', what, ask } as never)
}

export const SIGN_IN_AGAIN = 'This needs a login of the last 15 minutes: sign in again, then do it once more.'

/** What went wrong, as a sentence. */
export function explainAccount(error: unknown): string {
  if (!(error instanceof CallError)) return 'Something went wrong in this page; load it anew.'
  const said = error.message.charAt(0).toUpperCase() + error.message.slice(1)
  switch (error.code) {
    case 'Unavailable':
      return `Accounts cannot be reached right now: ${error.message}. Try again in a moment.`
    case 'Unauthenticated':
      return 'You are signed out.'
    case 'Unimplemented':
      return 'This Weft keeps no accounts.'
    case 'PermissionDenied':
      return `${said}.`
    case LOGIN_TOO_OLD:
      return SIGN_IN_AGAIN
    default:
      return `${said}.`
  }
}
