/** Where one looks: screen = world * scale + offset. */
export interface Camera {
  x: number
  y: number
  scale: number
}

export interface Rect {
  x: number
  y: number
  w: number
  h: number
}

export interface Insets {
  top: number
  right: number
  bottom: number
  left: number
}

export const MAX_SCALE = 2.5
const MIN_SCALE = 0.02

export function clampScale(scale: number): number {
  return Math.min(MAX_SCALE, Math.max(MIN_SCALE, scale))
}

/** Shows all of `world` in the free part of the screen; small things are not blown up. */
export function fitRect(world: Rect, width: number, height: number, insets: Insets, largest = 1.15): Camera {
  const freeW = Math.max(80, width - insets.left - insets.right)
  const freeH = Math.max(80, height - insets.top - insets.bottom)
  const scale = clampScale(Math.min(largest, freeW / Math.max(1, world.w), freeH / Math.max(1, world.h)))
  return {
    scale,
    x: insets.left + freeW / 2 - (world.x + world.w / 2) * scale,
    y: insets.top + freeH / 2 - (world.y + world.h / 2) * scale,
  }
}

/** Zooms around a point of the screen. */
export function zoomAt(camera: Camera, x: number, y: number, factor: number): Camera {
  const scale = clampScale(camera.scale * factor)
  const ratio = scale / camera.scale
  return { scale, x: x - (x - camera.x) * ratio, y: y - (y - camera.y) * ratio }
}

/** Moves as little as possible so that a part of the world is in the free part of the screen. */
export function reveal(camera: Camera, world: Rect, width: number, height: number, insets: Insets): Camera {
  const shift = (from: number, to: number, low: number, high: number) => {
    // What does not fit is centred.
    if (to - from > high - low) return (low + high - from - to) / 2
    return Math.max(0, low - from) - Math.max(0, to - high)
  }
  const left = world.x * camera.scale + camera.x
  const top = world.y * camera.scale + camera.y
  const dx = shift(left, left + world.w * camera.scale, insets.left, width - insets.right)
  const dy = shift(top, top + world.h * camera.scale, insets.top, height - insets.bottom)
  return dx === 0 && dy === 0 ? camera : { ...camera, x: camera.x + dx, y: camera.y + dy }
}

export function mix(from: Camera, to: Camera, t: number): Camera {
  // Zoom is felt in octaves, so the scale is mixed as a logarithm.
  const scale = Math.exp(Math.log(from.scale) * (1 - t) + Math.log(to.scale) * t)
  const share = from.scale === to.scale ? t : (1 / from.scale - 1 / scale) / (1 / from.scale - 1 / to.scale)
  const wx = (camera: Camera) => -camera.x / camera.scale
  const wy = (camera: Camera) => -camera.y / camera.scale
  const x = wx(from) + (wx(to) - wx(from)) * share
  const y = wy(from) + (wy(to) - wy(from)) * share
  return { scale, x: -x * scale, y: -y * scale }
}

export function visibleWorld(camera: Camera, width: number, height: number): Rect {
  return {
    x: -camera.x / camera.scale,
    y: -camera.y / camera.scale,
    w: width / camera.scale,
    h: height / camera.scale,
  }
}

export function meets(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}
