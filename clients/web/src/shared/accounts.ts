/** Organisations, people and tokens, as plain data. Times are in milliseconds since 1970; null stands for never. */

export const ROLES = { 1: 'viewer', 2: 'editor', 3: 'admin', 4: 'custom' } as const
export type Role = keyof typeof ROLES

export interface OrganisationView {
  id: string
  name: string
  /** Why something is refused in it; empty if nothing is. */
  refusal: string
}

export interface MemberView {
  id: string
  email: string
  name: string
  role: number
  permissions: number[]
}

export interface InvitationView {
  id: string
  orgId: string
  email: string
  role: number
  permissions: number[]
  createdAt: number | null
  expiresAt: number | null
}

export interface TokenView {
  id: string
  name: string
  permissions: number[]
  createdAt: number | null
  lastUsedAt: number | null
  expiresAt: number | null
  /** Whose it is; empty for the organisation's. */
  userId: string
  createdBy: string
}

/** A new token; the secret is here and nowhere else. */
export interface NewTokenView {
  token: TokenView
  secret: string
}

export interface AuditEventView {
  position: number
  at: number | null
  actor: string
  action: string
  target: string
  detail: string
  /** The IP address that it came from; empty for what the program did itself. */
  address: string
}

/** A browser in which the caller is logged in. */
export interface SessionView {
  id: string
  /** `mail`, `oidc:google`, … */
  method: string
  createdAt: number | null
  lastUsedAt: number | null
  expiresAt: number | null
  address: string
  userAgent: string
  /** The one that asks. */
  current: boolean
}

/** A key on a device that the caller logs in with. */
export interface PasskeyView {
  id: string
  name: string
  createdAt: number | null
  lastUsedAt: number | null
}

/** A program that asks for a token of the caller. */
export interface DeviceLoginView {
  /** As it was asked for. */
  code: string
  client: string
  address: string
  permissions: number[]
  /** In milliseconds. */
  tokenLifetime: number
  createdAt: number | null
}

/** What the page can ask: for each question what it says and what comes back. */
export interface AccountCalls {
  organisations: { ask: object; answer: OrganisationView[] }
  createOrganisation: { ask: { name: string }; answer: OrganisationView }
  members: { ask: object; answer: MemberView[] }
  setMember: { ask: { email: string; role: number; permissions: number[] }; answer: { invited: boolean } }
  removeMember: { ask: { userId: string }; answer: null }
  invitations: { ask: object; answer: InvitationView[] }
  revokeInvitation: { ask: { id: string }; answer: null }
  receivedInvitations: { ask: object; answer: InvitationView[] }
  answerInvitation: { ask: { id: string; accept: boolean }; answer: null }
  tokens: { ask: object; answer: TokenView[] }
  createToken: {
    ask: { name: string; permissions: number[]; expiresAt: number | null; personal: boolean }
    answer: NewTokenView
  }
  /** The old one goes on working for so many seconds. */
  rotateToken: { ask: { id: string; overlap: number }; answer: NewTokenView }
  revokeToken: { ask: { id: string }; answer: null }
  sessions: { ask: object; answer: SessionView[] }
  revokeSession: { ask: { id: string }; answer: null }
  revokeAllSessions: { ask: { keepCurrent: boolean }; answer: null }
  passkeys: { ask: object; answer: { all: PasskeyView[]; possible: boolean } }
  /** What the browser is told, and what the server wants back with its answer. */
  startPasskey: { ask: object; answer: { optionsJson: string; binding: string } }
  finishPasskey: { ask: { credentialJson: string; binding: string; name: string }; answer: null }
  renamePasskey: { ask: { id: string; name: string }; answer: null }
  removePasskey: { ask: { id: string }; answer: null }
  device: { ask: { code: string }; answer: DeviceLoginView }
  answerDevice: { ask: { code: string; approve: boolean }; answer: null }
  /** Newest first; before a position, or the newest. */
  audit: { ask: { before: number | null; size: number }; answer: AuditEventView[] }
}

export type AccountMethod = keyof AccountCalls
export type AccountCall = {
  [M in AccountMethod]: { method: 'account'; what: M; ask: AccountCalls[M]['ask'] }
}[AccountMethod]
