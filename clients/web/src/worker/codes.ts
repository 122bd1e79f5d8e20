import { Code, type ConnectError } from '@connectrpc/connect'
import { LOGIN_TOO_OLD } from '../shared/messages'

/** The code of an error, or in its place the reason beside it that people can do something about. */
export function codeOf(error: ConnectError): string {
  const reasons = error.details.map((detail) =>
    'type' in detail && detail.type === 'google.rpc.ErrorInfo' ? new TextDecoder().decode(detail.value) : '',
  )
  return reasons.some((reason) => reason.includes('LOGIN_TOO_OLD')) ? LOGIN_TOO_OLD : Code[error.code]
}
