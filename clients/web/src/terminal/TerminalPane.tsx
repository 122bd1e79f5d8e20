import { useEffect, useRef, useState } from 'react'
import type { PipeEvent } from '../shared/messages'
import type { Terminal } from '../state/app'
import { useStore } from '../state/store'
import { theme } from '../state/theme'
import { useNow } from '../ui/clock'
import { Link } from './link'
import css from './TerminalDock.module.css'

type State = Extract<PipeEvent, { kind: 'state' }>

function describe(state: State, now: number): string {
  switch (state.state) {
    case 'connecting':
      return 'Connecting…'
    case 'open':
      return 'Connected'
    case 'reconnecting':
      return `Connection lost: ${state.text}. Again in ${Math.max(0, Math.ceil(((state.retryAt ?? now) - now) / 1000))} s; nothing is lost.`
    case 'closed':
      return state.text
  }
}

export function TerminalPane({ terminal, shown }: { terminal: Terminal; shown: boolean }) {
  const box = useRef<HTMLDivElement>(null)
  const link = useRef<Link | null>(null)
  const [state, setState] = useState<State>({ kind: 'state', state: 'connecting', text: '' })
  const [size, setSize] = useState('')
  const [announced, setAnnounced] = useState(false)
  const [skipped, setSkipped] = useState(0)
  const dark = useStore(theme, (value) => value.dark)
  const now = useNow()

  useEffect(() => {
    if (!box.current) return
    const made = new Link(box.current, terminal, {
      state: setState,
      size: setSize,
      skipped: (bytes) => setSkipped((old) => old + bytes),
    })
    link.current = made
    return () => {
      made.destroy()
      link.current = null
    }
  }, [terminal])

  useEffect(() => {
    void dark
    link.current?.setTheme()
  }, [dark])

  useEffect(() => {
    if (shown) link.current?.focus()
  }, [shown])

  return (
    <div className={css.pane} hidden={!shown}>
      <div ref={box} className={css.screen} data-closed={state.state === 'closed' || undefined} />
      <div className={css.state} data-state={state.state} role="status">
        <i aria-hidden="true" />
        <span data-testid={shown ? 'terminal-state' : undefined}>{describe(state, now)}</span>
        {skipped > 0 && <span>{skipped} bytes of output were lost</span>}
        <button
          type="button"
          className={css.announce}
          aria-pressed={announced}
          onClick={() => {
            setAnnounced(!announced)
            link.current?.setAnnounced(!announced)
          }}
        >
          Screen reader {announced ? 'on' : 'off'}
        </button>
        <span className={css.size}>
          {size}
          {terminal.raw && ' · Shift+Esc leaves'}
        </span>
      </div>
    </div>
  )
}
