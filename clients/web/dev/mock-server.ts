import { create } from '@bufbuild/protobuf'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect'
import { ControlsService } from '../src/gen/weft/controls/v1/controls_pb'
import { PipesService } from '../src/gen/weft/pipes/v1/pipes_pb'
import {
  QueryService,
  type WatchResponse,
  WatchResponseSchema,
  type WatchScope,
} from '../src/gen/weft/query/v1/query_pb'
import type { NodeSummary, Selection } from '../src/gen/weft/query/v1/topology_pb'
import { UsersService } from '../src/gen/weft/users/v1/users_pb'
import { compile, matches, prepare } from '../src/worker/search'
import { History } from './history'
import { Playhead } from './playhead'
import { Renderer } from './render'
import { FakePipe } from './terminals'
import { DEFINITIONS, type Options } from './topologies'
import { SIZES, World } from './world'

const HEARTBEAT_MS = 10_000

function optionsOf(selection: Selection | undefined): Options {
  return Object.fromEntries((selection?.options ?? []).map((choice) => [choice.groupId, choice.values]))
}

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

interface Watch {
  scope: WatchScope | undefined
  number: bigint
}

/** One made-up organisation with all its services. */
export class Mock {
  private readonly world: World
  private readonly renderer: Renderer
  private readonly history: History
  private readonly past: Renderer
  private readonly watches = new Map<string, Watch>()
  private readonly pipes = new Map<string, FakePipe>()
  private lastStep = 0
  private names = 0

  constructor(private readonly name: string) {
    this.world = new World(SIZES[name] ?? SIZES.medium)
    this.renderer = new Renderer(this.world)
    const hosts = [...this.world.entities.values()].filter((entity) => entity.kind === 'host')
    this.history = new History(
      this.world,
      hosts.map((host) => host.id),
      Date.now(),
    )
    this.past = new Renderer(this.world)
  }

  private rendererAt(moment: number | null): Renderer {
    if (moment === null) return this.renderer
    this.past.world = this.history.at(moment)
    return this.past
  }

  private rendererOf(selection: Selection | undefined): Renderer {
    const at = selection?.at && timestampMs(selection.at)
    return this.rendererAt(at !== undefined && at < Date.now() - 1000 ? at : null)
  }

  /** The world moves only while someone looks. */
  private advance(): void {
    const now = Date.now()
    if (now - this.lastStep < 950) return
    this.lastStep = now
    this.world.step()
  }

  readonly routes = (router: ConnectRouter): void => {
    router.service(QueryService, {
      listTopologies: (request) => ({
        topologies: this.rendererOf(request.selection).topologies(optionsOf(request.selection)),
      }),
      getTopology: (request) => {
        const options = optionsOf(request.selection)
        const nodes = this.rendererOf(request.selection).topology(request.topologyId, options)
        if (!nodes) throw new ConnectError('no such topology', Code.NotFound)
        return { nodes: [...nodes.values()] }
      },
      getNode: (request) => {
        const options = optionsOf(request.selection)
        const node = this.rendererOf(request.selection).details(request.topologyId, request.nodeId, options)
        if (!node) throw new ConnectError('no such node', Code.NotFound)
        return { node }
      },
      search: (request) => this.search(request.query, request.selection),
      getTimeline: (request) => {
        const from = request.from ? timestampMs(request.from) : 0
        const until = request.until ? timestampMs(request.until) : 0
        return {
          spans: this.history.spans(from, until, request.spans || 200),
          warnings: this.history.warnings(from),
        }
      },
      watch: (request, context) => this.watch(request.scope, context.signal),
      updateWatch: (request) => {
        const watch = this.watches.get(request.watchId)
        if (!watch) throw new ConnectError('the watch has ended', Code.NotFound)
        if (request.scopeNumber > watch.number) {
          watch.scope = request.scope
          watch.number = request.scopeNumber
        }
        return {}
      },
    })
    router.service(ControlsService, { invoke: (request) => this.invoke(request) })
    router.service(PipesService, {
      read: (request, context) => this.pipe(request.pipeId).read(Number(request.fromOffset), context.signal),
      write: async (request) => {
        await delay(8)
        this.pipe(request.pipeId).write(request.writerId, request.sequence, request.data)
        return {}
      },
      getPipe: (request) => ({ userConnections: this.pipe(request.pipeId).readers, probeConnections: 1 }),
      closePipe: (request) => {
        this.pipes.get(request.pipeId)?.close()
        this.pipes.delete(request.pipeId)
        return {}
      },
    })
    router.service(UsersService, {
      getCurrentUser: () => ({
        user: { id: 'local', name: 'local' },
        organisation: { id: 'local', name: 'Local' },
        // In the small installation one is missing.
        permissions: this.name === 'few' ? [1, 2, 4, 5, 6] : [1, 2, 4, 5, 6, 8],
      }),
    })
  }

  private pipe(id: string): FakePipe {
    const pipe = this.pipes.get(id)
    if (!pipe || pipe.closed) throw new ConnectError('the pipe is closed', Code.NotFound)
    return pipe
  }

  private async invoke(request: { nodeId: string; control: string; arguments: Record<string, string> }) {
    await delay(300)
    if (request.control === 'resize_tty') {
      const pipe = this.pipes.get(request.arguments.pipeID)
      if (pipe) pipe.size = `${request.arguments.width}x${request.arguments.height}`
      return { result: {} }
    }
    if (/exec|attach|logs|describe/.test(request.control)) {
      const pipeId = `pipe-${++this.names}`
      const entity = this.world.entities.get(request.nodeId)
      const raw = /exec|attach/.test(request.control)
      const pipe = new FakePipe(entity?.label ?? 'nowhere')
      this.pipes.set(pipeId, pipe)
      return { result: { pipeId, rawTty: raw, resizeTtyControl: raw ? 'resize_tty' : '' } }
    }
    if (/pause/.test(request.control))
      return { result: { error: 'cannot pause: the container is not running' } }
    if (/delete|stop/.test(request.control)) {
      const places = [...this.world.places.values()].filter(
        (place) => place.pod === request.nodeId || place.container === request.nodeId,
      )
      for (const place of places) this.world.remove(place.process)
      this.world.remove(request.nodeId)
      return { result: { removedNodeId: request.nodeId } }
    }
    return { result: {} }
  }

  private search(text: string, selection: Selection | undefined) {
    const options = optionsOf(selection)
    const renderer = this.rendererOf(selection)
    const topologies = DEFINITIONS.map((definition) => {
      const nodes = [...renderer.topology(definition.id, options)!.values()]
      const prepared = nodes.map((node) => prepare(node))
      const query = compile(
        text,
        prepared.flatMap((one) => one.fields.map((field) => field.slug)),
      )
      if (query.error !== '') throw new ConnectError(query.error, Code.InvalidArgument)
      return { topologyId: definition.id, total: prepared.filter((one) => matches(query, one)).length }
    })
    return { topologies: topologies.filter((one) => one.total > 0) }
  }

  private async *watch(first: WatchScope | undefined, signal: AbortSignal): AsyncGenerator<WatchResponse> {
    const id = `watch-${++this.names}`
    const watch: Watch = { scope: first, number: 0n }
    this.watches.set(id, watch)
    const send = (event: WatchResponse['event']) =>
      create(WatchResponseSchema, { event, scopeNumber: watch.number })
    yield send({ case: 'started', value: { watchId: id, $typeName: 'weft.query.v1.WatchStarted' } })
    let number = -1n
    let shown = new Map<string, NodeSummary>()
    let list = ''
    let sentAt = Date.now()
    let playhead = new Playhead(first)
    try {
      while (!signal.aborted) {
        this.advance()
        const reset = number !== watch.number
        number = watch.number
        const scope = watch.scope
        if (reset) playhead = new Playhead(scope)
        const past = playhead.past()
        const renderer = this.rendererAt(past)
        const at = timestampFromMs(Math.floor(past ?? Date.now()))
        const options = optionsOf(scope?.selection)
        const events: WatchResponse['event'][] = []
        const topologies = renderer.topologies(options)
        const nextList = JSON.stringify(
          topologies.map((one) => [one.id, one.stats?.nodes, one.stats?.edges, one.stats?.filteredNodes]),
        )
        if (reset || nextList !== list)
          events.push({
            case: 'topologies',
            value: create(QueryService.method.listTopologies.output, { topologies }),
          })
        list = nextList
        const nodes = scope?.topologyId ? renderer.topology(scope.topologyId, options) : undefined
        if (scope?.topologyId && !nodes) throw new ConnectError('no such topology', Code.NotFound)
        if (nodes) {
          const old = reset ? new Map<string, NodeSummary>() : shown
          const added = [...nodes.values()].filter((node) => !old.has(node.id))
          const updated = [...nodes.values()].filter((node) => old.has(node.id) && old.get(node.id) !== node)
          const removedIds = [...old.keys()].filter((key) => !nodes.has(key))
          if (reset || added.length + updated.length + removedIds.length > 0) {
            events.push({
              case: 'nodes',
              value: create(QueryService.method.watchTopology.output, {
                reset,
                added,
                updated,
                removedIds,
                at,
                warnings: past === null ? [] : this.history.warnings(past),
              }),
            })
          }
          shown = nodes
        }
        for (const watched of scope?.nodes ?? []) {
          const details = renderer.details(watched.topologyId, watched.nodeId, options)
          events.push({ case: 'node', value: { $typeName: 'weft.query.v1.NodeChanged', watched, details } })
        }
        for (const event of events) yield send(event)
        if (events.length > 0) sentAt = Date.now()
        else if (Date.now() - sentAt > HEARTBEAT_MS) {
          sentAt = Date.now()
          yield send({ case: 'heartbeat', value: { $typeName: 'weft.query.v1.Heartbeat', at } })
        }
        const until = Date.now() + 1000
        while (Date.now() < until && watch.number === number && !signal.aborted) await delay(40)
      }
    } finally {
      this.watches.delete(id)
    }
  }
}
