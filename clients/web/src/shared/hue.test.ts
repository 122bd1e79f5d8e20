import { describe, expect, it } from 'vitest'
import { HUES, hueOf } from './hue'
import { fillOf, knownMax, niceCeil } from './scale'
import { PSEUDO_HUE } from './scene'

describe('hue', () => {
  it('gives like ranks one colour and unlike ones mostly different colours', () => {
    expect(hueOf('sock-shop/orders', false)).toBe(hueOf('sock-shop/orders', false))
    expect(hueOf('web', false)).not.toBe(hueOf('webhook', false))
    expect(hueOf('/usr/bin/dockerd', false)).not.toBe(hueOf('/usr/bin/sshd', false))
  })

  it('spreads evenly', () => {
    const counts = new Array<number>(HUES.length).fill(0)
    for (let i = 0; i < 4000; i++) counts[hueOf(`service-${i}`, false)]++
    expect(Math.min(...counts)).toBeGreaterThan(120)
    expect(Math.max(...counts)).toBeLessThan(300)
  })

  it('leaves red to trouble and grey to what no probe reports', () => {
    for (const hue of HUES) expect(hue > 45 && hue < 350).toBe(true)
    expect(hueOf('in-theinternet', true)).toBe(PSEUDO_HUE)
  })
})

describe('fill', () => {
  it('keeps a little from nothing and a lot from everything', () => {
    expect(fillOf(0, 100, '')).toBe(0)
    expect(fillOf(0.001, 100, '')).toBeCloseTo(0.1)
    expect(fillOf(99.9, 100, '')).toBeCloseTo(0.9, 2)
    expect(fillOf(100, 100, '')).toBe(1)
    expect(fillOf(Number.NaN, 100, '')).toBe(-1)
  })

  it('shows a load of 1 as half', () => {
    expect(fillOf(1, 0, 'load')).toBeCloseTo(0.5)
  })

  it('takes "unlimited" for unknown', () => {
    expect(knownMax(1.8446744073709552e19)).toBe(0)
    expect(knownMax(100)).toBe(100)
    expect(niceCeil(37)).toBe(50)
    expect(niceCeil(0)).toBe(1)
  })
})
