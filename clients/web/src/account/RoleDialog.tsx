import { useState } from 'react'
import type { MemberView } from '../shared/accounts'
import { ask } from '../state/accounts'
import { app } from '../state/app'
import { useStore } from '../state/store'
import css from './Account.module.css'
import { FormDialog, PermissionChoice } from './parts'
import { useDoing } from './useAsk'

const CHOICES = [
  { role: 1, name: 'Viewer', text: 'sees everything but command lines and environment variables' },
  { role: 2, name: 'Editor', text: 'also runs controls, reads logs, opens terminals in containers' },
  { role: 3, name: 'Admin', text: 'also opens terminals on hosts, and manages members and tokens' },
  { role: 4, name: 'Custom', text: 'what you choose' },
]
const CUSTOM = 4

/** Invites somebody, or changes what a member may do. */
export function RoleDialog({
  member,
  onClose,
  onDone,
}: {
  member: MemberView | null
  onClose: () => void
  onDone: () => void
}) {
  const own = useStore(app, (state) => state.user?.permissions ?? null)
  const [email, setEmail] = useState(member?.email ?? '')
  const [role, setRole] = useState(member?.role ?? 1)
  const [permissions, setPermissions] = useState(member?.permissions ?? [1])
  const doing = useDoing()
  const submit = async () => {
    const given = role === CUSTOM ? permissions : []
    if (await doing.run(() => ask('setMember', { email: email.trim(), role, permissions: given }))) onDone()
  }
  return (
    <FormDialog
      title={member ? `Role of ${member.email}` : 'Invite somebody'}
      text={
        member
          ? 'It counts at once, for everything that is open as well.'
          : 'The person becomes a member by accepting, within 7 days.'
      }
      action={member ? 'Change' : 'Invite'}
      doing={doing}
      ready={/^\S+@\S+$/.test(email.trim()) && (role !== CUSTOM || permissions.length > 0)}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      {!member && (
        <label className={css.line}>
          <span>E-mail address</span>
          <input
            type="email"
            required
            maxLength={254}
            autoComplete="off"
            value={email}
            onChange={(event) => setEmail(event.target.value)}
          />
        </label>
      )}
      <fieldset className={css.choice}>
        <legend>Role</legend>
        {CHOICES.map((choice) => (
          <label key={choice.role}>
            <input
              type="radio"
              name="role"
              checked={role === choice.role}
              onChange={() => setRole(choice.role)}
            />
            <span>
              <b>{choice.name}</b> {choice.text}
            </span>
          </label>
        ))}
      </fieldset>
      {role === CUSTOM && <PermissionChoice offered={own} chosen={permissions} onChange={setPermissions} />}
    </FormDialog>
  )
}
