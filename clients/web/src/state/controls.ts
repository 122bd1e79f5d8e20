import type { ControlView } from '../shared/details'
import type { InvokeResult } from '../shared/messages'
import { app, backend, closeCards } from './app'
import { CallError } from './backend'
import { openTerminal } from './terminals'

/** Running controls and opening what they answer. */

const EXEC = 5
const LOGS = 6
const CONTROL = 4

/** Which permission a control needs, as the server decides it. */
export function permissionOf(control: string): number {
  if (/(^|_)(exec|attach)(_|$)/.test(control)) return EXEC
  if (/(^|_)(logs?|describe)(_|$)/.test(control)) return LOGS
  return CONTROL
}

export function mayInvoke(control: string, permissions: number[] | null | undefined): boolean {
  return !permissions || permissions.includes(permissionOf(control))
}

function explain(error: unknown): string {
  if (!(error instanceof CallError)) return 'Something went wrong.'
  switch (error.code) {
    case 'Unavailable':
      return /cannot be reached/.test(error.message)
        ? 'The server cannot be reached.'
        : 'The probe is not connected right now.'
    case 'DeadlineExceeded':
      return 'The probe did not answer in time. It may still have acted.'
    case 'PermissionDenied':
      return 'You are not allowed to do this.'
    default:
      return error.message
  }
}

/** Runs a control. Returns what went wrong, or an empty text. */
export async function invoke(control: ControlView, label: string): Promise<string> {
  try {
    const result = await backend.call<InvokeResult>({
      method: 'invoke',
      probeId: control.probeId,
      nodeId: control.nodeId,
      control: control.id,
      args: {},
    })
    if (result.error !== '') return result.error
    if (result.pipeId !== '') {
      openTerminal({
        pipeId: result.pipeId,
        title: `${control.label} · ${label}`,
        raw: result.rawTty,
        resizeControl: result.resizeControl,
        probeId: control.probeId,
        nodeId: control.nodeId,
        known: false,
        away: false,
        watch: false,
        size: null,
      })
    }
    const front = app.get().address.cards.at(-1)
    if (result.removedNodeId !== '' && front?.nodeId === result.removedNodeId) closeCards()
    return ''
  } catch (error) {
    return explain(error)
  }
}
