import { describe, expect, it } from 'vitest'
import { nearestReports } from './nearest'
import type { AskTimeline } from './timeline'

const MINUTE = 60_000
const NOW = 40 * 1440 * MINUTE

/** A server that has reports in these stretches only. */
function server(...known: [number, number][]): { ask: AskTimeline; asked: () => number } {
  let count = 0
  const ask: AskTimeline = async (from, until, spans) => {
    count++
    const length = (until - from) / spans
    return {
      warnings: [],
      spans: Array.from({ length: spans }, (_, i) => {
        const begin = from + i * length
        const some = known.some(([a, b]) => a < begin + length && b > begin)
        return { from: begin, reports: some ? 1 : 0, hosts: some ? 1 : 0, appeared: 0, vanished: 0 }
      }),
    }
  }
  return { ask, asked: () => count }
}

function checkNear(found: number | null, wanted: number): void {
  expect(Math.abs((found ?? 0) - wanted)).toBeLessThanOrEqual(5_000)
}

describe('the nearest reports', () => {
  it('are found on both sides of a small hole at once', async () => {
    const at = NOW - 100 * MINUTE
    const { ask, asked } = server([0, at - 3 * MINUTE], [at + 4 * MINUTE, NOW])
    const found = await nearestReports(ask, at, NOW)
    checkNear(found.before, at - 3 * MINUTE)
    checkNear(found.after, at + 4 * MINUTE)
    expect(asked()).toBe(2)
  })

  it('are found far away, to the second', async () => {
    const at = NOW - 8 * 1440 * MINUTE
    const { ask } = server([at - 6 * 1440 * MINUTE, at - 5 * 1440 * MINUTE], [at + 300 * MINUTE, NOW])
    const found = await nearestReports(ask, at, NOW)
    checkNear(found.before, at - 5 * 1440 * MINUTE)
    checkNear(found.after, at + 300 * MINUTE)
  })

  it('may not exist', async () => {
    const { ask } = server()
    expect(await nearestReports(ask, NOW - 5 * MINUTE, NOW)).toEqual({ before: null, after: null })
  })
})
