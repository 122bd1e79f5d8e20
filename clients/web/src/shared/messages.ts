import type { AccountCall } from './accounts'
import type { DetailsView } from './details'
import type { Scene, SceneValues } from './scene'

export interface CardRef {
  topologyId: string
  nodeId: string
}

/** What the page wants from the server. */
export interface PageScope {
  topologyId: string
  options: Record<string, string[]>
  /** Milliseconds since 1970, or null for now. */
  at: number | null
  /** Seconds of history per second from that moment on; 0 stands still. */
  speed: number
  /** Counts the changes of moment and speed. While it stays, the shown moment does, however far it was played. */
  jump: number
  cards: CardRef[]
}

/** How the page looks at it. */
export interface PageView {
  query: string
  /** Pinned searches: they filter. */
  chips: string[]
  groupBy: string
  /** The label of the metric that fills the nodes; empty for none. */
  metric: string
}

export interface TableSpec {
  sort: string
  descending: boolean
  from: number
  to: number
}

export type ToWorker =
  /** `org` is the organisation that is looked at; empty for the caller's own. */
  | { type: 'init'; base: string; org: string }
  | { type: 'scope'; scope: PageScope }
  | { type: 'view'; view: PageView }
  | { type: 'table'; spec: TableSpec | null }
  | { type: 'visible'; visible: boolean }
  /** Stands still: what comes is not shown until it ends. */
  | { type: 'freeze'; frozen: boolean }
  | { type: 'retry' }
  /** A search is about to be typed. */
  | { type: 'warm' }
  | { type: 'tidy' }
  | { type: 'pin'; topologyId: string; id: string; x: number; y: number }
  | { type: 'unpin'; topologyId: string; id: string }
  | { type: 'call'; id: number; call: Call }
  /** Output before `from` is known; `known` if the pipe was attached to before. */
  | { type: 'pipeOpen'; pipeId: string; from: number; known: boolean }
  | { type: 'pipeWrite'; pipeId: string; data: Uint8Array }
  | { type: 'pipeAck'; pipeId: string; bytes: number }
  | { type: 'pipeRetry'; pipeId: string }
  /** Lets go; the far process lives on for a while. */
  | { type: 'pipeRelease'; pipeId: string }

export type Call =
  | { method: 'invoke'; probeId: string; nodeId: string; control: string; args: Record<string, string> }
  | { method: 'user' }
  | { method: 'timeline'; from: number; until: number; spans: number }
  | { method: 'csv' }
  | AccountCall
  /** Ends a pipe and its process, whether it is open here or not. */
  | { method: 'endPipe'; pipeId: string }

/** In place of a code: a person must have logged in within the last 15 minutes for this. */
export const LOGIN_TOO_OLD = 'LoginTooOld'

export interface InvokeResult {
  error: string
  value: string
  pipeId: string
  rawTty: boolean
  resizeControl: string
  removedNodeId: string
}

export interface UserView {
  id: string
  email: string
  name: string
  orgId: string
  /** Its name. */
  org: string
  /** What is refused in it, and why; empty if nothing is. */
  refusal: string
  /** With a session, which can be ended; not with a token, or as the local user. */
  loggedIn: boolean
  /** Null when the server did not say: then nothing is hidden. */
  permissions: number[] | null
}

export interface Span {
  from: number
  /** 0 is a hole. */
  reports: number
  hosts: number
  appeared: number
  vanished: number
}

export interface TimelineView {
  spans: Span[]
  warnings: string[]
}

export type Connection =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'reconnecting'; retryAt: number; error: string; attempt: number }
  | { state: 'asleep' }
  | { state: 'signed-out' }
  | { state: 'denied'; error: string }
  /** The moment in the address is not kept. */
  | { state: 'no-history' }

export interface OptionGroupView {
  id: string
  defaultValue: string
  options: { value: string; label: string }[]
  multiple: boolean
  noneLabel: string
}

export interface TopologyView {
  id: string
  name: string
  parentId: string
  hideIfEmpty: boolean
  groups: OptionGroupView[]
  nodes: number
  realNodes: number
  edges: number
  filtered: number
}

export interface Choice {
  id: string
  label: string
}

export interface Summary {
  topologyId: string
  /** False until the first answer for this scope. */
  loaded: boolean
  /** The topology named in the address does not exist. */
  missing: boolean
  nodes: number
  edges: number
  /** Nodes that the search chips hide. */
  hidden: number
  /** Nodes that match the text being typed; -1 when there is none. */
  matches: number
  /** Nodes whose probe is late. */
  stale: number
  /** Why the text being typed, or a chip, is not a query. */
  queryError: string
  warnings: string[]
  at: number
  metrics: string[]
  groupings: Choice[]
  grouping: string
  fields: string[]
}

export interface Column {
  key: string
  label: string
  numeric: boolean
  width: number
}

export interface Cell {
  text: string
  title?: string
  /** Share of the scale, for metrics. */
  bar?: number
}

export interface TableRow {
  id: string
  hue: number
  shape: number
  stale: boolean
  match: boolean
  cells: Cell[]
}

export interface TableWindow {
  topologyId: string
  total: number
  from: number
  rows: TableRow[]
  columns: Column[]
  sort: string
  descending: boolean
}

/**
 * `waiting`: attached, but the process is not. `ended`: by itself or by somebody. `broken`: given up, for the reason in the
 * text; it may still run.
 */
export type PipeState = 'connecting' | 'open' | 'waiting' | 'reconnecting' | 'ended' | 'broken'

export type PipeEvent =
  | { kind: 'state'; state: PipeState; text: string; retryAt?: number }
  | { kind: 'skipped'; bytes: number }
  /** How many people are attached, this page included. */
  | { kind: 'watching'; count: number }

export type FromWorker =
  | { type: 'connection'; connection: Connection }
  | { type: 'topologies'; topologies: TopologyView[] }
  | { type: 'scene'; scene: Scene }
  | { type: 'values'; values: SceneValues }
  | { type: 'summary'; summary: Summary }
  | { type: 'table'; window: TableWindow }
  | { type: 'details'; card: CardRef; details: DetailsView | null }
  | { type: 'hits'; query: string; hits: Record<string, number> }
  | { type: 'data'; receivedAt: number }
  /** The moment that is shown, of the scope with this jump; `live` if that scope asked for the present. */
  | { type: 'moment'; at: number; receivedAt: number; jump: number; live: boolean }
  | { type: 'reply'; id: number; ok: true; value: unknown }
  | { type: 'reply'; id: number; ok: false; error: string; code: string }
  | { type: 'pipe'; pipeId: string; event: PipeEvent }
  /** `end` is the offset after the data, in bytes since the pipe was made. */
  | { type: 'pipeData'; pipeId: string; data: Uint8Array; end: number }
