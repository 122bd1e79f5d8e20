import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createGrpcWebTransport } from '@connectrpc/connect-web'
import { ControlsService } from '../gen/weft/controls/v1/controls_pb'
import { PipesService } from '../gen/weft/pipes/v1/pipes_pb'
import { NodeView, QueryService, type WatchResponse } from '../gen/weft/query/v1/query_pb'
import { UsersService } from '../gen/weft/users/v1/users_pb'
import type { Call, FromWorker, PageScope, ToWorker } from '../shared/messages'
import { fullName } from '../shared/names'
import { detailsView } from './cards'
import { PipeLink } from './pipes'
import { Session } from './session'
import { explain, type ScopeInit, Stream } from './stream'
import { topologyViews } from './topologies'

const SLEEP_AFTER_MS = 60_000
const SEARCH_AFTER_MS = 350

function post(message: FromWorker, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer })
}

function selection(scope: PageScope) {
  return {
    options: Object.entries(scope.options).map(([groupId, values]) => ({ groupId, values })),
    at: scope.at === null ? undefined : timestampFromMs(scope.at),
  }
}

function watchScope(scope: PageScope): ScopeInit {
  return {
    topologies: true,
    topologyId: scope.topologyId,
    selection: selection(scope),
    view: NodeView.TABLE,
    nodes: scope.cards.slice(-8).map(({ topologyId, nodeId }) => ({ topologyId, nodeId })),
    intervalMs: 1000,
  }
}

/** Everything of one page that talks to the server. */
class Desk {
  private readonly query
  private readonly controls
  private readonly users
  private readonly pipesClient
  private readonly session = new Session(post)
  private readonly stream: Stream
  private readonly pipes = new Map<string, PipeLink>()
  private scope: PageScope | undefined
  private sleepTimer: ReturnType<typeof setTimeout> | undefined
  private searchTimer: ReturnType<typeof setTimeout> | undefined
  private searched = ''
  private frozen = false

  constructor(base: string) {
    const transport = createGrpcWebTransport({
      baseUrl: base,
      fetch: (input, init) => fetch(input, { ...init, credentials: 'same-origin' }),
    })
    this.query = createClient(QueryService, transport)
    this.controls = createClient(ControlsService, transport)
    this.users = createClient(UsersService, transport)
    this.pipesClient = createClient(PipesService, transport)
    this.stream = new Stream(this.query, {
      response: (response) => this.receive(response),
      connection: (connection) => post({ type: 'connection', connection }),
      missing: () => this.session.setMissing(),
      opened: () => undefined,
    })
  }

  private receive(response: WatchResponse): void {
    const { event } = response
    if (this.frozen && (event.case === 'topologies' || (event.case === 'nodes' && this.session.isLoaded)))
      return
    post({ type: 'data', receivedAt: Date.now() })
    if (event.case === 'topologies') {
      const topologies = topologyViews(event.value.topologies)
      this.session.setNames(new Map(topologies.map((one) => [one.id, fullName(topologies, one.id)])))
      post({ type: 'topologies', topologies })
    } else if (event.case === 'nodes') {
      this.session.apply(event.value)
    } else if (event.case === 'node' && event.value.watched) {
      const { topologyId, nodeId } = event.value.watched
      const details = event.value.details ? detailsView(event.value.details, Date.now()) : null
      post({ type: 'details', card: { topologyId, nodeId }, details })
    }
  }

  handle(message: ToWorker): void {
    switch (message.type) {
      case 'scope':
        return this.setScope(message.scope)
      case 'view':
        this.session.setView(message.view)
        return this.search([...message.view.chips, message.view.query].join(' ').trim())
      case 'table':
        return this.session.setTable(message.spec)
      case 'visible':
        return this.setVisible(message.visible)
      case 'freeze':
        return this.setFrozen(message.frozen)
      case 'retry':
        return this.stream.retry()
      case 'tidy':
        return this.session.tidy()
      case 'pin':
        return this.session.pin(message.topologyId, message.id, { x: message.x, y: message.y })
      case 'unpin':
        return this.session.pin(message.topologyId, message.id, undefined)
      case 'call':
        void this.answer(message.id, message.call)
        return
      case 'pipeOpen':
        this.pipes.set(message.pipeId, new PipeLink(this.pipesClient, message.pipeId, post))
        return
      case 'pipeWrite':
        return this.pipes.get(message.pipeId)?.write(message.data)
      case 'pipeAck':
        return this.pipes.get(message.pipeId)?.ack(message.bytes)
      case 'pipeClose':
        this.pipes.get(message.pipeId)?.close(message.end)
        this.pipes.delete(message.pipeId)
    }
  }

  private setScope(scope: PageScope): void {
    const old = this.scope
    this.scope = scope
    this.session.setTopology(scope.topologyId)
    if (old && (JSON.stringify(old.options) !== JSON.stringify(scope.options) || old.at !== scope.at))
      this.session.forget()
    this.stream.setScope(watchScope(scope))
  }

  private setFrozen(frozen: boolean): void {
    if (frozen === this.frozen) return
    this.frozen = frozen
    // What was left out meanwhile comes with the reset of a new stream.
    if (!frozen) this.stream.retry()
  }

  private setVisible(visible: boolean): void {
    clearTimeout(this.sleepTimer)
    this.session.setVisible(visible)
    if (visible) this.stream.wake()
    else this.sleepTimer = setTimeout(() => this.stream.sleep(), SLEEP_AFTER_MS)
  }

  /** Counts matches in all topologies. */
  private search(text: string): void {
    if (text === this.searched) return
    this.searched = text
    clearTimeout(this.searchTimer)
    if (text === '') return post({ type: 'hits', query: '', hits: {} })
    this.searchTimer = setTimeout(async () => {
      try {
        const answer = await this.query.search({
          query: text,
          selection: this.scope && selection(this.scope),
          limit: 1,
        })
        if (text !== this.searched) return
        const hits = Object.fromEntries(answer.topologies.map((one) => [one.topologyId, one.total]))
        post({ type: 'hits', query: text, hits })
      } catch {
        // The live search still works; counts of other topologies are only a hint.
        post({ type: 'hits', query: text, hits: {} })
      }
    }, SEARCH_AFTER_MS)
  }

  private async answer(id: number, call: Call): Promise<void> {
    try {
      post({ type: 'reply', id, ok: true, value: await this.call(call) })
    } catch (error) {
      const cause = ConnectError.from(error)
      post({ type: 'reply', id, ok: false, error: explain(cause), code: Code[cause.code] })
    }
  }

  private async call(call: Call): Promise<unknown> {
    if (call.method === 'csv') return this.session.csv()
    if (call.method === 'user') {
      const answer = await this.users.getCurrentUser({})
      return {
        name: answer.user?.name || answer.user?.email || '',
        org: answer.organisation?.name || answer.organisation?.id || '',
        permissions: answer.permissions,
      }
    }
    if (call.method === 'timeline') {
      const answer = await this.query.getTimeline({
        from: timestampFromMs(call.from),
        until: timestampFromMs(call.until),
        spans: call.spans,
      })
      return {
        spans: answer.spans.map((span) => ({
          from: Number(span.from?.seconds ?? 0n) * 1000,
          reports: span.reports,
          hosts: span.hosts,
        })),
      }
    }
    const { probeId, nodeId, control, args } = call
    const { result } = await this.controls.invoke({ probeId, nodeId, control, arguments: args })
    return {
      error: result?.error ?? '',
      value: result?.valueJson ?? '',
      pipeId: result?.pipeId ?? '',
      rawTty: result?.rawTty ?? false,
      resizeControl: result?.resizeTtyControl ?? '',
      removedNodeId: result?.removedNodeId ?? '',
    }
  }
}

let desk: Desk | undefined

self.onmessage = (event: MessageEvent<ToWorker>) => {
  if (event.data.type === 'init') desk = new Desk(event.data.base)
  else desk?.handle(event.data)
}
