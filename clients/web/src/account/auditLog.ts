import type { AuditEventView } from '../shared/accounts'
import { actionInWords } from './auditWords'

/** Whether every word of the filter is somewhere in the event, or in the name of who did it. */
export function matchesAudit(event: AuditEventView, filter: string, name = ''): boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return true
  const day = event.at === null ? '' : new Date(event.at).toISOString()
  const { action, actor, address, target, detail } = event
  const fields = [action, actionInWords(action), actor, address, target, detail, day, name]
  const all = fields.join('\n').toLowerCase()
  return words.every((word) => all.includes(word))
}

/** Spreadsheets run cells that begin with one of these. */
const FORMULA = /^[=+\-@\t\r]/

function cell(value: string): string {
  const safe = FORMULA.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

const COLUMNS = ['position', 'at', 'action', 'actor', 'address', 'target', 'detail']

export function auditCsv(events: AuditEventView[]): string {
  const rows = events.map(({ position, at, action, actor, address, target, detail }) => {
    const date = at === null ? '' : new Date(at).toISOString()
    return [String(position), date, action, actor, address, target, detail].map(cell)
  })
  return `${[COLUMNS, ...rows].map((row) => row.join(',')).join('\r\n')}\r\n`
}
