import { forceLink, forceManyBody, forceSimulation, forceX, forceY, type SimulationNodeDatum } from 'd3-force'

import { CELL_H } from '../shared/scene'

/** Places the groups' boxes: rows of shelves in the order that forces give, so that related groups are near. */

export interface Box {
  key: string
  x: number
  y: number
  w: number
  h: number
}

export interface BoxLink {
  a: string
  b: string
  weight: number
}

export const GAP = 56
/** Room for one more row below every group before it touches the next. */
export const GAP_BELOW = CELL_H + 12
const TICKS = 120

/** Groups that belong at a side of the picture: callers from outside left, what is called outside right. */
export function sideOf(key: string): 'left' | 'right' | '' {
  return key === '!in' ? 'left' : key === '!out' ? 'right' : ''
}

interface Body extends SimulationNodeDatum {
  box: Box
}

export function shelve(boxes: Box[], links: BoxLink[]): void {
  const middle = boxes.filter((box) => sideOf(box.key) === '')
  const bodies = relax(middle, links)
  const area = middle.reduce((sum, box) => sum + (box.w + GAP) * (box.h + GAP_BELOW), 0)
  const widest = middle.reduce((most, box) => Math.max(most, box.w), 0)
  // Wider than high, as screens are; many boxes of different heights leave more air between shelves.
  const aspect = middle.length > 12 ? 2.1 : 1.5
  const target = Math.max(widest, Math.sqrt(area * aspect))
  let y = 0
  let right = 0
  for (const shelf of shelves(bodies, target)) {
    const height = shelf.reduce((most, box) => Math.max(most, box.h), 0)
    const width = fillShelf(shelf, y, height)
    const shift = Math.round(Math.max(0, target - width) / 2)
    for (const box of shelf) {
      box.x += shift
      right = Math.max(right, box.x + box.w)
    }
    y += height + GAP_BELOW
  }
  const height = Math.max(0, y - GAP_BELOW)
  const left = middle.reduce((least, box) => Math.min(least, box.x), right)
  column(
    boxes.filter((box) => sideOf(box.key) === 'left'),
    height,
    (box) => left - GAP - box.w,
  )
  column(
    boxes.filter((box) => sideOf(box.key) === 'right'),
    height,
    () => right + (middle.length > 0 ? GAP : 0),
  )
}

/** Stands boxes over each other, in the middle of a height. */
function column(boxes: Box[], height: number, x: (box: Box) => number): void {
  let y = Math.round((height - boxes.reduce((sum, box) => sum + box.h + GAP, -GAP)) / 2)
  for (const box of boxes) {
    box.x = x(box)
    box.y = y
    y += box.h + GAP
  }
}

/** Low boxes are stacked in columns as high as the shelf. Returns the width. */
function fillShelf(shelf: Box[], y: number, height: number): number {
  let left = 0
  let columnWidth = 0
  let columnY = 0
  for (const box of shelf) {
    if (columnWidth > 0 && (columnY + box.h > height || box.w > columnWidth * 1.5)) {
      left += columnWidth + GAP
      columnWidth = 0
      columnY = 0
    }
    box.x = left
    box.y = y + columnY
    columnWidth = Math.max(columnWidth, box.w)
    columnY += box.h + GAP_BELOW
  }
  return left + columnWidth
}

/** Cuts the boxes, from top to bottom as forces have put them, into rows that are about as wide as the target. */
function shelves(bodies: Body[], target: number): Box[][] {
  const rows: Box[][] = []
  let row: Body[] = []
  const sorted = [...bodies].sort((a, b) => (a.y ?? 0) - (b.y ?? 0) || (a.box.key < b.box.key ? -1 : 1))
  const inOrder = (some: Body[]) =>
    [...some]
      .sort((a, b) => (a.x ?? 0) - (b.x ?? 0) || (a.box.key < b.box.key ? -1 : 1))
      .map((body) => body.box)
  for (const body of sorted) {
    const longer = inOrder([...row, body])
    const height = longer.reduce((most, box) => Math.max(most, box.h), 0)
    // Half of the last box may stand over, or rows would on average be too short.
    if (row.length > 0 && fillShelf(longer, 0, height) > target + body.box.w / 2) {
      rows.push(inOrder(row))
      row = []
    }
    row.push(body)
  }
  if (row.length > 0) rows.push(inOrder(row))
  return rows
}

function relax(boxes: Box[], links: BoxLink[]): Body[] {
  const bodies: Body[] = boxes.map((box) => ({ box }))
  if (bodies.length < 3) return bodies.map((body, i) => Object.assign(body, { x: i, y: 0 }))
  const index = new Map(boxes.map((box, i) => [box.key, i]))
  const wires = links
    .filter((link) => index.has(link.a) && index.has(link.b))
    .map((link) => ({ source: index.get(link.a)!, target: index.get(link.b)!, weight: link.weight }))
  const size = Math.sqrt(boxes.reduce((sum, box) => sum + box.w * box.h, 0) / boxes.length)
  forceSimulation(bodies)
    .force('charge', forceManyBody<Body>().strength(-size * 2))
    .force(
      'link',
      forceLink<Body, (typeof wires)[number]>(wires)
        .distance(size)
        .strength((wire) => Math.min(0.8, 0.1 * Math.log2(1 + wire.weight))),
    )
    .force('x', forceX<Body>(0).strength(0.05))
    .force('y', forceY<Body>(0).strength(0.08))
    .stop()
    .tick(TICKS)
  return bodies
}

export function overlaps(a: Box, b: Box, gap: number): boolean {
  return a.x < b.x + b.w + gap && b.x < a.x + a.w + gap && a.y < b.y + b.h + gap && b.y < a.y + a.h + gap
}

/** Finds a place for one more box beside those that stand, near `near`; nothing else moves. */
export function placeBox(box: Box, standing: Box[], near: { x: number; y: number }): void {
  if (standing.length === 0) {
    box.x = 0
    box.y = 0
    return
  }
  let best = Number.POSITIVE_INFINITY
  let bestX = 0
  let bestY = 0
  const right = Math.max(...standing.map((other) => other.x + other.w))
  const bottom = Math.max(...standing.map((other) => other.y + other.h))
  const attempt = (x: number, y: number) => {
    const outside =
      Math.max(0, x + box.w - right) * 1.2 + Math.max(0, y + box.h - bottom) * 1.6 + Math.max(0, -x - 1)
    const cost = Math.hypot(x + box.w / 2 - near.x, y + box.h / 2 - near.y) + outside * 2
    if (cost >= best) return
    const candidate = { ...box, x, y }
    if (standing.some((other) => overlaps(candidate, other, GAP - 1))) return
    best = cost
    bestX = x
    bestY = y
  }
  for (const other of standing) {
    attempt(other.x + other.w + GAP, other.y)
    attempt(other.x, other.y + other.h + GAP_BELOW)
  }
  attempt(0, bottom + GAP_BELOW)
  box.x = bestX
  box.y = bestY
}
