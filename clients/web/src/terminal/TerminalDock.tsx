import { type PointerEvent, useRef, useState } from 'react'
import { app } from '../state/app'
import { closeTerminal } from '../state/controls'
import { useStore } from '../state/store'
import { Icon } from '../ui/icons'
import css from './TerminalDock.module.css'
import { TerminalPane } from './TerminalPane'

const MIN_HEIGHT = 140
const STEP = 24

/** Terminals below the picture, one tab each. */
export default function TerminalDock() {
  const terminals = useStore(app, (state) => state.terminals)
  const front = useStore(app, (state) => state.frontTerminal)
  const [height, setHeight] = useState(300)
  const drag = useRef<{ y: number; height: number } | null>(null)
  const most = Math.max(MIN_HEIGHT, window.innerHeight - 240)
  const resize = (next: number) => setHeight(Math.round(Math.min(most, Math.max(MIN_HEIGHT, next))))

  const onMove = (event: PointerEvent) => {
    if (drag.current) resize(drag.current.height + drag.current.y - event.clientY)
  }

  return (
    <section className={css.dock} style={{ height }} aria-label="Terminals" data-testid="terminal">
      <div
        className={css.grip}
        role="separator"
        aria-label="Height of the terminals"
        aria-orientation="horizontal"
        aria-valuenow={height}
        aria-valuemin={MIN_HEIGHT}
        aria-valuemax={most}
        tabIndex={0}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId)
          drag.current = { y: event.clientY, height }
        }}
        onPointerMove={onMove}
        onPointerUp={() => {
          drag.current = null
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowUp') resize(height + STEP)
          else if (event.key === 'ArrowDown') resize(height - STEP)
          else return
          event.preventDefault()
        }}
      />
      <div className={css.tabs}>
        {terminals.map((terminal) => (
          <div key={terminal.pipeId} className={css.tab} data-front={terminal.pipeId === front || undefined}>
            <button
              type="button"
              aria-pressed={terminal.pipeId === front}
              onClick={() => app.set({ frontTerminal: terminal.pipeId })}
            >
              <Icon name={terminal.raw ? 'terminal' : 'logs'} size={13} />
              <span>{terminal.title}</span>
            </button>
            <button
              type="button"
              className={css.close}
              aria-label={terminal.pipeId === front ? 'Close terminal' : `Close ${terminal.title}`}
              onClick={() => closeTerminal(terminal.pipeId)}
            >
              <Icon name="close" size={11} />
            </button>
          </div>
        ))}
      </div>
      {terminals.map((terminal) => (
        <TerminalPane key={terminal.pipeId} terminal={terminal} shown={terminal.pipeId === front} />
      ))}
    </section>
  )
}
