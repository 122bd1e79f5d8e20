// A Weft whose people log in by mail, at a provider and with passkeys, and the real servers that it takes for that, each on a
// free port.
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))
/** How long a program may take until it is ready; CI's machines are shared. */
const READY_MS = 60_000
const POLL_MS = 20
/** Weft tells whoever started it, and nobody else, on the same output as its log. */
const FIRST_LINK = /becomes the admin: (http\S+)/

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** Asks until there is an answer that is wanted. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + READY_MS; Date.now() < end; ) {
    const found = await ask().catch(() => undefined)
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new Error(`waited ${READY_MS / 1000} s for ${what}`)
}

interface Program {
  child: ChildProcess
  /** What it has answered so far; its log is in a file. */
  said: string
}

/** A sidecar for events of requests: it keeps what it is sent, and acknowledges each batch as Fluentd's protocol wants it. */
class Sidecar {
  private readonly received: Buffer[] = []
  private readonly server: Server

  constructor(port: number) {
    this.server = createServer((socket) => {
      socket.on('data', (data) => {
        this.received.push(data)
        // The option `chunk`, a string of 24 characters, is the last thing of a batch.
        const ends = this.bytes
          .subarray(-4096)
          .toString('latin1')
          .matchAll(/\xa5chunk\xb8([\w+/=]{24})/g)
        const chunk = [...ends].at(-1)?.[1]
        if (chunk) socket.write(Buffer.from(`\x81\xa3ack\xb8${chunk}`, 'latin1'))
      })
    })
    this.server.listen(port, '127.0.0.1')
  }

  get bytes(): Buffer {
    return Buffer.concat(this.received)
  }

  close(): void {
    this.server.close()
  }
}

/** All files below a folder. */
function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)],
  )
}

export class World {
  private readonly programs: Program[] = []
  private readonly folder = mkdtempSync(join(tmpdir(), 'weft-people-'))
  /** The name matters: passkeys are made for names, not for addresses. */
  base = ''
  /** For the first admin. */
  link = ''
  private mailbox = ''
  private weft: Program | undefined
  private sidecar: Sidecar | undefined
  /** What must be found nowhere, by what it is. */
  private readonly secrets = new Map<string, string>()

  static async start(): Promise<World> {
    const world = new World()
    try {
      await world.open()
    } catch (error) {
      await world.close()
      throw error
    }
    return world
  }

  private run(file: string, args: string[]): Program {
    const log = createWriteStream(join(this.folder, `${this.programs.length}.log`))
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const program = { child, said: '' }
    child.stdout.on('data', (chunk) => {
      program.said += chunk
    })
    child.stderr.pipe(log)
    this.programs.push(program)
    return program
  }

  private secret(name: string, text: string): string {
    const file = join(this.folder, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }

  private async open(): Promise<void> {
    const tools = process.env.WEFT_TOOLS ?? join(root, 'target/tools')
    const ports = await Promise.all(Array.from({ length: 5 }, freePort))
    const [smtp, mailbox, oidc, port, events] = ports
    this.sidecar = new Sidecar(events)
    this.mailbox = `http://127.0.0.1:${mailbox}/`
    this.base = `http://localhost:${port}/`
    const issuer = `http://127.0.0.1:${oidc}`
    this.run('node', [join(tools, 'login/smtp.mjs'), String(smtp), String(mailbox)])
    this.run('node', [join(tools, 'login/oidc.mjs'), String(oidc)])
    await until('the mail server', () => fetch(this.mailbox))
    await until('the provider', () => fetch(`${issuer}/.well-known/openid-configuration`))
    const password = this.secret('smtp', 'test:testtest\n')
    const client = this.secret('oidc', 'testtesttesttesttesttesttesttest\n')
    this.keep('the password of the mail server', Buffer.from('\0test\0testtest').toString('base64'))
    this.keep('the secret of the provider', 'testtesttesttesttesttesttesttest')
    const bin = process.env.WEFT_BIN ?? join(root, 'target/debug/weft')
    const weft = this.run(bin, [
      ...['--log', 'trace', 'up', '--events', `tcp://127.0.0.1:${events}`],
      ...['--demand-credentials', '--data-dir', join(this.folder, 'data')],
      ...['--listen', `127.0.0.1:${port}`, '--admin-listen', '127.0.0.1:0'],
      ...['--public-url', this.base, '--sign-up', 'anybody'],
      ...['--smtp', `smtp://127.0.0.1:${smtp}?tls=none&credentials=${password}`],
      ...['--mail-from', 'Weft <weft@weft.example>'],
      ...[
        '--oidc',
        `corp=${issuer}?client_id=weft&credentials=${client}&name=Corp&role=platform:local:admin`,
      ],
    ])
    this.weft = weft
    this.link = await until('Weft', async () => {
      if (weft.child.exitCode !== null) return ''
      return /Weft is ready/.test(weft.said) ? FIRST_LINK.exec(this.log())?.[1] : undefined
    })
    if (this.link === '') throw new Error(this.log())
  }

  /** Runs `weft` as a person does, with a home of its own; ends with what it has printed. */
  command(args: string[]): { printed: () => string; ended: Promise<number | null> } {
    const bin = process.env.WEFT_BIN ?? join(root, 'target/debug/weft')
    const child = spawn(bin, args, { env: { ...process.env, XDG_CONFIG_HOME: join(this.folder, 'home') } })
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        printed += chunk
      })
    }
    return {
      printed: () => printed,
      ended: new Promise((resolve) => child.once('close', (code) => resolve(code))),
    }
  }

  /** What `weft login` keeps. */
  login(): { token: string } {
    return JSON.parse(readFileSync(join(this.folder, 'home/weft/login.json'), 'utf8'))
  }

  /** Weft's log. */
  log(): string {
    const number = this.weft ? this.programs.indexOf(this.weft) : 0
    return readFileSync(join(this.folder, `${number}.log`), 'latin1')
  }

  /** Something that nobody but its owner must see. */
  keep(what: string, secret: string | undefined): void {
    if (secret) this.secrets.set(secret, what)
  }

  /** Where secrets are that must be nowhere: in the log, the events, or a file of the data directory. */
  leaks(): string[] {
    const places = new Map<string, Buffer>(
      files(join(this.folder, 'data')).map((file) => [file, readFileSync(file)]),
    )
    places.set('the log', Buffer.from(this.log().replace(FIRST_LINK, ''), 'latin1'))
    places.set('the events', this.sidecar?.bytes ?? Buffer.alloc(0))
    for (const place of ['the log', 'the events'])
      if ((places.get(place)?.length ?? 0) < 10_000) return [`${place} has next to nothing`]
    if (![...places.keys()].some((place) => place.endsWith('users.sqlite'))) return ['there is no store']
    const found: string[] = []
    for (const [secret, what] of this.secrets)
      for (const [place, bytes] of places) if (bytes.includes(secret)) found.push(`${what} is in ${place}`)
    return found
  }

  private async mails(to: string): Promise<string[]> {
    const all: { to: string[]; text: string }[] = await (await fetch(this.mailbox)).json()
    // Quoted-printable breaks long lines.
    return all.filter((mail) => mail.to.includes(to)).map((mail) => mail.text.replaceAll('=\r\n', ''))
  }

  /** The link in the mail to somebody. */
  mailedLink(to: string): Promise<string> {
    return until(`mail to ${to}`, async () => {
      const [mail] = await this.mails(to)
      return /http\S+\/login#\w+/.exec(mail ?? '')?.[0]
    })
  }

  async close(): Promise<void> {
    await Promise.all(
      this.programs.map(({ child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return undefined
        const ended = new Promise((resolve) => child.once('exit', resolve))
        child.kill('SIGINT')
        return ended
      }),
    )
    this.sidecar?.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
