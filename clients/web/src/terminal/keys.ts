/** Keys that a terminal keeps for itself; all others belong to the far program. */
export type TerminalKey = 'copy' | 'paste' | 'find' | 'leave' | 'next' | 'previous'

export interface KeyContext {
  /** On a Mac, Cmd takes the place of Ctrl+Shift, as in terminals there. */
  mac: boolean
  /** There is something to copy. */
  selected: boolean
  /** Keys go to a program; a log has none. */
  input: boolean
}

export function terminalKey(event: KeyboardEvent, context: KeyContext): TerminalKey | null {
  if (event.altKey) return null
  const { mac, selected, input } = context
  const key = event.key.toLowerCase()
  if (!input && key === 'c' && event.ctrlKey && selected) return 'copy'
  if (key === 'escape') return event.shiftKey ? 'leave' : null
  if (event.ctrlKey && event.shiftKey && key === 'pagedown') return 'next'
  if (event.ctrlKey && event.shiftKey && key === 'pageup') return 'previous'
  if (key === 'insert' && event.ctrlKey !== event.shiftKey) {
    if (event.shiftKey) return 'paste'
    return selected ? 'copy' : null
  }
  const held = mac ? event.metaKey && !event.ctrlKey : event.ctrlKey && event.shiftKey && !event.metaKey
  if (!held) return null
  // Without a selection nothing is copied, and what is on the clipboard stays.
  if (key === 'c') return selected ? 'copy' : null
  if (key === 'v') return 'paste'
  if (key === 'f') return 'find'
  return null
}

/** Whether a paste would run something by itself: a line end in it, and a program that does not ask for marked pastes. */
export function runsAtOnce(text: string, bracketed: boolean): boolean {
  return !bracketed && /[\r\n]/.test(text)
}
