import { formatCount } from '../shared/format'
import type { PipeEvent, PipeState } from '../shared/messages'

export type StateEvent = Extract<PipeEvent, { kind: 'state' }>

/** What the state line says. `now` is in milliseconds since 1970. */
export function describe(event: StateEvent, watching: number, now: number): string {
  switch (event.state) {
    case 'connecting':
      return 'Connecting…'
    case 'open':
      return watching > 1 ? `Connected; ${watching} people are attached` : 'Connected'
    case 'waiting':
      return 'Waiting for the process: its probe is not connected'
    case 'reconnecting': {
      const left = Math.max(0, Math.ceil(((event.retryAt ?? now) - now) / 1000))
      return `Reconnecting${left > 0 ? ` in ${left} s` : ''}: ${event.text}. Nothing is lost.`
    }
    case 'ended':
      return event.text === '' ? 'The session has ended' : `The session has ended: ${event.text}`
    case 'broken':
      return `Broken: ${event.text}. What runs there may go on for a minute.`
  }
}

/** Whether closing it may end a program. */
export function mayRun(state: PipeState, raw: boolean): boolean {
  return raw && state !== 'ended'
}

/** Gaps from here on say only that something is missing: the one who counted is gone. */
const UNCOUNTED = 2 ** 39

/** What the server no longer had, in words; empty if nothing is missing. */
export function describeSkipped(bytes: number): string {
  if (bytes === 0) return ''
  return bytes >= UNCOUNTED ? 'Some output was lost' : `${formatCount(bytes)} bytes of output were lost`
}
