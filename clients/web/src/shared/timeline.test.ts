import { describe, expect, it } from 'vitest'
import type { Span } from './messages'
import {
  changesText,
  hasChanges,
  holes,
  nextChange,
  reportsText,
  type Stretch,
  spanAt,
  ticks,
} from './timeline'

const span = (from: number, part: Partial<Span> = {}): Span => ({
  from,
  reports: 4,
  hosts: 2,
  appeared: 0,
  vanished: 0,
  ...part,
})

function stretch(parts: Partial<Span>[]): Stretch {
  return {
    from: 1000,
    until: 1000 + parts.length * 100,
    spanMs: 100,
    spans: parts.map((part, i) => span(1000 + i * 100, part)),
    warnings: [],
  }
}

describe('the words of a span', () => {
  it('say who came and went', () => {
    expect(changesText(span(0, { appeared: 2, vanished: 1 }))).toBe('2 hosts appeared, 1 vanished')
    expect(changesText(span(0, { appeared: 1 }))).toBe('1 host appeared')
    expect(changesText(span(0, { vanished: 3 }))).toBe('3 hosts vanished')
    expect(changesText(span(0))).toBe('')
  })

  it('say what was reported', () => {
    expect(reportsText(span(0, { reports: 24, hosts: 6 }))).toBe('24 reports from 6 hosts')
    expect(reportsText(span(0, { reports: 1, hosts: 1 }))).toBe('1 report from 1 host')
    expect(reportsText(span(0, { reports: 0 }))).toBe('no reports')
  })
})

describe('a stretch of time', () => {
  it('finds the span of a moment', () => {
    const known = stretch([{}, { reports: 9 }])
    expect(spanAt(known, 1150)?.reports).toBe(9)
    expect(spanAt(known, 999)).toBeUndefined()
    expect(spanAt(known, 1200)).toBeUndefined()
    expect(spanAt(null, 1100)).toBeUndefined()
  })

  it('joins neighbouring holes and calls nothing a hole that has only begun', () => {
    const known = stretch([{}, { reports: 0 }, { reports: 0 }, {}, { reports: 0 }])
    expect(holes(known, 1450)).toEqual([{ from: 1100, until: 1300 }])
    expect(holes(known, 1500)).toHaveLength(2)
  })

  it('steps from change to change, to where they have happened', () => {
    const known = stretch([{ appeared: 2 }, {}, { vanished: 1 }, {}, { appeared: 1 }])
    expect(nextChange(known, 1050, 1)).toBe(1300)
    expect(nextChange(known, 1300, 1)).toBe(1500)
    expect(nextChange(known, 1500, 1)).toBeNull()
    expect(nextChange(known, 1500, -1)).toBe(1300)
    expect(nextChange(known, 1300, -1)).toBeNull()
    expect(nextChange(null, 1300, -1)).toBeNull()
  })

  it('sees no change in a span that has none before it', () => {
    expect(hasChanges(stretch([{ appeared: 2 }, {}]), 0)).toBe(false)
  })

  it('marks round times, not too many', () => {
    const from = Date.UTC(2026, 0, 5, 10, 7)
    const list = ticks(from, from + 3_600_000, 400_000)
    expect(list.map((tick) => (tick.at - from) / 60_000)).toEqual([8, 23, 38, 53])
    expect(ticks(from, from + 7 * 86_400_000, 40_000_000).length).toBeLessThan(16)
  })
})
