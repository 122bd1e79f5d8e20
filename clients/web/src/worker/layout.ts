import { CELL_H, CELL_W, HEADER, PAD } from '../shared/scene'
import { type Box, type BoxLink, overlaps, placeBox, shelve } from './boxes'
import { layerGroup } from './layer'
import { Memory } from './memory'

/**
 * Remembers where everything is. A node gets a cell when it is first seen and keeps it: only the user, a group that
 * outgrew its box, or `tidy` moves things.
 */

export interface LayoutNode {
  id: string
  group: string
  /** Ids of the nodes it connects to. */
  links: readonly string[]
}

interface Cell {
  group: string
  col: number
  row: number
}

interface Group extends Box {
  cols: number
  rows: number
  cells: Map<string, string>
}

// Packing leaves holes that make a box higher than planned.
const ASPECT = (2.4 * CELL_H) / CELL_W
const RERUN_SHARE = 1 / 3
/** Groups that grew may come this near to each other. */
const MIN_GAP = 6

export class Layout {
  private readonly cells = new Map<string, Cell>()
  private readonly boxes = new Map<string, Group>()
  private readonly memory = new Memory<Cell, Group>()

  /** Brings the layout up to date. Returns whether anything that stood before has moved. */
  update(nodes: readonly LayoutNode[]): boolean {
    const members = this.dropMissing(nodes)
    const byId = new Map(nodes.map((node) => [node.id, node]))
    const callers = reverse(nodes)
    let moved = false
    const fresh: Group[] = []
    const rerun: Group[] = []
    for (const [key, group] of members) {
      const box = this.boxes.get(key) ?? this.restore(key)
      const unseen = group.filter((node) => !this.cells.has(node.id) && !(box && this.comeBack(box, node.id)))
      if (!box) {
        fresh.push(this.fill({ key, x: 0, y: 0, w: 0, h: 0, cols: 0, rows: 0, cells: new Map() }, group))
      } else if (unseen.length > 0) {
        if (unseen.length > Math.max(2, group.length * RERUN_SHARE)) {
          moved = group.length > unseen.length || moved
          rerun.push(this.fill(box, group))
        } else {
          let grew = false
          for (const node of unseen) {
            this.insert(box, node, callers.get(node.id) ?? [], byId)
            grew = this.resize(box) || grew
          }
          if (grew) rerun.push(box)
        }
      }
    }
    if (fresh.length > 0 && fresh.length >= (this.boxes.size + fresh.length) / 2) {
      for (const box of fresh) this.boxes.set(box.key, box)
      // The old places belong to another picture.
      this.memory.boxes.clear()
      shelve([...this.boxes.values()], this.links(nodes))
      return moved || this.boxes.size > fresh.length
    }
    for (const box of rerun) moved = this.settle(box, nodes, false) || moved
    for (const box of fresh) {
      this.boxes.set(box.key, box)
      this.settle(box, nodes, true)
    }
    return moved
  }

  /** Lays everything out anew. */
  tidy(nodes: readonly LayoutNode[]): void {
    this.cells.clear()
    this.boxes.clear()
    this.memory.cells.clear()
    this.memory.boxes.clear()
    this.update(nodes)
  }

  position(id: string): { x: number; y: number } | undefined {
    const cell = this.cells.get(id)
    const box = cell && this.boxes.get(cell.group)
    if (!cell || !box) return undefined
    return {
      x: box.x + PAD + (cell.col + 0.5) * CELL_W,
      y: box.y + HEADER + PAD + (cell.row + 0.42) * CELL_H,
    }
  }

  box(group: string): Box | undefined {
    return this.boxes.get(group)
  }

  private dropMissing(nodes: readonly LayoutNode[]): Map<string, LayoutNode[]> {
    const members = new Map<string, LayoutNode[]>()
    const groupOf = new Map<string, string>()
    for (const node of nodes) {
      groupOf.set(node.id, node.group)
      const group = members.get(node.group)
      if (group) group.push(node)
      else members.set(node.group, [node])
    }
    for (const [id, cell] of this.cells) {
      if (groupOf.get(id) === cell.group) continue
      this.cells.delete(id)
      this.memory.cells.put(id, cell)
      this.boxes.get(cell.group)?.cells.delete(`${cell.col},${cell.row}`)
    }
    for (const [key, box] of this.boxes) {
      if (members.has(key)) continue
      this.boxes.delete(key)
      this.memory.boxes.put(key, box)
    }
    return members
  }

  /** A group that was there before, where it was, if nothing else stands there. */
  private restore(key: string): Group | undefined {
    const box = this.memory.boxes.take(key)
    if (!box || [...this.boxes.values()].some((other) => overlaps(box, other, MIN_GAP))) return undefined
    this.boxes.set(key, box)
    return box
  }

  /** Gives a node that was there before its cell back. Returns whether that was possible. */
  private comeBack(box: Group, id: string): boolean {
    const cell = this.memory.cells.take(id)
    if (!cell || cell.group !== box.key || cell.col >= box.cols || cell.row >= box.rows) return false
    if (box.cells.has(`${cell.col},${cell.row}`)) return false
    this.put(box, id, cell.col, cell.row)
    return true
  }

  /** A full run of one group. */
  private fill(box: Group, group: LayoutNode[]): Group {
    const index = new Map(group.map((node, i) => [node.id, i]))
    const edges: [number, number][] = []
    group.forEach((node, i) => {
      for (const target of node.links) {
        const j = index.get(target)
        if (j !== undefined) edges.push([i, j])
      }
    })
    const grid = layerGroup(group.length, edges, ASPECT)
    box.cells.clear()
    group.forEach((node, i) => {
      this.put(box, node.id, grid.col[i], grid.row[i])
    })
    box.cols = grid.cols
    box.rows = grid.rows
    this.resize(box)
    return box
  }

  private put(box: Group, id: string, col: number, row: number): void {
    this.cells.set(id, { group: box.key, col, row })
    box.cells.set(`${col},${row}`, id)
  }

  /** Gives a new node the free cell nearest to below its callers; a full group gets one more row or column. */
  private insert(box: Group, node: LayoutNode, callers: string[], byId: Map<string, LayoutNode>): void {
    let col = 0
    let row = 0
    let count = 0
    const note = (id: string, shift: number) => {
      const cell = this.cells.get(id)
      if (!cell || cell.group !== box.key || !byId.has(id)) return
      col += cell.col
      row += cell.row + shift
      count++
    }
    for (const caller of callers) note(caller, 1)
    for (const target of node.links) note(target, -1)
    const wantCol = count > 0 ? col / count : 0
    const wantRow = count > 0 ? row / count : box.rows - 1
    let best = Number.POSITIVE_INFINITY
    let at: [number, number] | undefined
    for (let r = 0; r < box.rows; r++) {
      for (let c = 0; c < box.cols; c++) {
        if (box.cells.has(`${c},${r}`)) continue
        const cost = Math.abs(c - wantCol) + 1.5 * Math.abs(r - wantRow)
        if (cost < best) {
          best = cost
          at = [c, r]
        }
      }
    }
    at ??= this.grow(box, wantCol, wantRow)
    this.put(box, node.id, at[0], at[1])
  }

  /** Makes room in a full group, in the direction where nothing stands if there is one. */
  private grow(box: Group, wantCol: number, wantRow: number): [number, number] {
    const others = [...this.boxes.values()].filter((other) => other !== box)
    const free = (w: number, h: number) => !others.some((other) => overlaps({ ...box, w, h }, other, MIN_GAP))
    const wide = box.cols > box.rows * 2.5
    const rowFits = free(box.w, box.h + CELL_H)
    const colFits = free(box.w + CELL_W, box.h)
    const byRow = wide ? rowFits || !colFits : rowFits && !colFits
    if (byRow) return [clamp(wantCol, box.cols), box.rows++]
    return [box.cols++, clamp(wantRow, box.rows)]
  }

  /** Fits the box to its cells. Returns whether it grew. */
  private resize(box: Group): boolean {
    const w = box.cols * CELL_W + 2 * PAD
    const h = box.rows * CELL_H + 2 * PAD + HEADER
    const grew = w > box.w || h > box.h
    box.w = w
    box.h = h
    return grew
  }

  /** Leaves a box where it is if it touches nothing there, else looks for another place. Returns whether it moved. */
  private settle(box: Group, nodes: readonly LayoutNode[], isNew: boolean): boolean {
    const standing = [...this.boxes.values()].filter((other) => other !== box)
    if (!isNew && !standing.some((other) => overlaps(box, other, MIN_GAP))) return false
    let x = 0
    let y = 0
    let weight = 0
    for (const link of this.links(nodes)) {
      const otherKey = link.a === box.key ? link.b : link.b === box.key ? link.a : undefined
      const other = otherKey === undefined ? undefined : this.boxes.get(otherKey)
      if (!other) continue
      x += (other.x + other.w / 2) * link.weight
      y += (other.y + other.h / 2) * link.weight
      weight += link.weight
    }
    const near = weight > 0 ? { x: x / weight, y: y / weight } : { x: box.x, y: box.y }
    placeBox(box, standing, near)
    return !isNew
  }

  private links(nodes: readonly LayoutNode[]): BoxLink[] {
    const groupOf = new Map(nodes.map((node) => [node.id, node.group]))
    const links = new Map<string, BoxLink>()
    for (const node of nodes) {
      for (const target of node.links) {
        const other = groupOf.get(target)
        if (other === undefined || other === node.group) continue
        const [a, b] = node.group < other ? [node.group, other] : [other, node.group]
        const key = `${a}\n${b}`
        const link = links.get(key)
        if (link) link.weight++
        else links.set(key, { a, b, weight: 1 })
      }
    }
    return [...links.values()]
  }
}

function clamp(at: number, count: number): number {
  return Math.max(0, Math.min(count - 1, Math.round(at)))
}

function reverse(nodes: readonly LayoutNode[]): Map<string, string[]> {
  const callers = new Map<string, string[]>()
  for (const node of nodes) {
    for (const target of node.links) {
      const list = callers.get(target)
      if (list) list.push(node.id)
      else callers.set(target, [node.id])
    }
  }
  return callers
}
