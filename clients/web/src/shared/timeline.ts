import { formatCount } from './format'
import type { Span, TimelineView } from './messages'

/** The spans of a stretch of time, and their words. */

/** What is known of a stretch of time. */
export interface Stretch extends TimelineView {
  from: number
  until: number
  spanMs: number
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export interface Range {
  label: string
  name: string
  ms: number
  spanMs: number
}

/** How much of time the strip shows, and in how fine spans. */
export const RANGES: Range[] = [
  { label: '15 min', name: '15 minutes', ms: 15 * MINUTE, spanMs: 5_000 },
  { label: '1 h', name: '1 hour', ms: HOUR, spanMs: 20_000 },
  { label: '6 h', name: '6 hours', ms: 6 * HOUR, spanMs: 2 * MINUTE },
  { label: '24 h', name: '24 hours', ms: DAY, spanMs: 8 * MINUTE },
  { label: '7 d', name: '7 days', ms: 7 * DAY, spanMs: HOUR },
]

const STEPS = [1, 5, 15, 30].map((n) => n * MINUTE).concat([1, 3, 6, 12, 24, 48, 168].map((n) => n * HOUR))

const withSeconds = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })
const withDate = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: 'numeric',
  minute: '2-digit',
  second: '2-digit',
})
const short = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' })
const day = new Intl.DateTimeFormat(undefined, { weekday: 'short', month: 'short', day: 'numeric' })

function midnight(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0)
}

/** To the second; with the date unless it is today's. */
export function formatMoment(at: number, now: number): string {
  return (midnight(at) === midnight(now) ? withSeconds : withDate).format(at)
}

/** "2 hosts appeared, 1 vanished", or nothing. */
export function changesText(span: Span): string {
  const parts: string[] = []
  const count = (n: number, what: string) => {
    const noun = parts.length > 0 ? '' : n === 1 ? ' host' : ' hosts'
    if (n > 0) parts.push(`${formatCount(n)}${noun} ${what}`)
  }
  count(span.appeared, 'appeared')
  count(span.vanished, 'vanished')
  return parts.join(', ')
}

/** "24 reports from 6 hosts". */
export function reportsText(span: Span): string {
  if (span.reports === 0) return 'no reports'
  const reports = `${formatCount(span.reports)} ${span.reports === 1 ? 'report' : 'reports'}`
  return `${reports} from ${formatCount(span.hosts)} ${span.hosts === 1 ? 'host' : 'hosts'}`
}

export function spanAt(stretch: Stretch | null, at: number): Span | undefined {
  if (!stretch || at < stretch.from || at >= stretch.until) return undefined
  return stretch.spans[Math.floor((at - stretch.from) / stretch.spanMs)]
}

/** Whether hosts came or went. The first span has none before it to compare with. */
export function hasChanges(stretch: Stretch, i: number): boolean {
  const span = stretch.spans[i]
  return i > 0 && span.appeared + span.vanished > 0
}

/** The moment at which the nearest change in a direction has happened. */
export function nextChange(stretch: Stretch | null, at: number, direction: 1 | -1): number | null {
  if (!stretch) return null
  const ends = stretch.spans.flatMap((span, i) =>
    hasChanges(stretch, i) ? [Math.min(stretch.until, span.from + stretch.spanMs)] : [],
  )
  const found = direction > 0 ? ends.find((end) => end > at) : ends.findLast((end) => end < at)
  return found ?? null
}

/** Stretches without reports, as whole spans; what lies ahead is not a hole. */
export function holes(stretch: Stretch, now: number): { from: number; until: number }[] {
  const list: { from: number; until: number }[] = []
  stretch.spans.forEach((span) => {
    const until = span.from + stretch.spanMs
    // The last span has only begun.
    if (span.reports > 0 || until > now) return
    const last = list.at(-1)
    if (last && last.until === span.from) last.until = until
    else list.push({ from: span.from, until })
  })
  return list
}

export interface Tick {
  at: number
  label: string
}

/** Marks at round local times, at most one in so much time. */
export function ticks(from: number, until: number, leastMs: number): Tick[] {
  const step = STEPS.find((one) => one >= leastMs) ?? 4 * 7 * DAY
  const offset = new Date(from).getTimezoneOffset() * MINUTE
  const list: Tick[] = []
  for (let at = Math.ceil((from - offset) / step) * step + offset; at < until; at += step) {
    const label = midnight(at) === at ? day.format(at) : short.format(at)
    list.push({ at, label })
  }
  return list
}
