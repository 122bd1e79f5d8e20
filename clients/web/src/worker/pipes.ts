import { type Client, Code, ConnectError } from '@connectrpc/connect'
import { CloseReason, type PipesService } from '../gen/weft/pipes/v1/pipes_pb'
import type { FromWorker, PipeEvent, PipeState } from '../shared/messages'
import { backoff } from './backoff'
import { Keystrokes } from './keystrokes'
import { explain } from './stream'

/** Above this much output that the terminal has not drawn yet, reading stops: back-pressure to the far process. */
const MAX_OUTSTANDING = 256 * 1024
/** The same while nobody looks: browsers draw hidden pages about once a minute, and the process must not wait for that. */
const MAX_OUTSTANDING_HIDDEN = 16 * 1024 * 1024
/** Longer in all than the server keeps a pipe that has lost an end. */
const GIVE_UP_AFTER = 8
/** How often it is asked who else is attached; the first time sooner, because a blank terminal needs a reason. */
const LOOK_MS = 5_000
const FIRST_LOOK_MS = 1_500

/** Why a pipe was closed, as far as people need to be told. */
const ENDS: Record<CloseReason, string> = {
  [CloseReason.UNSPECIFIED]: '',
  [CloseReason.ENDED]: '',
  [CloseReason.CLOSED]: 'somebody closed it',
  [CloseReason.ABANDONED]: 'its probe stayed away',
  [CloseReason.IDLE]: 'nothing happened in it for too long',
  [CloseReason.EXPIRED]: 'it was open for as long as is allowed',
}

type PipesClient = Pick<Client<typeof PipesService>, 'read' | 'write' | 'closePipe' | 'getPipe'>

export interface PipeStart {
  pipeId: string
  /** Output before this offset is known already. */
  from: number
  /** The pipe was attached to before and may be gone; reading one that is gone would make a new one. */
  known: boolean
}

/** One terminal's bytes, both ways, over reconnects. */
export class PipeLink {
  private readonly pipeId: string
  private offset: bigint
  private known: boolean
  private state: PipeState | undefined
  private watching = 0
  private visible = true
  private outstanding = 0
  private drained: (() => void) | undefined
  private wake: (() => void) | undefined
  private look: ReturnType<typeof setTimeout> | undefined
  private abort = new AbortController()
  private keys: Keystrokes

  constructor(
    private readonly client: PipesClient,
    start: PipeStart,
    private readonly post: (message: FromWorker, transfer?: Transferable[]) => void,
  ) {
    this.pipeId = start.pipeId
    this.offset = BigInt(start.from)
    this.known = start.known
    this.keys = this.newKeys()
    void this.read()
  }

  private newKeys(): Keystrokes {
    return new Keystrokes(this.client, this.pipeId, (text) => this.finish('broken', text))
  }

  private event(event: PipeEvent): void {
    this.post({ type: 'pipe', pipeId: this.pipeId, event })
  }

  private say(state: PipeState, text = '', retryAt?: number): void {
    if (state === this.state && retryAt === undefined) return
    this.state = state
    this.event({ kind: 'state', state, text, retryAt })
  }

  private async read(): Promise<void> {
    const { signal } = this.abort
    for (let attempt = 0; !signal.aborted; ) {
      this.say('connecting')
      try {
        let closed = CloseReason.UNSPECIFIED
        if (this.known) await this.client.getPipe({ pipeId: this.pipeId }, { signal })
        this.known = false
        for await (const response of this.client.read(
          { pipeId: this.pipeId, fromOffset: this.offset },
          { signal },
        )) {
          if (this.state === 'connecting') {
            attempt = 0
            this.say('open')
            this.lookLater(FIRST_LOOK_MS)
          }
          if (response.closed !== CloseReason.UNSPECIFIED) closed = response.closed
          this.take(response.data, response.offset)
          if (this.outstanding > this.most) await new Promise<void>((resolve) => (this.drained = resolve))
          if (signal.aborted) return
        }
        // The server ends the stream when the pipe is closed.
        return this.finish('ended', ENDS[closed])
      } catch (error) {
        if (signal.aborted) return
        const cause = ConnectError.from(error)
        clearTimeout(this.look)
        if (cause.code === Code.NotFound) return this.finish('ended', '')
        // The session may have been replaced by a newer login.
        if (cause.code === Code.Unauthenticated && (this.state === 'open' || this.state === 'waiting'))
          continue
        if (cause.code === Code.PermissionDenied || cause.code === Code.Unauthenticated)
          return this.finish('broken', explain(cause))
        if (attempt >= GIVE_UP_AFTER) return this.finish('broken', explain(cause))
        await this.pause(backoff(attempt++), explain(cause))
      }
    }
  }

  private async pause(wait: number, why: string): Promise<void> {
    this.say('reconnecting', why, Date.now() + wait)
    await new Promise<void>((resolve) => {
      this.wake = resolve
      setTimeout(resolve, wait)
    })
    this.wake = undefined
  }

  private take(data: Uint8Array, offset: bigint): void {
    let fresh = data
    if (offset < this.offset) fresh = data.subarray(Number(this.offset - offset))
    else if (offset > this.offset && this.offset > 0n) {
      this.event({ kind: 'skipped', bytes: Number(offset - this.offset) })
    }
    const end = offset + BigInt(data.length)
    if (end > this.offset) this.offset = end
    if (fresh.length === 0) return
    if (this.state === 'waiting') this.say('open')
    this.outstanding += fresh.length
    // The decoder's buffer is shared by neighbouring fields, so the bytes are copied before they are given away.
    const copy = fresh.slice()
    const { pipeId } = this
    this.post({ type: 'pipeData', pipeId, data: copy, end: Number(this.offset) }, [copy.buffer])
  }

  private lookLater(wait: number): void {
    clearTimeout(this.look)
    this.look = setTimeout(() => void this.lookAround(), wait)
  }

  /** Whether the process is attached, and how many people are. */
  private async lookAround(): Promise<void> {
    const { signal } = this.abort
    try {
      if (this.visible) {
        const found = await this.client.getPipe({ pipeId: this.pipeId }, { signal })
        if (this.state === 'open' && found.probeConnections === 0) this.say('waiting')
        else if (this.state === 'waiting' && found.probeConnections > 0) this.say('open')
        if (found.userConnections !== this.watching) {
          this.watching = found.userConnections
          this.event({ kind: 'watching', count: this.watching })
        }
      }
    } catch {
      // The stream tells what is wrong.
    }
    if (!signal.aborted && (this.state === 'open' || this.state === 'waiting')) this.lookLater(LOOK_MS)
  }

  private get most(): number {
    return this.visible ? MAX_OUTSTANDING : MAX_OUTSTANDING_HIDDEN
  }

  private goOn(): void {
    if (this.outstanding > this.most / 2) return
    this.drained?.()
    this.drained = undefined
  }

  ack(bytes: number): void {
    this.outstanding -= bytes
    this.goOn()
  }

  write(data: Uint8Array): void {
    this.keys.write(data)
  }

  setVisible(visible: boolean): void {
    this.visible = visible
    this.goOn()
  }

  /** Tries now: cuts a pause short, or begins again after giving up. */
  retry(): void {
    if (this.state !== 'broken') return this.wake?.()
    this.abort = new AbortController()
    this.keys = this.newKeys()
    void this.read()
  }

  private finish(state: 'ended' | 'broken', text: string): void {
    if (this.abort.signal.aborted) return
    this.say(state, text)
    this.stop()
    this.keys.drop()
  }

  private stop(): void {
    this.abort.abort()
    clearTimeout(this.look)
    this.drained?.()
    this.drained = undefined
    this.wake?.()
  }

  /** Lets go; the far process goes on for a while, for whoever attaches next. What was typed is still sent. */
  release(): void {
    this.stop()
    void this.keys.finish()
  }

  /** Ends the far process, too. */
  async end(): Promise<void> {
    this.stop()
    this.keys.drop()
    await this.client.closePipe({ pipeId: this.pipeId })
  }
}
