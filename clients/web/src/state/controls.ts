import type { ControlView } from '../shared/details'
import { type InvokeResult, LOGIN_TOO_OLD } from '../shared/messages'
import { permissionName, permissionOf } from '../shared/permissions'
import { app, backend, closeCards } from './app'
import { CallError } from './backend'
import { beginRun, dismissRun, endRun } from './runs'
import { openTerminal } from './terminals'

/** Running controls and opening what they answer. */

/** What stops, removes or interrupts something: asked about even if the probe does not ask for it. */
export function isDestructive(control: string): boolean {
  return /(^|_)(stop|kill|restart|pause|delete|remove|down|cordon|drain)(_|$)/.test(control)
}

export const CONTROL_NEEDS_LOGIN =
  'this needs a login of the last 15 minutes: sign in again, then do it once more.'
const LOOK = 'Look at the node before you try again.'

/** What went wrong, and what to do, in words. */
export function explainControl(error: unknown, control: string): string {
  if (!(error instanceof CallError)) return 'something went wrong in this page; load it anew.'
  switch (error.code) {
    case 'Unavailable':
      if (/cannot be reached/.test(error.message))
        return `the server cannot be reached; nothing is known of what happened. ${LOOK}`
      return /may have acted/.test(error.message)
        ? `${error.message}. ${LOOK}`
        : `${error.message}. Try again in a moment, or look after the probe on its host.`
    case 'DeadlineExceeded':
      return `the probe did not answer in time; it may have acted. ${LOOK}`
    case 'PermissionDenied':
      return `you may not do this: it needs the permission “${permissionName(permissionOf(control))}”. An admin of the organisation can give it to you.`
    case LOGIN_TOO_OLD:
      return CONTROL_NEEDS_LOGIN
    case 'ResourceExhausted':
      return `${error.message}. Wait a little, and try again.`
    case 'NotFound':
      return 'there is no such node any more.'
    default:
      return error.message
  }
}

/** What the probe answered, for people: nothing if it said nothing, text without its quotes. */
export function answerText(json: string): string {
  if (json === '') return ''
  try {
    const value: unknown = JSON.parse(json)
    if (value === null || value === true) return ''
    return typeof value === 'string' ? value : JSON.stringify(value)
  } catch {
    return json
  }
}

function open(result: InvokeResult, control: ControlView, label: string): void {
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

/** Runs a control; how it goes is in `runs`. Does nothing if it runs already. */
export async function invoke(control: ControlView, label: string): Promise<void> {
  const run = beginRun(control, label)
  if (!run) return
  const { probeId, nodeId, id } = control
  try {
    const result = await backend.call<InvokeResult>({
      method: 'invoke',
      probeId,
      nodeId,
      control: id,
      args: {},
    })
    if (result.error !== '') return endRun(run.id, 'failed', `${result.error}.`)
    if (result.pipeId !== '') {
      // The terminal shows by itself how it went.
      dismissRun(run.id)
      return open(result, control, label)
    }
    const front = app.get().address.cards.at(-1)
    if (result.removedNodeId !== '' && front?.nodeId === result.removedNodeId) closeCards()
    endRun(run.id, 'done', answerText(result.value))
  } catch (error) {
    endRun(run.id, 'failed', explainControl(error, id))
  }
}
