import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { Entity, Picture, Place } from './world'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** How far back reports are kept. */
const KEPT_MS = 3 * DAY
/** Older answers lack a part, so that the words for it can be seen. */
const WHOLE_MS = DAY
const REPORT_EVERY_MS = 3_000
/** A node's values differ from those of this much earlier. */
const PHASE_MS = 240_000

interface Absence {
  /** Of the host, in the order of the world; -1 for all. */
  host: number
  from: number
  until: number
}

function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}

/** When hosts did not report, as counted back from the start of the mock; the same at every start. */
function absences(hosts: number, born: number): Absence[] {
  const ago = (host: number, from: number, until: number): Absence => ({
    host,
    from: born - from,
    until: born - until,
  })
  const list = [ago(-1, 40 * MINUTE, 32 * MINUTE), ago(-1, 9 * HOUR, 8 * HOUR)]
  if (hosts < 2) return list
  list.push(ago(1, 25 * MINUTE, 12 * MINUTE))
  if (hosts > 2) {
    list.push(ago(hosts - 1, KEPT_MS, 50 * MINUTE), ago(hosts - 2, KEPT_MS, 50 * MINUTE))
    for (let hour = 2; hour < KEPT_MS / HOUR; hour += 5)
      list.push(ago(hash(`h${hour}`) % (hosts - 2), hour * HOUR, hour * HOUR - 25 * MINUTE))
  }
  return list
}

/** The past of a made-up installation: today's world without the hosts that were away, and with other values. */
export class History {
  private readonly absences: Absence[]
  private readonly values = new Map<string, { phase: number; entity: Entity }>()
  private bases = new Map<string, Picture>()
  private structures = 1_000_000

  constructor(
    private readonly world: Picture,
    private readonly hosts: string[],
    private readonly born: number,
  ) {
    this.absences = absences(hosts.length, born)
  }

  private get start(): number {
    return this.born - KEPT_MS
  }

  /** For how long a host reported between two moments. */
  private present(host: number, from: number, until: number): number {
    const first = Math.max(from, this.start)
    let left = Math.max(0, Math.min(until, Date.now()) - first)
    for (const absence of this.absences) {
      if (absence.host !== -1 && absence.host !== host) continue
      left -= Math.max(0, Math.min(until, absence.until) - Math.max(first, absence.from))
    }
    return Math.max(0, left)
  }

  warnings(at: number): string[] {
    return at < this.born - WHOLE_MS
      ? ['1 of 4 stores of old reports does not answer: hosts may be missing']
      : []
  }

  spans(from: number, until: number, count: number) {
    let last: Set<number> | undefined
    return Array.from({ length: count }, (_, i) => {
      const begin = from + ((until - from) * i) / count
      const end = from + ((until - from) * (i + 1)) / count
      const seen = new Set<number>()
      let time = 0
      this.hosts.forEach((_, host) => {
        const present = this.present(host, begin, end)
        if (present > 0) seen.add(host)
        time += present
      })
      const before = last
      if (seen.size > 0) last = seen
      const comers = before ? [...seen].filter((host) => !before.has(host)).length : 0
      const goers = before && seen.size > 0 ? [...before].filter((host) => !seen.has(host)).length : 0
      return {
        from: timestampFromMs(Math.round(begin)),
        reports: Math.ceil((time / REPORT_EVERY_MS) * (0.9 + 0.1 * Math.sin(i / 9))),
        hosts: seen.size,
        appeared: comers,
        vanished: goers,
      }
    })
  }

  /** The world at a past moment. */
  at(at: number): Picture {
    const there = this.hosts.filter((_, host) => this.present(host, at - REPORT_EVERY_MS, at) > 0)
    const base = this.base(there)
    const entities = new Map<string, Entity>()
    for (const entity of base.entities.values()) entities.set(entity.id, this.valueAt(entity, at))
    return { ...base, entities, at }
  }

  private valueAt(entity: Entity, at: number): Entity {
    if (entity.pseudo) return entity
    const own = hash(entity.id)
    const phase = Math.floor((at + (own % PHASE_MS)) / PHASE_MS)
    const known = this.values.get(entity.id)
    if (known?.phase === phase) return known.entity
    const wave = 0.5 + 0.5 * Math.sin(own + phase * 1.3)
    const changed = { ...entity, rev: phase, stale: false, cpu: Math.min(100, entity.cpu * (0.4 + wave)) }
    this.values.set(entity.id, { phase, entity: changed })
    return changed
  }

  /** What belongs to these hosts. */
  private base(hosts: string[]): Picture {
    const key = `${this.world.structure} ${hosts.join()}`
    const known = this.bases.get(key)
    if (known) return known
    const wanted = new Set(hosts)
    const places = new Map<string, Place>()
    const ids = new Set(hosts)
    for (const [id, place] of this.world.places) {
      if (!wanted.has(place.host ?? '') || this.world.entities.get(id)?.label === 'curl') continue
      places.set(id, place)
      for (const part of Object.values(place)) ids.add(part)
    }
    const entities = new Map<string, Entity>()
    for (const entity of this.world.entities.values())
      if (ids.has(entity.id) || (entity.kind === 'internet' && hosts.length > 0))
        entities.set(entity.id, entity)
    const there = (id: string) => entities.has(id)
    const wires = this.world.wires.filter((wire) => there(wire.from) && there(wire.to))
    const base = { entities, places, wires, structure: ++this.structures }
    if (this.bases.size > 6) this.bases = new Map()
    this.bases.set(key, base)
    return base
  }
}
