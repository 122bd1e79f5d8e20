import { afterEach, describe, expect, it, vi } from 'vitest'
import { parseFragment } from './fragment'
import { explainLogin, LoginError, openLink, startOidc } from './routes'

afterEach(() => vi.unstubAllGlobals())

function answer(status: number, body: unknown) {
  const fetched = vi.fn(
    async (_path: string, _init: RequestInit) => new Response(JSON.stringify(body), { status }),
  )
  vi.stubGlobal('fetch', fetched)
  return fetched
}

describe('what stands behind #', () => {
  it('is a secret, a problem, or nothing', () => {
    expect(parseFragment('#weftboo_abc1')).toEqual({ secret: 'weftboo_abc1', bootstrap: true, problem: '' })
    expect(parseFragment('#weftlnk_abc1')).toMatchObject({ secret: 'weftlnk_abc1', bootstrap: false })
    expect(parseFragment('#error=not-allowed').problem).toMatch(/may not sign in/)
    expect(parseFragment('#error=<b>').problem).toMatch(/came to nothing/)
    for (const hash of ['', '#', '#/pods', '#weftlnk_a/../b', `#weftlnk_${'x'.repeat(600)}`])
      expect(parseFragment(hash)).toEqual({ secret: '', bootstrap: false, problem: '' })
  })
})

describe('routes', () => {
  it('send secrets in the body alone', async () => {
    const fetched = answer(200, {})
    await openLink('weftlnk_1', '')
    const [path, init] = fetched.mock.calls[0]
    expect(path).toMatch(/api\/users\/login\/link$/)
    expect(init).toMatchObject({ method: 'POST', credentials: 'same-origin', body: '{"secret":"weftlnk_1"}' })
  })

  it('lead to a provider and to nothing else', async () => {
    answer(200, { url: 'https://id.example/auth?x=1' })
    expect(await startOidc('id')).toBe('https://id.example/auth?x=1')
    answer(200, { url: 'javascript:alert(1)' })
    await expect(startOidc('id')).rejects.toThrow('no address')
  })

  it('say in words what is wrong', async () => {
    answer(409, 'there is such an account')
    const error = await openLink('weftboo_1', 'a@b').catch((problem) => problem)
    expect(error).toBeInstanceOf(LoginError)
    expect(explainLogin(error)).toMatch(/another address/)
    answer(403, 'people log in over https alone')
    expect(explainLogin(await openLink('x', '').catch((e) => e))).toBe('People log in over https alone.')
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('failed')))
    expect(explainLogin(await openLink('x', '').catch((e) => e))).toMatch(/cannot be reached/)
  })
})
