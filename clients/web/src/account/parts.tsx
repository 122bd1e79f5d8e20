import { Dialog } from 'radix-ui'
import { type FormEvent, type ReactNode, useEffect, useState } from 'react'
import { SignInAgain } from '../login/SignInAgain'
import { formatAge } from '../shared/format'
import { PERMISSIONS, type Permission, permissionName } from '../shared/permissions'
import { SIGN_IN_AGAIN } from '../state/accounts'
import dialog from '../ui/Dialog.module.css'
import { Icon } from '../ui/icons'
import css from './Account.module.css'
import type { Doing } from './useAsk'

/** What went wrong, if something did. */
export function Problem({ text, retry }: { text: string; retry?: () => void }) {
  const [settled, setSettled] = useState('')
  // biome-ignore lint/correctness/useExhaustiveDependencies: what comes after another text is news
  useEffect(() => setSettled(''), [text])
  if (text === '' || text === settled) return null
  return (
    <p className={css.problem} role="alert">
      <Icon name="warning" size={13} />
      <span>{text}</span>
      {text === SIGN_IN_AGAIN && <SignInAgain onDone={() => setSettled(text)} />}
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </p>
  )
}

export function Section({
  title,
  children,
  action,
}: {
  title: string
  children: ReactNode
  action?: ReactNode
}) {
  return (
    <section className={css.section} aria-label={title}>
      <div className={css.sectionHead}>
        <h2>{title}</h2>
        {action}
      </div>
      {children}
    </section>
  )
}

/** A moment, by how long ago or ahead it is. */
export function When({ at, none }: { at: number | null; none: string }) {
  if (at === null) return <>{none}</>
  const ahead = at - Date.now()
  const text = ahead > 0 ? `in ${formatAge(ahead)}` : `${formatAge(-ahead)} ago`
  return (
    <time dateTime={new Date(at).toISOString()} title={new Date(at).toLocaleString()}>
      {text}
    </time>
  )
}

export function Permissions({ list }: { list: number[] }) {
  return (
    <span className={css.permissions}>
      {list.map((permission) => (
        <code key={permission}>{permissionName(permission)}</code>
      ))}
    </span>
  )
}

/** Checkboxes for what somebody may be given: nobody gives what they do not have. */
export function PermissionChoice({
  offered,
  chosen,
  onChange,
}: {
  offered: number[] | null
  chosen: number[]
  onChange: (chosen: number[]) => void
}) {
  const all = Object.keys(PERMISSIONS).map(Number) as Permission[]
  return (
    <fieldset className={css.choice}>
      <legend>May</legend>
      {all
        .filter((one) => !offered || offered.includes(one))
        .map((one) => (
          <label key={one}>
            <input
              type="checkbox"
              checked={chosen.includes(one)}
              onChange={(event) =>
                onChange(event.target.checked ? [...chosen, one] : chosen.filter((other) => other !== one))
              }
            />
            <span>
              <b>{PERMISSIONS[one].name}</b> {PERMISSIONS[one].allows}
            </span>
          </label>
        ))}
    </fieldset>
  )
}

/** A dialog with fields and one thing to do. */
export function FormDialog(props: {
  title: string
  text?: ReactNode
  action: string
  doing: Doing
  ready: boolean
  onSubmit: () => void
  onClose: () => void
  children: ReactNode
}) {
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (props.ready && !props.doing.busy) props.onSubmit()
  }
  return (
    <Dialog.Root open onOpenChange={(open) => !open && props.onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className={dialog.overlay} />
        <Dialog.Content className={dialog.content} data-size="form" aria-describedby={undefined}>
          <Dialog.Title className={dialog.title}>{props.title}</Dialog.Title>
          {props.text && <p className={dialog.text}>{props.text}</p>}
          <form className={css.form} onSubmit={submit}>
            {props.children}
            <Problem text={props.doing.error} />
            <div className={dialog.buttons}>
              <Dialog.Close className={dialog.button}>Cancel</Dialog.Close>
              <button type="submit" className={dialog.primary} disabled={!props.ready || props.doing.busy}>
                {props.doing.busy ? 'One moment…' : props.action}
              </button>
            </div>
          </form>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
