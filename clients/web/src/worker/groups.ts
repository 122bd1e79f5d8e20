import type { NodeSummary } from '../gen/weft/query/v1/topology_pb'
import { hashText } from '../shared/hue'
import type { Choice } from '../shared/messages'

/** Which group a node is drawn in, and what can be grouped by. */

export interface Grouped {
  key: string
  label: string
}

/** A bigger group is split, or its box would say nothing. */
const SPLIT_ABOVE = 400
/** A field with more different values than this is a name, not a group. */
const MAX_VALUES = 300

const INBOUND = 'in-theinternet'

/** Groupings tried in turn when the user has chosen none; the first that fits at least half of the nodes is taken. */
function defaults(topologyId: string): string[] {
  if (topologyId === 'hosts') return ['meta:cloud_zone', 'rank']
  if (topologyId === 'processes') return ['parent:hosts']
  if (topologyId === 'containers')
    return ['meta:kubernetes_namespace', 'meta:docker_compose_project', 'parent:hosts']
  if (topologyId === 'pods') return ['meta:kubernetes_namespace', 'parent:hosts']
  return ['meta:kubernetes_namespace', 'meta:stack_namespace', 'parent:hosts']
}

function groupOf(node: NodeSummary, grouping: string): Grouped | undefined {
  const [kind, id] = [grouping.slice(0, grouping.indexOf(':')), grouping.slice(grouping.indexOf(':') + 1)]
  if (kind === 'parent') {
    const parent = node.parents.find((one) => one.topologyId === id)
    return parent && { key: parent.id, label: parent.label }
  }
  if (kind === 'meta') {
    const value = node.metadata.find((row) => row.id === id)?.value
    return value ? { key: value, label: value } : undefined
  }
  if (grouping === 'rank') return node.rank === '' ? undefined : { key: node.rank, label: node.rank }
  if (grouping === 'name') return { key: node.label, label: node.label }
  return undefined
}

/** The groupings these nodes allow, in the order they are offered. */
export function groupings(
  nodes: readonly NodeSummary[],
  topologyNames: ReadonlyMap<string, string>,
): Choice[] {
  const parents = new Map<string, number>()
  const facts = new Map<string, { label: string; count: number; values: Set<string> }>()
  let real = 0
  for (const node of nodes) {
    if (node.pseudo) continue
    real++
    for (const id of new Set(node.parents.map((parent) => parent.topologyId)))
      parents.set(id, (parents.get(id) ?? 0) + 1)
    for (const row of node.metadata) {
      if (row.dataType !== '' || row.value === '') continue
      const fact = facts.get(row.id) ?? { label: row.label, count: 0, values: new Set<string>() }
      fact.count++
      if (fact.values.size <= MAX_VALUES) fact.values.add(row.value)
      facts.set(row.id, fact)
    }
  }
  const choices: Choice[] = [...parents.keys()].sort().map((id) => ({
    id: `parent:${id}`,
    label: topologyNames.get(id) ?? id,
  }))
  for (const [id, fact] of facts) {
    const telling = fact.values.size <= Math.min(MAX_VALUES, Math.max(2, real / 2))
    if (telling && fact.count >= real / 2) choices.push({ id: `meta:${id}`, label: fact.label })
  }
  choices.push({ id: 'name', label: 'Name' }, { id: 'none', label: 'Nothing' })
  return choices
}

export function chooseGrouping(wanted: string, nodes: readonly NodeSummary[], topologyId: string): string {
  if (wanted !== '') return wanted
  const real = nodes.filter((node) => !node.pseudo)
  for (const grouping of defaults(topologyId)) {
    const fitting = real.filter((node) => groupOf(node, grouping) !== undefined).length
    if (real.length > 0 && fitting >= real.length / 2) return grouping
  }
  return 'none'
}

/** The group of every node. Nodes from outside get groups of their own, at the edges of the picture. */
export function groupNodes(nodes: readonly NodeSummary[], grouping: string): Grouped[] {
  const groups = nodes.map((node): Grouped => {
    const own = groupOf(node, grouping)
    if (node.pseudo && (!own || grouping === 'name' || grouping === 'rank')) {
      const outside = node.id === INBOUND || node.id.startsWith('in-')
      return outside ? { key: '!in', label: 'Inbound' } : { key: '!out', label: 'Outbound' }
    }
    if (own) return own
    return grouping === 'none' ? { key: '', label: '' } : { key: '!none', label: 'Without group' }
  })
  return splitBig(nodes, groups)
}

function splitBig(nodes: readonly NodeSummary[], groups: Grouped[]): Grouped[] {
  const sizes = new Map<string, number>()
  for (const group of groups) sizes.set(group.key, (sizes.get(group.key) ?? 0) + 1)
  if (![...sizes.values()].some((size) => size > SPLIT_ABOVE)) return groups
  const counts = new Map<string, number>()
  const partOf = (i: number) => `${groups[i].key}\n${nodes[i].rank}`
  nodes.forEach((_, i) => {
    counts.set(partOf(i), (counts.get(partOf(i)) ?? 0) + 1)
  })
  return groups.map((group, i) => {
    const size = sizes.get(group.key)!
    if (size <= SPLIT_ABOVE) return group
    const rank = nodes[i].rank
    // Names that are common get a box each; the rest is dealt out by hash, so that a node's box never depends on others.
    if (counts.get(partOf(i))! >= 24) {
      return { key: `${group.key}\n${rank}`, label: group.label === '' ? rank : `${group.label} · ${rank}` }
    }
    const part = hashText(rank) % Math.ceil(size / 120)
    return {
      key: `${group.key}\n#${part}`,
      label: group.label === '' ? `Part ${part + 1}` : `${group.label} · ${part + 1}`,
    }
  })
}
