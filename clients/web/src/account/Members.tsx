import { useState } from 'react'
import { type MemberView, ROLES, type Role } from '../shared/accounts'
import { ADMIN, may } from '../shared/permissions'
import { ask } from '../state/accounts'
import { app } from '../state/app'
import { useStore } from '../state/store'
import { Confirm } from '../ui/Confirm'
import dialog from '../ui/Dialog.module.css'
import css from './Account.module.css'
import { Invitations } from './Invitations'
import { Permissions, Problem, Section } from './parts'
import { RoleDialog } from './RoleDialog'
import { useAsk, useDoing } from './useAsk'

function roleName(role: number): string {
  return ROLES[role as Role] ?? 'unknown'
}

function MemberRow(props: {
  member: MemberView
  you: boolean
  admin: boolean
  onChange: () => void
  onRemove: () => void
}) {
  const { member, you, admin } = props
  return (
    <tr>
      <th scope="row">
        {member.email}
        <small>{[member.name, you ? 'you' : ''].filter(Boolean).join(' · ')}</small>
      </th>
      <td>{roleName(member.role)}</td>
      <td>
        <Permissions list={member.permissions} />
      </td>
      <td className={css.actions}>
        {admin && (
          <button type="button" aria-label={`Change the role of ${member.email}`} onClick={props.onChange}>
            Change
          </button>
        )}
        {(admin || you) && (
          <button
            type="button"
            aria-label={you ? 'Leave this organisation' : `Remove ${member.email}`}
            onClick={props.onRemove}
          >
            {you ? 'Leave' : 'Remove'}
          </button>
        )}
      </td>
    </tr>
  )
}

export function Members() {
  const user = useStore(app, (state) => state.user)
  const admin = may(ADMIN, user?.permissions)
  const members = useAsk('members')
  const invitations = useAsk('invitations', admin)
  const doing = useDoing()
  const [editing, setEditing] = useState<MemberView | 'new' | null>(null)
  const [removing, setRemoving] = useState<MemberView | null>(null)
  const reload = () => {
    members.reload()
    invitations.reload()
  }
  const remove = async (member: MemberView) => {
    setRemoving(null)
    if (!(await doing.run(() => ask('removeMember', { userId: member.id })))) return
    // Who has left sees nothing of it any more.
    if (member.id === user?.id) window.location.assign(window.location.pathname)
    else reload()
  }

  return (
    <>
      <Section
        title="Members"
        action={
          admin && (
            <button type="button" className={dialog.primary} onClick={() => setEditing('new')}>
              Invite
            </button>
          )
        }
      >
        <Problem text={members.error} retry={members.reload} />
        <Problem text={doing.error} />
        {members.data?.length === 0 && (
          <p className={css.none}>Nobody yet. Whoever is let in without an account is not listed.</p>
        )}
        {members.data && members.data.length > 0 && (
          <div className={css.scroll}>
            <table className={css.table}>
              <thead>
                <tr>
                  <th scope="col">Person</th>
                  <th scope="col">Role</th>
                  <th scope="col">May</th>
                  <td />
                </tr>
              </thead>
              <tbody>
                {members.data.map((member) => (
                  <MemberRow
                    key={member.id}
                    member={member}
                    you={member.id === user?.id}
                    admin={admin}
                    onChange={() => setEditing(member)}
                    onRemove={() => setRemoving(member)}
                  />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Section>
      {admin && <Invitations invitations={invitations} />}
      {editing && (
        <RoleDialog
          member={editing === 'new' ? null : editing}
          onClose={() => setEditing(null)}
          onDone={() => {
            setEditing(null)
            reload()
          }}
        />
      )}
      <Confirm
        open={removing !== null}
        title={removing?.id === user?.id ? 'Leave this organisation?' : `Remove ${removing?.email}?`}
        action={removing?.id === user?.id ? 'Leave' : 'Remove'}
        onConfirm={() => removing && void remove(removing)}
        onCancel={() => setRemoving(null)}
      >
        Sessions and personal tokens lose {user?.org} at once. What is open with them is closed.
      </Confirm>
    </>
  )
}
