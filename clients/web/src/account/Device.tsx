import { type FormEvent, useEffect, useState } from 'react'
import type { DeviceLoginView } from '../shared/accounts'
import { formatAge } from '../shared/format'
import { may, permissionName } from '../shared/permissions'
import { ask } from '../state/accounts'
import { app } from '../state/app'
import { useStore } from '../state/store'
import dialog from '../ui/Dialog.module.css'
import css from './Account.module.css'
import { Permissions, Problem, Section, When } from './parts'
import { useDoing } from './useAsk'

/** What would be granted, and to whom. */
function Question({
  login,
  code,
  onAnswered,
}: {
  login: DeviceLoginView
  code: string
  onAnswered: (approved: boolean) => void
}) {
  const user = useStore(app, (state) => state.user)
  const doing = useDoing()
  const lacking = login.permissions.filter((one) => !may(one, user?.permissions))
  const answer = async (approve: boolean) => {
    if (await doing.run(() => ask('answerDevice', { code, approve }))) onAnswered(approve)
  }
  return (
    <>
      <p>
        A program asks for a token that acts as you. Approve it only if you have just started it yourself, and
        it shows this code:
      </p>
      <p className={css.code} data-testid="code">
        {code}
      </p>
      <dl className={css.facts}>
        <dt>Calls itself</dt>
        <dd>{login.client}</dd>
        <dt>Asks from</dt>
        <dd>
          {login.address}, <When at={login.createdAt} none="some time ago" />
        </dd>
        <dt>In</dt>
        <dd>{user?.org || 'no organisation'}, unless it names another of yours</dd>
        <dt>May</dt>
        <dd>
          <Permissions list={login.permissions} />
        </dd>
        <dt>For</dt>
        <dd>{formatAge(login.tokenLifetime)}</dd>
      </dl>
      {lacking.length > 0 && (
        <p className={css.refusal}>
          You may not give it what you do not have yourself: {lacking.map(permissionName).join(', ')}.
        </p>
      )}
      <Problem text={doing.error} />
      <div className={dialog.buttons}>
        <button
          type="button"
          className={dialog.button}
          disabled={doing.busy}
          onClick={() => void answer(false)}
        >
          Refuse
        </button>
        <button
          type="button"
          className={dialog.primary}
          disabled={doing.busy || lacking.length > 0}
          onClick={() => void answer(true)}
        >
          Approve
        </button>
      </div>
    </>
  )
}

/** Approves programs that have no browser. */
export function Device() {
  const given = useStore(app, (state) => state.address.code)
  const [code, setCode] = useState(given)
  const [login, setLogin] = useState<DeviceLoginView | null>(null)
  const [done, setDone] = useState('')
  const { run, busy, error } = useDoing()
  const look = (text: string) => {
    setDone('')
    void run(async () => setLogin(await ask('device', { code: text })))
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: a link is followed once
  useEffect(() => {
    if (given !== '') look(given)
  }, [])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    look(code.trim())
  }
  return (
    <Section title="Approve a program">
      {done !== '' && <p role="status">{done}</p>}
      {login ? (
        <Question
          login={login}
          code={login.code}
          onAnswered={(approved) => {
            setLogin(null)
            setCode('')
            setDone(
              approved
                ? 'Approved: the program has its token in a few seconds. You can revoke it under Tokens.'
                : 'Refused: the program gets nothing.',
            )
          }}
        />
      ) : (
        <form className={css.form} onSubmit={submit}>
          <label className={css.line}>
            <span>The code that the program shows</span>
            <input
              required
              maxLength={16}
              autoComplete="off"
              spellCheck={false}
              value={code}
              onChange={(event) => setCode(event.target.value)}
            />
          </label>
          <Problem text={error} />
          <div className={dialog.buttons}>
            <button type="submit" className={dialog.primary} disabled={busy || code.trim() === ''}>
              Look
            </button>
          </div>
        </form>
      )}
    </Section>
  )
}
