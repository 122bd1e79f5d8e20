import { Code, ConnectError } from '@connectrpc/connect'
import { expect, it } from 'vitest'
import { codeOf } from './codes'

/** A google.rpc.ErrorInfo: field 1 is the reason, field 2 the domain. */
function errorInfo(reason: string): Uint8Array {
  const text = (field: number, value: string) => {
    const bytes = new TextEncoder().encode(value)
    return [field * 8 + 2, bytes.length, ...bytes]
  }
  return Uint8Array.from([...text(1, reason), ...text(2, 'weft')])
}

function refused(type: string, reason: string): ConnectError {
  const error = new ConnectError('no', Code.PermissionDenied)
  error.details.push({ type, value: errorInfo(reason) })
  return error
}

it('names the reason that people can do something about', () => {
  expect(codeOf(refused('google.rpc.ErrorInfo', 'LOGIN_TOO_OLD'))).toBe('LoginTooOld')
  expect(codeOf(refused('google.rpc.ErrorInfo', 'OTHER'))).toBe('PermissionDenied')
  expect(codeOf(refused('google.rpc.Help', 'LOGIN_TOO_OLD'))).toBe('PermissionDenied')
  expect(codeOf(new ConnectError('away', Code.Unavailable))).toBe('Unavailable')
})
