/**
 * Lays one group out on a grid, callers above those they call: longest path layers with back edges removed, barycentre
 * sweeps, wide layers wrapped, each connected part for itself, packed from the top. Deterministic in the order of its input.
 */

export interface Grid {
  cols: number
  rows: number
  /** Column and row of every node. */
  col: Int32Array
  row: Int32Array
}

const SWEEPS = 8

export function layerGroup(count: number, edges: readonly [number, number][], aspect: number): Grid {
  const col = new Int32Array(count)
  const row = new Int32Array(count)
  if (count === 0) return { cols: 0, rows: 0, col, row }
  const out: number[][] = Array.from({ length: count }, () => [])
  const into: number[][] = Array.from({ length: count }, () => [])
  for (const [a, b] of edges) {
    if (a === b) continue
    out[a].push(b)
    into[b].push(a)
  }
  const width = Math.max(1, Math.ceil(Math.sqrt(count * aspect)))
  const highest = Math.ceil(Math.sqrt(count / aspect)) + 1
  const parts = components(count, out, into).map((nodes) =>
    foldPart(layPart(nodes, out, into, aspect, width, col, row), highest, width, col, row),
  )
  // What is connected stays together, the biggest part first; lonely nodes fill what is left.
  parts.sort((a, b) => b.nodes.length - a.nodes.length || a.nodes[0] - b.nodes[0])
  const widest = parts.reduce((most, part) => Math.max(most, part.cols), width)
  const heights = new Array<number>(widest).fill(0)
  let cols = 1
  for (const part of parts) {
    const [left, top] = lowest(heights, part.cols)
    for (const node of part.nodes) {
      col[node] += left
      row[node] += top
    }
    heights.fill(top + part.rows, left, left + part.cols)
    cols = Math.max(cols, left + part.cols)
  }
  return { cols, rows: Math.max(1, ...heights), col, row }
}

interface Part {
  nodes: number[]
  cols: number
  rows: number
}

/** Sets columns and rows of one connected part, from 0. */
function layPart(
  nodes: number[],
  out: number[][],
  into: number[][],
  aspect: number,
  most: number,
  col: Int32Array,
  row: Int32Array,
): Part {
  if (nodes.length === 1) return { nodes, cols: 1, rows: 1 }
  const width = Math.min(most, Math.max(2, Math.ceil(Math.sqrt(nodes.length * aspect))))
  const layers = wrap(order(assignLayers(nodes, out, into), out, into), width)
  layers.forEach((layer, r) => {
    const cols = columns(layer, r, col, row, into, width)
    layer.forEach((node, i) => {
      col[node] = cols[i]
      row[node] = r
    })
  })
  const left = nodes.reduce((least, node) => Math.min(least, col[node]), width)
  let cols = 0
  for (const node of nodes) {
    col[node] -= left
    cols = Math.max(cols, col[node] + 1)
  }
  return { nodes, cols, rows: layers.length }
}

/** Breaks a part that is higher than the group should be into columns, as a newspaper does. */
function foldPart(part: Part, most: number, width: number, col: Int32Array, row: Int32Array): Part {
  const columns = Math.min(Math.ceil(part.rows / most), Math.max(1, Math.floor(width / part.cols)))
  if (columns < 2) return part
  const rows = Math.ceil(part.rows / columns)
  for (const node of part.nodes) {
    col[node] += Math.floor(row[node] / rows) * part.cols
    row[node] %= rows
  }
  return { nodes: part.nodes, cols: part.cols * columns, rows }
}

function components(count: number, out: number[][], into: number[][]): number[][] {
  const seen = new Uint8Array(count)
  const parts: number[][] = []
  for (let start = 0; start < count; start++) {
    if (seen[start]) continue
    seen[start] = 1
    const part = [start]
    for (let i = 0; i < part.length; i++) {
      for (const list of [out[part[i]], into[part[i]]]) {
        for (const other of list) {
          if (seen[other]) continue
          seen[other] = 1
          part.push(other)
        }
      }
    }
    parts.push(part.sort((a, b) => a - b))
  }
  return parts
}

/** Where something of that width comes to stand highest, leftmost. */
function lowest(heights: readonly number[], width: number): [number, number] {
  let best = 0
  let top = Number.POSITIVE_INFINITY
  for (let left = 0; left + width <= heights.length; left++) {
    const y = Math.max(...heights.slice(left, left + width))
    if (y < top) {
      top = y
      best = left
    }
  }
  return [best, top]
}

function assignLayers(nodes: number[], out: number[][], into: number[][]): number[][] {
  const state = new Map<number, 1 | 2>()
  const back = new Set<string>()
  const finished: number[] = []
  const roots = [...nodes].sort((a, b) => into[a].length - into[b].length || a - b)
  for (const root of roots) {
    if (state.has(root)) continue
    const stack: { node: number; next: number }[] = [{ node: root, next: 0 }]
    state.set(root, 1)
    while (stack.length > 0) {
      const top = stack[stack.length - 1]
      const target = out[top.node][top.next++]
      if (target === undefined) {
        state.set(top.node, 2)
        finished.push(top.node)
        stack.pop()
      } else if (!state.has(target)) {
        state.set(target, 1)
        stack.push({ node: target, next: 0 })
      } else if (state.get(target) === 1) {
        back.add(`${top.node}>${target}`)
      }
    }
  }
  const layer = new Map<number, number>()
  for (const node of finished.reverse()) {
    const own = layer.get(node) ?? 0
    layer.set(node, own)
    for (const target of out[node]) {
      if (!back.has(`${node}>${target}`)) layer.set(target, Math.max(layer.get(target) ?? 0, own + 1))
    }
  }
  const layers: number[][] = []
  for (const node of nodes) {
    const index = layer.get(node) ?? 0
    while (layers.length <= index) layers.push([])
    layers[index].push(node)
  }
  return layers
}

function order(layers: number[][], out: number[][], into: number[][]): number[][] {
  const place = new Map<number, number>()
  const note = (layer: number[]) => {
    layer.forEach((node, i) => {
      place.set(node, (i + 0.5) / layer.length)
    })
  }
  layers.forEach(note)
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0
    for (let i = 0; i < layers.length; i++) {
      const layer = layers[down ? i : layers.length - 1 - i]
      const keys = new Map<number, number>()
      for (const node of layer) {
        const near = down ? into[node] : out[node]
        let sum = 0
        for (const other of near) sum += place.get(other) ?? 0.5
        keys.set(node, near.length > 0 ? sum / near.length : (place.get(node) ?? 0.5))
      }
      layer.sort((a, b) => keys.get(a)! - keys.get(b)! || a - b)
      note(layer)
    }
  }
  return layers
}

function wrap(layers: number[][], width: number): number[][] {
  const wrapped: number[][] = []
  for (const layer of layers) {
    const rows = Math.ceil(layer.length / width)
    const size = Math.ceil(layer.length / rows)
    for (let i = 0; i < layer.length; i += size) wrapped.push(layer.slice(i, i + size))
  }
  return wrapped
}

/** Columns for one row: under the callers where there is room, in order, without overlaps. */
function columns(
  layer: number[],
  r: number,
  col: Int32Array,
  row: Int32Array,
  into: number[][],
  width: number,
): number[] {
  const centre = (width - layer.length) / 2
  const wanted = layer.map((node, i) => {
    let sum = 0
    let count = 0
    for (const caller of into[node]) {
      if (row[caller] < r) {
        sum += col[caller]
        count++
      }
    }
    return r > 0 && count > 0 ? sum / count : Math.max(0, centre) + i
  })
  const cols: number[] = []
  let least = 0
  for (const want of wanted) {
    const at = Math.max(least, Math.round(want))
    cols.push(at)
    least = at + 1
  }
  for (let i = cols.length - 1, most = width - 1; i >= 0; i--, most--) cols[i] = Math.min(cols[i], most)
  for (let i = 0; i < cols.length; i++) cols[i] = Math.max(cols[i], i)
  return cols
}
