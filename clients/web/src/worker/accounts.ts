import { type Timestamp, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import type { Client } from '@connectrpc/connect'
import type { DeviceLogin } from '../gen/weft/users/v1/device_pb'
import type { Passkey } from '../gen/weft/users/v1/passkey_pb'
import type { Session } from '../gen/weft/users/v1/session_pb'
import type {
  AuditEvent,
  Invitation,
  Member,
  Organisation,
  Token,
  UsersService,
} from '../gen/weft/users/v1/users_pb'
import type {
  AccountCall,
  AuditEventView,
  DeviceLoginView,
  InvitationView,
  MemberView,
  NewTokenView,
  OrganisationView,
  PasskeyView,
  SessionView,
  TokenView,
} from '../shared/accounts'
import type { UserView } from '../shared/messages'

export type UsersClient = Client<typeof UsersService>

function time(at: Timestamp | undefined): number | null {
  return at ? timestampMs(at) : null
}

export function organisationView(organisation: Organisation): OrganisationView {
  const { id, name, refusal } = organisation
  const what = [refusal?.access && 'access', refusal?.upload && 'reports'].filter(Boolean).join(' and ')
  const why = refusal?.reason ? `: ${refusal.reason}` : ''
  return { id, name: name || id, refusal: what === '' ? '' : `${what} refused${why}` }
}

function memberView({ user, role, permissions }: Member): MemberView {
  return { id: user?.id ?? '', email: user?.email ?? '', name: user?.name ?? '', role, permissions }
}

function invitationView(invitation: Invitation): InvitationView {
  const { id, orgId, email, role, permissions } = invitation
  return {
    id,
    orgId,
    email,
    role,
    permissions,
    createdAt: time(invitation.createdAt),
    expiresAt: time(invitation.expiresAt),
  }
}

function tokenView(token: Token): TokenView {
  const { id, name, permissions, userId, createdBy } = token
  return {
    id,
    name,
    permissions,
    userId,
    createdBy,
    createdAt: time(token.createdAt),
    lastUsedAt: time(token.lastUsedAt),
    expiresAt: time(token.expiresAt),
  }
}

function newTokenView(answer: { token?: Token; secret: string }): NewTokenView {
  if (!answer.token) throw new Error('the server made a token and did not describe it')
  return { token: tokenView(answer.token), secret: answer.secret }
}

function auditEventView(event: AuditEvent): AuditEventView {
  const { actor, action, target, detail, address } = event
  return { position: Number(event.position), at: time(event.at), actor, action, target, detail, address }
}

function sessionView(session: Session): SessionView {
  const { id, method, address, userAgent, current } = session
  const createdAt = time(session.createdAt)
  const lastUsedAt = time(session.lastUsedAt)
  return {
    id,
    method,
    address,
    userAgent,
    current,
    createdAt,
    // Exact to a minute, which may be before it began.
    lastUsedAt: lastUsedAt && Math.max(lastUsedAt, createdAt ?? 0),
    expiresAt: time(session.expiresAt),
  }
}

function deviceLoginView(code: string, login: DeviceLogin): DeviceLoginView {
  const { client, address, permissions, tokenLifetime } = login
  return {
    // As the program shows it, whatever a person typed.
    code: code
      .replace(/[^A-Za-z0-9]/g, '')
      .toUpperCase()
      .replace(/^(.{4})/, '$1-'),
    client,
    address,
    permissions,
    tokenLifetime: Number(tokenLifetime?.seconds ?? 0n) * 1000,
    createdAt: time(login.createdAt),
  }
}

function passkeyView({ id, name, createdAt, lastUsedAt }: Passkey): PasskeyView {
  return { id, name, createdAt: time(createdAt), lastUsedAt: time(lastUsedAt) }
}

/** Who asks, and in which organisation. */
export async function currentUser(users: UsersClient): Promise<UserView> {
  const { user, organisation, permissions, authenticatedAt } = await users.getCurrentUser({})
  const org = organisation && organisationView(organisation)
  return {
    id: user?.id ?? '',
    email: user?.email ?? '',
    name: user?.name || user?.email || '',
    orgId: org?.id ?? '',
    org: org?.name ?? '',
    refusal: org?.refusal ?? '',
    permissions,
    loggedIn: authenticatedAt !== undefined,
  }
}

/** Asks users for the page. */
export async function account(users: UsersClient, call: AccountCall): Promise<unknown> {
  switch (call.what) {
    case 'organisations':
      return (await users.listOrganisations({})).organisations.map(organisationView)
    case 'createOrganisation': {
      const { organisation } = await users.createOrganisation(call.ask)
      return organisation && organisationView(organisation)
    }
    case 'members':
      return (await users.listMembers({})).members.map(memberView)
    case 'setMember':
      return { invited: (await users.setMember(call.ask)).invitation !== undefined }
    case 'removeMember':
      await users.removeMember(call.ask)
      return null
    case 'invitations':
      return (await users.listInvitations({})).invitations.map(invitationView)
    case 'revokeInvitation':
      await users.revokeInvitation({ invitationId: call.ask.id })
      return null
    case 'receivedInvitations':
      return (await users.listReceivedInvitations({})).invitations.map(invitationView)
    case 'answerInvitation':
      await users.answerInvitation({ invitationId: call.ask.id, accept: call.ask.accept })
      return null
    case 'audit': {
      const before = call.ask.before === null ? undefined : BigInt(call.ask.before)
      return (await users.listAuditEvents({ before, pageSize: call.ask.size })).events.map(auditEventView)
    }
    case 'sessions':
      return (await users.listSessions({})).sessions.map(sessionView)
    case 'revokeSession':
      await users.revokeSession({ sessionId: call.ask.id })
      return null
    case 'revokeAllSessions':
      await users.revokeAllSessions(call.ask)
      return null
    case 'device': {
      const { login } = await users.getDeviceLogin({ userCode: call.ask.code })
      if (!login) throw new Error('the server knows the code and does not say of what')
      return deviceLoginView(call.ask.code, login)
    }
    case 'answerDevice':
      await users.answerDeviceLogin({ userCode: call.ask.code, approve: call.ask.approve })
      return null
    case 'tokens':
    case 'createToken':
    case 'rotateToken':
    case 'revokeToken':
      return tokens(users, call)
    default:
      return passkeys(users, call)
  }
}

async function passkeys(
  users: UsersClient,
  call: Extract<AccountCall, { what: `${string}asskey${string}` }>,
): Promise<unknown> {
  switch (call.what) {
    case 'passkeys': {
      const answer = await users.listPasskeys({})
      return { all: answer.passkeys.map(passkeyView), possible: answer.possible }
    }
    case 'startPasskey': {
      const { optionsJson, binding } = await users.startPasskeyRegistration({})
      return { optionsJson, binding }
    }
    case 'finishPasskey':
      await users.finishPasskeyRegistration(call.ask)
      return null
    case 'renamePasskey':
      await users.renamePasskey({ passkeyId: call.ask.id, name: call.ask.name })
      return null
    case 'removePasskey':
      await users.removePasskey({ passkeyId: call.ask.id })
      return null
  }
}

async function tokens(
  users: UsersClient,
  call: Extract<AccountCall, { what: 'tokens' | 'createToken' | 'rotateToken' | 'revokeToken' }>,
): Promise<unknown> {
  switch (call.what) {
    case 'tokens':
      return (await users.listTokens({})).tokens.map(tokenView)
    case 'createToken': {
      const { name, permissions, expiresAt, personal } = call.ask
      const until = expiresAt === null ? undefined : timestampFromMs(expiresAt)
      return newTokenView(await users.createToken({ name, permissions, expiresAt: until, personal }))
    }
    case 'rotateToken': {
      const overlap = { seconds: BigInt(call.ask.overlap), nanos: 0 }
      return newTokenView(await users.rotateToken({ tokenId: call.ask.id, overlap }))
    }
    case 'revokeToken':
      await users.revokeToken({ tokenId: call.ask.id })
      return null
  }
}
