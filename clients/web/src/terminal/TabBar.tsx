import { useRef } from 'react'
import { showTerminal, type Terminal } from '../state/terminals'
import { Icon } from '../ui/icons'
import css from './TerminalDock.module.css'

interface Props {
  terminals: Terminal[]
  front: string
  onStep: (step: number) => void
}

/** One tab is in the tab order; arrows go to the others. A terminal is closed by its own button, below it. */
export function TabBar({ terminals, front, onStep }: Props) {
  const list = useRef<HTMLDivElement>(null)
  const step = (by: number) => {
    onStep(by)
    requestAnimationFrame(() => list.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus())
  }
  return (
    <div ref={list} className={css.tabs} role="tablist" aria-label="Terminals">
      {terminals.map(({ pipeId, title, raw, away }) => (
        <button
          key={pipeId}
          type="button"
          className={css.tab}
          role="tab"
          aria-selected={pipeId === front}
          aria-controls={`terminal-${pipeId}`}
          tabIndex={pipeId === front ? 0 : -1}
          onClick={() => showTerminal(pipeId)}
          onKeyDown={(event) => {
            if (event.key === 'ArrowRight') step(1)
            else if (event.key === 'ArrowLeft') step(-1)
            else return
            event.preventDefault()
          }}
        >
          <Icon name={away ? 'window' : raw ? 'terminal' : 'logs'} size={13} />
          <span>{title}</span>
        </button>
      ))}
    </div>
  )
}
