import type { Metric, NodeSummary } from '../gen/weft/query/v1/topology_pb'
import { hueOf } from '../shared/hue'
import { fillOf, knownMax, niceCeil } from '../shared/scale'
import { Flag, type GroupBox, NODE_R, type Scene } from '../shared/scene'
import type { Grouped } from './groups'
import type { Layout } from './layout'

export function metricOf(node: NodeSummary, label: string): Metric | undefined {
  return label === ''
    ? undefined
    : node.metrics.find((metric) => metric.label === label && !metric.valueEmpty)
}

/** The largest value of a metric over all nodes, for metrics that do not know their own scale. */
export function sharedMax(nodes: Iterable<NodeSummary>, label: string): number {
  let most = 0
  for (const node of nodes) most = Math.max(most, metricOf(node, label)?.value ?? 0)
  return niceCeil(most)
}

export function flagsOf(node: NodeSummary, match: boolean, pinned: boolean): number {
  return (
    (node.stack ? Flag.stack : 0) |
    (node.pseudo ? Flag.pseudo : 0) |
    (node.stale ? Flag.stale : 0) |
    (match ? Flag.match : 0) |
    (pinned ? Flag.pinned : 0) |
    (node.tag === 'camera' ? Flag.camera : 0)
  )
}

export function fillOfNode(node: NodeSummary, metricLabel: string, shared: number): number {
  const metric = node.pseudo ? undefined : metricOf(node, metricLabel)
  return metric ? fillOf(metric.value, knownMax(metric.max) || shared, metric.group) : -1
}

export interface BuildInput {
  topologyId: string
  layoutKey: string
  layoutRev: number
  /** Visible nodes in a stable order, and their groups. */
  nodes: NodeSummary[]
  groups: Grouped[]
  layout: Layout
  pins: ReadonlyMap<string, { x: number; y: number }>
  match: (id: string) => boolean
  matching: boolean
  metric: string
  shared: number
  rev: number
}

/** Turns nodes, groups and layout into what the map draws. */
export function buildScene(input: BuildInput): Scene {
  const { nodes, groups, layout } = input
  const order = nodes
    .map((_, i) => i)
    .sort((a, b) => {
      const x = groups[a].key
      const y = groups[b].key
      return x < y ? -1 : x > y ? 1 : a - b
    })
  const n = nodes.length
  const scene: Scene = {
    rev: input.rev,
    topologyId: input.topologyId,
    layoutKey: input.layoutKey,
    layoutRev: input.layoutRev,
    ids: new Array(n),
    labels: new Array(n),
    minors: new Array(n),
    x: new Float32Array(n),
    y: new Float32Array(n),
    shape: new Uint8Array(n),
    hue: new Uint8Array(n),
    flags: new Uint8Array(n),
    fill: new Float32Array(n),
    group: new Uint32Array(n),
    groups: [],
    edges: new Uint32Array(0),
    innerEdges: 0,
    innerStart: new Uint32Array(0),
    links: new Uint32Array(0),
    matching: input.matching,
  }
  const index = new Map<string, number>()
  order.forEach((from, i) => {
    const node = nodes[from]
    const group = groups[from]
    const last = scene.groups[scene.groups.length - 1]
    if (!last || last.key !== group.key) scene.groups.push(openGroup(group, layout, i))
    else last.count++
    index.set(node.id, i)
    scene.ids[i] = node.id
    scene.labels[i] = node.label || node.id
    scene.minors[i] = node.labelMinor
    const pin = input.pins.get(node.id)
    const at = pin ?? layout.position(node.id) ?? { x: 0, y: 0 }
    scene.x[i] = at.x
    scene.y[i] = at.y
    scene.shape[i] = node.shape
    scene.hue[i] = hueOf(node.rank, node.pseudo)
    scene.flags[i] = flagsOf(node, input.match(node.id), pin !== undefined)
    scene.fill[i] = fillOfNode(node, input.metric, input.shared)
    scene.group[i] = scene.groups.length - 1
  })
  for (const box of scene.groups) stretch(box, scene)
  addEdges(
    scene,
    order.map((from) => nodes[from].adjacency),
    index,
  )
  const revs = groupRevs(scene)
  scene.groups.forEach((box, g) => {
    box.rev = revs[g]
  })
  return scene
}

/** A number per group that changes when its picture does. */
export function groupRevs(scene: Scene): Uint32Array {
  return Uint32Array.from(scene.groups, (box, g) => {
    let hash = (box.count * 31 + Math.round(box.w) * 7 + Math.round(box.h)) | 0
    const mix = (value: number) => {
      hash = Math.imul(hash ^ value, 0x01000193)
    }
    for (let i = box.start; i < box.start + box.count; i++) {
      mix(Math.round(scene.x[i] - box.x) * 4096 + Math.round(scene.y[i] - box.y))
      // Flags are drawn over the picture, or not at all when far.
      mix((scene.shape[i] << 8) | scene.hue[i])
      // A picture of a few pixels cannot show more than a twentieth.
      mix(Math.round(scene.fill[i] * 20))
    }
    for (let e = scene.innerStart[g] * 2; e < scene.innerStart[g + 1] * 2; e++)
      mix(scene.edges[e] - box.start)
    return hash >>> 0
  })
}

function openGroup(group: Grouped, layout: Layout, start: number): GroupBox {
  const box = layout.box(group.key)
  return {
    key: group.key,
    label: group.label,
    x: box?.x ?? 0,
    y: box?.y ?? 0,
    w: box?.w ?? 0,
    h: box?.h ?? 0,
    start,
    count: 1,
    rev: 1,
  }
}

/** Nodes that were dragged out of their box take its border along, so that hit tests and pictures stay per group. */
function stretch(box: GroupBox, scene: Scene): void {
  const room = NODE_R * 2
  let right = box.x + box.w
  let bottom = box.y + box.h
  for (let i = box.start; i < box.start + box.count; i++) {
    box.x = Math.min(box.x, scene.x[i] - room)
    box.y = Math.min(box.y, scene.y[i] - room)
    right = Math.max(right, scene.x[i] + room)
    bottom = Math.max(bottom, scene.y[i] + room + 20)
  }
  box.w = right - box.x
  box.h = bottom - box.y
}

function addEdges(scene: Scene, adjacency: readonly string[][], index: ReadonlyMap<string, number>): void {
  const inner: number[] = []
  const outer: number[] = []
  const links = new Map<number, number>()
  const groupCount = scene.groups.length
  scene.innerStart = new Uint32Array(groupCount + 1)
  for (let i = 0, g = 0; i < adjacency.length; i++) {
    while (g <= scene.group[i]) scene.innerStart[g++] = inner.length / 2
    for (const target of adjacency[i]) {
      const j = index.get(target)
      if (j === undefined) continue
      if (scene.group[j] === scene.group[i]) inner.push(i, j)
      else {
        outer.push(i, j)
        const link = scene.group[i] * groupCount + scene.group[j]
        links.set(link, (links.get(link) ?? 0) + 1)
      }
    }
  }
  scene.innerStart[groupCount] = inner.length / 2
  scene.innerEdges = inner.length / 2
  scene.edges = Uint32Array.from([...inner, ...outer])
  const sorted = [...links].sort((a, b) => b[1] - a[1] || a[0] - b[0])
  scene.links = new Uint32Array(sorted.length * 3)
  sorted.forEach(([link, count], i) => {
    scene.links[i * 3] = Math.floor(link / groupCount)
    scene.links[i * 3 + 1] = link % groupCount
    scene.links[i * 3 + 2] = count
  })
}
