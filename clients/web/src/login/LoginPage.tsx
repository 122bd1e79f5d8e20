import { type FormEvent, type ReactNode, useEffect, useState } from 'react'
import { leaveSignIn } from '../state/signIn'
import { Icon } from '../ui/icons'
import { Mark } from '../ui/Mark'
import { type Fragment, parseFragment } from './fragment'
import css from './Login.module.css'
import { explainPasskey, knowsPasskeys, signInWithPasskey } from './passkeys'
import { explainLogin, type LoginOptions, loginOptions, openLink, sendLink, startOidc } from './routes'

/** Runs one thing at a time and keeps what went wrong. */
function useStep() {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const run = async (work: () => Promise<void>, explain = explainLogin) => {
    setBusy(true)
    setError('')
    await work().catch((problem) => setError(explain(problem)))
    setBusy(false)
  }
  return { busy, error, setError, run }
}
type Step = ReturnType<typeof useStep>

function Email({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <label>
      <span>Your e-mail address</span>
      <input
        type="email"
        required
        maxLength={254}
        autoComplete="email"
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  )
}

/** A link was opened. A click uses it up, not the visit: programs that look at links in mail must not. */
function OpenLink({ fragment, step }: { fragment: Fragment; step: Step }) {
  const [email, setEmail] = useState('')
  const open = (event: FormEvent) => {
    event.preventDefault()
    void step.run(async () => {
      await openLink(fragment.secret, fragment.bootstrap ? email.trim() : '')
      leaveSignIn()
    })
  }
  return (
    <form onSubmit={open}>
      {fragment.bootstrap && (
        <>
          <p>You become the admin. Give the address that your account shall have.</p>
          <Email value={email} onChange={setEmail} />
        </>
      )}
      <button type="submit" className={css.main} disabled={step.busy}>
        {fragment.bootstrap ? 'Create the account' : 'Sign in'}
      </button>
    </form>
  )
}

function Mail({ step, signUp }: { step: Step; signUp: boolean }) {
  const [email, setEmail] = useState('')
  const [sent, setSent] = useState('')
  const send = (event: FormEvent) => {
    event.preventDefault()
    void step.run(async () => {
      await sendLink(email.trim())
      setSent(email.trim())
    })
  }
  if (sent !== '')
    return (
      <div role="status">
        <p>
          If <b>{sent}</b> may sign in here, a link is on its way. It works once, for 15 minutes.
        </p>
        <button type="button" className={css.other} onClick={() => setSent('')}>
          Another address
        </button>
      </div>
    )
  return (
    <form onSubmit={send}>
      <Email value={email} onChange={setEmail} />
      <button type="submit" className={css.main} disabled={step.busy}>
        Send me a link
      </button>
      {signUp && <p className={css.hint}>New here? The link makes your account.</p>}
    </form>
  )
}

function Ways({ options, step }: { options: LoginOptions; step: Step }) {
  if (!options.possible)
    return (
      <p>
        People sign in over https alone, so that nobody reads along. Whoever runs this Weft gives it{' '}
        <code>--public-url https://…</code> and puts TLS in front.
      </p>
    )
  const passkeys = options.passkeys && knowsPasskeys()
  if (!options.mail && options.oidc.length === 0 && !passkeys)
    return (
      <p>
        This Weft sends no mail and knows no provider. Whoever runs it makes a link for you with{' '}
        <code>weft admin bootstrap</code>.
      </p>
    )
  const others = options.oidc.length > 0 || passkeys
  return (
    <>
      {passkeys && (
        <button
          type="button"
          className={css.other}
          disabled={step.busy}
          onClick={() => void step.run(() => signInWithPasskey(false).then(leaveSignIn), explainPasskey)}
        >
          Sign in with a passkey
        </button>
      )}
      {options.oidc.map(({ id, name }) => (
        <button
          key={id}
          type="button"
          className={css.other}
          disabled={step.busy}
          onClick={() => void step.run(async () => window.location.assign(await startOidc(id)))}
        >
          Sign in with {name}
        </button>
      ))}
      {options.mail && others && <p className={css.or}>or</p>}
      {options.mail && <Mail step={step} signUp={options.signUp} />}
    </>
  )
}

export default function LoginPage() {
  const [fragment] = useState(() => parseFragment(window.location.hash))
  const [options, setOptions] = useState<LoginOptions | null>(null)
  const [instead, setInstead] = useState(false)
  const step = useStep()
  const { run, setError } = step
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it is opened
  useEffect(() => {
    document.title = 'Sign in – Weft'
    // A secret does not stay in the address, where the history would keep it.
    window.history.replaceState(null, '', window.location.pathname)
    void run(async () => setOptions(await loginOptions())).then(
      () => fragment.problem !== '' && setError(fragment.problem),
    )
  }, [])
  let content: ReactNode = null
  if (fragment.secret !== '' && !instead) content = <OpenLink fragment={fragment} step={step} />
  else if (options) content = <Ways options={options} step={step} />
  return (
    <main className={css.page} data-testid="login">
      <div className={css.card}>
        <Mark size={34} />
        <h1>Sign in to Weft</h1>
        {step.error !== '' && (
          <p className={css.error} role="alert">
            <Icon name="warning" size={13} />
            <span>{step.error}</span>
          </p>
        )}
        {content}
        {fragment.secret !== '' && !instead && step.error !== '' && (
          <button
            type="button"
            className={css.other}
            onClick={() => {
              setInstead(true)
              setError('')
            }}
          >
            Sign in another way
          </button>
        )}
        {!options && step.error !== '' && fragment.secret === '' && (
          <button type="button" className={css.other} onClick={() => window.location.reload()}>
            Try again
          </button>
        )}
      </div>
    </main>
  )
}
