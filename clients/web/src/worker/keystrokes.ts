import { type Client, Code, ConnectError } from '@connectrpc/connect'
import type { PipesService } from '../gen/weft/pipes/v1/pipes_pb'
import { backoff } from './backoff'
import { explain } from './stream'

/** Key strokes are collected this long, so that typing is not one call per key. */
const BATCH_MS = 12
/** The most that one call may carry. */
const MAX_WRITE = 64 * 1024
const GIVE_UP_AFTER = 8
/** What may be repeated: the call may not have arrived, and its number makes it count once. */
const AGAIN = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.Unknown, Code.ResourceExhausted])

/** What is typed, in numbered calls, one at a time: a number is used until it is answered, so that order and count hold. */
export class Keystrokes {
  private sequence = 0n
  private readonly writerId = crypto.randomUUID()
  private pending: Uint8Array[] = []
  private writing: Promise<void> | undefined
  private batch: ReturnType<typeof setTimeout> | undefined
  private readonly abort = new AbortController()

  constructor(
    private readonly client: Pick<Client<typeof PipesService>, 'write'>,
    private readonly pipeId: string,
    private readonly failed: (text: string) => void,
  ) {}

  write(data: Uint8Array): void {
    if (this.abort.signal.aborted) return
    this.pending.push(data)
    if (this.writing || this.batch !== undefined) return
    this.batch = setTimeout(() => this.flush(), BATCH_MS)
  }

  /** Sends what waits, and takes no more. */
  async finish(): Promise<void> {
    this.flush()
    await this.writing
    this.abort.abort()
  }

  /** Drops what waits. */
  drop(): void {
    clearTimeout(this.batch)
    this.pending = []
    this.abort.abort()
  }

  private flush(): void {
    clearTimeout(this.batch)
    this.batch = undefined
    this.writing ??= this.run().finally(() => {
      this.writing = undefined
    })
  }

  private async run(): Promise<void> {
    while (this.pending.length > 0 && !this.abort.signal.aborted) {
      const problem = await this.send(this.nextPiece(), ++this.sequence)
      if (problem === '') continue
      this.drop()
      this.failed(problem)
    }
  }

  /** What went wrong for good, or an empty text. */
  private async send(data: Uint8Array, sequence: bigint): Promise<string> {
    const { signal } = this.abort
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const { pipeId, writerId } = this
        await this.client.write({ pipeId, data, writerId, sequence }, { signal })
        return ''
      } catch (error) {
        const cause = ConnectError.from(error)
        if (signal.aborted) return ''
        if (!AGAIN.has(cause.code)) return `input was refused: ${explain(cause)}`
        if (attempt >= GIVE_UP_AFTER) return explain(cause)
        await new Promise((resolve) => setTimeout(resolve, backoff(attempt)))
      }
    }
    return ''
  }

  private nextPiece(): Uint8Array {
    const waiting = this.pending.reduce((sum, piece) => sum + piece.length, 0)
    const data = new Uint8Array(Math.min(MAX_WRITE, waiting))
    for (let at = 0; at < data.length; ) {
      const piece = this.pending[0]
      const part = piece.subarray(0, data.length - at)
      data.set(part, at)
      at += part.length
      if (part.length === piece.length) this.pending.shift()
      else this.pending[0] = piece.subarray(part.length)
    }
    return data
  }
}
