import { describe, expect, it, vi } from 'vitest'
import { account, currentUser, organisationView, type UsersClient } from './accounts'

function users(part: Record<string, (request: never) => unknown>): UsersClient {
  const calls = Object.entries(part).map(([name, answer]) => [name, vi.fn(async (r: never) => answer(r))])
  return Object.fromEntries(calls) as UsersClient
}

describe('accounts', () => {
  it('say what an organisation is refused, and why', () => {
    const of = (refusal?: object) => organisationView({ id: 'a', name: '', refusal } as never)
    expect(of()).toEqual({ id: 'a', name: 'a', refusal: '' })
    expect(of({ access: false, upload: true, reason: 'over quota' }).refusal).toBe(
      'reports refused: over quota',
    )
    expect(of({ access: true, upload: true, reason: '' }).refusal).toBe('access and reports refused')
  })

  it('make tokens that end when they should', async () => {
    const client = users({ createToken: () => ({ token: { id: 't', permissions: [3] }, secret: 's' }) })
    const ask = { name: 'p', permissions: [3], expiresAt: 1_700_000_000_500, personal: false }
    const made = await account(client, { method: 'account', what: 'createToken', ask })
    expect(made).toMatchObject({ secret: 's', token: { id: 't', expiresAt: null } })
    expect(client.createToken).toHaveBeenCalledWith(
      expect.objectContaining({
        expiresAt: expect.objectContaining({ seconds: 1_700_000_000n, nanos: 500_000_000 }),
      }),
    )
    await account(client, { method: 'account', what: 'createToken', ask: { ...ask, expiresAt: null } })
    expect(client.createToken).toHaveBeenLastCalledWith(expect.objectContaining({ expiresAt: undefined }))
  })

  it('say whether somebody was invited or changed', async () => {
    const ask = { email: 'a@b', role: 1, permissions: [] }
    const set = (answer: object) =>
      account(users({ setMember: () => answer }), { method: 'account', what: 'setMember', ask })
    expect(await set({ member: {} })).toEqual({ invited: false })
    expect(await set({ invitation: {} })).toEqual({ invited: true })
  })

  it('tell sessions from tokens and the local user', async () => {
    const of = (answer: object) =>
      currentUser(users({ getCurrentUser: () => ({ permissions: [1], ...answer }) }))
    expect(await of({ user: { id: 'local', name: 'local', email: '' } })).toMatchObject({ loggedIn: false })
    const session = { authenticatedAt: { seconds: 1n, nanos: 0 }, user: { id: 'u', name: '', email: 'a@b' } }
    expect(await of(session)).toMatchObject({ loggedIn: true, name: 'a@b', orgId: '', org: '' })
  })

  it('read the audit log backwards', async () => {
    const client = users({ listAuditEvents: () => ({ events: [{ position: 7n, action: 'token.revoke' }] }) })
    const page = await account(client, { method: 'account', what: 'audit', ask: { before: 8, size: 10 } })
    expect(page).toMatchObject([{ position: 7, at: null, action: 'token.revoke' }])
    expect(client.listAuditEvents).toHaveBeenCalledWith({ before: 8n, pageSize: 10 })
  })
})
