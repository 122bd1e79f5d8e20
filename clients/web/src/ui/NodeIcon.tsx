import { isDotted, shapePath } from '../map/shapes'
import { HUES } from '../shared/hue'
import { PSEUDO_HUE } from '../shared/scene'

const paths = new Map<number, string>()

/** A node's shape in its colour; beside a name, so it says nothing to a screen reader. */
export function NodeIcon({
  shape,
  hue,
  size = 16,
  stale = false,
}: {
  shape: number
  hue: number
  size?: number
  stale?: boolean
}) {
  let path = paths.get(shape)
  if (path === undefined) {
    path = shapePath(shape)
    paths.set(shape, path)
  }
  const colour = hue === PSEUDO_HUE ? 'var(--text-3)' : `oklch(var(--node-l) 0.125 ${HUES[hue]})`
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" style={{ flex: 'none' }}>
      <path
        d={path}
        fill={`color-mix(in oklab, ${colour} 16%, transparent)`}
        stroke={colour}
        strokeWidth="1.8"
        strokeLinejoin="round"
        strokeDasharray={stale ? '3 2' : isDotted(shape) ? '1 2' : undefined}
      />
    </svg>
  )
}
