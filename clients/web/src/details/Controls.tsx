import { useState } from 'react'
import type { ControlView, DetailsView } from '../shared/details'
import { may, permissionName, permissionOf } from '../shared/permissions'
import { app } from '../state/app'
import { invoke, isDestructive } from '../state/controls'
import { runs, sameTarget } from '../state/runs'
import { useStore } from '../state/store'
import { Confirm } from '../ui/Confirm'
import { controlIcon, Icon } from '../ui/icons'
import css from './Controls.module.css'
import { RunLine } from './RunLine'

/** What a node's controls act on, for questions about them. */
function subject(details: DetailsView): string[] {
  const clients = details.incoming?.rows.length ?? 0
  return [
    ...details.parents.map((parent) => parent.label).slice(0, 4),
    ...(clients > 0
      ? [clients === 1 ? '1 client is connected to it' : `${clients} clients are connected to it`]
      : []),
  ]
}

function Refused({ controls }: { controls: ControlView[] }) {
  if (controls.length === 0) return null
  const names = [...new Set(controls.map((control) => permissionName(permissionOf(control.id))))]
  return (
    <p className={css.refused}>
      <Icon name="shield" size={12} />
      <span>
        {controls.map((control) => control.label).join(', ')}: you need the permission{' '}
        {names.map((name) => `“${name}”`).join(' or ')}. An admin can give it to you.
      </span>
    </p>
  )
}

export function Controls({ details }: { details: DetailsView }) {
  const permissions = useStore(app, (state) => state.user?.permissions)
  const past = useStore(app, (state) => state.address.at !== null)
  const all = useStore(runs, (state) => state.all)
  const [asking, setAsking] = useState<ControlView | null>(null)
  const { controls, label } = details
  if (controls.length === 0 || past) return null

  const allowed = controls.filter((control) => may(permissionOf(control.id), permissions))
  const own = all.filter((run) => controls.some((control) => sameTarget(control, run.control)))
  const busy = (control: ControlView) =>
    own.some((run) => run.state === 'running' && sameTarget(run.control, control))
  const facts = subject(details)

  return (
    <div className={css.controls}>
      {allowed.length > 0 && (
        <div role="toolbar" aria-label="Controls" className={css.buttons}>
          {allowed.map((control) => (
            <button
              key={control.id}
              type="button"
              className={css.control}
              disabled={busy(control)}
              aria-busy={busy(control) || undefined}
              data-control={control.id}
              onClick={() =>
                control.confirmation !== '' || isDestructive(control.id)
                  ? setAsking(control)
                  : void invoke(control, label)
              }
            >
              {busy(control) ? (
                <span className={css.spinner} aria-hidden="true" />
              ) : (
                <Icon name={controlIcon(control.icon)} size={13} />
              )}
              {control.label}
            </button>
          ))}
        </div>
      )}
      <Refused controls={controls.filter((control) => !allowed.includes(control))} />
      {own.map((run) => (
        <RunLine key={run.id} run={run} />
      ))}
      <Confirm
        open={asking !== null}
        title={`${asking?.label ?? ''} ${label}?`}
        action={asking?.label ?? ''}
        onConfirm={() => {
          if (asking) void invoke(asking, label)
          setAsking(null)
        }}
        onCancel={() => setAsking(null)}
      >
        {asking?.confirmation}
        {facts.length > 0 && <p>{facts.join(' · ')}</p>}
      </Confirm>
    </div>
  )
}
