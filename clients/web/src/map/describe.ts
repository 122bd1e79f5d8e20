import { Flag, type Scene } from '../shared/scene'
import { neighbours } from './lookup'

const KINDS = [
  'node',
  'circle',
  'triangle',
  'dotted triangle',
  'square',
  'pentagon',
  'hexagon',
  'heptagon',
  'octagon',
  'cloud',
  'cylinder',
  'dotted cylinder',
  'sheet',
]

/** A node in one sentence, for screen readers. */
export function describeNode(scene: Scene, node: number): string {
  if (node < 0 || node >= scene.ids.length) return ''
  const { incoming, outgoing } = neighbours(scene, node)
  const group = scene.groups[scene.group[node]].label
  const parts = [scene.labels[node], scene.minors[node], KINDS[scene.shape[node]] ?? 'node']
  if (group !== '') parts.push(`in ${group}`)
  parts.push(`${incoming.length} incoming, ${outgoing.length} outgoing`)
  if (scene.fill[node] >= 0) parts.push(`${Math.round(scene.fill[node] * 100)} % full`)
  if (scene.flags[node] & Flag.stale) parts.push('stale')
  return parts.filter((part) => part !== '').join(', ')
}
