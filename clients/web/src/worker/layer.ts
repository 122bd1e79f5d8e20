/**
 * Lays one group out on a grid, callers above those they call: longest path layers with back edges removed, barycentre
 * sweeps, wide layers wrapped, lonely nodes beside or below. Deterministic in the order of its input.
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
  const width = Math.max(1, Math.ceil(Math.sqrt(count * aspect)))
  const out: number[][] = Array.from({ length: count }, () => [])
  const into: number[][] = Array.from({ length: count }, () => [])
  for (const [a, b] of edges) {
    if (a === b) continue
    out[a].push(b)
    into[b].push(a)
  }
  const linked: number[] = []
  const lonely: number[] = []
  for (let i = 0; i < count; i++) (out[i].length + into[i].length > 0 ? linked : lonely).push(i)

  const layers = wrap(order(assignLayers(linked, out, into), out, into), width)
  let used = 0
  layers.forEach((layer, r) => {
    const cols = columns(layer, r, col, row, into, width)
    layer.forEach((node, i) => {
      col[node] = cols[i]
      row[node] = r
    })
  })
  const left = linked.reduce((least, node) => Math.min(least, col[node]), width)
  for (const node of linked) {
    col[node] -= left
    used = Math.max(used, col[node] + 1)
  }
  let rows = layers.length
  let next = 0
  // Beside the connected part first, so that a chain of calls does not make a tall and empty box.
  for (let r = 0; r < rows && next < lonely.length; r++) {
    for (let c = used; c < width && next < lonely.length; c++) {
      col[lonely[next]] = c
      row[lonely[next]] = r
      next++
    }
  }
  const cols = Math.max(used, Math.min(width, used + (next > 0 ? width - used : 0)), 1)
  const below = lonely.length - next
  const full = Math.max(cols, Math.min(width, below))
  for (let i = 0; next < lonely.length; i++, next++) {
    col[lonely[next]] = i % full
    row[lonely[next]] = rows + Math.floor(i / full)
  }
  rows += Math.ceil(below / full)
  let right = 0
  for (let i = 0; i < count; i++) right = Math.max(right, col[i] + 1)
  return { cols: right, rows: Math.max(rows, 1), col, row }
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
