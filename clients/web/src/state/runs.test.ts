import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ControlView } from '../shared/details'
import { beginRun, DONE_MS, dismissRun, endRun, runs } from './runs'

const control = (id: string, nodeId = 'n'): ControlView => ({
  probeId: 'p',
  nodeId,
  id,
  label: id,
  icon: '',
  confirmation: '',
})

describe('runs of controls', () => {
  beforeEach(() => {
    vi.useFakeTimers()
    runs.set({ all: [] })
  })
  afterEach(() => vi.useRealTimers())

  it('several at a time, but none twice', () => {
    expect(beginRun(control('stop'), 'a')).not.toBeNull()
    expect(beginRun(control('stop'), 'a')).toBeNull()
    expect(beginRun(control('restart'), 'a')).not.toBeNull()
    expect(beginRun(control('stop', 'other'), 'b')).not.toBeNull()
    expect(runs.get().all).toHaveLength(3)
  })

  it('failures stay until the control is run again, successes go', () => {
    endRun(beginRun(control('pause'), 'a')!.id, 'failed', 'it is not running')
    endRun(beginRun(control('stop'), 'a')!.id, 'done', '')
    vi.advanceTimersByTime(DONE_MS)
    expect(runs.get().all.map((run) => run.text)).toEqual(['it is not running'])
    beginRun(control('pause'), 'a')
    expect(runs.get().all.map((run) => run.state)).toEqual(['running'])
  })

  it('can be dismissed, and are bounded in number and length', () => {
    for (let i = 0; i < 30; i++)
      endRun(beginRun(control('stop', `n${i}`), 'a')!.id, 'failed', 'x'.repeat(999))
    expect(runs.get().all.length).toBe(20)
    expect(runs.get().all[0].text.length).toBe(401)
    dismissRun(runs.get().all[0].id)
    expect(runs.get().all.length).toBe(19)
  })
})
