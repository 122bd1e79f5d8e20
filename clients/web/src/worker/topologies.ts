import type { Topology } from '../gen/weft/query/v1/topology_pb'
import type { TopologyView } from '../shared/messages'

/** The list in display order: main topologies by rank and name, each followed by its variants. */
export function topologyViews(topologies: readonly Topology[]): TopologyView[] {
  const roots = topologies
    .filter((one) => one.parentId === '')
    .sort((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const ordered = roots.flatMap((root) => [root, ...topologies.filter((one) => one.parentId === root.id)])
  return ordered.map((one) => ({
    id: one.id,
    name: one.name,
    parentId: one.parentId,
    hideIfEmpty: one.hideIfEmpty,
    groups: one.optionGroups.map((group) => ({
      id: group.id,
      defaultValue: group.defaultValue,
      options: group.options.map(({ value, label }) => ({ value, label })),
      multiple: group.multiple,
      noneLabel: group.noneLabel,
    })),
    nodes: one.stats?.nodes ?? 0,
    realNodes: one.stats?.realNodes ?? 0,
    edges: one.stats?.edges ?? 0,
    filtered: one.stats?.filteredNodes ?? 0,
  }))
}
