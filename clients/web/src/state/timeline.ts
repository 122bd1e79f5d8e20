import type { TimelineView } from '../shared/messages'
import type { Stretch } from '../shared/timeline'

export type AskTimeline = (from: number, until: number, spans: number) => Promise<TimelineView>

const MAX_IN_FLIGHT = 2
/** New reports come all the time. */
const FRESH_MS = 10_000
/** The server answers at most this many spans. */
export const MAX_SPANS = 2_000

interface Want {
  from: number
  until: number
  spanMs: number
}

/** What is known of the time around the one that is shown. At most two requests at once; the last wish wins. */
export class Timeline {
  stretch: Stretch | null = null
  problem = ''
  private loadedAt = 0
  private inFlight = 0
  private waiting: Want | undefined
  private asked = 0
  private answered = 0
  private pending = ''

  constructor(
    private readonly ask: AskTimeline,
    private readonly changed: () => void,
    private readonly now: () => number,
  ) {}

  /** Makes sure that this much is known, or soon will be. */
  want(from: number, until: number, spanMs: number): void {
    if (this.covers(from, until, spanMs)) return
    // A half more on both sides: panning shows something at once.
    const margin = (until - from) / 2
    const end = Math.min(Math.ceil((until + margin) / spanMs), Math.ceil(this.now() / spanMs)) * spanMs
    const begin = Math.max(Math.floor((from - margin) / spanMs) * spanMs, end - MAX_SPANS * spanMs)
    if (end <= begin) return
    const want = { from: begin, until: end, spanMs }
    const key = JSON.stringify(want)
    if (key === this.pending) return
    this.pending = key
    if (this.inFlight >= MAX_IN_FLIGHT) this.waiting = want
    else void this.load(want)
  }

  private covers(from: number, until: number, spanMs: number): boolean {
    const { stretch } = this
    if (!stretch || stretch.spanMs !== spanMs || from < stretch.from) return false
    const now = this.now()
    const fresh = now - this.loadedAt < FRESH_MS
    // What ended before it was asked for does not change any more.
    return Math.min(until, this.loadedAt) <= stretch.until && (fresh || until < this.loadedAt - FRESH_MS)
  }

  private async load(want: Want): Promise<void> {
    const number = ++this.asked
    const loadedAt = this.now()
    this.inFlight++
    try {
      const spans = Math.round((want.until - want.from) / want.spanMs)
      const answer = await this.ask(want.from, want.until, spans)
      if (number > this.answered) {
        this.answered = number
        this.stretch = { ...want, ...answer }
        this.loadedAt = loadedAt
        this.problem = ''
      }
    } catch (error) {
      if (number > this.answered) this.problem = error instanceof Error ? error.message : String(error)
    }
    this.inFlight--
    const next = this.waiting
    this.waiting = undefined
    if (next) void this.load(next)
    // A failure may be tried again.
    else if (this.inFlight === 0) this.pending = ''
    this.changed()
  }
}
