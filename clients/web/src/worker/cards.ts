import { timestampMs } from '@bufbuild/protobuf/wkt'
import type {
  ConnectionTable,
  MetadataRow,
  Metric,
  NodeDetails,
  NodeSummary,
  Table,
} from '../gen/weft/query/v1/topology_pb'
import type { ColumnView, DetailsView, FactView, MetricView, RowView, TableView } from '../shared/details'
import { formatFact, formatMetric, sortKey } from '../shared/format'
import { hueOf } from '../shared/hue'

/** Node details as plain data for the page. */
export function detailsView(details: NodeDetails, now: number): DetailsView | null {
  const node = details.summary
  if (!node) return null
  return {
    id: node.id,
    label: node.label || node.id,
    labelMinor: node.labelMinor,
    rank: node.rank,
    shape: node.shape,
    hue: hueOf(node.rank, node.pseudo),
    stack: node.stack,
    pseudo: node.pseudo,
    stale: node.stale,
    parents: node.parents.map(({ id, label, topologyId }) => ({ id, label, topologyId })),
    facts: node.metadata.map(factView),
    metrics: node.metrics.map(metricView),
    controls: details.controls.map(({ probeId, nodeId, id, label, icon, confirmation }) => ({
      probeId,
      nodeId,
      id,
      label,
      icon,
      confirmation,
    })),
    incoming: connections(details.incoming, 'incoming', 'Incoming connections', now),
    outgoing: connections(details.outgoing, 'outgoing', 'Outgoing connections', now),
    children: details.children.map(
      (group, i): TableView => ({
        key: `children-${i}`,
        label: group.label,
        kind: 'table',
        topologyId: group.topologyId,
        columns: group.columns.map(column),
        rows: group.nodes.map((child) =>
          childRow(
            child,
            group.columns.map((one) => one.id),
            now,
          ),
        ),
        truncated: 0,
      }),
    ),
    tables: node.tables.map((table) => tableView(table, now)),
  }
}

function factView(row: MetadataRow): FactView {
  const { id, label, value, priority, dataType, truncate } = row
  return { id, label, value, priority, dataType, truncate }
}

function metricView(metric: Metric): MetricView {
  const samples = new Float64Array(metric.samples.length * 2)
  metric.samples.forEach((sample, i) => {
    samples[i * 2] = sample.date ? timestampMs(sample.date) : 0
    samples[i * 2 + 1] = sample.value
  })
  const { id, label, format, group, value, min, max, priority, url } = metric
  return { id, label, format, group, value, min, max, samples, priority, url, empty: metric.valueEmpty }
}

function column(from: { id: string; label: string; dataType: string; defaultSort: boolean }): ColumnView {
  const { id, label, dataType, defaultSort } = from
  return { id, label, dataType, defaultSort }
}

function connections(
  table: ConnectionTable | undefined,
  key: string,
  label: string,
  now: number,
): TableView | null {
  if (!table || table.connections.length === 0) return null
  return {
    key,
    label,
    kind: 'table',
    topologyId: '',
    columns: table.columns.map(column),
    rows: table.connections.map(
      (one): RowView => ({
        id: one.id,
        nodeId: one.nodeId,
        label: one.label,
        labelMinor: one.labelMinor,
        values: values(one.metadata, now),
      }),
    ),
    truncated: 0,
  }
}

function values(rows: readonly MetadataRow[], now: number): RowView['values'] {
  return Object.fromEntries(
    rows.map((row) => [
      row.id,
      { text: formatFact(row.value, row.dataType, now), sort: sortKey(row.value, row.dataType) },
    ]),
  )
}

function childRow(child: NodeSummary, wanted: string[], now: number): RowView {
  const all = values(child.metadata, now)
  for (const metric of child.metrics) {
    if (!metric.valueEmpty)
      all[metric.id] = { text: formatMetric(metric.value, metric.format), sort: metric.value }
  }
  return {
    id: child.id,
    nodeId: child.id,
    label: child.label || child.id,
    labelMinor: child.labelMinor,
    values: Object.fromEntries(wanted.flatMap((id) => (all[id] ? [[id, all[id]]] : []))),
  }
}

function tableView(table: Table, now: number): TableView {
  const properties = table.type !== 'multicolumn-table'
  const types = new Map(table.columns.map((one) => [one.id, one.dataType]))
  return {
    key: table.id,
    label: table.label,
    kind: properties ? 'properties' : 'table',
    topologyId: '',
    columns: table.columns.map(column),
    rows: table.rows.map(
      (row): RowView => ({
        id: row.id,
        nodeId: '',
        label: row.entries.label ?? '',
        labelMinor: '',
        values: Object.fromEntries(
          Object.entries(row.entries).map(([id, text]) => [
            id,
            { text: formatFact(text, types.get(id) ?? '', now), sort: sortKey(text, types.get(id) ?? '') },
          ]),
        ),
      }),
    ),
    truncated: table.truncationCount,
  }
}
