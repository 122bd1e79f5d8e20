import { type Client, Code, ConnectError } from '@connectrpc/connect'
import type { QueryService, WatchResponse, WatchScope } from '../gen/weft/query/v1/query_pb'
import type { Connection } from '../shared/messages'
import { backoff } from './backoff'

/** The server sends a heartbeat every 10 s; after three are missing the stream is taken for dead. */
export const DEAD_MS = 30_000
/** How long a patient scope waits for the answer to the one before. */
export const PATIENCE_MS = 700

type Init<T> = Parameters<
  T extends (first: infer F, ...rest: never[]) => unknown ? (request: F) => void : never
>[0]
export type ScopeInit = NonNullable<Init<Client<typeof QueryService>['watch']>['scope']>

export interface StreamHooks {
  response: (response: WatchResponse) => void
  connection: (connection: Connection) => void
  /** The watched topology does not exist. */
  missing: () => void
  /** A stream begins: everything comes again. */
  opened: () => void
}

/** Keeps one watch open, whatever the network does, and its scope up to date. */
export class Stream {
  private scope: ScopeInit | undefined
  private watchId = ''
  private scopeNumber = 0n
  private attempt = 0
  private abort: AbortController | undefined
  private retryTimer: ReturnType<typeof setTimeout> | undefined
  private deadTimer: ReturnType<typeof setTimeout> | undefined
  private asleep = false
  /** An UpdateWatch is on its way. */
  private sending = false
  /** Nodes of the newest scope have come. */
  private answered = false
  private owed: 'no' | 'patient' | 'now' = 'no'
  private patienceTimer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly client: Pick<Client<typeof QueryService>, 'watch' | 'updateWatch'>,
    private readonly hooks: StreamHooks,
  ) {}

  /**
   * Sets what to watch; opens the stream the first time. One call at a time, the last scope wins; a patient scope also
   * waits for the picture of the one before, so that dragging through time piles up no work.
   */
  setScope(scope: ScopeInit, patient = false): void {
    const first = this.scope === undefined
    this.scope = scope
    if (this.asleep) return
    // A refused scope left no stream behind.
    if (first || (this.abort === undefined && this.retryTimer === undefined)) this.open()
    else if (this.watchId !== '') this.owe(patient)
    // Without a name yet, the update follows the first response.
    else this.scopeNumber = this.scopeNumber === 0n ? 1n : this.scopeNumber
  }

  /** Nothing newer than what the open stream answers was asked for. */
  get isSettled(): boolean {
    return this.owed === 'no'
  }

  /** What a new stream starts with, while the open one goes there by itself. */
  setResume(scope: ScopeInit): void {
    if (this.isSettled) this.scope = scope
  }

  private owe(patient: boolean): void {
    this.owed = patient && this.owed !== 'now' ? 'patient' : 'now'
    this.patienceTimer ??= setTimeout(() => {
      if (this.owed === 'patient') this.owed = 'now'
      this.pay()
    }, PATIENCE_MS)
    this.pay()
  }

  private pay(): void {
    if (this.owed === 'no' || this.sending || (this.owed === 'patient' && !this.answered)) return
    this.forgive()
    void this.update()
  }

  private forgive(): void {
    this.owed = 'no'
    clearTimeout(this.patienceTimer)
    this.patienceTimer = undefined
  }

  retry(): void {
    this.attempt = 0
    this.open()
  }

  /** Nobody looks: let the server rest. */
  sleep(): void {
    if (this.asleep || !this.scope) return
    this.asleep = true
    this.stop()
    this.hooks.connection({ state: 'asleep' })
  }

  wake(): void {
    if (!this.asleep) return
    this.asleep = false
    this.retry()
  }

  private stop(): void {
    clearTimeout(this.retryTimer)
    this.retryTimer = undefined
    clearTimeout(this.deadTimer)
    this.abort?.abort()
    this.abort = undefined
    this.watchId = ''
    this.sending = false
    this.answered = false
    this.forgive()
  }

  private open(): void {
    this.stop()
    const abort = new AbortController()
    this.abort = abort
    this.scopeNumber = 0n
    this.hooks.connection({ state: 'connecting' })
    this.feed()
    void this.read(abort)
  }

  private feed(): void {
    clearTimeout(this.deadTimer)
    this.deadTimer = setTimeout(
      () => this.failed(new ConnectError('no sign of life for 30 s', Code.Unavailable)),
      DEAD_MS,
    )
  }

  private async read(abort: AbortController): Promise<void> {
    try {
      const request = { scope: this.scope }
      for await (const response of this.client.watch(request, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        this.feed()
        this.receive(response)
      }
      if (!abort.signal.aborted)
        this.failed(new ConnectError('the server ended the stream', Code.Unavailable))
    } catch (error) {
      if (!abort.signal.aborted) this.failed(ConnectError.from(error))
    }
  }

  private receive(response: WatchResponse): void {
    if (response.event.case === 'started') {
      this.watchId = response.event.value.watchId
      this.attempt = 0
      this.hooks.connection({ state: 'live' })
      this.hooks.opened()
      if (this.scopeNumber > 0n) {
        this.scopeNumber = 0n
        void this.update()
      }
      return
    }
    if (response.scopeNumber < this.scopeNumber) return
    this.hooks.response(response)
    if (response.event.case === 'nodes' && !this.answered) {
      this.answered = true
      this.pay()
    }
  }

  private async update(): Promise<void> {
    const watchId = this.watchId
    const scopeNumber = ++this.scopeNumber
    this.sending = true
    this.answered = false
    try {
      await this.client.updateWatch({ watchId, scope: this.scope, scopeNumber })
    } catch (error) {
      if (this.watchId !== watchId) return
      const cause = ConnectError.from(error)
      // The watch has ended, or this call went to a server that does not hold it: a new one starts with the new scope.
      if (cause.code === Code.NotFound) this.open()
      else this.failed(cause)
      return
    }
    if (this.watchId !== watchId) return
    this.sending = false
    this.pay()
  }

  private failed(error: ConnectError): void {
    const wasOpen = this.watchId !== ''
    this.stop()
    if (error.code === Code.Unauthenticated) {
      // The session may have been replaced by a newer login.
      if (wasOpen) return this.open()
      this.hooks.connection({ state: 'signed-out' })
      return
    }
    if (error.code === Code.PermissionDenied) {
      this.hooks.connection({ state: 'denied', error: error.rawMessage })
      return
    }
    if (error.code === Code.Unimplemented && this.scope?.selection?.at) {
      this.hooks.connection({ state: 'no-history' })
      return
    }
    if (error.code === Code.NotFound && this.scope?.topologyId) {
      this.scope = { ...this.scope, topologyId: '', nodes: [] }
      this.hooks.missing()
      this.open()
      return
    }
    const wait = backoff(this.attempt++)
    this.hooks.connection({
      state: 'reconnecting',
      retryAt: Date.now() + wait,
      error: explain(error),
      attempt: this.attempt,
    })
    this.retryTimer = setTimeout(() => this.open(), wait)
  }
}

/** A cause that helps: browsers call every network error "Failed to fetch". */
export function explain(error: ConnectError): string {
  if (/failed to fetch|networkerror|load failed|network error/i.test(error.rawMessage))
    return 'the server cannot be reached'
  if (/^HTTP \d+$/.test(error.rawMessage)) return `the server answers ${error.rawMessage}`
  return error.rawMessage || Code[error.code]
}

export type { WatchScope }
