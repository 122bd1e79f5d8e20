/** Text for values. All functions are pure; `now` is always passed in. */

const BYTES = ['B', 'KB', 'MB', 'GB', 'TB', 'PB', 'EB']
const SI = ['', 'k', 'M', 'G', 'T', 'P', 'E']

export function formatBytes(value: number): string {
  let size = Math.abs(value)
  let unit = 0
  // 1023.95 would round to 1024.0.
  while (size >= 1023.95 && unit < BYTES.length - 1) {
    size /= 1024
    unit++
  }
  const text = unit === 0 ? String(Math.round(size)) : size.toFixed(1)
  return `${value < 0 ? '−' : ''}${text} ${BYTES[unit]}`
}

function short(value: number): string {
  let size = Math.abs(value)
  let unit = 0
  while (size >= 999.95 && unit < SI.length - 1) {
    size /= 1000
    unit++
  }
  const text = size.toFixed(size < 10 && unit > 0 ? 1 : 0)
  return `${value < 0 ? '−' : ''}${text.replace(/\.0$/, '')}${SI[unit]}`
}

export function formatNumber(value: number): string {
  if (Number.isInteger(value)) return formatInteger(value)
  return Math.abs(value) > 1100 ? short(value) : value.toFixed(2).replace('-', '−')
}

export function formatInteger(value: number): string {
  return Math.abs(value) > 1100 ? short(value) : String(Math.round(value)).replace('-', '−')
}

export function formatPercent(value: number): string {
  const text =
    Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)
  return `${text.replace('-', '−')} %`
}

export function formatMetric(value: number, format: string): string {
  if (!Number.isFinite(value)) return '–'
  if (format === 'filesize') return formatBytes(value)
  if (format === 'percent') return formatPercent(value)
  if (format === 'integer') return formatInteger(value)
  return formatNumber(value)
}

/** Counts are shown exactly, in groups of three. */
export function formatCount(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, '\u202f')
}

const UNITS: [number, string, string][] = [
  [31_536_000, 'year', 'y'],
  [2_592_000, 'month', 'mo'],
  [86_400, 'day', 'd'],
  [3_600, 'hour', 'h'],
  [60, 'minute', 'min'],
  [1, 'second', 's'],
]

/** The largest whole unit, rounded down. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–'
  const size = Math.abs(seconds)
  for (const [length, name] of UNITS) {
    if (size >= length) {
      const count = Math.floor(size / length)
      return `${count} ${name}${count === 1 ? '' : 's'}`
    }
  }
  return 'now'
}

export function formatAgo(then: number, now: number): string {
  const seconds = (now - then) / 1000
  const text = formatDuration(Math.abs(seconds))
  if (text === 'now') return 'just now'
  return seconds >= 0 ? `${text} ago` : `in ${text}`
}

/** Short, for the status line: `3 s`, `2 min`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds / 1000)
  for (const [length, , unit] of UNITS) {
    if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`
  }
  return '0 s'
}

/** A fact's value for display. */
export function formatFact(value: string, dataType: string, now: number): string {
  if (value === '') return '–'
  if (dataType === 'duration') return formatDuration(Number(value))
  if (dataType === 'datetime') {
    const then = Date.parse(value)
    return Number.isNaN(then) ? value : formatAgo(then, now)
  }
  return value
}

/** The full form, for tooltips, or undefined when it says nothing new. */
export function fullFact(value: string, dataType: string): string | undefined {
  if (dataType === 'datetime') {
    const then = Date.parse(value)
    return Number.isNaN(then) ? undefined : new Date(then).toISOString()
  }
  if (dataType === 'duration') return `${value} s`
  return undefined
}

/** What to sort a fact by. */
export function sortKey(value: string, dataType: string): number | string {
  if (dataType === 'number' || dataType === 'duration') {
    const number = Number(value)
    return Number.isNaN(number) ? value.toLowerCase() : number
  }
  if (dataType === 'datetime') {
    const then = Date.parse(value)
    return Number.isNaN(then) ? value.toLowerCase() : then
  }
  if (dataType === 'ip') return value.replace(/\d+/g, (digits) => digits.padStart(3, '0'))
  return value.toLowerCase()
}

/** Numbers before texts, both ascending. */
export function compareKeys(a: number | string, b: number | string): number {
  if (typeof a === 'number') return typeof b === 'number' ? a - b : -1
  if (typeof b === 'number') return 1
  return a < b ? -1 : a > b ? 1 : 0
}

/** Cuts a text in its least telling place: the front of a path, the end of anything else. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) return text
  let rest = text
  if (text.includes('/') && !text.includes('://')) {
    const tail = text.slice(text.replace(/\/+$/, '').lastIndexOf('/') + 1)
    if (tail !== '') rest = tail
  }
  if (rest.length <= length) return rest
  return `${rest.slice(0, Math.max(1, length - 1))}…`
}
