import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react'
import type { TimelineView } from '../shared/messages'
import { app, backend, goLive, navigate } from '../state/app'
import { useStore } from '../state/store'
import { useNow } from './clock'
import css from './TimeStrip.module.css'

const SPANS = 160
const MINUTE = 60_000
const RANGES: [string, number][] = [
  ['15 min', 15 * MINUTE],
  ['1 h', 60 * MINUTE],
  ['6 h', 360 * MINUTE],
  ['24 h', 1440 * MINUTE],
  ['7 d', 10_080 * MINUTE],
]
const REFRESH_MS = 15_000

function clockTime(at: number, range: number): string {
  return new Date(at).toLocaleString(
    undefined,
    range > 1440 * MINUTE
      ? { weekday: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' }
      : { hour: '2-digit', minute: '2-digit' },
  )
}

/** When there were reports; a click goes there. */
export function TimeStrip() {
  const at = useStore(app, (state) => state.address.at)
  const [range, setRange] = useState(60 * MINUTE)
  const [spans, setSpans] = useState<TimelineView['spans']>([])
  const [problem, setProblem] = useState('')
  const dragging = useRef(false)
  const tick = Math.floor(useNow(REFRESH_MS) / REFRESH_MS)
  const until = at !== null && at < tick * REFRESH_MS - range ? at + range / 2 : tick * REFRESH_MS
  const from = until - range

  useEffect(() => {
    let stale = false
    backend
      .call<TimelineView>({ method: 'timeline', from, until, spans: SPANS })
      .then((answer) => {
        if (stale) return
        setSpans(answer.spans)
        setProblem('')
      })
      .catch((error: Error) => !stale && setProblem(error.message))
    return () => {
      stale = true
    }
  }, [from, until])

  const most = spans.reduce((high, span) => Math.max(high, span.reports), 1)
  const go = (moment: number) => {
    const now = Date.now()
    if (moment > now - 5000) goLive()
    else navigate({ at: Math.round(moment / 1000) * 1000 }, 'replace')
  }
  const moveTo = (event: PointerEvent<HTMLDivElement>) => {
    const rect = event.currentTarget.getBoundingClientRect()
    go(from + ((event.clientX - rect.left) / rect.width) * range)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.shiftKey ? range / 10 : Math.max(5000, range / SPANS)
    const here = at ?? Date.now()
    if (event.key === 'ArrowLeft') go(here - step)
    else if (event.key === 'ArrowRight') go(here + step)
    else if (event.key === 'Home') go(from)
    else if (event.key === 'End') goLive()
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  const mark = Math.min(1, Math.max(0, ((at ?? until) - from) / range))

  return (
    <section className={css.strip} aria-label="Time" data-testid="time-strip">
      <select aria-label="Range" value={range} onChange={(event) => setRange(Number(event.target.value))}>
        {RANGES.map(([label, length]) => (
          <option key={label} value={length}>
            {label}
          </option>
        ))}
      </select>
      <span className={css.end}>{clockTime(from, range)}</span>
      <div
        className={css.track}
        role="slider"
        aria-label="Moment"
        aria-valuemin={from}
        aria-valuemax={until}
        aria-valuenow={Math.round(at ?? until)}
        aria-valuetext={at === null ? 'now' : new Date(at).toLocaleString()}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId)
          dragging.current = true
          moveTo(event)
        }}
        onPointerMove={(event) => dragging.current && moveTo(event)}
        onPointerUp={() => {
          dragging.current = false
        }}
      >
        <svg viewBox={`0 0 ${SPANS} 20`} preserveAspectRatio="none" aria-hidden="true">
          {spans.map((span, i) => {
            const height = span.reports === 0 ? 0 : 3 + 17 * (span.reports / most)
            return <rect key={span.from} x={i + 0.12} y={20 - height} width="0.76" height={height} />
          })}
        </svg>
        <i style={{ left: `${mark * 100}%` }} data-past={at !== null || undefined} />
      </div>
      <span className={css.end}>{until > Date.now() - REFRESH_MS * 2 ? 'now' : clockTime(until, range)}</span>
      {problem !== '' && <span className={css.problem}>{problem}</span>}
    </section>
  )
}
