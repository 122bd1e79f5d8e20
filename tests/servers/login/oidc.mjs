// An OpenID Connect provider that lets everybody in: who logs in as "ada" is ada@people.example, of the groups that the name
// lists after dots, as in "ada.platform.dev". Of names that begin with "un" the address is not verified.
// Usage: node oidc.mjs PORT
import Provider from 'oidc-provider'

const port = Number(process.argv[2])

function claims(id) {
  const [name, ...groups] = id.split('.')
  return {
    sub: `subject-of-${name}`,
    email: `${name}@people.example`,
    email_verified: !name.startsWith('un'),
    name: `${name} of people`,
    groups,
  }
}

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: 'weft',
      client_secret: 'testtesttesttesttesttesttesttest',
      // Of a native client the port does not count, RFC 8252.
      application_type: 'native',
      redirect_uris: ['127.0.0.1', 'localhost'].map((host) => `http://${host}/api/users/login/oidc/callback`),
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
  cookies: { keys: ['test'] },
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => claims(id) }),
})
provider.listen(port, '127.0.0.1', () => console.log(`listening on ${port}`))
