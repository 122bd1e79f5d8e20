import { timestampMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { History } from './history'
import { SIZES, World } from './world'

const MINUTE = 60_000

function made() {
  const now = Date.now()
  const world = new World(SIZES.medium)
  const hosts = [...world.entities.values()].filter((one) => one.kind === 'host').map((one) => one.id)
  return { now, hosts, history: new History(world, hosts, now) }
}

describe('the made-up past', () => {
  it('answers as many equal spans as asked for, oldest first', () => {
    const { now, history } = made()
    const spans = history.spans(now - 60 * MINUTE, now, 120)
    expect(spans.map((span) => timestampMs(span.from) - now + 60 * MINUTE)).toEqual(
      spans.map((_, i) => i * 30_000),
    )
  })

  it('has a hole, and nobody comes or goes because of it', () => {
    const { now, history } = made()
    const spans = history.spans(now - 45 * MINUTE, now - 28 * MINUTE, 34)
    const holes = spans.filter((span) => span.reports === 0)
    expect(holes.length).toBeGreaterThan(10)
    expect(spans.every((span) => span.appeared + span.vanished === 0)).toBe(true)
    expect(history.at(now - 35 * MINUTE).entities.size).toBe(0)
  })

  it('says where hosts came and went, as the pictures show them', () => {
    const { now, hosts, history } = made()
    const spans = history.spans(now - 30 * MINUTE, now, 60)
    expect(spans.reduce((sum, span) => sum + span.vanished, 0)).toBe(1)
    expect(spans.reduce((sum, span) => sum + span.appeared, 0)).toBe(1)
    const away = history.at(now - 20 * MINUTE)
    expect(hosts.filter((id) => !away.entities.has(id))).toHaveLength(1)
    expect(away.wires.every((wire) => away.entities.has(wire.from) && away.entities.has(wire.to))).toBe(true)
  })
})
