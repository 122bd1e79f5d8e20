/** One node's card, as plain data. */

export interface LinkView {
  id: string
  label: string
  topologyId: string
}

export interface FactView {
  id: string
  label: string
  value: string
  priority: number
  dataType: string
  truncate: number
}

export interface MetricView {
  id: string
  label: string
  format: string
  group: string
  value: number
  min: number
  max: number
  /** Alternating milliseconds and value. */
  samples: Float64Array
  priority: number
  url: string
  empty: boolean
}

export interface ColumnView {
  id: string
  label: string
  dataType: string
  defaultSort: boolean
}

export interface ControlView {
  probeId: string
  nodeId: string
  id: string
  label: string
  icon: string
  confirmation: string
}

export interface RowView {
  id: string
  /** The node behind the row, if there is one. */
  nodeId: string
  label: string
  labelMinor: string
  values: Record<string, { text: string; sort: number | string }>
}

export interface TableView {
  key: string
  label: string
  kind: 'properties' | 'table'
  topologyId: string
  columns: ColumnView[]
  rows: RowView[]
  truncated: number
}

export interface DetailsView {
  id: string
  label: string
  labelMinor: string
  rank: string
  shape: number
  hue: number
  stack: boolean
  pseudo: boolean
  stale: boolean
  parents: LinkView[]
  facts: FactView[]
  metrics: MetricView[]
  controls: ControlView[]
  incoming: TableView | null
  outgoing: TableView | null
  children: TableView[]
  tables: TableView[]
}
