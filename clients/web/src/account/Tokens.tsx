import { useState } from 'react'
import type { NewTokenView, TokenView } from '../shared/accounts'
import { ADMIN, may } from '../shared/permissions'
import { ask } from '../state/accounts'
import { app } from '../state/app'
import { useStore } from '../state/store'
import { Confirm } from '../ui/Confirm'
import dialog from '../ui/Dialog.module.css'
import css from './Account.module.css'
import { NewToken } from './NewToken'
import { Permissions, Problem, Section, When } from './parts'
import { Secret } from './Secret'
import { useAsk, useDoing } from './useAsk'

const DAY_S = 24 * 60 * 60

function TokenRow(props: {
  token: TokenView
  you: string
  busy: boolean
  onRotate: () => void
  onRevoke: () => void
}) {
  const { token, you, busy } = props
  return (
    <tr>
      <th scope="row">
        {token.name}
        <small>
          {token.userId === '' ? '' : token.userId === you ? ' personal, yours' : ' personal'} {token.id}
        </small>
      </th>
      <td>
        <Permissions list={token.permissions} />
      </td>
      <td data-label="last used">
        <When at={token.lastUsedAt} none="never" />
      </td>
      <td data-label="ends">
        <When at={token.expiresAt} none="never" />
      </td>
      <td className={css.actions}>
        <button type="button" disabled={busy} aria-label={`Rotate ${token.name}`} onClick={props.onRotate}>
          Rotate
        </button>
        <button type="button" disabled={busy} aria-label={`Revoke ${token.name}`} onClick={props.onRevoke}>
          Revoke
        </button>
      </td>
    </tr>
  )
}

export function Tokens() {
  const user = useStore(app, (state) => state.user)
  const tokens = useAsk('tokens')
  const doing = useDoing()
  const [making, setMaking] = useState(false)
  const [made, setMade] = useState<NewTokenView | null>(null)
  const [asked, setAsked] = useState<{ token: TokenView; what: 'rotate' | 'revoke' } | null>(null)
  const revoke = async ({ id }: TokenView) => {
    if (await doing.run(() => ask('revokeToken', { id }))) tokens.reload()
  }
  const rotate = async ({ id }: TokenView) => {
    const done = await doing.run(async () => setMade(await ask('rotateToken', { id, overlap: DAY_S })))
    if (done) tokens.reload()
  }

  return (
    <>
      <Section
        title="Tokens"
        action={
          <button type="button" className={dialog.primary} onClick={() => setMaking(true)}>
            New token
          </button>
        }
      >
        <p className={css.lead}>
          For probes and scripts. {may(ADMIN, user?.permissions) ? '' : 'You see your personal ones.'}
        </p>
        <Problem text={tokens.error} retry={tokens.reload} />
        <Problem text={doing.error} />
        {tokens.data?.length === 0 && <p className={css.none}>There are none.</p>}
        {tokens.data && tokens.data.length > 0 && (
          <div className={css.scroll}>
            <table className={css.table}>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">May</th>
                  <th scope="col">Last used</th>
                  <th scope="col">Ends</th>
                  <td />
                </tr>
              </thead>
              <tbody>
                {tokens.data.map((token) => (
                  <TokenRow
                    key={token.id}
                    token={token}
                    you={user?.id ?? ''}
                    busy={doing.busy}
                    onRotate={() => setAsked({ token, what: 'rotate' })}
                    onRevoke={() => setAsked({ token, what: 'revoke' })}
                  />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Section>
      {making && (
        <NewToken
          onClose={() => setMaking(false)}
          onMade={(answer) => {
            setMaking(false)
            setMade(answer)
            tokens.reload()
          }}
        />
      )}
      {made && <Secret made={made} onClose={() => setMade(null)} />}
      <Confirm
        open={asked !== null}
        title={asked?.what === 'rotate' ? `Rotate “${asked.token.name}”?` : `Revoke “${asked?.token.name}”?`}
        action={asked?.what === 'rotate' ? 'Rotate' : 'Revoke'}
        harmless={asked?.what === 'rotate'}
        onConfirm={() => {
          if (asked) void (asked.what === 'rotate' ? rotate : revoke)(asked.token)
          setAsked(null)
        }}
        onCancel={() => setAsked(null)}
      >
        {asked?.what === 'rotate'
          ? 'You get a new one that may do the same. The old one goes on working for a day.'
          : 'Whoever uses it is refused at once, and what was opened with it is closed.'}
      </Confirm>
    </>
  )
}
