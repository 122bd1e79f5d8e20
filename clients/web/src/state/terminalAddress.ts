import { orgOf } from './address'

/** Addresses of windows that show one terminal. */

export interface TerminalAddress {
  /** The organisation; empty for the caller's own. */
  org: string
  pipeId: string
  title: string
  /** Somebody else's: it shows what the owner sees and takes no input. */
  watch: boolean
  /** Columns and rows of the owner's, for watching; null if not said. */
  size: [number, number] | null
}

/** The server's rule for ids of pipes. */
const PIPE_ID = /^[A-Za-z0-9._-]{1,128}$/
const MAX_TITLE = 200
const MAX_CELLS = 1000

export function formatTerminalAddress(address: TerminalAddress): string {
  const params = new URLSearchParams({ title: address.title })
  if (address.org !== '') params.set('org', address.org)
  if (address.size) params.set('size', address.size.join('x'))
  return `#/-/${address.watch ? 'watch' : 'terminal'}/${address.pipeId}?${params}`
}

function parseSize(text: string | null): [number, number] | null {
  const found = /^(\d{1,4})x(\d{1,4})$/.exec(text ?? '')
  if (!found) return null
  const [columns, rows] = [Number(found[1]), Number(found[2])]
  return columns > 1 && rows > 0 && Math.max(columns, rows) <= MAX_CELLS ? [columns, rows] : null
}

/**
 * Null if the address is none of a terminal. A link never says which control resizes the terminal or where it runs: whoever
 * made the link could name any control.
 */
export function parseTerminalAddress(hash: string): TerminalAddress | null {
  const found = /^#\/-\/(watch|terminal)\/([^?]*)(?:\?(.*))?$/.exec(hash)
  if (!found || !PIPE_ID.test(found[2])) return null
  const params = new URLSearchParams(found[3] ?? '')
  return {
    org: orgOf(hash),
    pipeId: found[2],
    title: (params.get('title') ?? '').slice(0, MAX_TITLE) || 'Terminal',
    watch: found[1] === 'watch',
    size: parseSize(params.get('size')),
  }
}
