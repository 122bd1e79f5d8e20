import type { KeyboardEvent } from 'react'
import { app, closeCards, navigate, popCard } from '../state/app'
import type { MapController } from './controller'
import { type Direction, nearestInDirection, nearestTo, neighbours } from './lookup'

const DIRECTIONS: Record<string, Direction> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
}
const PAN = 80

/** Which neighbour `[` and `]` are at, for the node they started from. */
const walk = { origin: '', at: -1 }

function moveCursor(controller: MapController, node: number): void {
  const { scene } = controller
  if (scene && node >= 0) app.set({ cursor: scene.ids[node] })
}

function current(controller: MapController): number {
  return controller.emphasis.cursor >= 0 ? controller.emphasis.cursor : controller.emphasis.selected
}

function walkLinks(controller: MapController, step: number): void {
  const { scene } = controller
  if (!scene) return
  const here = current(controller)
  if (here < 0) return
  let origin = scene.ids.indexOf(walk.origin)
  const around = (node: number) => {
    const { incoming, outgoing } = neighbours(scene, node)
    return [...new Set([...incoming, ...outgoing])]
  }
  // Going on around the same node, unless the cursor has left its neighbours.
  if (origin < 0 || !around(origin).includes(here)) {
    origin = here
    walk.origin = scene.ids[here]
    walk.at = step > 0 ? -1 : 0
  }
  const ring = around(origin)
  if (ring.length === 0) return
  walk.at = (walk.at + step + ring.length) % ring.length
  moveCursor(controller, ring[walk.at])
}

/** Keys of the map. Returns whether the key was one. */
export function handleMapKey(event: KeyboardEvent, controller: MapController): boolean {
  const { scene } = controller
  if (!scene || event.ctrlKey || event.metaKey || event.altKey) return false
  const direction = DIRECTIONS[event.key]
  if (direction) {
    if (event.shiftKey) {
      const dx = direction === 'left' ? PAN : direction === 'right' ? -PAN : 0
      const dy = direction === 'up' ? PAN : direction === 'down' ? -PAN : 0
      controller.pan(dx, dy)
      return true
    }
    const from = current(controller)
    const centre = controller.centre()
    walk.origin = ''
    moveCursor(
      controller,
      from < 0 ? nearestTo(scene, centre.x, centre.y) : nearestInDirection(scene, from, direction),
    )
    return true
  }
  switch (event.key) {
    case 'Enter': {
      const node = controller.emphasis.cursor
      if (node < 0) return false
      navigate({ cards: [{ topologyId: scene.topologyId, nodeId: scene.ids[node] }] })
      return true
    }
    case 'Escape': {
      const { address, cursor } = app.get()
      if (address.cards.length > 1) popCard()
      else if (address.cards.length === 1) closeCards()
      else if (cursor !== '') app.set({ cursor: '' })
      else controller.fitAll()
      return true
    }
    case '[':
      walkLinks(controller, -1)
      return true
    case ']':
      walkLinks(controller, 1)
      return true
    case 'Home':
      controller.fitAll()
      return true
    case '+':
    case '=':
      controller.zoom(1.3)
      return true
    case '-':
      controller.zoom(1 / 1.3)
      return true
    default:
      return false
  }
}
