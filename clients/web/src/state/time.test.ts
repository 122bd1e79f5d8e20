import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Address, START } from './address'

interface Fake {
  address: Address
  playback: { from: number; speed: number } | null
  shown: { at: number; receivedAt: number } | null
  playSpeed: number
  skew: number
  frozenAt: number | null
  history: boolean
  connection: { state: string }
}

const desk = vi.hoisted(() => ({
  state: {} as Fake,
  listeners: [] as (() => void)[],
  how: [] as (string | undefined)[],
}))

vi.mock('./app', () => {
  const set = (part: Partial<Fake>) => {
    desk.state = { ...desk.state, ...part }
    for (const listener of desk.listeners) listener()
  }
  return {
    app: { get: () => desk.state, set, subscribe: (listener: () => void) => desk.listeners.push(listener) },
    freeze: (frozen: boolean) => set({ frozenAt: frozen ? 1 : null }),
    setPlayback: (playback: Fake['playback']) => set({ playback, shown: null }),
    navigate: (part: Partial<Address>, how?: string) => {
      desk.how.push(how)
      const address = { ...desk.state.address, ...part }
      set({ address, playback: address.at === desk.state.address.at ? desk.state.playback : null })
    },
    writeUrlLater: () => undefined,
    backend: {},
  }
})

const time = await import('./time')
const strip = await import('./strip')
const { RANGES } = await import('../shared/timeline')

const NOW = Date.UTC(2026, 4, 1, 12)
const MINUTE = 60_000
const at = () => desk.state.address.at

beforeEach(() => {
  vi.useFakeTimers({ now: NOW })
  desk.how.length = 0
  desk.state = {
    address: START,
    playback: null,
    shown: null,
    playSpeed: 10,
    skew: 0,
    frozenAt: null,
    history: true,
    connection: { state: 'live' },
  }
  strip.strip.set({ range: RANGES[1], until: null })
})
afterEach(() => vi.useRealTimers())

describe('moving through time', () => {
  it('makes only the first step from the present one to go back to', () => {
    time.moveTo(NOW - MINUTE + 123)
    time.moveTo(NOW - 2 * MINUTE)
    expect(at()).toBe(NOW - 2 * MINUTE)
    expect(desk.how).toEqual(['push', 'later'])
  })

  it('calls the last seconds the present', () => {
    time.moveTo(NOW - MINUTE)
    time.moveTo(NOW - 1000)
    expect(at()).toBeNull()
    desk.state.skew = 30_000
    time.moveTo(NOW + 10_000)
    expect(at()).toBe(NOW + 10_000)
  })

  it('pauses at the newest picture, or freezes without history', () => {
    desk.state.shown = { at: NOW - 2500, receivedAt: NOW }
    time.pause()
    expect(at()).toBe(NOW - 3000)
    time.goLive()
    desk.state.history = false
    time.pause()
    expect(at()).toBeNull()
    expect(desk.state.frozenAt).not.toBeNull()
  })

  it('plays from the shown moment, at another speed from where it has come to, and holds', () => {
    time.moveTo(NOW - 10 * MINUTE)
    time.togglePlay()
    expect(desk.state.playback).toEqual({ from: NOW - 10 * MINUTE, speed: 10 })
    desk.state.shown = { at: NOW - 8 * MINUTE, receivedAt: NOW - 6000 }
    time.setSpeed(60)
    expect(desk.state.playback).toEqual({ from: NOW - 7 * MINUTE, speed: 60 })
    time.togglePlay()
    expect(desk.state.playback).toBeNull()
    expect(at()).toBe(NOW - 7 * MINUTE)
  })

  it('does not run ahead of a server that is not heard', () => {
    time.moveTo(NOW - 60 * MINUTE)
    time.play()
    desk.state.shown = { at: NOW - 50 * MINUTE, receivedAt: NOW - MINUTE }
    expect(time.shownMoment(desk.state as never)).toBe(NOW - 48 * MINUTE)
    desk.state.connection = { state: 'reconnecting' }
    expect(time.shownMoment(desk.state as never)).toBe(NOW - 50 * MINUTE)
  })

  it('lets the address follow what is played, and goes live at the present', () => {
    time.startTime()
    time.moveTo(NOW - MINUTE)
    time.play()
    desk.state.shown = { at: NOW - MINUTE, receivedAt: NOW }
    vi.advanceTimersByTime(1000)
    expect(at()).toBe(NOW - 50_000)
    expect(desk.state.playback).not.toBeNull()
    desk.state.shown = { at: Date.now() - 500, receivedAt: Date.now() }
    vi.advanceTimersByTime(500)
    expect(at()).toBeNull()
    expect(desk.state.playback).toBeNull()
  })
})

describe('the strip', () => {
  const view = () => strip.viewOf(strip.strip.get(), NOW)

  it('goes with the present until it is moved, and again when it comes back', () => {
    expect(view()).toEqual({ from: NOW - 60 * MINUTE, until: NOW })
    strip.panBy(-30 * MINUTE)
    expect(view().until).toBe(NOW - 30 * MINUTE)
    strip.panBy(40 * MINUTE)
    expect(strip.strip.get().until).toBeNull()
  })

  it('keeps a moment in its place when the range changes', () => {
    strip.setRange(RANGES[0], NOW - 30 * MINUTE)
    expect(view()).toEqual({ from: NOW - 37.5 * MINUTE, until: NOW - 22.5 * MINUTE })
    strip.zoomBy(1, null)
    expect(strip.strip.get().range).toBe(RANGES[1])
  })

  it('follows a moment out of view, with room ahead while it is played', () => {
    strip.reveal(NOW - 300 * MINUTE, false)
    expect(view().until).toBe(NOW - 270 * MINUTE)
    strip.reveal(NOW - 271 * MINUTE, true)
    expect(view().until).toBe(NOW - 229 * MINUTE)
    strip.reveal(NOW - 260 * MINUTE, true)
    expect(view().until).toBe(NOW - 229 * MINUTE)
  })
})
