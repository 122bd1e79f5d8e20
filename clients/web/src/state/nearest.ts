import type { Span } from '../shared/messages'
import type { AskTimeline } from './timeline'

const MINUTE = 60_000
const DAY = 1440 * MINUTE
/** How far to look to either side, near first. */
const REACHES = [15 * MINUTE, 12 * 60 * MINUTE, 14 * DAY]
const SPANS = 180
/** Near enough to be called a moment. */
const FINE_MS = 5_000

export interface Nearest {
  before: number | null
  after: number | null
}

type Side = 'before' | 'after'

function pick(spans: Span[], side: Side): Span | undefined {
  return side === 'before'
    ? spans.findLast((span) => span.reports > 0)
    : spans.find((span) => span.reports > 0)
}

async function look(ask: AskTimeline, from: number, until: number, side: Side): Promise<number | null> {
  let begin = from
  let end = until
  for (;;) {
    const size = Math.max(1, Math.min(SPANS, Math.ceil((end - begin) / FINE_MS)))
    const length = (end - begin) / size
    const found = pick((await ask(begin, end, size)).spans, side)
    if (!found) return null
    begin = found.from
    end = Math.min(end, found.from + length)
    // A picture needs what was reported before its moment.
    if (length <= FINE_MS) return Math.round(end)
  }
}

/** The moments with reports that are nearest to one without. */
export async function nearestReports(ask: AskTimeline, at: number, now: number): Promise<Nearest> {
  const found: Nearest = { before: null, after: null }
  for (const reach of REACHES) {
    found.before ??= await look(ask, at - reach, at, 'before')
    const until = Math.min(now, at + reach)
    if (until > at) found.after ??= await look(ask, at, until, 'after')
    if (found.before !== null && (found.after !== null || until >= now)) break
  }
  return found
}
