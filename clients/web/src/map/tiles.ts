import { type GroupBox, NODE_R, type Scene } from '../shared/scene'
import type { Palette } from './palette'

/** One small picture per group for when nodes are a few pixels big. */

/** Pictures per frame, and milliseconds for them: more would be felt while zooming. */
const PER_FRAME = 16
const FRAME_MS = 7
const KEPT = 900

interface Tile {
  canvas: HTMLCanvasElement
  rev: number
  step: number
}

export class Tiles {
  private readonly cache = new Map<string, Tile>()
  /** Groups whose picture has the right size but older values. */
  private late: { scene: Scene; g: number; step: number }[] = []
  private budget = 0
  private until = 0
  /** Whether a picture of the wrong size was used, so that another frame is needed. */
  pending = false

  clear(): void {
    this.cache.clear()
  }

  begin(): void {
    this.budget = PER_FRAME
    this.until = performance.now() + FRAME_MS
    this.pending = false
    this.late = []
  }

  get isLate(): boolean {
    return this.late.length > 0
  }

  /**
   * Renews pictures for some milliseconds. Between frames, because new values touch most groups at once, and a frame for
   * every few of them would cost more than the pictures.
   */
  renew(palette: Palette): void {
    const until = performance.now() + FRAME_MS
    for (let next = this.late.pop(); next; next = this.late.pop()) {
      this.keep(next.scene, next.g, next.step, palette)
      if (performance.now() > until) return
    }
  }

  get(
    scene: Scene,
    g: number,
    scale: number,
    ratio: number,
    palette: Palette,
  ): HTMLCanvasElement | undefined {
    const box = scene.groups[g]
    const step = Math.round(Math.log2(scale * ratio) * 2)
    const known = this.cache.get(box.key)
    if (known && known.step === step) {
      if (known.rev !== box.rev) this.late.push({ scene, g, step })
      return known.canvas
    }
    if (this.budget <= 0 || performance.now() > this.until) {
      this.pending = true
      return known?.canvas
    }
    this.budget--
    return this.keep(scene, g, step, palette)
  }

  private keep(scene: Scene, g: number, step: number, palette: Palette): HTMLCanvasElement {
    const box = scene.groups[g]
    if (this.cache.size >= KEPT) this.cache.clear()
    const canvas = paint(scene, g, 2 ** (step / 2), palette)
    this.cache.set(box.key, { canvas, rev: box.rev, step })
    return canvas
  }
}

function paint(scene: Scene, g: number, scale: number, palette: Palette): HTMLCanvasElement {
  const box: GroupBox = scene.groups[g]
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.ceil(box.w * scale))
  canvas.height = Math.max(1, Math.ceil(box.h * scale))
  const context = canvas.getContext('2d')
  if (!context) return canvas
  context.beginPath()
  for (let e = scene.innerStart[g]; e < scene.innerStart[g + 1]; e++) {
    const a = scene.edges[e * 2]
    const b = scene.edges[e * 2 + 1]
    context.moveTo((scene.x[a] - box.x) * scale, (scene.y[a] - box.y) * scale)
    context.lineTo((scene.x[b] - box.x) * scale, (scene.y[b] - box.y) * scale)
  }
  context.lineWidth = Math.max(0.5, scale * 2)
  context.strokeStyle = palette.edge
  context.stroke()
  const r = Math.max(1.1, NODE_R * scale * 1.1)
  for (let i = box.start; i < box.start + box.count; i++) {
    const x = (scene.x[i] - box.x) * scale
    const y = (scene.y[i] - box.y) * scale
    context.fillStyle = palette.line(scene.hue[i])
    // Fullness as opacity: at this size there is no room for a level.
    context.globalAlpha = scene.fill[i] < 0 ? 0.85 : 0.6 + 0.4 * scene.fill[i]
    if (scene.shape[i] === 4) context.fillRect(x - r * 0.85, y - r * 0.85, r * 1.7, r * 1.7)
    else {
      context.beginPath()
      context.arc(x, y, r, 0, 2 * Math.PI)
      context.fill()
    }
  }
  return canvas
}
