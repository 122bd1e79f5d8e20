import type { TopologyView } from './messages'

/** A topology's name on its own: `Processes by name`. */
export function fullName(topologies: readonly TopologyView[], id: string): string {
  const topology = topologies.find((one) => one.id === id)
  if (!topology) return id
  const parent = topologies.find((one) => one.id === topology.parentId)
  if (!parent) return topology.name
  return topology.name.startsWith('by ') ? `${parent.name} ${topology.name}` : topology.name
}
