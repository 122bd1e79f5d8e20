import { app, backend } from './app'

/** Nodes that the user has put somewhere, kept by the browser. */

const KEY = 'weft.pins'
type Pins = Record<string, Record<string, [number, number]>>

function load(): Pins {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Pins
  } catch {
    return {}
  }
}

function save(pins: Pins): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(pins))
  } catch {
    // Without storage pins last as long as the page.
  }
}

/** A long list of pins of nodes that are long gone helps nobody. */
const KEPT = 500

export function restorePins(): void {
  for (const [topologyId, nodes] of Object.entries(load())) {
    for (const [id, [x, y]] of Object.entries(nodes)) backend.send({ type: 'pin', topologyId, id, x, y })
  }
}

export function pinNode(id: string, x: number, y: number): void {
  const { topologyId } = app.get().address
  const pins = load()
  const nodes = Object.entries({ ...pins[topologyId], [id]: [x, y] as [number, number] }).slice(-KEPT)
  save({ ...pins, [topologyId]: Object.fromEntries(nodes) })
  backend.send({ type: 'pin', topologyId, id, x, y })
}

export function tidy(): void {
  const pins = load()
  delete pins[app.get().address.topologyId]
  save(pins)
  backend.send({ type: 'tidy' })
}
