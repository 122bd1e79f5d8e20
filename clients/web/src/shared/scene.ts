/** What the map draws. Built in the worker, posted as typed arrays. */

export const Flag = {
  stack: 1,
  pseudo: 2,
  stale: 4,
  match: 8,
  pinned: 16,
  camera: 32,
} as const

/** The hue index of nodes that stand for things no probe reports. */
export const PSEUDO_HUE = 255

export const CELL_W = 116
export const CELL_H = 92
/** The radius of every node, in world units: size never means traffic. */
export const NODE_R = 20
/** The space between a group's border and its cells. */
export const PAD = 14
export const HEADER = 26

export interface GroupBox {
  key: string
  label: string
  x: number
  y: number
  w: number
  h: number
  /** The group's nodes are `start .. start + count` of the scene. */
  start: number
  count: number
  /** Changes whenever the picture of this group changes. */
  rev: number
}

export interface Scene {
  rev: number
  topologyId: string
  /** The camera is fitted again when this changes. */
  layoutKey: string
  /** Rises with every layout that moved things on purpose. */
  layoutRev: number
  ids: string[]
  labels: string[]
  minors: string[]
  x: Float32Array
  y: Float32Array
  shape: Uint8Array
  hue: Uint8Array
  flags: Uint8Array
  /** 0..1, or negative for "no value". */
  fill: Float32Array
  group: Uint32Array
  groups: GroupBox[]
  /** Pairs of node indices; both ends are in the same group up to `innerEdges` pairs. */
  edges: Uint32Array
  innerEdges: number
  /** Start of each group's inner edges (in pairs), plus the end. */
  innerStart: Uint32Array
  /** Triples: group, group, how many edges; most first. */
  links: Uint32Array
  /** A search is being typed: nodes without Flag.match are dimmed. */
  matching: boolean
}

/** New values for the scene with the same `rev`; nothing moved. */
export interface SceneValues {
  rev: number
  flags: Uint8Array
  fill: Float32Array
  groupRevs: Uint32Array
  matching: boolean
}
