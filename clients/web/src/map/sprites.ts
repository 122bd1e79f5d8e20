import { Flag } from '../shared/scene'
import type { Palette } from './palette'
import { isDotted, traceShape } from './shapes'

/** Ready-made pictures of nodes. Drawing an image is several times cheaper than filling and stroking a path. */

const KEPT = 1500
const LEVELS = 20

export interface Look {
  shape: number
  hue: number
  flags: number
  fill: number
}

/** Room around a node of radius 1 for its stack and outline. */
export const SPRITE_SPAN = 3.2

export class Sprites {
  private readonly cache = new Map<number, HTMLCanvasElement>()
  private palette: Palette

  constructor(palette: Palette) {
    this.palette = palette
  }

  setPalette(palette: Palette): void {
    this.palette = palette
    this.cache.clear()
  }

  /** A picture for a node with the given radius in device pixels; it is to be drawn SPRITE_SPAN radii wide. */
  get(look: Look, radius: number): HTMLCanvasElement {
    // Quarter octaves: sharp enough, and zooming does not ask for new pictures in every frame.
    const bucket = Math.max(0, Math.ceil(Math.log2(Math.max(2, radius)) * 4))
    const level = look.fill < 0 ? 31 : Math.round(look.fill * LEVELS)
    const marks = look.flags & (Flag.stack | Flag.pseudo | Flag.stale)
    const key = (((bucket * 32 + level) * 256 + look.hue) * 8 + marks) * 16 + look.shape
    const known = this.cache.get(key)
    if (known) return known
    if (this.cache.size >= KEPT) this.cache.clear()
    const sprite = this.paint(look, 2 ** (bucket / 4), level)
    this.cache.set(key, sprite)
    return sprite
  }

  private paint(look: Look, r: number, level: number): HTMLCanvasElement {
    const canvas = document.createElement('canvas')
    const size = Math.ceil(r * SPRITE_SPAN)
    canvas.width = size
    canvas.height = size
    const context = canvas.getContext('2d')
    if (context)
      paintNode(context, this.palette, look, size / 2, size / 2, r, level > LEVELS ? -1 : level / LEVELS)
    return canvas
  }
}

export function paintNode(
  context: CanvasRenderingContext2D,
  palette: Palette,
  look: Look,
  x: number,
  y: number,
  r: number,
  fill: number,
): void {
  const stale = (look.flags & Flag.stale) !== 0
  const width = Math.max(1, r * (palette.contrast ? 0.17 : 0.11))
  context.lineJoin = 'round'
  if (look.flags & Flag.stack) {
    for (const step of [2, 1]) {
      shapeWith(context, palette, look, x, y - step * r * 0.17, r, width, 0.55)
    }
  }
  shapeWith(context, palette, look, x, y, r, width, 1)
  if (fill > 0) {
    context.save()
    context.beginPath()
    traceShape(context, look.shape, x, y, r - width)
    context.clip()
    context.fillStyle = palette.fill(look.hue)
    context.fillRect(x - r * 1.5, y + r - 2 * r * fill, 3 * r, 2 * r * fill + r)
    context.restore()
  }
  if (stale) hatch(context, palette, look, x, y, r)
  context.beginPath()
  traceShape(context, look.shape, x, y, r - width / 2)
  if (stale) context.setLineDash([r * 0.24, r * 0.16])
  else if (isDotted(look.shape)) context.setLineDash([width * 0.1, width * 2])
  context.lineCap = isDotted(look.shape) ? 'round' : 'butt'
  context.lineWidth = width
  context.strokeStyle = palette.line(look.hue)
  context.stroke()
  context.setLineDash([])
}

function shapeWith(
  context: CanvasRenderingContext2D,
  palette: Palette,
  look: Look,
  x: number,
  y: number,
  r: number,
  width: number,
  alpha: number,
): void {
  context.beginPath()
  traceShape(context, look.shape, x, y, r - width / 2)
  // A ring in the background's colour keeps edges and lower shapes off the outline.
  context.lineWidth = width * 2.4
  context.strokeStyle = palette.group
  context.stroke()
  context.fillStyle = palette.body(look.hue)
  context.fill()
  if (alpha < 1) {
    context.lineWidth = width
    context.globalAlpha = alpha
    context.strokeStyle = palette.line(look.hue)
    context.stroke()
    context.globalAlpha = 1
  }
}

function hatch(
  context: CanvasRenderingContext2D,
  palette: Palette,
  look: Look,
  x: number,
  y: number,
  r: number,
): void {
  context.save()
  context.beginPath()
  traceShape(context, look.shape, x, y, r * 0.9)
  context.clip()
  context.beginPath()
  const step = Math.max(2.5, r * 0.34)
  for (let d = -2 * r; d <= 2 * r; d += step) {
    context.moveTo(x + d - r, y + r)
    context.lineTo(x + d + r, y - r)
  }
  context.lineWidth = Math.max(0.7, r * 0.07)
  context.globalAlpha = 0.6
  context.strokeStyle = palette.line(look.hue)
  context.stroke()
  context.restore()
}
