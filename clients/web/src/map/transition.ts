import type { Scene } from '../shared/scene'

const MOVE_MS = 300
/** More moving things than this would not be followed by any eye, only by the processor. */
const MAX_NODES = 3000

/** Leads what has moved from its old place to its new one. */
export class Transition {
  private constructor(
    private readonly start: number,
    private readonly fromX: Float32Array,
    private readonly fromY: Float32Array,
    private readonly toX: Float32Array,
    private readonly toY: Float32Array,
    private readonly boxes: {
      from: [number, number, number, number]
      to: [number, number, number, number]
    }[],
  ) {}

  /** Undefined when nothing moved. */
  static between(old: Scene, next: Scene, now: number): Transition | undefined {
    if (next.ids.length > MAX_NODES) return undefined
    const index = new Map(old.ids.map((id, i) => [id, i]))
    const fromX = next.x.slice()
    const fromY = next.y.slice()
    let moved = false
    next.ids.forEach((id, i) => {
      const j = index.get(id)
      if (j === undefined) return
      fromX[i] = old.x[j]
      fromY[i] = old.y[j]
      moved ||= fromX[i] !== next.x[i] || fromY[i] !== next.y[i]
    })
    if (!moved) return undefined
    const known = new Map(old.groups.map((box) => [box.key, box]))
    const boxes = next.groups.map((box) => {
      const before = known.get(box.key) ?? box
      return {
        from: [before.x, before.y, before.w, before.h] as [number, number, number, number],
        to: [box.x, box.y, box.w, box.h] as [number, number, number, number],
      }
    })
    return new Transition(now, fromX, fromY, next.x.slice(), next.y.slice(), boxes)
  }

  /** Sets the places for a moment. Returns whether there is more to come. */
  apply(scene: Scene, now: number): boolean {
    const t = Math.min(1, Math.max(0, (now - this.start) / MOVE_MS))
    const share = t >= 1 ? 1 : 1 - (1 - t) ** 3
    for (let i = 0; i < this.toX.length; i++) {
      scene.x[i] = this.fromX[i] + (this.toX[i] - this.fromX[i]) * share
      scene.y[i] = this.fromY[i] + (this.toY[i] - this.fromY[i]) * share
    }
    this.boxes.forEach(({ from, to }, g) => {
      const box = scene.groups[g]
      const at = from.map((value, i) => value + (to[i] - value) * share)
      box.x = at[0]
      box.y = at[1]
      box.w = at[2]
      box.h = at[3]
    })
    return t < 1
  }
}
