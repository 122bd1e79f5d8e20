import { CELL_H, CELL_W, NODE_R, type Scene } from '../shared/scene'

/** Questions about a scene: what is here, what is near, what is linked. */

/** The node at a point of the world, or -1. */
export function nodeAt(scene: Scene, x: number, y: number, slack: number): number {
  const reach = Math.max(NODE_R * 1.15, slack)
  let best = -1
  let bestDistance = reach * reach
  for (const box of scene.groups) {
    if (x < box.x - reach || y < box.y - reach || x > box.x + box.w + reach || y > box.y + box.h + reach)
      continue
    for (let i = box.start; i < box.start + box.count; i++) {
      const dx = scene.x[i] - x
      const dy = scene.y[i] - y
      const distance = dx * dx + dy * dy
      if (distance < bestDistance) {
        bestDistance = distance
        best = i
      }
    }
  }
  return best
}

export function groupAt(scene: Scene, x: number, y: number): number {
  return scene.groups.findIndex((box) => x >= box.x && y >= box.y && x <= box.x + box.w && y <= box.y + box.h)
}

export interface Neighbours {
  incoming: number[]
  outgoing: number[]
}

export function neighbours(scene: Scene, node: number): Neighbours {
  const incoming: number[] = []
  const outgoing: number[] = []
  for (let e = 0; e < scene.edges.length; e += 2) {
    if (scene.edges[e] === node) outgoing.push(scene.edges[e + 1])
    else if (scene.edges[e + 1] === node) incoming.push(scene.edges[e])
  }
  return { incoming, outgoing }
}

export type Direction = 'left' | 'right' | 'up' | 'down'

/** The nearest node in a direction; what lies straight ahead counts as nearer than what lies aside. Or -1. */
export function nearestInDirection(scene: Scene, from: number, direction: Direction): number {
  let best = -1
  let bestCost = Number.POSITIVE_INFINITY
  for (let i = 0; i < scene.ids.length; i++) {
    if (i === from) continue
    const dx = scene.x[i] - scene.x[from]
    const dy = scene.y[i] - scene.y[from]
    const ahead = direction === 'left' ? -dx : direction === 'right' ? dx : direction === 'up' ? -dy : dy
    const aside = Math.abs(direction === 'left' || direction === 'right' ? dy : dx)
    if (ahead <= 1 || aside > ahead * 1.6) continue
    const cost = ahead + aside * 2.2
    if (cost < bestCost) {
      bestCost = cost
      best = i
    }
  }
  return best
}

/** The node nearest to a point, or -1. */
export function nearestTo(scene: Scene, x: number, y: number): number {
  let best = -1
  let bestDistance = Number.POSITIVE_INFINITY
  for (let i = 0; i < scene.ids.length; i++) {
    const distance = (scene.x[i] - x) ** 2 + (scene.y[i] - y) ** 2
    if (distance < bestDistance) {
      bestDistance = distance
      best = i
    }
  }
  return best
}

export function bounds(scene: Scene): { x: number; y: number; w: number; h: number } | undefined {
  if (scene.groups.length === 0) return undefined
  let left = Number.POSITIVE_INFINITY
  let top = Number.POSITIVE_INFINITY
  let right = Number.NEGATIVE_INFINITY
  let bottom = Number.NEGATIVE_INFINITY
  for (const box of scene.groups) {
    left = Math.min(left, box.x)
    top = Math.min(top, box.y)
    right = Math.max(right, box.x + box.w)
    bottom = Math.max(bottom, box.y + box.h)
  }
  return { x: left, y: top, w: right - left, h: bottom - top }
}

/** The rectangle around some nodes and their names. */
export function around(
  scene: Scene,
  nodes: readonly number[],
): { x: number; y: number; w: number; h: number } {
  let left = Number.POSITIVE_INFINITY
  let top = Number.POSITIVE_INFINITY
  let right = Number.NEGATIVE_INFINITY
  let bottom = Number.NEGATIVE_INFINITY
  for (const i of nodes) {
    left = Math.min(left, scene.x[i])
    top = Math.min(top, scene.y[i])
    right = Math.max(right, scene.x[i])
    bottom = Math.max(bottom, scene.y[i])
  }
  return {
    x: left - CELL_W / 2,
    y: top - CELL_H / 2,
    w: right - left + CELL_W,
    h: bottom - top + CELL_H * 1.2,
  }
}
