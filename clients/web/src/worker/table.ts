import type { NodeSummary } from '../gen/weft/query/v1/topology_pb'
import { compareKeys, formatFact, formatMetric, fullFact, sortKey } from '../shared/format'
import { hueOf } from '../shared/hue'
import type { Cell, Column, TableRow, TableSpec, TableWindow } from '../shared/messages'
import { knownMax } from '../shared/scale'

/** Rows, columns and order of the table: everything the map knows, as text. */

export interface TableInput {
  topologyId: string
  nodes: NodeSummary[]
  topologyNames: ReadonlyMap<string, string>
  match: (id: string) => boolean
  /** How many nodes connect to a node. */
  callers: ReadonlyMap<string, number>
  now: number
  sharedMax: (label: string) => number
}

type Key = number | string | undefined

const NUMERIC = new Set(['number', 'duration', 'datetime'])

export function tableColumns(nodes: readonly NodeSummary[], names: ReadonlyMap<string, string>): Column[] {
  const parents = new Map<string, string>()
  const facts = new Map<string, { label: string; numeric: boolean; priority: number }>()
  const metrics = new Map<string, { label: string; priority: number }>()
  for (const node of nodes) {
    for (const parent of node.parents)
      parents.set(parent.topologyId, names.get(parent.topologyId) ?? parent.topologyId)
    for (const row of node.metadata) {
      if (!facts.has(row.id))
        facts.set(row.id, { label: row.label, numeric: NUMERIC.has(row.dataType), priority: row.priority })
    }
    for (const metric of node.metrics) {
      if (!metrics.has(metric.id)) metrics.set(metric.id, { label: metric.label, priority: metric.priority })
    }
  }
  const byPriority = <T extends { priority: number }>(map: Map<string, T>) =>
    [...map].sort((a, b) => a[1].priority - b[1].priority || (a[0] < b[0] ? -1 : 1))
  return [
    { key: 'name', label: 'Name', numeric: false, width: 280 },
    ...byPriority(metrics).map(([id, metric]) => ({
      key: `metric:${id}`,
      label: metric.label,
      numeric: true,
      width: 118,
    })),
    { key: 'in', label: 'In', numeric: true, width: 64 },
    { key: 'out', label: 'Out', numeric: true, width: 64 },
    ...[...parents].map(([id, label]) => ({ key: `parent:${id}`, label, numeric: false, width: 180 })),
    ...byPriority(facts).map(([id, fact]) => ({
      key: `meta:${id}`,
      label: fact.label,
      numeric: fact.numeric,
      width: fact.numeric ? 112 : /command|image|label|network|kernel/i.test(fact.label) ? 280 : 160,
    })),
  ]
}

function keyOf(node: NodeSummary, column: string, input: TableInput): Key {
  if (column === 'name') return node.label.toLowerCase()
  if (column === 'in') return input.callers.get(node.id) ?? 0
  if (column === 'out') return node.adjacency.length
  const id = column.slice(column.indexOf(':') + 1)
  if (column.startsWith('metric:')) {
    const metric = node.metrics.find((one) => one.id === id)
    return metric && !metric.valueEmpty ? metric.value : undefined
  }
  if (column.startsWith('parent:')) {
    return node.parents.find((parent) => parent.topologyId === id)?.label.toLowerCase()
  }
  const row = node.metadata.find((one) => one.id === id)
  return row && row.value !== '' ? sortKey(row.value, row.dataType) : undefined
}

/** Nodes in table order; those without a value always come last. */
export function sortNodes(input: TableInput, column: string, descending: boolean): NodeSummary[] {
  const keyed = input.nodes.map((node) => ({ node, key: keyOf(node, column, input) }))
  const sign = descending ? -1 : 1
  keyed.sort((a, b) => {
    if (a.key === undefined || b.key === undefined) {
      if (a.key !== b.key) return a.key === undefined ? 1 : -1
    } else {
      const order = compareKeys(a.key, b.key) * sign
      if (order !== 0) return order
    }
    return (
      compareKeys(a.node.label.toLowerCase(), b.node.label.toLowerCase()) || (a.node.id < b.node.id ? -1 : 1)
    )
  })
  return keyed.map((one) => one.node)
}

function cell(node: NodeSummary, column: string, input: TableInput): Cell {
  if (column === 'name') return { text: node.label || node.id, title: node.labelMinor }
  if (column === 'in') return { text: String(input.callers.get(node.id) ?? 0) }
  if (column === 'out') return { text: String(node.adjacency.length) }
  const id = column.slice(column.indexOf(':') + 1)
  if (column.startsWith('metric:')) {
    const metric = node.metrics.find((one) => one.id === id)
    if (!metric || metric.valueEmpty) return { text: '' }
    const max = knownMax(metric.max) || input.sharedMax(metric.label)
    return {
      text: formatMetric(metric.value, metric.format),
      bar: Math.min(1, Math.max(0, max > 0 ? metric.value / max : 0)),
    }
  }
  if (column.startsWith('parent:')) {
    return {
      text: node.parents
        .filter((parent) => parent.topologyId === id)
        .map((parent) => parent.label)
        .join(', '),
    }
  }
  const row = node.metadata.find((one) => one.id === id)
  if (!row || row.value === '') return { text: '' }
  const text = formatFact(row.value, row.dataType, input.now)
  if (row.truncate > 0 && text.length > row.truncate)
    return { text: text.slice(0, row.truncate), title: row.value }
  return { text, title: fullFact(row.value, row.dataType) ?? row.value }
}

export function defaultSort(columns: readonly Column[]): { sort: string; descending: boolean } {
  const metric = columns.find((column) => column.key.startsWith('metric:'))
  return metric ? { sort: metric.key, descending: true } : { sort: 'name', descending: false }
}

export function tableWindow(input: TableInput, spec: TableSpec): TableWindow {
  const columns = tableColumns(input.nodes, input.topologyNames)
  const known = columns.some((column) => column.key === spec.sort)
  const { sort, descending } = known ? spec : defaultSort(columns)
  const sorted = sortNodes(input, sort, descending)
  const from = Math.max(0, Math.min(spec.from, sorted.length))
  const rows = sorted.slice(from, spec.to).map(
    (node): TableRow => ({
      id: node.id,
      hue: hueOf(node.rank, node.pseudo),
      shape: node.shape,
      stale: node.stale,
      match: input.match(node.id),
      cells: columns.map((column) => cell(node, column.key, input)),
    }),
  )
  return { topologyId: input.topologyId, total: sorted.length, from, rows, columns, sort, descending }
}

/** Everything, for a spreadsheet. */
export function tableCsv(input: TableInput): string {
  const columns = tableColumns(input.nodes, input.topologyNames)
  const quote = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  const lines = [columns.map((column) => quote(column.label)).join(',')]
  for (const node of sortNodes(input, 'name', false)) {
    lines.push(
      columns
        .map((column) => {
          const key = column.key.startsWith('metric:')
            ? keyOf(node, column.key, input)
            : cell(node, column.key, input).text
          return quote(String(key ?? ''))
        })
        .join(','),
    )
  }
  return `${lines.join('\r\n')}\r\n`
}
