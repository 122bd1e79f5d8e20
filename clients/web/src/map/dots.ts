import { NODE_R, type Scene } from '../shared/scene'
import type { Camera, Rect } from './camera'
import type { Palette } from './palette'

/** Never smaller than can be seen, in pixels; a crowd can be seen anyway, and would run into one area. */
const LEAST = 3
const LEAST_CROWDED = 1.8
const CROWD = 1500
const SQUARE = 4

/** Many nodes at once, far away: one path for each colour. */
export function paintDots(
  context: CanvasRenderingContext2D,
  scene: Scene,
  palette: Palette,
  camera: Camera,
  view: Rect,
  nodes: ReadonlySet<number>,
): void {
  const byHue = new Map<number, number[]>()
  for (const i of nodes) {
    const x = scene.x[i]
    const y = scene.y[i]
    if (x < view.x || y < view.y || x > view.x + view.w || y > view.y + view.h) continue
    const list = byHue.get(scene.hue[i])
    if (list) list.push(i)
    else byHue.set(scene.hue[i], [i])
  }
  const r = Math.max(nodes.size > CROWD ? LEAST_CROWDED : LEAST, NODE_R * camera.scale)
  for (const [hue, list] of byHue) {
    context.fillStyle = palette.line(hue)
    context.beginPath()
    for (const i of list) {
      const x = scene.x[i] * camera.scale + camera.x
      const y = scene.y[i] * camera.scale + camera.y
      if (scene.shape[i] === SQUARE) context.rect(x - r, y - r, 2 * r, 2 * r)
      else {
        context.moveTo(x + r, y)
        context.arc(x, y, r, 0, 2 * Math.PI)
      }
    }
    context.fill()
  }
}
