import { Dialog } from 'radix-ui'
import { useRef, useState } from 'react'
import { orgOf } from '../state/address'
import { formatTerminalAddress } from '../state/terminalAddress'
import type { Terminal } from '../state/terminals'
import { Confirm } from '../ui/Confirm'
import { copyText } from '../ui/clipboard'
import dialog from '../ui/Dialog.module.css'
import { Icon } from '../ui/icons'

export function CloseDialog(props: {
  open: boolean
  title: string
  onConfirm: () => void
  onCancel: () => void
}) {
  return (
    <Confirm
      open={props.open}
      title="Close this terminal?"
      action="End and close"
      onConfirm={props.onConfirm}
      onCancel={props.onCancel}
    >
      “{props.title}” may still run something. Closing ends the shell and what was started in it.
    </Confirm>
  )
}

/** As much of a paste as is shown before it runs, in characters. */
const SHOWN = 600

export function PasteDialog({
  text,
  onPaste,
  onCancel,
}: {
  text: string
  onPaste: () => void
  onCancel: () => void
}) {
  const lines = text.split(/\r\n|\r|\n/).length
  return (
    <Confirm
      open={text !== ''}
      title={`Paste ${lines} lines?`}
      action="Paste"
      harmless
      onConfirm={onPaste}
      onCancel={onCancel}
    >
      The program takes each line end as Enter: what is pasted runs at once.
      <pre className={dialog.quote}>{text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text}</pre>
    </Confirm>
  )
}

export function ShareDialog({
  open,
  terminal,
  size,
  onClose,
}: {
  open: boolean
  terminal: Terminal
  size: [number, number]
  onClose: () => void
}) {
  const field = useRef<HTMLInputElement>(null)
  const [copied, setCopied] = useState(false)
  const url = new URL(window.location.href)
  url.hash = formatTerminalAddress({
    org: orgOf(url.hash),
    pipeId: terminal.pipeId,
    title: terminal.title,
    watch: true,
    size,
  })
  const close = () => {
    setCopied(false)
    onClose()
  }
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && close()}>
      <Dialog.Portal>
        <Dialog.Overlay className={dialog.overlay} />
        <Dialog.Content
          className={dialog.content}
          data-size="small"
          onOpenAutoFocus={(event) => {
            event.preventDefault()
            field.current?.select()
          }}
        >
          <Dialog.Title className={dialog.title}>Let others watch</Dialog.Title>
          <Dialog.Description className={dialog.text}>
            Members of this organisation who may open terminals themselves see this one with the link, from
            the last output on, and type nothing there. It works until the terminal ends.
          </Dialog.Description>
          <input ref={field} className={dialog.field} aria-label="Link" readOnly value={url.href} />
          <div className={dialog.buttons}>
            <Dialog.Close className={dialog.button}>Close</Dialog.Close>
            <button
              type="button"
              className={dialog.primary}
              onClick={() => void copyText(url.href).then(setCopied)}
            >
              {copied ? 'Copied' : 'Copy link'}
            </button>
          </div>
          <Dialog.Close className={dialog.close} aria-label="Close">
            <Icon name="close" />
          </Dialog.Close>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
