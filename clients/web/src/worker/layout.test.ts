import { describe, expect, it } from 'vitest'
import { CELL_H, CELL_W } from '../shared/scene'
import { overlaps } from './boxes'
import { layerGroup } from './layer'
import { Layout, type LayoutNode } from './layout'

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

function graph(count: number, groups: number, seed = 1): LayoutNode[] {
  const next = random(seed)
  const nodes = Array.from({ length: count }, (_, i) => ({
    id: `n${i}`,
    group: `g${Math.floor(next() * next() * groups)}`,
    links: [] as string[],
  }))
  for (const node of nodes) {
    for (let i = 0; i < 2; i++) node.links.push(`n${Math.floor(next() * count)}`)
  }
  return nodes
}

function positions(layout: Layout, nodes: LayoutNode[]): Map<string, { x: number; y: number }> {
  return new Map(nodes.map((node) => [node.id, layout.position(node.id)!]))
}

function checkNoOverlap(layout: Layout, nodes: LayoutNode[]): void {
  const cells = new Set<string>()
  for (const { x, y } of positions(layout, nodes).values()) {
    const cell = `${x},${y}`
    expect(cells.has(cell)).toBe(false)
    cells.add(cell)
  }
  const boxes = [...new Set(nodes.map((node) => node.group))].map((key) => layout.box(key)!)
  boxes.forEach((box, i) => {
    for (const other of boxes.slice(i + 1)) expect(overlaps(box, other, 0)).toBe(false)
  })
  for (const node of nodes) {
    const at = layout.position(node.id)!
    const box = layout.box(node.group)!
    expect(at.x).toBeGreaterThan(box.x)
    expect(at.x).toBeLessThan(box.x + box.w)
    expect(at.y).toBeGreaterThan(box.y)
    expect(at.y).toBeLessThan(box.y + box.h)
  }
}

describe('layout', () => {
  it.each([1, 2, 7, 140, 2000])('never overlaps with %i nodes', (count) => {
    const nodes = graph(count, Math.ceil(count / 30))
    const layout = new Layout()
    layout.update(nodes)
    checkNoOverlap(layout, nodes)
  })

  it('is deterministic', () => {
    const nodes = graph(500, 20)
    const first = new Layout()
    const second = new Layout()
    first.update(nodes)
    second.update(nodes)
    expect(positions(first, nodes)).toEqual(positions(second, nodes))
  })

  it('does not move what stays when nodes come and go', () => {
    const nodes = graph(600, 20)
    const layout = new Layout()
    layout.update(nodes.slice(0, 580))
    const before = positions(layout, nodes.slice(20, 580))
    const moved = layout.update(nodes.slice(20))
    checkNoOverlap(layout, nodes.slice(20))
    if (!moved) expect(positions(layout, nodes.slice(20, 580))).toEqual(before)
    let changed = 0
    for (const [id, at] of before) {
      const now = layout.position(id)!
      if (now.x !== at.x || now.y !== at.y) changed++
    }
    expect(changed).toBeLessThan(60)
  })

  it('does not move anything when only edges change', () => {
    const nodes = graph(300, 10)
    const layout = new Layout()
    layout.update(nodes)
    const before = positions(layout, nodes)
    expect(layout.update(graph(300, 10).map((node) => ({ ...node, links: [] })))).toBe(false)
    expect(positions(layout, nodes)).toEqual(before)
  })

  it('stands after a node has gone and come back', () => {
    const nodes = graph(50, 1)
    const layout = new Layout()
    layout.update(nodes)
    const before = positions(layout, nodes)
    layout.update(nodes.slice(1))
    layout.update(nodes)
    for (const node of nodes.slice(1)) expect(layout.position(node.id)).toEqual(before.get(node.id))
    checkNoOverlap(layout, nodes)
  })

  it('puts a new group beside the others without moving them', () => {
    const nodes = graph(300, 10)
    const layout = new Layout()
    layout.update(nodes)
    const before = positions(layout, nodes)
    const more = [...nodes, { id: 'x', group: 'new', links: ['n1'] }]
    expect(layout.update(more)).toBe(false)
    expect(positions(layout, nodes)).toEqual(before)
    checkNoOverlap(layout, more)
  })

  it('puts callers above what they call', () => {
    const grid = layerGroup(
      4,
      [
        [0, 1],
        [1, 2],
        [2, 0],
        [0, 3],
      ],
      1.5,
    )
    expect(grid.row[0]).toBeLessThan(grid.row[1])
    expect(grid.row[1]).toBeLessThan(grid.row[2])
  })

  it('stays within budget for 10,000 nodes', () => {
    const nodes = graph(10_000, 278)
    const layout = new Layout()
    const start = performance.now()
    layout.update(nodes)
    expect(performance.now() - start).toBeLessThan(5000)
  })

  it('keeps boxes about as wide as they are high', () => {
    const grid = layerGroup(140, [], (1.8 * CELL_H) / CELL_W)
    const aspect = (grid.cols * CELL_W) / (grid.rows * CELL_H)
    expect(aspect).toBeGreaterThan(1)
    expect(aspect).toBeLessThan(2.6)
  })

  it('gives nodes and groups that come back their old places', () => {
    const nodes = graph(900, 30, 5)
    const layout = new Layout()
    layout.update(nodes)
    const before = positions(layout, nodes)
    const gone = new Set(['g1', 'g4', 'g9'])
    const fewer = nodes.filter((node, i) => !gone.has(node.group) && i % 7 !== 0)
    layout.update(fewer)
    expect(layout.position(nodes.find((node) => node.group === 'g1')!.id)).toBeUndefined()
    layout.update(nodes)
    expect(positions(layout, nodes)).toEqual(before)
    checkNoOverlap(layout, nodes)
  })

  it('does not overlap when others have taken the places of those who come back', () => {
    const nodes = graph(300, 10, 6)
    const layout = new Layout()
    layout.update(nodes)
    const half = nodes.filter((_, i) => i % 3 !== 0)
    const others = half.concat(
      Array.from({ length: 90 }, (_, i) => ({ id: `x${i}`, group: `g${i % 10}`, links: [] })),
    )
    layout.update(others)
    const all = others.concat(nodes.filter((_, i) => i % 3 === 0))
    layout.update(all)
    checkNoOverlap(layout, all)
  })
})
