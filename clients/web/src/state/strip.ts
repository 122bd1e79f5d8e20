import type { TimelineView } from '../shared/messages'
import { RANGES, type Range, type Stretch } from '../shared/timeline'
import { backend } from './app'
import { Store } from './store'
import { serverNow } from './time'
import { type AskTimeline, Timeline } from './timeline'

/** Which part of time the strip shows, and what is known of it. */

export interface StripState {
  range: Range
  /** The right end; null goes with the present. */
  until: number | null
  stretch: Stretch | null
  problem: string
}

export const strip = new Store<StripState>({ range: RANGES[1], until: null, stretch: null, problem: '' })

export const askTimeline: AskTimeline = (from, until, spans) =>
  backend.call<TimelineView>({ method: 'timeline', from, until, spans })

const timeline = new Timeline(
  askTimeline,
  () => strip.set({ stretch: timeline.stretch, problem: timeline.problem }),
  serverNow,
)

export interface View {
  from: number
  until: number
}

export function viewOf(state: Pick<StripState, 'range' | 'until'>, now: number): View {
  const until = Math.min(state.until ?? now, now)
  return { from: until - state.range.ms, until }
}

/** Loads what is in view. */
export function loadView(): void {
  const view = viewOf(strip.get(), serverNow())
  timeline.want(view.from, view.until, strip.get().range.spanMs)
}

function setUntil(until: number): void {
  strip.set({ until: until >= serverNow() ? null : until })
}

/** Shows another length of time; a moment stays where it is on the screen. */
export function setRange(range: Range, around: number | null): void {
  const { range: old, until } = strip.get()
  const view = viewOf(strip.get(), serverNow())
  strip.set({ range })
  if (around === null || around < view.from || around > view.until) {
    if (until !== null) setUntil(view.until)
    return
  }
  const share = (view.until - around) / old.ms
  setUntil(around + share * range.ms)
}

export function zoomBy(steps: number, around: number | null): void {
  const at = RANGES.indexOf(strip.get().range) + steps
  setRange(RANGES[Math.max(0, Math.min(RANGES.length - 1, at))], around)
}

export function panBy(ms: number): void {
  setUntil(viewOf(strip.get(), serverNow()).until + ms)
}

/** Brings a moment into view; while it moves by itself, with room ahead of it. */
export function reveal(at: number, playing: boolean): void {
  const { range, until } = strip.get()
  const view = viewOf(strip.get(), serverNow())
  const right = playing ? view.until - range.ms * 0.03 : view.until
  if (at >= view.from && at <= right) return
  // Within the last few seconds the present cannot move further.
  if (at > view.until && until === null) return
  setUntil(at + range.ms * (playing ? 0.7 : 0.5))
}
