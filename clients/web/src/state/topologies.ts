import type { OptionGroupView, TopologyView } from '../shared/messages'

/** What is shown first when the address says nothing. */
const PREFERRED = [
  'ecs-services',
  'ecs-tasks',
  'kube-controllers',
  'services',
  'replica-sets',
  'pods',
  'containers',
]

function isEmpty(topology: TopologyView): boolean {
  return topology.nodes === 0 && topology.filtered === 0
}

export function rootOf(topologies: readonly TopologyView[], id: string): string {
  return topologies.find((one) => one.id === id)?.parentId || id
}

/** Topologies to offer: an empty one that asks to be hidden is, unless it or one of its family is shown. */
export function offered(topologies: readonly TopologyView[], current: string): TopologyView[] {
  const root = rootOf(topologies, current)
  return topologies.filter((one) => {
    if (!one.hideIfEmpty || !isEmpty(one)) return true
    return one.id === current || one.id === root
  })
}

export function firstTopology(topologies: readonly TopologyView[]): string | undefined {
  const filled = topologies.filter((one) => !isEmpty(one))
  for (const id of PREFERRED) if (filled.some((one) => one.id === id && one.realNodes > 0)) return id
  const root = topologies.find((one) => one.parentId === '' && one.realNodes > 0)
  return root?.id ?? offered(topologies, '')[0]?.id
}

/** The values that hold in a group: those chosen that still exist, else the default. */
export function chosenValues(group: OptionGroupView, options: Record<string, string[]>): string[] {
  const chosen = (options[group.id] ?? []).filter((value) =>
    group.options.some((option) => option.value === value),
  )
  if (chosen.length > 0) return chosen
  if (options[group.id]?.includes('') && group.multiple) return []
  return group.defaultValue === '' ? [] : [group.defaultValue]
}

/** The options after a click on a value; '' stands for "none". */
export function toggleOption(
  group: OptionGroupView,
  options: Record<string, string[]>,
  value: string,
): Record<string, string[]> {
  const { [group.id]: _, ...others } = options
  const before = chosenValues(group, options)
  let next: string[]
  if (!group.multiple) next = [value]
  else if (value === '') next = []
  else next = before.includes(value) ? before.filter((one) => one !== value) : [...before, value]
  const usual =
    next.length === 0 ? group.defaultValue === '' : next.length === 1 && next[0] === group.defaultValue
  if (usual) return others
  return { ...others, [group.id]: next.length === 0 ? [''] : next }
}
