import { AlertDialog } from 'radix-ui'
import type { ReactNode } from 'react'
import dialog from './Dialog.module.css'

interface Props {
  open: boolean
  title: string
  children: ReactNode
  /** The button's text: what will be done. */
  action: string
  /** Nothing is lost by it. */
  harmless?: boolean
  onConfirm: () => void
  onCancel: () => void
}

/** Asks before something that cannot be taken back. Cancel has the focus. */
export function Confirm({ open, title, children, action, harmless, onConfirm, onCancel }: Props) {
  return (
    <AlertDialog.Root open={open} onOpenChange={(next) => !next && onCancel()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={dialog.overlay} />
        <AlertDialog.Content className={dialog.content} data-size="small" data-testid="confirm">
          <AlertDialog.Title className={dialog.title}>{title}</AlertDialog.Title>
          <AlertDialog.Description asChild>
            <div className={dialog.text}>{children}</div>
          </AlertDialog.Description>
          <div className={dialog.buttons}>
            <AlertDialog.Cancel className={dialog.button}>Cancel</AlertDialog.Cancel>
            <AlertDialog.Action className={harmless ? dialog.primary : dialog.danger} onClick={onConfirm}>
              {action}
            </AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
