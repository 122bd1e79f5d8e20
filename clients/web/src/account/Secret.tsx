import { Dialog } from 'radix-ui'
import { useState } from 'react'
import type { NewTokenView } from '../shared/accounts'
import { copyText } from '../ui/clipboard'
import dialog from '../ui/Dialog.module.css'
import css from './Account.module.css'
import { probeCommands } from './snippet'

const REPORT = 3

function Copied({ text, label }: { text: string; label: string }) {
  const [done, setDone] = useState(false)
  return (
    <div className={css.copied}>
      <pre aria-label={label}>{text}</pre>
      <button
        type="button"
        className={dialog.button}
        aria-label={`Copy: ${label}`}
        onClick={() => void copyText(text).then(setDone)}
      >
        {done ? 'Copied' : 'Copy'}
      </button>
    </div>
  )
}

/** The only time that a token's secret is seen. It closes by its button alone. */
export function Secret({ made, onClose }: { made: NewTokenView; onClose: () => void }) {
  const { token, secret } = made
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className={dialog.overlay} />
        <Dialog.Content
          className={dialog.content}
          data-size="form"
          data-testid="secret"
          onEscapeKeyDown={(event) => event.preventDefault()}
          onInteractOutside={(event) => event.preventDefault()}
        >
          <Dialog.Title className={dialog.title}>Token “{token.name}”</Dialog.Title>
          <Dialog.Description className={dialog.text}>
            This is the only time that it is shown: copy it now, and keep it where secrets belong.
          </Dialog.Description>
          <Copied text={secret} label="the token" />
          {token.permissions.includes(REPORT) && (
            <>
              <h3 className={css.sub}>Start a probe with it</h3>
              <p className={dialog.text}>
                On the machine to look at, with <code>weft</code> on its path. The first line waits for the
                token: paste it, then press Enter and Ctrl+D, so that it is in no history.
              </p>
              <Copied text={probeCommands(window.location)} label="commands for a probe" />
            </>
          )}
          <div className={dialog.buttons}>
            <Dialog.Close className={dialog.primary}>I have it</Dialog.Close>
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
