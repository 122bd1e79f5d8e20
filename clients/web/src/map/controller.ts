import type { Scene, SceneValues } from '../shared/scene'
import { type Camera, fitRect, type Insets, mix, reveal, zoomAt } from './camera'
import { around, bounds, groupAt, neighbours, nodeAt } from './lookup'
import type { Palette } from './palette'
import { type Emphasis, Renderer } from './renderer'
import { Transition } from './transition'

const FLY_MS = 320
const DRAG_FROM = 4

export interface MapEvents {
  open: (id: string) => void
  background: () => void
  pin: (id: string, x: number, y: number) => void
  /** What is under the pointer changed. */
  hover: (hover: { node: number; group: number; x: number; y: number }) => void
}

type Drag =
  | { kind: 'pan'; x: number; y: number; moved: boolean }
  | { kind: 'node'; id: string; x: number; y: number; moved: boolean }

/** The map as a machine: camera, pointer, frame loop. React only tells it what to show. */
export class MapController {
  scene: Scene | undefined
  camera: Camera = { x: 0, y: 0, scale: 1 }
  readonly emphasis: Emphasis = { hovered: -1, selected: -1, cursor: -1 }
  /** Milliseconds of script of the last frames, for tests and budgets. */
  readonly frameTimes: number[] = []
  insets: Insets = { top: 16, right: 16, bottom: 16, left: 16 }
  private readonly renderer: Renderer
  private readonly context: CanvasRenderingContext2D
  private width = 0
  private height = 0
  private ratio = 1
  private frame = 0
  private renewal: ReturnType<typeof setTimeout> | undefined
  private flight: { from: Camera; to: Camera; start: number } | undefined
  private transition: Transition | undefined
  private readonly pointers = new Map<number, { x: number; y: number }>()
  private drag: Drag | undefined
  private fitted = ''
  /** The user has not moved the camera since everything was fitted. */
  private untouched = true
  private selectedId = ''
  private cursorId = ''
  private readonly cameras = new Map<string, Camera>()

  constructor(
    private readonly canvas: HTMLCanvasElement,
    palette: Palette,
    private readonly events: MapEvents,
  ) {
    const context = canvas.getContext('2d', { alpha: false })
    if (!context) throw new Error('this browser cannot draw on a canvas')
    this.context = context
    this.renderer = new Renderer(context, palette)
    canvas.addEventListener('wheel', this.onWheel, { passive: false })
    canvas.addEventListener('pointerdown', this.onDown)
    canvas.addEventListener('pointermove', this.onMove)
    canvas.addEventListener('pointerup', this.onUp)
    canvas.addEventListener('pointercancel', this.onUp)
    canvas.addEventListener('pointerleave', this.onLeave)
    canvas.addEventListener('dblclick', this.onDouble)
  }

  destroy(): void {
    cancelAnimationFrame(this.frame)
    clearTimeout(this.renewal)
    this.canvas.removeEventListener('wheel', this.onWheel)
    this.canvas.removeEventListener('pointerdown', this.onDown)
    this.canvas.removeEventListener('pointermove', this.onMove)
    this.canvas.removeEventListener('pointerup', this.onUp)
    this.canvas.removeEventListener('pointercancel', this.onUp)
    this.canvas.removeEventListener('pointerleave', this.onLeave)
    this.canvas.removeEventListener('dblclick', this.onDouble)
  }

  setPalette(palette: Palette): void {
    this.renderer.setPalette(palette)
    this.request()
  }

  resize(width: number, height: number): void {
    const first = this.width === 0
    this.width = width
    this.height = height
    // In software the cost grows with the square of the ratio.
    this.ratio = Math.min(2, window.devicePixelRatio || 1)
    this.canvas.width = Math.round(width * this.ratio)
    this.canvas.height = Math.round(height * this.ratio)
    if (first) this.autoFit()
    else if (this.untouched) this.refit()
    // Setting the size clears the canvas; waiting for the next frame would flash.
    this.paint(performance.now())
  }

  setScene(scene: Scene): void {
    const old = this.scene
    this.scene = scene
    const hovered = old?.ids[this.emphasis.hovered]
    this.emphasis.hovered = hovered === undefined ? -1 : scene.ids.indexOf(hovered)
    this.emphasis.selected = scene.ids.indexOf(this.selectedId)
    this.emphasis.cursor = scene.ids.indexOf(this.cursorId)
    if (old && old.layoutKey === scene.layoutKey && this.mayMove()) {
      this.transition = Transition.between(old, scene, performance.now())
    } else this.transition = undefined
    if (old && old.layoutKey !== scene.layoutKey && this.fitted === old.layoutKey) {
      this.cameras.set(old.layoutKey, this.camera)
    }
    this.autoFit()
    if (old && old.layoutKey === scene.layoutKey && old.layoutRev !== scene.layoutRev) this.fitAll()
    if (this.untouched && old?.layoutKey === scene.layoutKey && this.outgrown()) this.fitAll()
    this.request()
  }

  /** Whether something has come to stand where an untouched camera does not look. */
  private outgrown(): boolean {
    const world = this.scene && bounds(this.scene)
    if (!world || this.flight) return false
    const { x, y, scale } = this.camera
    const left = world.x * scale + x
    const top = world.y * scale + y
    return left < 0 || top < 0 || left + world.w * scale > this.width || top + world.h * scale > this.height
  }

  private refit(): void {
    const world = this.scene && bounds(this.scene)
    if (world) this.camera = fitRect(world, this.width, this.height, this.insets)
  }

  setValues(values: SceneValues): void {
    const scene = this.scene
    if (!scene || scene.rev !== values.rev) return
    scene.flags = values.flags
    scene.fill = values.fill
    scene.matching = values.matching
    scene.groups.forEach((box, g) => {
      box.rev = values.groupRevs[g]
    })
    this.request()
  }

  private autoFit(): void {
    const { scene } = this
    if (!scene || this.width === 0 || scene.ids.length === 0 || this.fitted === scene.layoutKey) return
    this.fitted = scene.layoutKey
    const kept = this.cameras.get(scene.layoutKey)
    const world = bounds(scene)
    this.flight = undefined
    this.untouched = kept === undefined
    if (kept) this.camera = kept
    else if (world) this.camera = fitRect(world, this.width, this.height, this.insets)
  }

  select(id: string): void {
    this.selectedId = id
    this.emphasis.selected = this.scene?.ids.indexOf(id) ?? -1
    this.request()
  }

  setCursor(id: string): void {
    this.cursorId = id
    this.emphasis.cursor = this.scene?.ids.indexOf(id) ?? -1
    this.request()
  }

  private mayMove(): boolean {
    return !matchMedia('(prefers-reduced-motion: reduce)').matches
  }

  flyTo(camera: Camera): void {
    if (!this.mayMove()) {
      this.camera = camera
      this.request()
      return
    }
    this.flight = { from: this.camera, to: camera, start: performance.now() }
    this.request()
  }

  fitAll(): void {
    this.untouched = true
    const world = this.scene && bounds(this.scene)
    if (world) this.flyTo(fitRect(world, this.width, this.height, this.insets))
  }

  fitGroup(g: number): void {
    const box = this.scene?.groups[g]
    this.untouched = false
    if (box) this.flyTo(fitRect(box, this.width, this.height, this.insets))
  }

  pan(dx: number, dy: number): void {
    this.untouched = false
    this.camera = { ...this.camera, x: this.camera.x + dx, y: this.camera.y + dy }
    this.request()
  }

  zoom(factor: number): void {
    this.untouched = false
    const x = (this.insets.left + this.width - this.insets.right) / 2
    const y = (this.insets.top + this.height - this.insets.bottom) / 2
    this.flyTo(zoomAt(this.flight?.to ?? this.camera, x, y, factor))
  }

  /** Brings a node, and if they fit those it is linked to, into the free area. */
  show(node: number): void {
    const { scene } = this
    if (!scene || node < 0) return
    const camera = this.flight?.to ?? this.camera
    const { incoming, outgoing } = neighbours(scene, node)
    const room = this.width - this.insets.left - this.insets.right
    const all = around(scene, [node, ...incoming, ...outgoing])
    const fits =
      all.w * camera.scale < room && all.h * camera.scale < this.height - this.insets.top - this.insets.bottom
    const target = reveal(camera, fits ? all : around(scene, [node]), this.width, this.height, this.insets)
    if (target === camera) return
    this.untouched = false
    this.flyTo(target)
  }

  centre(): { x: number; y: number } {
    return {
      x: (this.width / 2 - this.camera.x) / this.camera.scale,
      y: (this.height / 2 - this.camera.y) / this.camera.scale,
    }
  }

  toScreen(node: number): { x: number; y: number } {
    const { scene, camera } = this
    if (!scene) return { x: 0, y: 0 }
    return { x: scene.x[node] * camera.scale + camera.x, y: scene.y[node] * camera.scale + camera.y }
  }

  request(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame((now) => this.paint(now))
  }

  private paint(now: number): void {
    cancelAnimationFrame(this.frame)
    this.frame = 0
    const { scene } = this
    if (this.width === 0) return
    if (!scene) {
      this.context.setTransform(1, 0, 0, 1, 0, 0)
      this.context.fillStyle = getComputedStyle(this.canvas).backgroundColor
      this.context.fillRect(0, 0, this.canvas.width, this.canvas.height)
      return
    }
    const start = performance.now()
    let again = false
    if (this.flight) {
      const t = Math.min(1, Math.max(0, (now - this.flight.start) / FLY_MS))
      this.camera = t >= 1 ? this.flight.to : mix(this.flight.from, this.flight.to, 1 - (1 - t) ** 3)
      if (t >= 1) this.flight = undefined
      else again = true
    }
    if (this.transition) {
      if (this.transition.apply(scene, now)) again = true
      else this.transition = undefined
    }
    again =
      this.renderer.draw(scene, this.camera, this.width, this.height, this.ratio, this.emphasis) || again
    this.frameTimes.push(performance.now() - start)
    if (this.frameTimes.length > 240) this.frameTimes.shift()
    if (again) this.request()
    else if (this.renderer.isLate) this.renewLater()
  }

  /** New values appear in one frame, once all their pictures are there. */
  private renewLater(): void {
    clearTimeout(this.renewal)
    this.renewal = setTimeout(() => {
      this.renderer.renew()
      if (this.renderer.isLate) this.renewLater()
      else this.request()
    }, 0)
  }

  private at(event: MouseEvent): { x: number; y: number } {
    const rect = this.canvas.getBoundingClientRect()
    return { x: event.clientX - rect.left, y: event.clientY - rect.top }
  }

  private worldAt(at: { x: number; y: number }): { x: number; y: number } {
    return { x: (at.x - this.camera.x) / this.camera.scale, y: (at.y - this.camera.y) / this.camera.scale }
  }

  private hit(at: { x: number; y: number }): number {
    if (!this.scene) return -1
    const world = this.worldAt(at)
    return nodeAt(this.scene, world.x, world.y, 9 / this.camera.scale)
  }

  private readonly onWheel = (event: WheelEvent) => {
    event.preventDefault()
    const at = this.at(event)
    const unit = event.deltaMode === 1 ? 25 : event.deltaMode === 2 ? 400 : 1
    // Pinching on a touch pad arrives as a small wheel with the control key.
    this.untouched = false
    const speed = event.ctrlKey ? 0.01 : 0.0025
    this.flight = undefined
    this.camera = zoomAt(this.camera, at.x, at.y, Math.exp(-speed * event.deltaY * unit))
    this.setHover(-1, at)
    this.request()
  }

  private readonly onDown = (event: PointerEvent) => {
    if (event.button !== 0 && event.pointerType === 'mouse') return
    this.canvas.setPointerCapture(event.pointerId)
    const at = this.at(event)
    this.pointers.set(event.pointerId, at)
    this.flight = undefined
    const node = this.hit(at)
    this.drag =
      node >= 0 && this.scene
        ? { kind: 'node', id: this.scene.ids[node], x: at.x, y: at.y, moved: false }
        : { kind: 'pan', x: at.x, y: at.y, moved: false }
  }

  private readonly onMove = (event: PointerEvent) => {
    const at = this.at(event)
    const before = this.pointers.get(event.pointerId)
    if (!before) {
      this.setHover(this.hit(at), at)
      return
    }
    this.pointers.set(event.pointerId, at)
    if (this.pointers.size === 2) return this.pinch(event.pointerId, before, at)
    const { drag } = this
    if (!drag) return
    if (!drag.moved && Math.hypot(at.x - drag.x, at.y - drag.y) < DRAG_FROM) return
    drag.moved = true
    this.untouched = false
    if (drag.kind === 'pan') {
      this.camera = { ...this.camera, x: this.camera.x + at.x - before.x, y: this.camera.y + at.y - before.y }
    } else if (this.scene) {
      const node = this.scene.ids.indexOf(drag.id)
      if (node >= 0) {
        this.scene.x[node] += (at.x - before.x) / this.camera.scale
        this.scene.y[node] += (at.y - before.y) / this.camera.scale
        this.scene.groups[this.scene.group[node]].rev++
      }
    }
    this.canvas.style.cursor = 'grabbing'
    this.setHover(-1, at)
    this.request()
  }

  private pinch(id: number, before: { x: number; y: number }, at: { x: number; y: number }): void {
    this.drag = undefined
    this.untouched = false
    const other = [...this.pointers].find(([key]) => key !== id)?.[1]
    if (!other) return
    const factor =
      Math.hypot(at.x - other.x, at.y - other.y) /
      Math.max(1, Math.hypot(before.x - other.x, before.y - other.y))
    this.camera = zoomAt(this.camera, (at.x + other.x) / 2, (at.y + other.y) / 2, factor)
    this.request()
  }

  private readonly onUp = (event: PointerEvent) => {
    this.pointers.delete(event.pointerId)
    const { drag } = this
    this.drag = undefined
    this.canvas.style.cursor = ''
    if (!drag || event.type === 'pointercancel') return
    if (drag.kind === 'node' && drag.moved && this.scene) {
      const node = this.scene.ids.indexOf(drag.id)
      if (node >= 0) this.events.pin(drag.id, this.scene.x[node], this.scene.y[node])
    } else if (!drag.moved) {
      if (drag.kind === 'node') this.events.open(drag.id)
      else this.events.background()
    }
  }

  private readonly onLeave = (event: PointerEvent) => this.setHover(-1, this.at(event), true)

  private readonly onDouble = (event: MouseEvent) => {
    const at = this.at(event)
    if (!this.scene || this.hit(at) >= 0) return
    const world = this.worldAt(at)
    const g = groupAt(this.scene, world.x, world.y)
    if (g >= 0) this.fitGroup(g)
    else {
      this.untouched = false
      this.flyTo(zoomAt(this.camera, at.x, at.y, 2))
    }
  }

  private setHover(node: number, at: { x: number; y: number }, left = false): void {
    const world = this.worldAt(at)
    const group = this.scene && node < 0 && !left && !this.drag ? groupAt(this.scene, world.x, world.y) : -1
    if (!this.drag) this.canvas.style.cursor = node >= 0 ? 'pointer' : ''
    this.events.hover({ node, group, x: at.x, y: at.y })
    if (node === this.emphasis.hovered) return
    this.emphasis.hovered = node
    this.request()
  }
}
