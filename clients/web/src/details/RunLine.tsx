import { lazy, Suspense } from 'react'
import { CONTROL_NEEDS_LOGIN } from '../state/controls'
import { dismissRun, type Run } from '../state/runs'
import { useNow } from '../ui/clock'
import { Icon } from '../ui/icons'
import css from './RunLine.module.css'

const SignInAgain = lazy(() =>
  import('../login/SignInAgain').then((module) => ({ default: module.SignInAgain })),
)

/** Before this a control is simply quick. */
const SAY_SECONDS_FROM_MS = 2_000

function Running({ run }: { run: Run }) {
  const passed = useNow() - run.startedAt
  return <>{passed >= SAY_SECONDS_FROM_MS ? `running for ${Math.floor(passed / 1000)} s` : 'running…'}</>
}

/** How a control goes, or went. `named` also says on what. */
export function RunLine({ run, named }: { run: Run; named?: boolean }) {
  const what = named ? `${run.control.label} · ${run.label}` : run.control.label
  const { state } = run
  return (
    <div className={css.run} data-state={state} role={state === 'failed' ? 'alert' : 'status'}>
      {state === 'running' ? (
        <span className={css.spinner} aria-hidden="true" />
      ) : (
        <Icon name={state === 'failed' ? 'warning' : 'check'} size={13} />
      )}
      <p>
        <b>{what}:</b>{' '}
        {state === 'running' ? (
          <Running run={run} />
        ) : (
          run.text || `done in ${((run.endedAt - run.startedAt) / 1000).toFixed(1)} s`
        )}
      </p>
      {run.text === CONTROL_NEEDS_LOGIN && (
        <Suspense>
          <SignInAgain className={css.act} onDone={() => dismissRun(run.id)} />
        </Suspense>
      )}
      {state !== 'running' && (
        <button type="button" aria-label={`Dismiss: ${what}`} onClick={() => dismissRun(run.id)}>
          <Icon name="close" size={11} />
        </button>
      )}
    </div>
  )
}
