import { useCallback, useEffect, useState } from 'react'
import { loginOptions } from '../login/routes'
import { backend } from '../state/app'
import { goToSignIn } from '../state/signIn'
import { Panel } from './Panel'

/** Leads to the sign-in page, if there is one and it can be reached; the view is found again afterwards. */
export function SignedOut() {
  const [nowhere, setNowhere] = useState(false)
  const go = useCallback(() => {
    loginOptions().then(goToSignIn, () => setNowhere(true))
  }, [])
  useEffect(go, [go])
  if (!nowhere) return null
  return (
    <Panel
      title="You are signed out"
      actions={
        <button
          type="button"
          onClick={() => {
            backend.send({ type: 'retry' })
            go()
          }}
        >
          Try again
        </button>
      }
    >
      <p>The sign-in page cannot be reached right now.</p>
    </Panel>
  )
}
