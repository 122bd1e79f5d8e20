import { Code, ConnectError } from '@connectrpc/connect'

/** Pipes whose far end is a toy shell. */

const KEPT = 64 * 1024
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class FakePipe {
  private bytes = new Uint8Array(0)
  /** The offset of the first byte that is kept. */
  private start = 0
  private line = ''
  private readonly waiting = new Set<() => void>()
  private readonly writers = new Map<string, bigint>()
  size = '80x24'
  closed = false
  /** How many read now. */
  readers = 0
  /** Streams of an older number break off. */
  private era = 0

  constructor(readonly host: string) {
    this.say(`\x1b[1;36mWelcome to ${host}\x1b[0m (a mock shell: echo, size, colors, flood, drop, exit)\r\n`)
    this.prompt()
  }

  private prompt(): void {
    this.say(`\x1b[32mroot@${this.host}\x1b[0m:\x1b[34m~\x1b[0m# `)
  }

  say(text: string): void {
    const more = encoder.encode(text)
    const all = new Uint8Array(this.bytes.length + more.length)
    all.set(this.bytes)
    all.set(more, this.bytes.length)
    const cut = Math.max(0, all.length - KEPT)
    this.bytes = all.slice(cut)
    this.start += cut
    for (const wake of this.waiting) wake()
  }

  write(writer: string, sequence: bigint, data: Uint8Array): void {
    if (sequence <= (this.writers.get(writer) ?? 0n)) return
    this.writers.set(writer, sequence)
    for (const c of decoder.decode(data)) this.key(c)
  }

  private key(c: string): void {
    if (c === '\r') {
      this.say('\r\n')
      this.run(this.line.trim())
      this.line = ''
      if (!this.closed) this.prompt()
    } else if (c === '\x7f') {
      if (this.line !== '') this.say('\b \b')
      this.line = this.line.slice(0, -1)
    } else if (c === '\x03') {
      this.line = ''
      this.say('^C\r\n')
      this.prompt()
    } else if (c >= ' ') {
      this.line += c
      this.say(c)
    }
  }

  private run(line: string): void {
    if (line === 'exit') this.close()
    else if (line === 'size') this.say(`${this.size}\r\n`)
    else if (line === 'drop') this.drop()
    else if (line === 'colors') {
      for (let i = 0; i < 16; i++) this.say(`\x1b[48;5;${i}m  `)
      this.say('\x1b[0m\r\n')
    } else if (line === 'flood') {
      for (let i = 0; i < 500; i++) this.say(`line ${i} ${'·'.repeat(60)}\r\n`)
    } else if (line.startsWith('echo ')) this.say(`${line.slice(5)}\r\n`)
    else if (line !== '') this.say(`sh: ${line}: not found\r\n`)
  }

  /** As if the connection were lost; the shell goes on. */
  private drop(): void {
    this.say('on and off\r\n')
    this.era++
    for (const wake of this.waiting) wake()
  }

  close(): void {
    this.closed = true
    for (const wake of this.waiting) wake()
  }

  async *read(from: number, signal: AbortSignal): AsyncGenerator<{ data: Uint8Array; offset: bigint }> {
    const { era } = this
    this.readers++
    try {
      yield* this.stream(from, signal, era)
    } finally {
      this.readers--
    }
  }

  private async *stream(from: number, signal: AbortSignal, era: number) {
    let at = Math.max(from, this.start)
    yield { data: new Uint8Array(0), offset: BigInt(at) }
    while (!signal.aborted) {
      if (era !== this.era) throw new ConnectError('the connection was cut', Code.Unavailable)
      at = Math.max(at, this.start)
      const data = this.bytes.slice(at - this.start)
      if (data.length > 0) {
        yield { data, offset: BigInt(at) }
        at += data.length
      } else if (this.closed) return
      else {
        await new Promise<void>((resolve) => {
          const wake = () => {
            signal.removeEventListener('abort', wake)
            resolve()
          }
          this.waiting.add(wake)
          signal.addEventListener('abort', wake)
        })
        this.waiting.clear()
      }
    }
  }
}
