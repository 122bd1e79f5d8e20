import { useEffect, useRef, useState } from 'react'
import { backend } from '../state/app'
import { endTerminal, popOut, type Terminal } from '../state/terminals'
import { copyText, pastedText } from '../ui/clipboard'
import { useNow } from '../ui/clock'
import { CloseDialog, PasteDialog, ShareDialog } from './Dialogs'
import { describe, describeSkipped, mayRun } from './describe'
import { FindBar } from './FindBar'
import { runsAtOnce, type TerminalKey } from './keys'
import css from './Pane.module.css'
import { Tools } from './Tools'
import { useLink } from './useLink'

/** The most that is pasted at once, in characters; more is a file, not a command. */
const MAX_PASTE = 1024 * 1024

interface Props {
  terminal: Terminal
  shown: boolean
  /** In a window of its own: how to bring it back; absent in the page. */
  bringBack?: () => void
  onEnd?: () => void
  /** Steps to another terminal. */
  onStep?: (step: number) => void
}

export function TerminalPane({ terminal, shown, bringBack, onEnd, onStep }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const close = useRef<HTMLButtonElement>(null)
  const [dialog, setDialog] = useState<'' | 'close' | 'share'>('')
  const [asked, setAsked] = useState('')
  const [finding, setFinding] = useState(false)
  const [note, setNote] = useState('')
  const now = useNow()
  const { link, view } = useLink(terminal, box, {
    key: (key) => act(key),
    paste: (text) => paste(text),
  })
  const { state } = view.state

  useEffect(() => {
    if (shown) link.current?.focus()
  }, [shown, link])

  const copy = async () => {
    const text = link.current?.selection ?? ''
    setNote((await copyText(text)) ? '' : 'The browser does not let this page copy')
    link.current?.focus()
  }

  const paste = (text: string) => {
    if (text.length > MAX_PASTE) return setNote('That is too much to paste: the most is a million characters')
    setNote('')
    if (runsAtOnce(text, link.current?.bracketedPaste ?? false)) setAsked(text)
    else link.current?.paste(text)
  }

  const pasteFromClipboard = async () => {
    const text = await pastedText()
    if (text === null) setNote('The browser does not let this page read the clipboard: press Ctrl+Shift+V')
    else paste(text)
  }

  const act = (key: TerminalKey) => {
    if (key === 'copy') void copy()
    else if (key === 'find') setFinding(true)
    else if (key === 'leave') close.current?.focus()
    else if (key === 'next') onStep?.(1)
    else if (key === 'previous') onStep?.(-1)
  }

  const end = () => {
    setDialog('')
    void endTerminal(terminal.pipeId).then(onEnd)
  }

  return (
    <div className={css.pane} hidden={!shown} data-state={state}>
      {finding && (
        <FindBar
          view={view}
          find={(find, step) => link.current?.find(find, step)}
          onClose={() => {
            setFinding(false)
            link.current?.endFind()
          }}
        />
      )}
      <div
        ref={box}
        className={css.screen}
        data-fixed={terminal.size !== null || undefined}
        data-over={state === 'ended' || state === 'broken' || undefined}
      />
      <div className={css.bar}>
        <p className={css.state} role="status">
          <i aria-hidden="true" />
          <span data-testid={shown ? 'terminal-state' : undefined}>
            {describe(view.state, view.watching, now)}
          </span>
          {terminal.watch && <span>· Watching only</span>}
          {view.skipped > 0 && <span>· {describeSkipped(view.skipped)}</span>}
          {note !== '' && <span>· {note}</span>}
          {(state === 'broken' || state === 'reconnecting') && (
            <button
              type="button"
              className={css.retry}
              onClick={() => backend.send({ type: 'pipeRetry', pipeId: terminal.pipeId })}
            >
              {state === 'broken' ? 'Reconnect' : 'Try now'}
            </button>
          )}
        </p>
        <Tools
          terminal={terminal}
          view={view}
          closeRef={close}
          onFind={() => setFinding(true)}
          onCopy={() => void copy()}
          onPaste={() => void pasteFromClipboard()}
          onAnnounce={(on) => link.current?.setAnnounced(on)}
          onShare={() => setDialog('share')}
          onBack={bringBack}
          onPopOut={() => {
            if (!popOut(terminal)) setNote('The browser did not open the window: allow pop-ups for this page')
          }}
          onClose={() => (mayRun(state, terminal.raw && !terminal.watch) ? setDialog('close') : end())}
        />
      </div>
      <CloseDialog
        open={dialog === 'close'}
        title={terminal.title}
        onConfirm={end}
        onCancel={() => setDialog('')}
      />
      <PasteDialog
        text={asked}
        onPaste={() => {
          link.current?.paste(asked)
          setAsked('')
        }}
        onCancel={() => setAsked('')}
      />
      <ShareDialog
        open={dialog === 'share'}
        terminal={terminal}
        size={[view.columns, view.rows]}
        onClose={() => setDialog('')}
      />
    </div>
  )
}
