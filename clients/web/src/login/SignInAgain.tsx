import { useState } from 'react'
import { backend } from '../state/app'
import { goToSignIn } from '../state/signIn'
import { explainPasskey, knowsPasskeys, signInWithPasskey } from './passkeys'

/** The ways on when a login is too old: a passkey right here, or the sign-in page. */
export function SignInAgain({ className, onDone }: { className?: string; onDone: () => void }) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const confirm = async () => {
    setBusy(true)
    setError('')
    try {
      await signInWithPasskey(true)
      // What was open in the old session has ended.
      backend.send({ type: 'retry' })
      onDone()
    } catch (problem) {
      setError(explainPasskey(problem))
    }
    setBusy(false)
  }
  return (
    <>
      {error !== '' && <span role="status">{error}</span>}
      {knowsPasskeys() && (
        <button type="button" className={className} disabled={busy} onClick={() => void confirm()}>
          Use a passkey
        </button>
      )}
      <button type="button" className={className} onClick={goToSignIn}>
        Sign in again
      </button>
    </>
  )
}
