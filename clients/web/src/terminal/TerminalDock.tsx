import { type PointerEvent, useRef, useState } from 'react'
import { useStore } from '../state/store'
import { bringBack, showTerminal, type Terminal, terminals } from '../state/terminals'
import { TabBar } from './TabBar'
import css from './TerminalDock.module.css'
import { TerminalPane } from './TerminalPane'

const MIN_HEIGHT = 140
const STEP = 24

function Grip({ height, resize }: { height: number; resize: (height: number) => void }) {
  const drag = useRef<{ y: number; height: number } | null>(null)
  const onMove = (event: PointerEvent) => {
    if (drag.current) resize(drag.current.height + drag.current.y - event.clientY)
  }
  return (
    <div
      className={css.grip}
      role="separator"
      aria-label="Height of the terminals"
      aria-orientation="horizontal"
      aria-valuenow={height}
      aria-valuemin={MIN_HEIGHT}
      aria-valuemax={most()}
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
  )
}

function most(): number {
  return Math.max(MIN_HEIGHT, window.innerHeight - 240)
}

function Away({ terminal }: { terminal: Terminal }) {
  return (
    <div className={css.away}>
      <p>This terminal is in a window of its own.</p>
      <button type="button" onClick={() => bringBack(terminal.pipeId)}>
        Bring it back
      </button>
    </div>
  )
}

/** Terminals below the picture, one tab each. */
export default function TerminalDock() {
  const all = useStore(terminals, (state) => state.all)
  const front = useStore(terminals, (state) => state.front)
  const [height, setHeight] = useState(300)
  const resize = (next: number) => setHeight(Math.round(Math.min(most(), Math.max(MIN_HEIGHT, next))))
  const step = (by: number) => {
    const at = all.findIndex((one) => one.pipeId === front)
    showTerminal(all[(at + by + all.length) % all.length].pipeId)
  }

  return (
    <section className={css.dock} style={{ height }} aria-label="Terminals" data-testid="terminal">
      <Grip height={height} resize={resize} />
      <TabBar terminals={all} front={front} onStep={step} />
      {all.map((terminal) => (
        <div
          key={terminal.pipeId}
          className={css.panel}
          role="tabpanel"
          id={`terminal-${terminal.pipeId}`}
          aria-label={terminal.title}
          hidden={terminal.pipeId !== front}
        >
          {terminal.away ? (
            <Away terminal={terminal} />
          ) : (
            <TerminalPane terminal={terminal} shown={terminal.pipeId === front} onStep={step} />
          )}
        </div>
      ))}
    </section>
  )
}
