import { Flag, NODE_R, type Scene } from '../shared/scene'
import { type Camera, meets, type Rect, visibleWorld } from './camera'
import { paintDots } from './dots'
import { paintFocusEdges, paintInner, paintLinks, paintOuter } from './edges'
import { labelRect, MAX_LABELS, paintGroupLabel, paintLabel } from './labels'
import { type Neighbours, neighbours } from './lookup'
import type { Palette } from './palette'
import { traceShape } from './shapes'
import { SPRITE_SPAN, Sprites } from './sprites'
import { Tiles } from './tiles'

/** Node sizes, in pixels across, at which more is drawn. */
const TILE_BELOW = 8
/** So many nodes at once are drawn as pictures for longer. */
const TILE_BELOW_CROWDED = 14
const CROWD = 2000
const LABEL_FROM = 15
const EDGES_FROM = 13
/** Small graphs show every connection at every distance. */
const ALL_EDGES_UP_TO = 1500
const DIM = 0.3
const DIM_SELECTED = 0.5
/** More bright nodes than this are dots when far: a picture each would take longer than a frame. */
const MAX_MARKED = 300

export interface Emphasis {
  hovered: number
  selected: number
  /** Where the keyboard is. */
  cursor: number
}

/** Draws a scene. Knows nothing of input; everything it draws it is given. */
export class Renderer {
  private readonly sprites: Sprites
  private readonly tiles = new Tiles()
  private near: { scene: Scene; node: number; found: Neighbours } | undefined

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private palette: Palette,
  ) {
    this.sprites = new Sprites(palette)
  }

  setPalette(palette: Palette): void {
    this.palette = palette
    this.sprites.setPalette(palette)
    this.tiles.clear()
  }

  /** Whether pictures show older values than the scene has. */
  get isLate(): boolean {
    return this.tiles.isLate
  }

  /** Works on that for a few milliseconds. */
  renew(): void {
    this.tiles.renew(this.palette)
  }

  private neighboursOf(scene: Scene, node: number): Neighbours {
    if (this.near?.scene !== scene || this.near.node !== node) {
      this.near = { scene, node, found: neighbours(scene, node) }
    }
    return this.near.found
  }

  /** Draws one frame. Returns whether another one is needed to finish the picture. */
  draw(
    scene: Scene,
    camera: Camera,
    width: number,
    height: number,
    ratio: number,
    emphasis: Emphasis,
  ): boolean {
    const { context, palette } = this
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.globalAlpha = 1
    context.fillStyle = palette.background
    context.fillRect(0, 0, width, height)
    const view = visibleWorld(camera, width, height)
    const visible: number[] = []
    scene.groups.forEach((box, g) => {
      if (meets(box, view)) visible.push(g)
    })
    const across = NODE_R * 2 * camera.scale
    const crowd = visible.reduce((sum, g) => sum + scene.groups[g].count, 0)
    const far = across < (crowd > CROWD ? TILE_BELOW_CROWDED : TILE_BELOW)
    const few = scene.edges.length / 2 <= ALL_EDGES_UP_TO
    const focus = emphasis.hovered >= 0 ? emphasis.hovered : emphasis.selected
    const dim = focus >= 0 ? (emphasis.hovered >= 0 ? DIM : DIM_SELECTED) : scene.matching ? DIM : 1
    const lit = this.litNodes(scene, focus)

    this.groupBoxes(scene, camera, visible, ratio)
    context.setTransform(ratio * camera.scale, 0, 0, ratio * camera.scale, ratio * camera.x, ratio * camera.y)
    context.globalAlpha = dim
    if (!far) paintInner(context, scene, palette, camera, visible)
    if (few || across >= EDGES_FROM) paintOuter(context, scene, palette, camera, view, !few, dim)
    else paintLinks(context, scene, palette, view, camera, dim)
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    this.tiles.begin()
    if (far) this.drawTiles(scene, camera, visible, ratio, dim)
    else this.drawNodes(scene, camera, visible, view, ratio, dim, lit)
    context.globalAlpha = 1
    if (focus >= 0) this.drawFocusEdges(scene, camera, ratio, focus)
    if (lit && far && lit.size > MAX_MARKED) paintDots(context, scene, palette, camera, view, lit)
    else if (lit && (far || focus >= 0)) this.drawLit(scene, camera, view, ratio, lit)
    this.drawLabels(scene, camera, visible, view, across, dim, lit, emphasis)
    for (const g of visible) paintGroupLabel(context, scene, palette, camera, g)
    this.rings(scene, camera, emphasis)
    return this.tiles.pending
  }

  /** The nodes that stay bright, or undefined for all. */
  private litNodes(scene: Scene, focus: number): Set<number> | undefined {
    if (focus >= 0) {
      const { incoming, outgoing } = this.neighboursOf(scene, focus)
      return new Set([...incoming, ...outgoing, focus])
    }
    if (!scene.matching) return undefined
    const lit = new Set<number>()
    for (let i = 0; i < scene.ids.length; i++) if (scene.flags[i] & Flag.match) lit.add(i)
    return lit
  }

  private groupBoxes(scene: Scene, camera: Camera, visible: readonly number[], ratio: number): void {
    const { context, palette } = this
    const radius = Math.min(14, 16 * camera.scale)
    context.beginPath()
    for (const g of visible) {
      const box = scene.groups[g]
      const x = Math.round((box.x * camera.scale + camera.x) * ratio) / ratio
      const y = Math.round((box.y * camera.scale + camera.y) * ratio) / ratio
      context.roundRect(x, y, box.w * camera.scale, box.h * camera.scale, radius)
    }
    context.fillStyle = palette.group
    context.fill()
    context.lineWidth = 1
    context.strokeStyle = palette.groupBorder
    context.stroke()
  }

  private drawTiles(
    scene: Scene,
    camera: Camera,
    visible: readonly number[],
    ratio: number,
    dim: number,
  ): void {
    const { context } = this
    context.globalAlpha = dim
    for (const g of visible) {
      const tile = this.tiles.get(scene, g, camera.scale, ratio, this.palette)
      const box = scene.groups[g]
      if (tile) {
        context.drawImage(
          tile,
          box.x * camera.scale + camera.x,
          box.y * camera.scale + camera.y,
          box.w * camera.scale,
          box.h * camera.scale,
        )
      }
    }
  }

  private drawNodes(
    scene: Scene,
    camera: Camera,
    visible: readonly number[],
    view: Rect,
    ratio: number,
    dim: number,
    lit: Set<number> | undefined,
  ): void {
    const margin = NODE_R * 2
    for (const g of visible) {
      const box = scene.groups[g]
      for (let i = box.start; i < box.start + box.count; i++) {
        const x = scene.x[i]
        const y = scene.y[i]
        if (
          x < view.x - margin ||
          y < view.y - margin ||
          x > view.x + view.w + margin ||
          y > view.y + view.h + margin
        )
          continue
        const faint = lit !== undefined && !lit.has(i)
        if (faint) this.clearBelow(scene, camera, i)
        this.context.globalAlpha = faint ? dim : 1
        this.drawNode(scene, camera, ratio, i, NODE_R)
      }
    }
  }

  /** A faint node would let the lines below it shine through. */
  private clearBelow(scene: Scene, camera: Camera, i: number): void {
    const { context } = this
    context.globalAlpha = 1
    context.fillStyle = this.palette.group
    context.beginPath()
    traceShape(
      context,
      scene.shape[i],
      scene.x[i] * camera.scale + camera.x,
      scene.y[i] * camera.scale + camera.y,
      NODE_R * camera.scale * 0.95,
    )
    context.fill()
  }

  private drawNode(scene: Scene, camera: Camera, ratio: number, i: number, radius: number): void {
    const look = { shape: scene.shape[i], hue: scene.hue[i], flags: scene.flags[i], fill: scene.fill[i] }
    const r = radius * camera.scale
    const sprite = this.sprites.get(look, r * ratio)
    const size = r * SPRITE_SPAN
    const x = scene.x[i] * camera.scale + camera.x
    const y = scene.y[i] * camera.scale + camera.y
    this.context.drawImage(sprite, x - size / 2, y - size / 2, size, size)
  }

  private drawFocusEdges(scene: Scene, camera: Camera, ratio: number, focus: number): void {
    const { incoming, outgoing } = this.neighboursOf(scene, focus)
    this.context.setTransform(
      ratio * camera.scale,
      0,
      0,
      ratio * camera.scale,
      ratio * camera.x,
      ratio * camera.y,
    )
    paintFocusEdges(this.context, scene, this.palette, camera, focus, incoming, outgoing)
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0)
  }

  /** Bright nodes over the lines; never smaller than can be seen and hit. */
  private drawLit(scene: Scene, camera: Camera, view: Rect, ratio: number, lit: Set<number>): void {
    const radius = Math.max(NODE_R, 4.5 / camera.scale)
    for (const i of lit) {
      const inside =
        scene.x[i] > view.x - radius &&
        scene.y[i] > view.y - radius &&
        scene.x[i] < view.x + view.w + radius &&
        scene.y[i] < view.y + view.h + radius
      if (inside) this.drawNode(scene, camera, ratio, i, radius)
    }
  }

  private drawLabels(
    scene: Scene,
    camera: Camera,
    visible: readonly number[],
    view: Rect,
    across: number,
    dim: number,
    lit: Set<number> | undefined,
    emphasis: Emphasis,
  ): void {
    const { context, palette } = this
    let left = MAX_LABELS
    const special = [emphasis.hovered, emphasis.selected, emphasis.cursor]
    if (across >= LABEL_FROM) {
      for (const g of visible) {
        const box = scene.groups[g]
        for (let i = box.start; i < box.start + box.count && left > 0; i++) {
          if (special.includes(i)) continue
          const x = scene.x[i]
          const y = scene.y[i]
          if (x < view.x || y < view.y - NODE_R || x > view.x + view.w || y > view.y + view.h) continue
          context.globalAlpha = lit === undefined || lit.has(i) ? 1 : dim
          paintLabel(context, scene, palette, camera, i, false)
          left--
        }
      }
    } else if (lit && lit.size <= 24) {
      this.litLabels(scene, camera, lit, special)
    }
    context.globalAlpha = 1
    for (const i of new Set(special)) if (i >= 0) paintLabel(context, scene, palette, camera, i, true)
  }

  /** Names of the few that are lit, where they do not cover each other. */
  private litLabels(scene: Scene, camera: Camera, lit: Set<number>, special: readonly number[]): void {
    const placed: Rect[] = special.filter((i) => i >= 0).map((i) => labelRect(scene, camera, i))
    for (const i of lit) {
      const rect = labelRect(scene, camera, i)
      if (special.includes(i) || placed.some((other) => meets(rect, other))) continue
      placed.push(rect)
      paintLabel(this.context, scene, this.palette, camera, i, true)
    }
  }

  private rings(scene: Scene, camera: Camera, emphasis: Emphasis): void {
    const { context, palette } = this
    const ring = (i: number, colour: string, width: number, gap: number, dash: number[]) => {
      if (i < 0) return
      const r = Math.max(NODE_R * 1.12 * camera.scale, 6) + gap
      context.beginPath()
      context.arc(
        scene.x[i] * camera.scale + camera.x,
        scene.y[i] * camera.scale + camera.y,
        r,
        0,
        2 * Math.PI,
      )
      context.lineWidth = width
      context.strokeStyle = colour
      context.setLineDash(dash)
      context.stroke()
      context.setLineDash([])
    }
    ring(emphasis.selected, palette.accent, 2.5, 4, [])
    if (emphasis.hovered !== emphasis.selected) ring(emphasis.hovered, palette.accent, 1.5, 3, [])
    ring(emphasis.cursor, palette.text, 2, 8, [4, 3])
  }
}
