import {
  type KeyboardEvent,
  type PointerEvent,
  useEffect,
  useMemo,
  useRef,
  useState,
  type WheelEvent,
} from 'react'
import {
  changesText,
  formatMoment,
  hasChanges,
  nextChange,
  type Range,
  reportsText,
  type Stretch,
  spanAt,
  ticks,
} from '../shared/timeline'
import { panBy, type View, zoomBy } from '../state/strip'
import { goLive, moveTo, serverNow, togglePlay } from '../state/time'
import { TimeBars } from './TimeBars'
import css from './TimeTrack.module.css'

const TICK_ROOM = 96
/** A mark is easier to hit than it is wide. */
const MARK_REACH = 6
const WHEEL_STEP = 90

interface Props {
  /** The moment that is shown, or null for the present. */
  at: number | null
  view: View
  range: Range
  stretch: Stretch | null
  playing: boolean
  now: number
}

/** The words for what is under the pointer. */
function Words({
  at,
  stretch,
  reach,
  now,
}: {
  at: number
  stretch: Stretch | null
  reach: number
  now: number
}) {
  const index = stretch ? Math.floor((at - stretch.from) / stretch.spanMs) : -1
  const around = stretch ? Math.ceil(reach / stretch.spanMs) : 0
  let marked = -1
  for (let i = Math.max(0, index - around); stretch && i <= index + around && i < stretch.spans.length; i++) {
    const better = marked < 0 || Math.abs(i - index) < Math.abs(marked - index)
    if (hasChanges(stretch, i) && better) marked = i
  }
  const span = spanAt(stretch, at)
  return (
    <>
      <b>{formatMoment(at, now)}</b>
      {span && <span>{reportsText(span)}</span>}
      {stretch && marked >= 0 && (
        <span className={css.change}>
          {changesText(stretch.spans[marked])} at {formatMoment(stretch.spans[marked].from, now)}
        </span>
      )}
    </>
  )
}

function valueText({ at, playing, stretch, now }: Props): string {
  if (at === null) return 'now'
  // Read out with every change, so it must not change with every tick.
  if (playing) return `playing, ${formatMoment(Math.floor(at / 60_000) * 60_000, now)}`
  const span = spanAt(stretch, at)
  const parts = [formatMoment(at, now), span && reportsText(span), span && changesText(span)]
  return parts.filter((part) => part).join(', ')
}

function useWidth(ref: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const element = ref.current
    if (!element) return
    const observer = new ResizeObserver(() => setWidth(element.clientWidth))
    observer.observe(element)
    return () => observer.disconnect()
  }, [ref])
  return width
}

/** The stretch of time as a slider: drag to go through it, drag the times below or turn the wheel to move it. */
export function TimeTrack(props: Props) {
  const { at, view, range, stretch, playing, now } = props
  const box = useRef<HTMLDivElement>(null)
  const width = useWidth(box)
  const [hover, setHover] = useState<number | null>(null)
  const [keyed, setKeyed] = useState(false)
  const drag = useRef<{ kind: 'moment' | 'time'; x: number } | null>(null)
  const wheel = useRef(0)
  const marks = useMemo(
    () => (width > 0 ? ticks(view.from, view.until, (TICK_ROOM / width) * range.ms) : []),
    [view, range, width],
  )
  const share = (moment: number) => Math.min(1, Math.max(0, (moment - view.from) / range.ms))
  const place = share(at ?? view.until)

  const momentAt = (event: { clientX: number }) => {
    const rect = box.current?.getBoundingClientRect()
    return rect ? view.from + ((event.clientX - rect.left) / rect.width) * range.ms : view.from
  }
  const onDown = (kind: 'moment' | 'time') => (event: PointerEvent<HTMLDivElement>) => {
    if (event.button !== 0) return
    event.currentTarget.setPointerCapture(event.pointerId)
    const wanted = event.shiftKey ? 'time' : kind
    drag.current = { kind: wanted, x: event.clientX }
    if (wanted === 'moment') moveTo(momentAt(event), 'push')
  }
  const onMove = (event: PointerEvent<HTMLDivElement>) => {
    const { current } = drag
    if (current?.kind === 'time') {
      panBy(((current.x - event.clientX) / Math.max(1, width)) * range.ms)
      current.x = event.clientX
      return
    }
    const moment = Math.min(view.until, Math.max(view.from, momentAt(event)))
    setKeyed(false)
    setHover(moment)
    if (current) moveTo(moment, 'later')
  }
  const onUp = () => {
    drag.current = null
  }
  const onWheel = (event: WheelEvent) => {
    const sideways = event.shiftKey ? event.deltaY : event.deltaX
    if (sideways !== 0) return panBy((sideways / Math.max(1, width)) * range.ms)
    wheel.current += event.deltaY
    if (Math.abs(wheel.current) < WHEEL_STEP) return
    zoomBy(Math.sign(wheel.current), momentAt(event))
    wheel.current = 0
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.shiftKey ? range.ms / 10 : range.spanMs
    const here = at ?? serverNow()
    const change = (direction: 1 | -1) => {
      const to = nextChange(stretch, here, direction)
      if (to !== null) moveTo(to)
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === 'ArrowLeft' || event.key === 'ArrowDown') moveTo(here - step)
    else if (event.key === 'ArrowRight' || event.key === 'ArrowUp') moveTo(here + step)
    else if (event.key === 'PageDown') moveTo(here - range.ms / 10)
    else if (event.key === 'PageUp') moveTo(here + range.ms / 10)
    else if (event.key === 'Home') moveTo(view.from)
    else if (event.key === 'End') goLive()
    else if (event.key === ' ') togglePlay()
    else if (event.key === '[') change(-1)
    else if (event.key === ']') change(1)
    else if (event.key === '+') zoomBy(-1, here)
    else if (event.key === '-') zoomBy(1, here)
    else return
    setKeyed(true)
    setHover(null)
    event.preventDefault()
    event.stopPropagation()
  }

  const told = hover ?? (keyed ? at : null)
  return (
    <div className={css.box} onWheel={onWheel}>
      <div
        ref={box}
        className={css.track}
        role="slider"
        aria-label="Moment"
        aria-valuemin={Math.round(view.from / 1000)}
        aria-valuemax={Math.round(view.until / 1000)}
        aria-valuenow={Math.round((view.from + place * range.ms) / 1000)}
        aria-valuetext={valueText(props)}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onBlur={() => setKeyed(false)}
        onPointerDown={onDown('moment')}
        onPointerMove={onMove}
        onPointerUp={onUp}
        onPointerCancel={onUp}
        onPointerLeave={() => setHover(null)}
      >
        <TimeBars stretch={stretch} view={view} width={width} ticks={marks} now={now} />
        {hover !== null && <i className={css.pointer} style={{ left: `${share(hover) * 100}%` }} />}
        <i
          className={css.mark}
          style={{ left: `${place * 100}%` }}
          data-past={at !== null || undefined}
          data-playing={playing || undefined}
        />
      </div>
      {told !== null && (
        <div
          className={css.tip}
          aria-hidden="true"
          data-testid="time-tip"
          style={{ left: `clamp(96px, ${share(told) * 100}%, calc(100% - 96px))` }}
        >
          <Words at={told} stretch={stretch} reach={(MARK_REACH / Math.max(1, width)) * range.ms} now={now} />
        </div>
      )}
      <div
        className={css.axis}
        aria-hidden="true"
        onPointerDown={onDown('time')}
        onPointerMove={(event) => drag.current && onMove(event)}
        onPointerUp={onUp}
        onPointerCancel={onUp}
      >
        {/* At the ends there is no room for words. */}
        {marks
          .filter((tick) => Math.abs(share(tick.at) - 0.5) < 0.47)
          .map((tick) => (
            <span key={tick.at} style={{ left: `${share(tick.at) * 100}%` }}>
              {tick.label}
            </span>
          ))}
      </div>
    </div>
  )
}
