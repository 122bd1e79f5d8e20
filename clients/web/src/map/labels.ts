import { shorten } from '../shared/format'
import { CELL_W, HEADER, NODE_R, type Scene } from '../shared/scene'
import type { Camera, Rect } from './camera'
import type { Palette } from './palette'

/** Names of nodes and groups. */

/** Inter is about this wide per pixel of size; measuring every label would cost more than drawing it. */
const CHAR = 0.56
export const MAX_LABELS = 250

type Context = CanvasRenderingContext2D

export function labelSize(camera: Camera): number {
  return Math.min(13, Math.max(10, 11.5 * Math.sqrt(camera.scale)))
}

/** Where the full name of a node stands on the screen. */
export function labelRect(scene: Scene, camera: Camera, i: number): Rect {
  const size = labelSize(camera)
  const w = Math.min(60, scene.labels[i].length) * size * CHAR
  const x = scene.x[i] * camera.scale + camera.x
  return { x: x - w / 2, y: (scene.y[i] + NODE_R * 1.15) * camera.scale + camera.y, w, h: size * 1.3 }
}

/** The name under a node, on a ground that keeps lines away from it. `full` is for the few that are looked at. */
export function paintLabel(
  context: Context,
  scene: Scene,
  palette: Palette,
  camera: Camera,
  i: number,
  full: boolean,
): void {
  const size = labelSize(camera)
  const room = Math.floor((CELL_W * camera.scale - 9) / (size * CHAR))
  const label = full ? shorten(scene.labels[i], 60) : shorten(scene.labels[i], room)
  const x = scene.x[i] * camera.scale + camera.x
  const y = (scene.y[i] + NODE_R * 1.15) * camera.scale + camera.y + size * 0.95
  context.textAlign = 'center'
  context.textBaseline = 'alphabetic'
  context.font = `${full ? 600 : 500} ${size}px ${palette.font}`
  context.lineJoin = 'round'
  context.lineWidth = 3.5
  context.strokeStyle = palette.group
  context.strokeText(label, x, y)
  context.fillStyle = palette.text
  context.fillText(label, x, y)
  const minor = scene.minors[i]
  if (minor === '' || camera.scale < 0.85) return
  const minorSize = size - 1.5
  const minorText = shorten(minor, full ? 60 : Math.floor((CELL_W * camera.scale - 9) / (minorSize * CHAR)))
  context.font = `400 ${minorSize}px ${palette.font}`
  context.strokeText(minorText, x, y + size * 1.15)
  context.fillStyle = palette.muted
  context.fillText(minorText, x, y + size * 1.15)
}

/** The name in a group's upper left corner: in its header when there is room, else over its dots. */
export function paintGroupLabel(
  context: Context,
  scene: Scene,
  palette: Palette,
  camera: Camera,
  g: number,
): void {
  const box = scene.groups[g]
  if (box.label === '') return
  const width = box.w * camera.scale
  const header = HEADER * camera.scale
  if (width < 34) return
  const roomy = header >= 15
  const size = roomy ? Math.min(14, Math.max(11.5, header * 0.5)) : Math.min(11.5, 9 + camera.scale * 12)
  const inset = roomy ? 12 * Math.min(1, camera.scale) : 6
  const count = String(box.count)
  const wide = width > 130
  const room = Math.floor((width - inset * 2 - (wide ? count.length * size * CHAR + 14 : 0)) / (size * CHAR))
  const text = shorten(box.label, room)
  // A beginning that all neighbours share says nothing.
  if (room < 5 || (text.length < box.label.length && width < 90)) return
  const x = box.x * camera.scale + camera.x + inset
  const y = box.y * camera.scale + camera.y + (roomy ? header / 2 + 3 : size * 0.75 + 2)
  context.textAlign = 'left'
  context.textBaseline = 'middle'
  context.font = `600 ${size}px ${palette.font}`
  if (!roomy) {
    const ground = Math.min(width - 3, text.length * size * CHAR + 8)
    context.globalAlpha = 0.82
    context.fillStyle = palette.group
    context.fillRect(x - inset + 1.5, y - size * 0.72, ground, size * 1.4)
    context.globalAlpha = 1
  }
  context.fillStyle = palette.groupText
  context.fillText(text, x, y)
  if (!wide || header < 9) return
  context.textAlign = 'right'
  context.font = `400 ${size - 1}px ${palette.font}`
  context.fillStyle = palette.muted
  context.fillText(count, box.x * camera.scale + camera.x + width - inset, y)
}
