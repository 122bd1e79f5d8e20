import { useState } from 'react'
import type { SessionView } from '../shared/accounts'
import { ask } from '../state/accounts'
import { forgetAndSignIn } from '../state/signIn'
import { Confirm } from '../ui/Confirm'
import dialog from '../ui/Dialog.module.css'
import css from './Account.module.css'
import { browserName } from './browserName'
import { Problem, Section, When } from './parts'
import { useAsk, useDoing } from './useAsk'

function SessionRow({ session, busy, onEnd }: { session: SessionView; busy: boolean; onEnd: () => void }) {
  const name = browserName(session.userAgent)
  return (
    <li>
      <span title={session.userAgent}>
        <b>{name}</b> {session.address}
        <small>
          {session.method}, begun <When at={session.createdAt} none="some time ago" />, last used{' '}
          <When at={session.lastUsedAt} none="never" />, ends <When at={session.expiresAt} none="never" />
        </small>
      </span>
      {session.current ? (
        <span className={css.current}>this browser</span>
      ) : (
        <button
          type="button"
          className={dialog.button}
          disabled={busy}
          aria-label={`Log out ${name} at ${session.address}`}
          onClick={onEnd}
        >
          Log out
        </button>
      )}
    </li>
  )
}

/** The browsers in which one is logged in. */
export function Sessions() {
  const sessions = useAsk('sessions')
  const doing = useDoing()
  const [asking, setAsking] = useState(false)
  const end = async (id: string) => {
    if (await doing.run(() => ask('revokeSession', { id }))) sessions.reload()
  }
  const everywhere = async () => {
    setAsking(false)
    if (await doing.run(() => ask('revokeAllSessions', { keepCurrent: false }))) forgetAndSignIn()
  }
  return (
    <Section
      title="Where you are logged in"
      action={
        <button type="button" className={dialog.button} onClick={() => setAsking(true)}>
          Log out everywhere
        </button>
      }
    >
      <Problem text={sessions.error} retry={sessions.reload} />
      <Problem text={doing.error} />
      <ul className={css.list}>
        {sessions.data?.map((session) => (
          <SessionRow
            key={session.id}
            session={session}
            busy={doing.busy}
            onEnd={() => void end(session.id)}
          />
        ))}
      </ul>
      <Confirm
        open={asking}
        title="Log out everywhere?"
        action="Log out everywhere"
        onConfirm={() => void everywhere()}
        onCancel={() => setAsking(false)}
      >
        Every browser, this one too, and all that is open in them, terminals as well. Tokens go on working.
      </Confirm>
    </Section>
  )
}
