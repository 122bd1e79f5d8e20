import type { ControlView } from '../shared/details'
import { Store } from './store'

/** Controls that run or have run: they go on when the card that they were started from is closed. */

export interface Run {
  id: number
  control: ControlView
  /** What it acts on, as people call it. */
  label: string
  state: 'running' | 'done' | 'failed'
  startedAt: number
  endedAt: number
  /** What the probe answered, or what went wrong. */
  text: string
}

/** How long a success is shown; failures stay until they are dismissed or the control is run again. */
export const DONE_MS = 6_000
const MAX_KEPT = 20
/** As much of an answer as is shown, in characters. */
const MAX_TEXT = 400

export const runs = new Store<{ all: Run[] }>({ all: [] })
let last = 0

export function sameTarget(a: ControlView, b: ControlView): boolean {
  return a.probeId === b.probeId && a.nodeId === b.nodeId && a.id === b.id
}

/** Null if it runs already. An earlier run of the same is forgotten. */
export function beginRun(control: ControlView, label: string): Run | null {
  const { all } = runs.get()
  if (all.some((run) => run.state === 'running' && sameTarget(run.control, control))) return null
  const run: Run = {
    id: ++last,
    control,
    label,
    state: 'running',
    startedAt: Date.now(),
    endedAt: 0,
    text: '',
  }
  const rest = all.filter((one) => !sameTarget(one.control, control))
  const over = Math.max(0, rest.length + 1 - MAX_KEPT)
  const old = rest.filter((one) => one.state !== 'running').slice(0, over)
  runs.set({ all: [...rest.filter((one) => !old.includes(one)), run] })
  return run
}

export function endRun(id: number, state: 'done' | 'failed', text: string): void {
  const short = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
  runs.set({
    all: runs
      .get()
      .all.map((run) => (run.id === id ? { ...run, state, text: short, endedAt: Date.now() } : run)),
  })
  if (state === 'done') setTimeout(() => dismissRun(id), DONE_MS)
}

export function dismissRun(id: number): void {
  runs.set({ all: runs.get().all.filter((run) => run.id !== id) })
}
