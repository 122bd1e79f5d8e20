import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { WatchTopologyResponse } from '../gen/weft/query/v1/query_pb'
import type { NodeSummary } from '../gen/weft/query/v1/topology_pb'
import type { FromWorker, PageView, Summary, TableSpec } from '../shared/messages'
import { Flag, type Scene } from '../shared/scene'
import { buildScene, fillOfNode, flagsOf, groupRevs, sharedMax } from './build'
import { chooseGrouping, groupings, groupNodes } from './groups'
import { Layout } from './layout'
import { Model } from './model'
import { type TableInput, tableCsv, tableWindow } from './table'

/** At most four updates of the map per second. */
const MIN_INTERVAL_MS = 250
const KEPT_LAYOUTS = 8

/** What has to be made anew, from nothing to everything. */
const Dirty = { none: 0, match: 1, values: 2, scene: 3 } as const
type Dirty = (typeof Dirty)[keyof typeof Dirty]

/** Nodes prepared for the search at a time: a few milliseconds. */
const WARM_NODES = 400

/** What one page looks at: model, search, groups and layout, and what is posted of them. */
export class Session {
  private readonly model = new Model()
  private readonly layouts = new Map<string, Layout>()
  private readonly autoGrouping = new Map<string, string>()
  private readonly pins = new Map<string, Map<string, { x: number; y: number }>>()
  private readonly maxima = new Map<string, number>()
  private view: PageView = { query: '', chips: [], groupBy: '', metric: '' }
  private tableSpec: TableSpec | null = null
  private topologyNames = new Map<string, string>()
  private topologyId = ''
  private loaded = false
  private missing = false
  private dirty: Dirty = Dirty.none
  private timer: ReturnType<typeof setTimeout> | undefined
  private lastFlush = 0
  private visible = true
  private scene: Scene | undefined
  private groupRevs: Uint32Array = new Uint32Array(0)
  private sceneNodes: NodeSummary[] = []
  private callers = new Map<string, number>()
  private offers: Pick<Summary, 'metrics' | 'groupings' | 'grouping' | 'fields'> = {
    metrics: [],
    groupings: [],
    grouping: '',
    fields: [],
  }
  /** Of which topology and grouping the offers are. */
  private offered = ''
  private offerTimer: ReturnType<typeof setTimeout> | undefined
  private matchTimer: ReturnType<typeof setTimeout> | undefined
  private rev = 0
  private layoutRev = 0
  /** After "tidy" with chips, only what passed them has a place. */
  private tidiedChips = ''

  constructor(private readonly post: (message: FromWorker) => void) {}

  get isLoaded(): boolean {
    return this.loaded
  }

  setTopology(topologyId: string): void {
    if (topologyId === this.topologyId) return
    this.topologyId = topologyId
    this.forget()
  }

  /** Another scope: what is known is about something else. */
  forget(): void {
    this.model.clear()
    this.maxima.clear()
    this.loaded = false
    this.missing = false
    this.touch(Dirty.scene, true)
  }

  setMissing(): void {
    this.missing = true
    this.loaded = true
    this.touch(Dirty.scene, true)
  }

  setNames(names: Map<string, string>): void {
    this.topologyNames = names
  }

  apply(response: WatchTopologyResponse): void {
    const first = !this.loaded
    this.loaded = true
    this.missing = false
    if (response.at) this.model.at = timestampMs(response.at)
    const change = this.model.apply(response)
    this.touch(change.structure || first ? Dirty.scene : Dirty.values, first)
  }

  setView(view: PageView): void {
    const scene = view.groupBy !== this.view.groupBy || view.chips.join('\n') !== this.view.chips.join('\n')
    const metric = view.metric !== this.view.metric
    if (metric) this.maxima.clear()
    this.view = view
    if (scene || metric) return this.touch(scene ? Dirty.scene : Dirty.values, true)
    // A key stroke goes before data that wait to be shown.
    clearTimeout(this.matchTimer)
    this.matchTimer = setTimeout(() => {
      if (!this.visible || !this.scene) return this.touch(Dirty.match, true)
      this.rematch(this.scene)
      this.postTable()
    }, 0)
  }

  setTable(spec: TableSpec | null): void {
    this.tableSpec = spec
    this.postTable()
  }

  setVisible(visible: boolean): void {
    this.visible = visible
    if (visible) this.touch(Dirty.none, true)
  }

  /** A search is about to be typed: its first key stroke must not wait for all nodes. */
  warm(): void {
    if (this.model.prepare(WARM_NODES)) setTimeout(() => this.warm(), 0)
  }

  pin(topologyId: string, id: string, at: { x: number; y: number } | undefined): void {
    const pins = this.pins.get(topologyId) ?? new Map<string, { x: number; y: number }>()
    this.pins.set(topologyId, pins)
    if (at) pins.set(id, at)
    else pins.delete(id)
    if (topologyId === this.topologyId) this.touch(Dirty.scene, true)
  }

  tidy(): void {
    this.pins.get(this.topologyId)?.clear()
    this.layouts.delete(this.layoutKey(this.grouping([...this.model.nodes()])))
    this.tidiedChips = this.view.chips.join('\n')
    this.layoutRev++
    this.touch(Dirty.scene, true)
  }

  csv(): string {
    return tableCsv(this.tableInput())
  }

  private touch(dirty: Dirty, now: boolean): void {
    if (dirty > this.dirty) this.dirty = dirty
    if (!this.visible || this.dirty === Dirty.none) return
    if (now) {
      // Several changes of one turn make one picture.
      clearTimeout(this.timer)
      this.timer = setTimeout(() => this.flush(), 0)
    } else if (this.timer === undefined) {
      this.timer = setTimeout(() => this.flush(), Math.max(0, this.lastFlush + MIN_INTERVAL_MS - Date.now()))
    }
  }

  private flush(): void {
    this.timer = undefined
    if (!this.visible) return
    this.lastFlush = Date.now()
    const { dirty } = this
    this.dirty = Dirty.none
    if (dirty === Dirty.scene || !this.scene) this.rebuild()
    else if (dirty === Dirty.values) this.refresh()
    else if (dirty === Dirty.match) this.rematch(this.scene)
    this.postTable()
  }

  private grouping(nodes: NodeSummary[]): string {
    if (this.view.groupBy !== '') return this.view.groupBy
    const known = this.autoGrouping.get(this.topologyId)
    if (known !== undefined) return known
    const chosen = chooseGrouping('', nodes, this.topologyId)
    // Chosen once per visit: a picture must not regroup because a node came.
    if (nodes.length > 0) this.autoGrouping.set(this.topologyId, chosen)
    return chosen
  }

  private layoutKey(grouping: string): string {
    return `${this.topologyId} ${grouping}`
  }

  private layoutOf(key: string): Layout {
    const layout = this.layouts.get(key) ?? new Layout()
    this.layouts.delete(key)
    this.layouts.set(key, layout)
    for (const old of this.layouts.keys()) {
      if (this.layouts.size <= KEPT_LAYOUTS) break
      this.layouts.delete(old)
    }
    return layout
  }

  private chipsTest(): { test: (id: string) => boolean; error: string } {
    const matchers = this.view.chips.map((chip) => this.model.matcher(chip))
    return {
      test: (id) => matchers.every((matcher) => matcher.test(id)),
      error: matchers.find((matcher) => matcher.error !== '')?.error ?? '',
    }
  }

  private rebuild(): void {
    const all = [...this.model.nodes()].sort(byRank)
    const chips = this.chipsTest()
    const nodes = this.view.chips.length > 0 ? all.filter((node) => chips.test(node.id)) : all
    const grouping = this.grouping(all)
    const key = this.layoutKey(grouping)
    const tidied = this.tidiedChips !== '' && this.tidiedChips === this.view.chips.join('\n')
    if (!tidied) this.tidiedChips = ''
    const layout = this.layoutOf(key)
    const laid = tidied ? nodes : all
    const groups = groupNodes(laid, grouping)
    if (this.loaded && laid.length > 0) {
      layout.update(laid.map((node, i) => ({ id: node.id, group: groups[i].key, links: node.adjacency })))
    }
    const groupOf = new Map(laid.map((node, i) => [node.id, groups[i]]))
    const query = this.model.matcher(this.view.query)
    this.scene = buildScene({
      topologyId: this.topologyId,
      layoutKey: key,
      layoutRev: this.layoutRev,
      nodes,
      groups: nodes.map((node) => groupOf.get(node.id)!),
      layout,
      // A place that was chosen in one grouping means nothing in another.
      pins: (this.view.groupBy === '' && this.pins.get(this.topologyId)) || new Map(),
      match: query.empty ? () => false : query.test,
      matching: !query.empty,
      metric: this.view.metric,
      shared: this.sharedMax(this.view.metric),
      rev: ++this.rev,
    })
    this.groupRevs = Uint32Array.from(this.scene.groups, (box) => box.rev)
    this.callers = new Map()
    for (const node of nodes)
      for (const to of node.adjacency) this.callers.set(to, (this.callers.get(to) ?? 0) + 1)
    this.sceneNodes = nodes
    this.post({ type: 'scene', scene: this.scene })
    if (this.offered !== key) this.offer(all, grouping, key)
    else {
      // A key stroke may come in between.
      clearTimeout(this.offerTimer)
      this.offerTimer = setTimeout(() => {
        this.offer([...this.model.nodes()], grouping, key)
        this.postSummary()
      }, 0)
    }
    this.postSummary()
  }

  /** New values for the same nodes in the same places. */
  private refresh(): void {
    const scene = this.scene
    if (!scene) return this.rebuild()
    const query = this.model.matcher(this.view.query)
    const pins = this.pins.get(this.topologyId)
    const shared = this.sharedMax(this.view.metric)
    const flags = new Uint8Array(scene.ids.length)
    const fill = new Float32Array(scene.ids.length)
    scene.ids.forEach((id, i) => {
      const node = this.model.get(id)
      if (!node) return
      flags[i] = flagsOf(node, !query.empty && query.test(id), pins?.has(id) ?? false)
      fill[i] = fillOfNode(node, this.view.metric, shared)
    })
    scene.flags = flags
    scene.fill = fill
    scene.matching = !query.empty
    this.groupRevs = groupRevs(scene)
    this.sceneNodes = this.sceneNodes.map((node) => this.model.get(node.id) ?? node)
    this.post({
      type: 'values',
      values: { rev: scene.rev, flags, fill, groupRevs: this.groupRevs, matching: scene.matching },
    })
    this.postSummary()
    // Chips that compare metrics can change their mind with every value.
    if (this.view.chips.length > 0 && this.chipsDecideAnew(scene)) this.touch(Dirty.scene, false)
  }

  private chipsDecideAnew(scene: Scene): boolean {
    const chips = this.chipsTest()
    const shown = new Set(scene.ids)
    for (const node of this.model.nodes()) if (chips.test(node.id) !== shown.has(node.id)) return true
    return false
  }

  /** The same values with another search: what a key stroke costs. */
  private rematch(scene: Scene): void {
    const query = this.model.matcher(this.view.query)
    scene.flags = scene.flags.map((flags, i) =>
      !query.empty && query.test(scene.ids[i]) ? flags | Flag.match : flags & ~Flag.match,
    )
    scene.matching = !query.empty
    this.post({
      type: 'values',
      values: {
        rev: scene.rev,
        flags: scene.flags,
        fill: scene.fill,
        groupRevs: this.groupRevs,
        matching: scene.matching,
      },
    })
    this.postSummary()
  }

  private sharedMax(label: string): number {
    const known = this.maxima.get(label)
    const now = label === '' ? 0 : sharedMax(this.model.nodes(), label)
    // Grows only, or every node would seem to change when the biggest one does.
    const most = Math.max(known ?? 0, now)
    this.maxima.set(label, most)
    return most
  }

  private postSummary(): void {
    const scene = this.scene
    if (!scene) return
    const query = this.model.matcher(this.view.query)
    let stale = 0
    let matches = 0
    for (const flags of scene.flags) {
      if (flags & Flag.stale) stale++
      if (flags & Flag.match) matches++
    }
    const summary: Summary = {
      ...this.offers,
      topologyId: this.topologyId,
      loaded: this.loaded,
      missing: this.missing,
      nodes: scene.ids.length,
      edges: scene.edges.length / 2,
      hidden: this.model.size - scene.ids.length,
      matches: query.empty ? -1 : matches,
      stale,
      queryError: query.error || this.chipsTest().error,
      warnings: this.model.warnings,
      at: this.model.at,
    }
    this.post({ type: 'summary', summary })
  }

  /** What can be chosen with these nodes; it changes only when nodes come or go. */
  private offer(all: NodeSummary[], grouping: string, key: string): void {
    clearTimeout(this.offerTimer)
    this.offered = all.length > 0 ? key : ''
    const metrics = new Map<string, number>()
    for (const node of all) {
      for (const metric of node.metrics) {
        if (!metric.valueEmpty && !metrics.has(metric.label)) metrics.set(metric.label, metric.priority)
      }
    }
    this.offers = {
      metrics: [...metrics].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1)).map(([label]) => label),
      groupings: groupings(all, this.topologyNames),
      grouping,
      fields: [...this.model.fields().values()],
    }
  }

  private tableInput(): TableInput {
    const query = this.model.matcher(this.view.query)
    const shared = new Map<string, number>()
    return {
      topologyId: this.topologyId,
      nodes: this.sceneNodes,
      topologyNames: this.topologyNames,
      match: query.empty ? () => true : query.test,
      callers: this.callers,
      now: this.model.at || Date.now(),
      sharedMax: (label) => {
        let max = shared.get(label)
        if (max === undefined) {
          max = sharedMax(this.sceneNodes, label)
          shared.set(label, max)
        }
        return max
      },
    }
  }

  private postTable(): void {
    if (!this.tableSpec || !this.visible) return
    this.post({ type: 'table', window: tableWindow(this.tableInput(), this.tableSpec) })
  }
}

/** Like things side by side; ids break ties so that the order never depends on arrival. */
function byRank(a: NodeSummary, b: NodeSummary): number {
  if (a.rank !== b.rank) return a.rank < b.rank ? -1 : 1
  if (a.label !== b.label) return a.label < b.label ? -1 : 1
  return a.id < b.id ? -1 : 1
}
