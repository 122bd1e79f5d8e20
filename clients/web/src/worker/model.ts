import type { WatchTopologyResponse } from '../gen/weft/query/v1/query_pb'
import type { NodeSummary } from '../gen/weft/query/v1/topology_pb'
import { slug } from './query'
import { compile, matches, prepare, type Searchable } from './search'

interface Entry {
  node: NodeSummary
  searchable: Searchable | undefined
}

export interface Change {
  /** Nodes or edges came or went, or a name changed: the scene must be built anew. */
  structure: boolean
  touched: ReadonlySet<string>
}

const NOTHING: Change = { structure: false, touched: new Set() }

function sameShape(a: NodeSummary, b: NodeSummary): boolean {
  return (
    a.label === b.label &&
    a.labelMinor === b.labelMinor &&
    a.rank === b.rank &&
    a.shape === b.shape &&
    a.adjacency.length === b.adjacency.length &&
    a.adjacency.every((id, i) => id === b.adjacency[i]) &&
    a.parents.length === b.parents.length &&
    a.parents.every((parent, i) => parent.id === b.parents[i].id)
  )
}

/** The nodes of the watched topology as the server last said. */
export class Model {
  private readonly entries = new Map<string, Entry>()
  private fieldNames: Map<string, string> | undefined
  warnings: string[] = []
  at = 0

  get size(): number {
    return this.entries.size
  }

  get(id: string): NodeSummary | undefined {
    return this.entries.get(id)?.node
  }

  *nodes(): Generator<NodeSummary> {
    for (const entry of this.entries.values()) yield entry.node
  }

  clear(): void {
    this.entries.clear()
    this.fieldNames = undefined
    this.warnings = []
  }

  apply(response: WatchTopologyResponse): Change {
    this.warnings = response.warnings
    const touched = new Set<string>()
    let structure = false
    if (response.reset) {
      const before = new Map(this.entries)
      this.entries.clear()
      structure = before.size !== response.added.length
      for (const node of response.added) {
        const old = before.get(node.id)
        structure ||= !old || !sameShape(old.node, node)
        this.entries.set(node.id, { node, searchable: undefined })
        touched.add(node.id)
      }
    } else {
      for (const node of response.added) {
        this.entries.set(node.id, { node, searchable: undefined })
        touched.add(node.id)
        structure = true
      }
    }
    for (const node of response.updated) {
      const known = this.entries.get(node.id)
      if (!known || !sameShape(known.node, node)) structure = true
      this.entries.set(node.id, { node, searchable: undefined })
      touched.add(node.id)
    }
    for (const id of response.removedIds) structure = this.entries.delete(id) || structure
    if (touched.size === 0 && !structure) return NOTHING
    if (structure || response.reset) this.fieldNames = undefined
    return { structure, touched }
  }

  /** Names of what can be searched, by slug. */
  fields(): Map<string, string> {
    if (this.fieldNames) return this.fieldNames
    const labels = new Set<string>()
    for (const { node } of this.entries.values()) {
      for (const row of node.metadata) labels.add(row.label)
      for (const metric of node.metrics) labels.add(metric.label)
      for (const parent of node.parents) labels.add(parent.topologyId)
      for (const table of node.tables)
        for (const row of table.rows) if (row.entries.label) labels.add(row.entries.label)
    }
    this.fieldNames = new Map([
      ['label', 'Label'] as [string, string],
      ...[...labels].map((label) => [slug(label), label] as [string, string]),
    ])
    return this.fieldNames
  }

  /** Prepares some nodes for matching. Returns whether there are more. */
  prepare(count: number): boolean {
    let left = count
    for (const entry of this.entries.values()) {
      if (entry.searchable) continue
      if (left-- === 0) return true
      entry.searchable = prepare(entry.node)
    }
    return false
  }

  /** A test for a query's text, and what is wrong with it. */
  matcher(text: string): { test: (id: string) => boolean; empty: boolean; error: string } {
    const query = compile(text, this.fields().keys())
    return {
      empty: query.terms.length === 0,
      error: query.error,
      test: (id) => {
        const entry = this.entries.get(id)
        if (!entry) return false
        entry.searchable ??= prepare(entry.node)
        return matches(query, entry.searchable)
      },
    }
  }
}
