/** What was done, as people say it. */
const WORDS: Record<string, string> = {
  'control.refuse': 'Control refused',
  'control.run': 'Control run',
  'device.approve': 'Program approved',
  'device.refuse': 'Program refused',
  'invitation.accept': 'Invitation accepted',
  'invitation.decline': 'Invitation declined',
  'invitation.revoke': 'Invitation taken back',
  'login.bootstrap': 'Admin link made',
  'login.fail': 'Login failed',
  'member.invite': 'Member invited',
  'member.remove': 'Member removed',
  'member.set': 'Role given',
  'organisation.add': 'Organisation made',
  'organisation.refuse': 'Refusal changed',
  'organisation.remove': 'Organisation deleted',
  'organisation.restore': 'Organisation restored',
  'passkey.add': 'Passkey registered',
  'passkey.copied': 'Copied passkey refused',
  'passkey.remove': 'Passkey removed',
  'passkey.rename': 'Passkey renamed',
  'session.begin': 'Logged in',
  'session.end': 'Logged out',
  'terminal.attach': 'Terminal used',
  'terminal.close': 'Terminal closed',
  'terminal.open': 'Terminal opened',
  'token.create': 'Token made',
  'token.revoke': 'Token revoked',
  'token.rotate': 'Token rotated',
}

/** An action in words; one that this version does not know stays what it is. */
export const actionInWords = (action: string): string => WORDS[action] ?? action
