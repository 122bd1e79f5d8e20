import { useState } from 'react'
import { formatMoment, nextChange, RANGES } from '../shared/timeline'
import { app } from '../state/app'
import { useStore } from '../state/store'
import { setRange, strip } from '../state/strip'
import { moveTo, SPEEDS, serverNow, setSpeed, togglePlay } from '../state/time'
import { Icon } from './icons'
import css from './TimeControls.module.css'
import { Tip } from './Tip'

export function Player({ at }: { at: number | null }) {
  const playing = useStore(app, (state) => state.playback !== null)
  const speed = useStore(app, (state) => state.playSpeed)
  const moving = playing || at === null
  const text = moving ? 'Hold this moment' : 'Play'
  return (
    <div className={css.player}>
      <Tip text={`${text} (space)`} side="top">
        <button type="button" className={css.play} aria-label={text} onClick={togglePlay}>
          <Icon name={moving ? 'pause' : 'play'} size={13} />
        </button>
      </Tip>
      <select aria-label="Speed" value={speed} onChange={(event) => setSpeed(Number(event.target.value))}>
        {SPEEDS.map((one) => (
          <option key={one} value={one}>
            {one}×
          </option>
        ))}
      </select>
    </div>
  )
}

/** A moment as the browser's field wants it: local, without a zone. */
function fieldValue(at: number): string {
  const local = new Date(at - new Date(at).getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 19)
}

/** To type an exact time. */
export function MomentField({ at }: { at: number | null }) {
  // What is being typed must not be replaced by a moment that moves.
  const [draft, setDraft] = useState<string | null>(null)
  const now = serverNow()
  return (
    <input
      className={css.field}
      type="datetime-local"
      step="1"
      aria-label="Go to"
      title="Type a time to go to"
      max={fieldValue(now)}
      value={draft ?? fieldValue(at ?? now)}
      onFocus={(event) => setDraft(event.target.value)}
      onBlur={() => setDraft(null)}
      onChange={(event) => {
        setDraft(event.target.value)
        const chosen = Date.parse(event.target.value)
        if (!Number.isNaN(chosen)) moveTo(chosen)
      }}
    />
  )
}

/** To the moments at which hosts came or went. */
export function ChangeSteps({ at }: { at: number | null }) {
  const stretch = useStore(strip, (state) => state.stretch)
  const here = at ?? serverNow()
  const step = (direction: 1 | -1, name: string, icon: 'left' | 'right') => {
    const to = nextChange(stretch, here, direction)
    const text = to === null ? name : `${name}: ${formatMoment(to, serverNow())}`
    return (
      <Tip text={text} side="top">
        <button
          type="button"
          className={css.icon}
          aria-label={text}
          aria-disabled={to === null}
          onClick={() => to !== null && moveTo(to, 'push')}
        >
          <Icon name={icon} size={13} />
        </button>
      </Tip>
    )
  }
  return (
    <div className={css.steps}>
      {step(-1, 'Earlier change of hosts', 'left')}
      <span aria-hidden="true">changes</span>
      {step(1, 'Later change of hosts', 'right')}
    </div>
  )
}

export function Ranges({ at }: { at: number | null }) {
  const range = useStore(strip, (state) => state.range)
  return (
    <div className={css.ranges} role="radiogroup" aria-label="Range">
      {RANGES.map((one) => (
        <button
          key={one.label}
          type="button"
          role="radio"
          aria-checked={one === range}
          aria-label={one.name}
          onClick={() => setRange(one, at)}
        >
          {one.label}
        </button>
      ))}
    </div>
  )
}
