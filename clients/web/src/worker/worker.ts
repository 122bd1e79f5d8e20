import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { ConnectError, createClient, type Interceptor } from '@connectrpc/connect'
import { createGrpcWebTransport } from '@connectrpc/connect-web'
import { ControlsService } from '../gen/weft/controls/v1/controls_pb'
import { PipesService } from '../gen/weft/pipes/v1/pipes_pb'
import { NodeView, QueryService, type WatchResponse } from '../gen/weft/query/v1/query_pb'
import { UsersService } from '../gen/weft/users/v1/users_pb'
import type { Call, FromWorker, PageScope, ToWorker } from '../shared/messages'
import { fullName } from '../shared/names'
import { account, currentUser } from './accounts'
import { detailsView } from './cards'
import { codeOf } from './codes'
import { Counts } from './counts'
import { PipeLink } from './pipes'
import { Session } from './session'
import { explain, type ScopeInit, Stream } from './stream'
import { topologyViews } from './topologies'

const SLEEP_AFTER_MS = 60_000

function post(message: FromWorker, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer })
}

function selection(scope: PageScope, moment: number | null) {
  return {
    options: Object.entries(scope.options).map(([groupId, values]) => ({ groupId, values })),
    at: moment === null ? undefined : timestampFromMs(moment),
  }
}

function watchScope(scope: PageScope, moment: number | null): ScopeInit {
  return {
    topologies: true,
    topologyId: scope.topologyId,
    selection: selection(scope, moment),
    speed: scope.speed,
    view: NodeView.TABLE,
    nodes: scope.cards.slice(-8).map(({ topologyId, nodeId }) => ({ topologyId, nodeId })),
    intervalMs: 1000,
  }
}

/** Names the organisation that every call is about, for people who belong to several. */
function about(org: string): Interceptor {
  return (next) => (request) => {
    request.header.set('weft-org', org)
    return next(request)
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
  private readonly counts: Counts
  /** What is shown or was asked for; null for the present. While history is played it moves. */
  private moment: number | null = null
  private frozen = false

  constructor(base: string, org: string) {
    const transport = createGrpcWebTransport({
      baseUrl: base,
      interceptors: org === '' ? [] : [about(org)],
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
    this.counts = new Counts(
      this.query,
      () => this.scope && selection(this.scope, this.moment),
      (message) => post(message),
    )
  }

  private receive(response: WatchResponse): void {
    const { event } = response
    if (this.frozen && (event.case === 'topologies' || (event.case === 'nodes' && this.session.isLoaded)))
      return
    post({ type: 'data', receivedAt: Date.now() })
    if ((event.case === 'nodes' || event.case === 'heartbeat') && event.value.at)
      this.follow(timestampMs(event.value.at))
    if (event.case === 'topologies') {
      const topologies = topologyViews(event.value.topologies)
      this.session.setNames(new Map(topologies.map((one) => [one.id, fullName(topologies, one.id)])))
      post({ type: 'topologies', topologies })
      this.counts.dataChanged()
    } else if (event.case === 'nodes') {
      this.session.apply(event.value)
    } else if (event.case === 'node' && event.value.watched) {
      const { topologyId, nodeId } = event.value.watched
      const details = event.value.details ? detailsView(event.value.details, this.moment ?? Date.now()) : null
      post({ type: 'details', card: { topologyId, nodeId }, details })
    }
  }

  private follow(at: number): void {
    const { scope } = this
    if (!scope || !this.stream.isSettled) return
    post({ type: 'moment', at, receivedAt: Date.now(), jump: scope.jump, live: scope.at === null })
    if (scope.at === null || scope.speed === 0) return
    this.moment = at
    // A stream that breaks goes on from here, not from where the playing began.
    this.stream.setResume(watchScope(scope, at))
  }

  handle(message: ToWorker): void {
    switch (message.type) {
      case 'scope':
        return this.setScope(message.scope)
      case 'view':
        this.session.setView(message.view)
        return this.counts.setText([...message.view.chips, message.view.query].join(' ').trim())
      case 'table':
        return this.session.setTable(message.spec)
      case 'visible':
        return this.setVisible(message.visible)
      case 'freeze':
        return this.setFrozen(message.frozen)
      case 'retry':
        return this.stream.retry()
      case 'warm':
        return this.session.warm()
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
        this.pipes.get(message.pipeId)?.release()
        this.pipes.set(message.pipeId, new PipeLink(this.pipesClient, message, post))
        return
      case 'pipeWrite':
        return this.pipes.get(message.pipeId)?.write(message.data)
      case 'pipeAck':
        return this.pipes.get(message.pipeId)?.ack(message.bytes)
      case 'pipeRetry':
        return this.pipes.get(message.pipeId)?.retry()
      case 'pipeRelease':
        this.pipes.get(message.pipeId)?.release()
        this.pipes.delete(message.pipeId)
    }
  }

  private setScope(scope: PageScope): void {
    const old = this.scope
    this.scope = scope
    const moved = old?.jump !== scope.jump
    if (moved) this.moment = scope.at
    const refiltered = old !== undefined && JSON.stringify(old.options) !== JSON.stringify(scope.options)
    const elsewhere = old?.topologyId !== scope.topologyId || refiltered
    this.session.setTopology(scope.topologyId)
    // Another moment keeps the picture until its own is there.
    if (refiltered) this.session.forget()
    this.stream.setScope(watchScope(scope, this.moment), moved && !elsewhere)
    if (moved || refiltered) this.counts.changed()
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
    for (const pipe of this.pipes.values()) pipe.setVisible(visible)
    if (visible) this.stream.wake()
    else this.sleepTimer = setTimeout(() => this.stream.sleep(), SLEEP_AFTER_MS)
  }

  private async answer(id: number, call: Call): Promise<void> {
    try {
      post({ type: 'reply', id, ok: true, value: await this.call(call) })
    } catch (error) {
      const cause = ConnectError.from(error)
      post({ type: 'reply', id, ok: false, error: explain(cause), code: codeOf(cause) })
    }
  }

  private async endPipe(pipeId: string): Promise<void> {
    const pipe = this.pipes.get(pipeId)
    this.pipes.delete(pipeId)
    if (pipe) await pipe.end()
    else await this.pipesClient.closePipe({ pipeId })
  }

  private async call(call: Call): Promise<unknown> {
    if (call.method === 'csv') return this.session.csv()
    if (call.method === 'account') return account(this.users, call)
    if (call.method === 'endPipe') return this.endPipe(call.pipeId)
    if (call.method === 'user') return currentUser(this.users)
    if (call.method === 'timeline') {
      const answer = await this.query.getTimeline({
        from: timestampFromMs(call.from),
        until: timestampFromMs(call.until),
        spans: call.spans,
      })
      return {
        spans: answer.spans.map((span) => ({
          from: span.from ? timestampMs(span.from) : 0,
          reports: span.reports,
          hosts: span.hosts,
          appeared: span.appeared,
          vanished: span.vanished,
        })),
        warnings: answer.warnings,
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
  if (event.data.type === 'init') desk = new Desk(event.data.base, event.data.org)
  else desk?.handle(event.data)
}
