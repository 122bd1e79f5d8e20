import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  type Connection,
  ConnectionSchema,
  type Metric,
  MetricSchema,
  type NodeDetails,
  NodeDetailsSchema,
  type NodeSummary,
  NodeSummarySchema,
  type Topology,
  TopologySchema,
} from '../src/gen/weft/query/v1/topology_pb'
import { DEFINITIONS, type Definition, type Options, radio } from './topologies'
import type { Entity, Kind, Picture } from './world'

export class Renderer {
  private readonly adjacency = new Map<string, { structure: number; edges: Map<string, Set<string>> }>()
  private readonly nodes = new Map<string, { rev: number; edges: string; node: NodeSummary }>()

  constructor(public world: Picture) {}

  topologies(options: Options): Topology[] {
    return DEFINITIONS.map((definition) => {
      const { shown, filtered } = this.select(definition, options)
      const edges = this.edges(definition.kind)
      const ids = new Set(shown.map((entity) => entity.id))
      let count = 0
      for (const id of ids) for (const to of edges.get(id) ?? []) if (ids.has(to)) count++
      return create(TopologySchema, {
        id: definition.id,
        name: definition.name,
        rank: definition.rank,
        parentId: definition.parentId,
        hideIfEmpty: definition.hideIfEmpty,
        optionGroups: this.groups(definition),
        stats: {
          nodes: shown.length,
          realNodes: shown.filter((entity) => !entity.pseudo).length,
          edges: count,
          filteredNodes: filtered,
        },
      })
    })
  }

  private groups(definition: Definition) {
    const root = definition.parentId || definition.id
    if (root === 'processes') {
      return [
        radio('unconnected', 'hide', [
          ['show', 'Show unconnected'],
          ['hide', 'Hide unconnected'],
        ]),
      ]
    }
    if (root === 'hosts') return []
    const groups = []
    if (root === 'containers') {
      groups.push(
        radio('system', 'application', [
          ['all', 'All'],
          ['system', 'System containers'],
          ['application', 'Application containers'],
        ]),
      )
      groups.push(
        radio('stopped', 'running', [
          ['stopped', 'Stopped containers'],
          ['running', 'Running containers'],
          ['both', 'Both'],
        ]),
      )
    } else
      groups.push(
        radio('pseudo', 'hide', [
          ['show', 'Show unmanaged'],
          ['hide', 'Hide unmanaged'],
        ]),
      )
    const namespaces = [
      ...new Set([...this.world.entities.values()].filter((e) => e.kind === 'pod').map((e) => e.namespace)),
    ].sort()
    if (namespaces.length > 0) {
      groups.push({
        ...radio(
          'namespace',
          '',
          namespaces.map((name) => [name, name]),
        ),
        multiple: true,
        noneLabel: 'All Namespaces',
      })
    }
    return groups
  }

  private edges(kind: Kind): Map<string, Set<string>> {
    const known = this.adjacency.get(kind)
    if (known?.structure === this.world.structure) return known.edges
    const edges = new Map<string, Set<string>>()
    const lift = (id: string) => (id.endsWith('-theinternet') ? id : this.world.places.get(id)?.[kind])
    for (const wire of this.world.wires) {
      const from = lift(wire.from)
      const to = lift(wire.to)
      if (!from || !to || (kind !== 'process' && from === to)) continue
      const set = edges.get(from)
      if (set) set.add(to)
      else edges.set(from, new Set([to]))
    }
    this.adjacency.set(kind, { structure: this.world.structure, edges })
    return edges
  }

  private select(definition: Definition, options: Options): { shown: Entity[]; filtered: number } {
    const edges = this.edges(definition.kind)
    const connected = new Set<string>()
    for (const [from, targets] of edges) {
      connected.add(from)
      for (const to of targets) connected.add(to)
    }
    const shown: Entity[] = []
    let filtered = 0
    const value = (group: string, fallback: string) => options[group]?.[0] ?? fallback
    const namespaces = (options.namespace ?? []).filter((name) => name !== '')
    for (const entity of this.world.entities.values()) {
      if (entity.kind === 'internet') {
        if (connected.has(entity.id)) shown.push(entity)
        continue
      }
      if (entity.kind !== definition.kind) continue
      let passes = true
      if (definition.kind === 'process' || definition.kind === 'name') {
        passes = value('unconnected', 'hide') === 'show' || connected.has(entity.id)
      }
      if (definition.kind === 'container') {
        const system = value('system', 'application')
        passes =
          (system === 'all' || (system === 'system') === entity.system) &&
          value('stopped', 'running') !== 'stopped'
      }
      if (namespaces.length > 0 && entity.namespace !== '') passes &&= namespaces.includes(entity.namespace)
      if (passes) shown.push(entity)
      else filtered++
    }
    return { shown, filtered }
  }

  /** The nodes of a topology by id; unchanged nodes are the same objects as last time. */
  topology(id: string, options: Options): Map<string, NodeSummary> | undefined {
    const definition = DEFINITIONS.find((other) => other.id === id)
    if (!definition) return undefined
    const edges = this.edges(definition.kind)
    const { shown } = this.select(definition, options)
    const ids = new Set(shown.map((entity) => entity.id))
    const nodes = new Map<string, NodeSummary>()
    for (const entity of shown) {
      const adjacency = [...(edges.get(entity.id) ?? [])].filter((to) => ids.has(to)).sort()
      nodes.set(entity.id, this.cached(entity, definition.id, adjacency))
    }
    return nodes
  }

  private cached(entity: Entity, topology: string, adjacency: string[]): NodeSummary {
    const key = `${topology} ${entity.id}`
    const wanted = adjacency.join()
    const known = this.nodes.get(key)
    if (known && known.rev === entity.rev && known.edges === wanted) return known.node
    const node = this.summary(entity, adjacency, false)
    this.nodes.set(key, { rev: entity.rev, edges: wanted, node })
    return node
  }

  private summary(entity: Entity, adjacency: string[], detailed: boolean): NodeSummary {
    return create(NodeSummarySchema, {
      id: entity.id,
      label: entity.label,
      labelMinor: entity.minor,
      rank: entity.rank,
      shape: entity.shape,
      stack: entity.stack,
      pseudo: entity.pseudo,
      stale: entity.stale,
      metadata: entity.facts.map(([label, value, dataType, id], i) => ({
        id,
        label,
        value,
        dataType,
        priority: i + 1 + (i > 5 ? 5 : 0),
        truncate: id === 'docker_container_id' ? 12 : 0,
      })),
      parents: entity.parents.flatMap(([id, topologyId]) => {
        const parent = this.world.entities.get(id)
        return parent ? [{ id, topologyId, label: parent.label }] : []
      }),
      metrics:
        entity.pseudo || entity.kind === 'name' || entity.kind === 'image'
          ? []
          : this.metrics(entity, detailed),
      tables:
        detailed && entity.labels.length > 0
          ? [
              {
                id: 'labels_',
                label: 'Labels',
                type: 'property-list',
                rows: entity.labels.map(([label, value]) => ({
                  id: `label_${label}`,
                  entries: { label, value },
                })),
              },
            ]
          : [],
      adjacency,
    })
  }

  private metrics(entity: Entity, detailed: boolean): Metric[] {
    const samples = (value: number) => {
      if (!detailed) return []
      const now = Math.floor((this.world.at ?? Date.now()) / 1000) * 1000
      return Array.from({ length: 60 }, (_, i) => ({
        date: timestampFromMs(now - (59 - i) * 1000),
        value: value * (0.85 + 0.15 * Math.sin(i / 5 + entity.memory) + 0.05 * Math.sin(i * 1.7)),
      }))
    }
    const unlimited = entity.kind === 'process' ? 1.8446744073709552e19 : 2 ** 34
    const metrics = [
      { id: 'cpu_usage', label: 'CPU', format: 'percent', value: entity.cpu, max: 100, priority: 1 },
      {
        id: 'memory_usage',
        label: 'Memory',
        format: 'filesize',
        value: entity.memory,
        max: unlimited,
        priority: 2,
      },
      ...(entity.kind === 'process'
        ? [
            {
              id: 'open_files_count',
              label: 'Open files',
              format: 'integer',
              value: Math.round(entity.memory / 2 ** 22),
              max: 65536,
              priority: 3,
            },
          ]
        : []),
      ...(entity.kind === 'host'
        ? [
            {
              id: 'load1',
              label: 'Load (1m)',
              format: '',
              group: 'load',
              value: entity.cpu / 20,
              max: 0,
              priority: 11,
            },
          ]
        : []),
    ]
    return metrics.map((metric) =>
      create(MetricSchema, {
        ...metric,
        value: Math.floor(metric.value * 100) / 100,
        samples: samples(metric.value),
      }),
    )
  }

  details(topologyId: string, nodeId: string, options: Options): NodeDetails | undefined {
    const entity = this.world.entities.get(nodeId)
    const definition = DEFINITIONS.find((other) => other.id === topologyId)
    if (!entity || !definition) return undefined
    const edges = this.edges(definition.kind)
    const columns = [
      { id: 'port', label: 'Port', dataType: 'number' },
      { id: 'count', label: 'Count', dataType: 'number', defaultSort: true },
    ]
    const connection = (id: string): Connection => {
      const other = this.world.entities.get(id)!
      return create(ConnectionSchema, {
        id: `${id}-80`,
        nodeId: id,
        label: other.label,
        labelMinor: other.minor,
        metadata: [
          { id: 'port', value: '80', dataType: 'number' },
          { id: 'count', value: String(1 + (id.length % 7)), dataType: 'number' },
        ],
      })
    }
    const callers = [...edges].filter(([, targets]) => targets.has(nodeId)).map(([id]) => id)
    return create(NodeDetailsSchema, {
      summary: this.summary(entity, [...(edges.get(nodeId) ?? [])], true),
      // What can be done can be done now.
      controls: this.world.at === undefined ? this.controls(entity) : [],
      incoming: { columns, connections: callers.filter((id) => this.world.entities.has(id)).map(connection) },
      outgoing: { columns, connections: [...(edges.get(nodeId) ?? [])].map(connection) },
      children: this.children(entity, options),
    })
  }

  private children(entity: Entity, options: Options) {
    const ids = [...this.world.places.values()].filter(
      (place) => place[entity.kind] === entity.id && entity.kind !== 'process',
    )
    if (ids.length === 0) return []
    const columns = [
      { id: 'pid', label: 'PID', dataType: 'number' },
      { id: 'cpu_usage', label: 'CPU', dataType: 'number', defaultSort: true },
      { id: 'memory_usage', label: 'Memory', dataType: 'number' },
    ]
    const all = this.topology('processes', { ...options, unconnected: ['show'] })!
    return [
      {
        label: 'Processes',
        topologyId: 'processes',
        columns,
        nodes: ids.flatMap((place) => all.get(place.process) ?? []),
      },
    ]
  }

  private controls(entity: Entity) {
    const control = (id: string, label: string, icon: string, confirmation = '') => ({
      probeId: 'probe-1',
      nodeId: entity.id,
      id,
      label,
      icon,
      confirmation,
    })
    if (entity.kind === 'container') {
      return [
        control('docker_attach_container', 'Attach', 'fa fa-desktop'),
        control('docker_exec_container', 'Exec shell', 'fa fa-terminal'),
        control('docker_restart_container', 'Restart', 'fa fa-sync'),
        control('docker_pause_container', 'Pause', 'fa fa-pause'),
        control('docker_stop_container', 'Stop', 'fa fa-stop', 'Stop this container?'),
      ]
    }
    if (entity.kind === 'pod') {
      return [
        control('kubernetes_get_logs', 'Get logs', 'fa fa-file-text'),
        control('kubernetes_describe', 'Describe', 'fa fa-file-text'),
        control(
          'kubernetes_delete_pod',
          'Delete',
          'far fa-trash-alt',
          'Are you sure you want to delete this pod?',
        ),
      ]
    }
    return entity.kind === 'host' ? [control('host_exec', 'Exec shell', 'fa fa-terminal')] : []
  }
}
