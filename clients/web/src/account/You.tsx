import { useState } from 'react'
import { ROLES, type Role } from '../shared/accounts'
import { ADMIN, may } from '../shared/permissions'
import { ask } from '../state/accounts'
import { app } from '../state/app'
import { openOrganisation } from '../state/org'
import { useStore } from '../state/store'
import dialog from '../ui/Dialog.module.css'
import css from './Account.module.css'
import { Passkeys } from './Passkeys'
import { FormDialog, Permissions, Problem, Section, When } from './parts'
import { Sessions } from './Sessions'
import { useAsk, useDoing } from './useAsk'

function Received() {
  const received = useAsk('receivedInvitations')
  const doing = useDoing()
  const answer = async (id: string, orgId: string, accept: boolean) => {
    if (!(await doing.run(() => ask('answerInvitation', { id, accept })))) return
    if (accept) openOrganisation(orgId)
    else received.reload()
  }
  // Nobody's person has no address to be invited at.
  if (!received.data || received.data.length === 0) return null
  return (
    <Section title="You are invited">
      <Problem text={doing.error} />
      <ul className={css.list}>
        {received.data.map(({ id, orgId, role, expiresAt }) => (
          <li key={id}>
            <span>
              To <b>{orgId}</b> as {ROLES[role as Role] ?? 'member'}, until it lapses{' '}
              <When at={expiresAt} none="never" />
            </span>
            <button
              type="button"
              className={dialog.primary}
              disabled={doing.busy}
              onClick={() => void answer(id, orgId, true)}
            >
              Accept
            </button>
            <button
              type="button"
              className={dialog.button}
              disabled={doing.busy}
              onClick={() => void answer(id, orgId, false)}
            >
              Decline
            </button>
          </li>
        ))}
      </ul>
    </Section>
  )
}

function NewOrganisation({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const doing = useDoing()
  return (
    <FormDialog
      title="New organisation"
      text="You are its first admin. Nothing is shared with your others."
      action="Create"
      doing={doing}
      ready={name.trim() !== ''}
      onSubmit={() =>
        void doing.run(async () =>
          openOrganisation((await ask('createOrganisation', { name: name.trim() })).id),
        )
      }
      onClose={onClose}
    >
      <label className={css.line}>
        <span>Name</span>
        <input required maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />
      </label>
    </FormDialog>
  )
}

function Organisations({ person }: { person: boolean }) {
  const user = useStore(app, (state) => state.user)
  const organisations = useAsk('organisations')
  const [making, setMaking] = useState(false)
  return (
    <Section
      title="Your organisations"
      action={
        person &&
        (user?.orgId === '' || may(ADMIN, user?.permissions)) && (
          <button type="button" className={dialog.button} onClick={() => setMaking(true)}>
            New organisation
          </button>
        )
      }
    >
      <Problem text={organisations.error} retry={organisations.reload} />
      <ul className={css.list}>
        {organisations.data?.map((one) => (
          <li key={one.id}>
            <span>
              <b>{one.name}</b> <code>{one.id}</code>{' '}
              {one.refusal !== '' && <span className={css.refused}>{one.refusal}</span>}
            </span>
            {one.id === user?.orgId ? (
              <span className={css.current}>shown now</span>
            ) : (
              <button type="button" className={dialog.button} onClick={() => openOrganisation(one.id)}>
                Open
              </button>
            )}
          </li>
        ))}
      </ul>
      {making && <NewOrganisation onClose={() => setMaking(false)} />}
    </Section>
  )
}

export function You() {
  const user = useStore(app, (state) => state.user)
  const person = (user?.email ?? '') !== ''
  return (
    <>
      <Section title="You">
        <dl className={css.facts}>
          <dt>Who</dt>
          <dd>
            {user?.name || 'Unknown'} {person && user?.email !== user?.name && <small>{user?.email}</small>}
          </dd>
          <dt>In</dt>
          <dd>{user?.org || 'no organisation yet'}</dd>
          <dt>May</dt>
          <dd>
            <Permissions list={user?.permissions ?? []} />
          </dd>
        </dl>
      </Section>
      <Received />
      <Organisations person={person} />
      {user?.loggedIn && person && <Passkeys />}
      {user?.loggedIn && <Sessions />}
    </>
  )
}
