import { afterEach, describe, expect, it, vi } from 'vitest'
import { explainDevice, explainPasskey, knowsPasskeys, makePasskey, signInWithPasskey } from './passkeys'
import { LoginError } from './routes'

afterEach(() => vi.unstubAllGlobals())

/** A browser with an authenticator that answers so. */
function browser(answer: () => Promise<unknown>) {
  const parse = vi.fn((options: object) => ({ parsed: options }))
  const asked = vi.fn(answer)
  vi.stubGlobal('PublicKeyCredential', {
    parseRequestOptionsFromJSON: parse,
    parseCreationOptionsFromJSON: parse,
  })
  vi.stubGlobal('navigator', { credentials: { get: asked, create: asked } })
  return asked
}

const credential = async () => ({ toJSON: () => ({ id: 'key' }) })

describe('passkeys', () => {
  it('are offered where the browser speaks of them in JSON', () => {
    vi.stubGlobal('PublicKeyCredential', undefined)
    expect(knowsPasskeys()).toBe(false)
    vi.stubGlobal('PublicKeyCredential', {})
    expect(knowsPasskeys()).toBe(false)
    browser(credential)
    expect(knowsPasskeys()).toBe(true)
  })

  it('sign what the server asks, for whoever is logged in if that is wanted', async () => {
    const asked = browser(credential)
    const fetched = vi.fn(
      async (_path: string, _init: RequestInit) =>
        new Response(JSON.stringify({ publicKey: { challenge: 'c' } })),
    )
    vi.stubGlobal('fetch', fetched)
    await signInWithPasskey(true)
    expect(asked).toHaveBeenCalledWith({ publicKey: { parsed: { challenge: 'c' } } })
    expect(fetched.mock.calls.map(([path, init]) => [path.replace(/^.*\/api/, '/api'), init.body])).toEqual([
      ['/api/users/login/passkey', '{"again":true}'],
      ['/api/users/login/passkey/finish', '{"credential":{"id":"key"}}'],
    ])
  })

  it('are made as the server wants them', async () => {
    const asked = browser(credential)
    expect(await makePasskey('{"publicKey":{"challenge":"c"}}')).toBe('{"id":"key"}')
    expect(asked).toHaveBeenCalledWith({ publicKey: { parsed: { challenge: 'c' } } })
  })

  it('fail in words', () => {
    const device = (name: string) => explainDevice(new DOMException('why', name))
    expect(device('NotAllowedError')).toMatch(/cancelled/)
    expect(device('InvalidStateError')).toMatch(/already/)
    expect(device('SecurityError')).toMatch(/at this address/)
    expect(device('UnknownError')).toBe('The device refuses: why.')
    expect(explainDevice(new Error('why'))).toBe('')
    expect(explainPasskey(new LoginError('this passkey is not known here', 401))).toBe(
      'This passkey is not known here.',
    )
    expect(explainPasskey(new LoginError('', 500))).toBe('The server answers 500.')
    expect(explainPasskey(new LoginError('', 429))).toMatch(/Too many/)
    expect(explainPasskey(new Error('x'))).toMatch(/load it anew/)
  })
})
