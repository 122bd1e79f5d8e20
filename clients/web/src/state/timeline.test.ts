import { describe, expect, it } from 'vitest'
import type { TimelineView } from '../shared/messages'
import { Timeline } from './timeline'

const NOW = 1_000_000

function desk() {
  const asked: {
    from: number
    until: number
    spans: number
    answer: (view?: TimelineView) => void
    fail: () => void
  }[] = []
  const clock = { now: NOW }
  const timeline = new Timeline(
    (from, until, spans) =>
      new Promise((resolve, reject) => {
        asked.push({
          from,
          until,
          spans,
          answer: (view = { spans: [], warnings: [] }) => resolve(view),
          fail: () => reject(new Error('the stores sleep')),
        })
      }),
    () => undefined,
    () => clock.now,
  )
  const settle = () => new Promise((resolve) => setTimeout(resolve))
  return { asked, clock, timeline, settle }
}

describe('timeline', () => {
  it('asks for whole spans with room on both sides, and not for the future', () => {
    const { asked, timeline } = desk()
    timeline.want(500_050, 600_050, 1000)
    expect(asked[0]).toMatchObject({ from: 450_000, until: 651_000, spans: 201 })
    timeline.want(NOW - 100_000, NOW, 1000)
    expect(asked[1]).toMatchObject({ from: 850_000, until: NOW })
  })

  it('has at most two requests under way, and the last wish wins', async () => {
    const { asked, timeline, settle } = desk()
    for (let i = 0; i < 8; i++) timeline.want(100_000 + i * 100_000, 150_000 + i * 100_000, 1000)
    expect(asked).toHaveLength(2)
    asked[0].answer()
    await settle()
    expect(asked).toHaveLength(3)
    expect(asked[2].from).toBe(775_000)
    asked[2].answer({ spans: [], warnings: ['last'] })
    await settle()
    // Late, and older than what is known.
    asked[1].answer({ spans: [], warnings: ['late'] })
    await settle()
    expect(timeline.stretch?.warnings).toEqual(['last'])
    expect(asked).toHaveLength(3)
  })

  it('asks nothing that it knows, and the present again after a while', async () => {
    const { asked, clock, timeline, settle } = desk()
    timeline.want(NOW - 100_000, NOW, 1000)
    asked[0].answer()
    await settle()
    timeline.want(NOW - 140_000, NOW - 40_000, 1000)
    timeline.want(NOW - 100_000, NOW, 1000)
    expect(asked).toHaveLength(1)
    clock.now += 11_000
    timeline.want(clock.now - 100_000, clock.now, 1000)
    expect(asked).toHaveLength(2)
  })

  it('keeps what is known when a request fails, says why, and tries again', async () => {
    const { asked, clock, timeline, settle } = desk()
    timeline.want(NOW - 100_000, NOW, 1000)
    asked[0].answer()
    await settle()
    clock.now += 20_000
    timeline.want(clock.now - 100_000, clock.now, 1000)
    asked[1].fail()
    await settle()
    expect(timeline.problem).toBe('the stores sleep')
    expect(timeline.stretch).not.toBeNull()
    timeline.want(clock.now - 100_000, clock.now, 1000)
    asked[2].answer()
    await settle()
    expect(timeline.problem).toBe('')
  })
})
