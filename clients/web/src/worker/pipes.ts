import { type Client, Code, ConnectError } from '@connectrpc/connect'
import type { PipesService } from '../gen/weft/pipes/v1/pipes_pb'
import type { FromWorker, PipeEvent } from '../shared/messages'
import { backoff } from './backoff'
import { explain } from './stream'

/** Key strokes are collected this long, so that typing is not one call per key. */
const BATCH_MS = 12
const MAX_WRITE = 64 * 1024
/** Above this much output that the terminal has not drawn yet, reading stops: back-pressure to the far process. */
const MAX_OUTSTANDING = 256 * 1024
const GIVE_UP_AFTER = 8

type PipesClient = Pick<Client<typeof PipesService>, 'read' | 'write' | 'closePipe'>

/** One terminal's bytes, both ways, over reconnects. */
export class PipeLink {
  private offset = 0n
  private sequence = 0n
  private readonly writerId = crypto.randomUUID()
  private pending: Uint8Array[] = []
  private writing = false
  private batch: ReturnType<typeof setTimeout> | undefined
  private outstanding = 0
  private drained: (() => void) | undefined
  private readonly abort = new AbortController()

  constructor(
    private readonly client: PipesClient,
    private readonly pipeId: string,
    private readonly post: (message: FromWorker, transfer?: Transferable[]) => void,
  ) {
    void this.read()
  }

  private event(event: PipeEvent): void {
    this.post({ type: 'pipe', pipeId: this.pipeId, event })
  }

  private async read(): Promise<void> {
    const { signal } = this.abort
    for (let attempt = 0; !signal.aborted; ) {
      this.event({ kind: 'state', state: 'connecting', text: '' })
      try {
        let first = true
        for await (const response of this.client.read(
          { pipeId: this.pipeId, fromOffset: this.offset },
          { signal },
        )) {
          if (first) {
            first = false
            attempt = 0
            this.event({ kind: 'state', state: 'open', text: '' })
          }
          this.take(response.data, response.offset)
          if (this.outstanding > MAX_OUTSTANDING)
            await new Promise<void>((resolve) => (this.drained = resolve))
          if (signal.aborted) return
        }
        // The server ends the stream when the far process has ended.
        return this.finish('The session has ended.')
      } catch (error) {
        if (signal.aborted) return
        const cause = ConnectError.from(error)
        if (cause.code === Code.NotFound) return this.finish('The session has ended.')
        if (cause.code === Code.PermissionDenied || attempt >= GIVE_UP_AFTER)
          return this.finish(explain(cause))
        const wait = backoff(attempt++)
        this.event({ kind: 'state', state: 'reconnecting', text: explain(cause), retryAt: Date.now() + wait })
        await new Promise((resolve) => setTimeout(resolve, wait))
      }
    }
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
    this.outstanding += fresh.length
    // The decoder's buffer is shared by neighbouring fields, so the bytes are copied before they are given away.
    const copy = fresh.slice()
    this.post({ type: 'pipeData', pipeId: this.pipeId, data: copy }, [copy.buffer])
  }

  ack(bytes: number): void {
    this.outstanding -= bytes
    if (this.outstanding <= MAX_OUTSTANDING / 2) {
      this.drained?.()
      this.drained = undefined
    }
  }

  write(data: Uint8Array): void {
    this.pending.push(data)
    if (this.writing || this.batch !== undefined) return
    this.batch = setTimeout(() => {
      this.batch = undefined
      void this.flush()
    }, BATCH_MS)
  }

  /** One call at a time: a number is used again until it is answered, and the server applies it once. */
  private async flush(): Promise<void> {
    if (this.writing) return
    this.writing = true
    const { signal } = this.abort
    try {
      while (this.pending.length > 0 && !signal.aborted) {
        const data = this.nextPiece()
        const sequence = ++this.sequence
        for (let attempt = 0; !signal.aborted; attempt++) {
          try {
            await this.client.write(
              { pipeId: this.pipeId, data, writerId: this.writerId, sequence },
              { signal },
            )
            break
          } catch (error) {
            const cause = ConnectError.from(error)
            if (signal.aborted) return
            if (
              cause.code !== Code.Unavailable &&
              cause.code !== Code.DeadlineExceeded &&
              cause.code !== Code.Unknown
            ) {
              return this.finish(`Input was refused: ${explain(cause)}`)
            }
            if (attempt >= GIVE_UP_AFTER) return this.finish(explain(cause))
            await new Promise((resolve) => setTimeout(resolve, backoff(attempt)))
          }
        }
      }
    } finally {
      this.writing = false
    }
  }

  private nextPiece(): Uint8Array {
    const size = Math.min(
      MAX_WRITE,
      this.pending.reduce((sum, piece) => sum + piece.length, 0),
    )
    const data = new Uint8Array(size)
    let at = 0
    while (at < size) {
      const piece = this.pending[0]
      const part = piece.subarray(0, size - at)
      data.set(part, at)
      at += part.length
      if (part.length === piece.length) this.pending.shift()
      else this.pending[0] = piece.subarray(part.length)
    }
    return data
  }

  private finish(text: string): void {
    if (this.abort.signal.aborted) return
    this.event({ kind: 'state', state: 'closed', text })
    this.abort.abort()
  }

  /** Lets go; with `end` the far process is told, too. */
  close(end: boolean): void {
    this.abort.abort()
    clearTimeout(this.batch)
    this.drained?.()
    if (end) void this.client.closePipe({ pipeId: this.pipeId }).catch(() => undefined)
  }
}
