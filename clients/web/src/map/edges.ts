import { NODE_R, type Scene } from '../shared/scene'
import { type Camera, meets, type Rect } from './camera'
import type { Palette } from './palette'

/** Lines: one per pair of groups when far, one per connection when near. */

const MAX_LINKS = 600
const MAX_EDGES = 5000
const MAX_CROWDED = 1500
/** How far a line bows aside, as a share of its length; both directions bow apart. */
const BOW = 0.1

type Context = CanvasRenderingContext2D

export function traceEdge(context: Context, ax: number, ay: number, bx: number, by: number): void {
  context.moveTo(ax, ay)
  const dx = bx - ax
  const dy = by - ay
  context.quadraticCurveTo((ax + bx) / 2 + dy * BOW, (ay + by) / 2 - dx * BOW, bx, by)
}

/** Draws in world units; the context is already transformed. */
export function paintLinks(
  context: Context,
  scene: Scene,
  palette: Palette,
  view: Rect,
  camera: Camera,
  alpha: number,
): void {
  const widths = [1, 1.8, 3]
  const paths: [number, number, number, number][][] = [[], [], []]
  let drawn = 0
  for (let i = 0; i < scene.links.length && drawn < MAX_LINKS; i += 3) {
    const a = scene.groups[scene.links[i]]
    const b = scene.groups[scene.links[i + 1]]
    const ax = a.x + a.w / 2
    const ay = a.y + a.h / 2
    const bx = b.x + b.w / 2
    const by = b.y + b.h / 2
    const box = {
      x: Math.min(ax, bx),
      y: Math.min(ay, by),
      w: Math.abs(ax - bx) + 1,
      h: Math.abs(ay - by) + 1,
    }
    if (!meets(box, view)) continue
    drawn++
    const weight = scene.links[i + 2]
    paths[weight >= 20 ? 2 : weight >= 5 ? 1 : 0].push([ax, ay, bx, by])
  }
  // Many lines over each other make one grey area; the more there are, the fainter each is.
  const density = Math.min(1, Math.max(0.22, 60 / Math.max(1, drawn)))
  context.strokeStyle = palette.edgeStrong
  paths.forEach((lines, i) => {
    if (lines.length === 0) return
    context.beginPath()
    for (const [ax, ay, bx, by] of lines) traceEdge(context, ax, ay, bx, by)
    context.globalAlpha = alpha * density * (0.4 + i * 0.08)
    context.lineWidth = widths[i] / camera.scale
    context.stroke()
  })
  context.globalAlpha = 1
}

/** The connections inside the visible groups. */
export function paintInner(
  context: Context,
  scene: Scene,
  palette: Palette,
  camera: Camera,
  visible: readonly number[],
): void {
  context.beginPath()
  let drawn = 0
  for (const g of visible) {
    for (let e = scene.innerStart[g]; e < scene.innerStart[g + 1] && drawn < MAX_EDGES; e++) {
      const a = scene.edges[e * 2]
      const b = scene.edges[e * 2 + 1]
      if (a === b) traceLoop(context, scene.x[a], scene.y[a])
      else traceEdge(context, scene.x[a], scene.y[a], scene.x[b], scene.y[b])
      drawn++
    }
  }
  context.strokeStyle = palette.edge
  context.lineWidth = edgeWidth(palette, camera)
  context.stroke()
}

/** The connections between groups: all that cross the view, or in a crowd only those that end in it. */
export function paintOuter(
  context: Context,
  scene: Scene,
  palette: Palette,
  camera: Camera,
  view: Rect,
  crowded: boolean,
  alpha: number,
): void {
  const inView = (i: number) =>
    scene.x[i] >= view.x &&
    scene.y[i] >= view.y &&
    scene.x[i] <= view.x + view.w &&
    scene.y[i] <= view.y + view.h
  context.beginPath()
  let drawn = 0
  const most = crowded ? MAX_CROWDED : MAX_EDGES
  for (let e = scene.innerEdges * 2; e < scene.edges.length && drawn < most; e += 2) {
    const a = scene.edges[e]
    const b = scene.edges[e + 1]
    if (crowded ? !inView(a) && !inView(b) : !crosses(scene, a, b, view)) continue
    traceEdge(context, scene.x[a], scene.y[a], scene.x[b], scene.y[b])
    drawn++
  }
  context.globalAlpha = alpha * Math.min(1, Math.max(0.16, 250 / Math.max(1, drawn)))
  context.strokeStyle = palette.edge
  context.lineWidth = edgeWidth(palette, camera)
  context.stroke()
  context.globalAlpha = alpha
}

function crosses(scene: Scene, a: number, b: number, view: Rect): boolean {
  return (
    Math.min(scene.x[a], scene.x[b]) <= view.x + view.w &&
    Math.min(scene.y[a], scene.y[b]) <= view.y + view.h &&
    Math.max(scene.x[a], scene.x[b]) >= view.x &&
    Math.max(scene.y[a], scene.y[b]) >= view.y
  )
}

function edgeWidth(palette: Palette, camera: Camera): number {
  return Math.max(palette.contrast ? 1.4 : 1, 1.5 * camera.scale) / camera.scale
}

function traceLoop(context: Context, x: number, y: number): void {
  context.moveTo(x + NODE_R * 0.6, y - NODE_R * 0.7)
  context.bezierCurveTo(
    x + NODE_R * 1.8,
    y - NODE_R * 2.2,
    x + NODE_R * 2.4,
    y - NODE_R * 0.2,
    x + NODE_R * 0.9,
    y - NODE_R * 0.3,
  )
}

/** The connections of one node, by direction, with arrow heads at the called end. */
export function paintFocusEdges(
  context: Context,
  scene: Scene,
  palette: Palette,
  camera: Camera,
  node: number,
  incoming: readonly number[],
  outgoing: readonly number[],
): void {
  const width = Math.max(1.6, 2 * camera.scale) / camera.scale
  const draw = (pairs: [number, number][], colour: string) => {
    if (pairs.length === 0) return
    context.strokeStyle = colour
    context.fillStyle = colour
    context.lineWidth = width
    context.beginPath()
    for (const [a, b] of pairs) {
      if (a === b) traceLoop(context, scene.x[a], scene.y[a])
      else traceEdge(context, scene.x[a], scene.y[a], scene.x[b], scene.y[b])
    }
    context.stroke()
    context.beginPath()
    for (const [a, b] of pairs) if (a !== b) traceArrow(context, scene, a, b, camera)
    context.fill()
  }
  draw(
    incoming.map((from) => [from, node]),
    palette.incoming,
  )
  draw(
    outgoing.map((to) => [node, to]),
    palette.outgoing,
  )
}

function traceArrow(context: Context, scene: Scene, a: number, b: number, camera: Camera): void {
  const ax = scene.x[a]
  const ay = scene.y[a]
  const bx = scene.x[b]
  const by = scene.y[b]
  // The curve arrives along the line from its control point.
  const cx = (ax + bx) / 2 + (by - ay) * BOW
  const cy = (ay + by) / 2 - (bx - ax) * BOW
  const angle = Math.atan2(by - cy, bx - cx)
  const size = Math.max(7, 8 * camera.scale) / camera.scale
  const reach = NODE_R * 1.12 + 1 / camera.scale
  const tipX = bx - reach * Math.cos(angle)
  const tipY = by - reach * Math.sin(angle)
  context.moveTo(tipX, tipY)
  context.lineTo(tipX - size * Math.cos(angle - 0.42), tipY - size * Math.sin(angle - 0.42))
  context.lineTo(tipX - size * Math.cos(angle + 0.42), tipY - size * Math.sin(angle + 0.42))
  context.closePath()
}
