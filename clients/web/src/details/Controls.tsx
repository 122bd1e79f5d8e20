import { AlertDialog } from 'radix-ui'
import { useRef, useState } from 'react'
import type { ControlView } from '../shared/details'
import { app } from '../state/app'
import { invoke, mayInvoke } from '../state/controls'
import { useStore } from '../state/store'
import dialog from '../ui/Dialog.module.css'
import { controlIcon, Icon } from '../ui/icons'
import css from './Controls.module.css'

const ERROR_MS = 10_000

export function Controls({ controls, label }: { controls: ControlView[]; label: string }) {
  const permissions = useStore(app, (state) => state.user?.permissions)
  const past = useStore(app, (state) => state.address.at !== null)
  const [pending, setPending] = useState('')
  const [error, setError] = useState('')
  const [asking, setAsking] = useState<ControlView | null>(null)
  const timer = useRef(0)
  const allowed = controls.filter((control) => mayInvoke(control.id, permissions))
  if (allowed.length === 0 || past) return null

  const run = async (control: ControlView) => {
    setAsking(null)
    setPending(control.id)
    setError('')
    clearTimeout(timer.current)
    const problem = await invoke(control, label)
    setPending('')
    if (problem === '') return
    setError(`${control.label}: ${problem}`)
    timer.current = window.setTimeout(() => setError(''), ERROR_MS)
  }

  return (
    <div className={css.controls}>
      <div role="toolbar" aria-label="Controls" className={css.buttons}>
        {allowed.map((control) => (
          <button
            key={control.id}
            type="button"
            className={css.control}
            disabled={pending !== ''}
            aria-busy={pending === control.id || undefined}
            data-control={control.id}
            onClick={() => (control.confirmation === '' ? void run(control) : setAsking(control))}
          >
            {pending === control.id ? (
              <span className={css.spinner} aria-hidden="true" />
            ) : (
              <Icon name={controlIcon(control.icon)} size={13} />
            )}
            {control.label}
          </button>
        ))}
      </div>
      {error !== '' && (
        <p className={css.error} role="alert">
          <Icon name="warning" size={13} />
          {error}
        </p>
      )}
      <AlertDialog.Root open={asking !== null} onOpenChange={(open) => !open && setAsking(null)}>
        <AlertDialog.Portal>
          <AlertDialog.Overlay className={dialog.overlay} />
          <AlertDialog.Content className={dialog.content} data-size="small">
            <AlertDialog.Title className={dialog.title}>
              {asking?.label} {label}
            </AlertDialog.Title>
            <AlertDialog.Description className={dialog.text}>{asking?.confirmation}</AlertDialog.Description>
            <div className={dialog.buttons}>
              <AlertDialog.Cancel className={dialog.button}>Cancel</AlertDialog.Cancel>
              <AlertDialog.Action className={dialog.danger} onClick={() => asking && void run(asking)}>
                {asking?.label}
              </AlertDialog.Action>
            </div>
          </AlertDialog.Content>
        </AlertDialog.Portal>
      </AlertDialog.Root>
    </div>
  )
}
