import { FitAddon } from '@xterm/addon-fit'
import { Unicode11Addon } from '@xterm/addon-unicode11'
import { WebLinksAddon } from '@xterm/addon-web-links'
import { Terminal as Xterm } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'
import type { PipeEvent } from '../shared/messages'
import { backend, type Terminal } from '../state/app'

/** A bigger piece would freeze the page while it is drawn. */
const PIECE = 64 * 1024
const RESIZE_AFTER_MS = 250

export interface LinkEvents {
  state: (state: Extract<PipeEvent, { kind: 'state' }>) => void
  size: (text: string) => void
  skipped: (bytes: number) => void
}

/** A terminal's screen and its pipe. */
export class Link {
  private readonly screen: Xterm
  private readonly fit = new FitAddon()
  private readonly observer: ResizeObserver
  private resizeTimer: ReturnType<typeof setTimeout> | undefined
  private sentSize = ''
  private open = false

  constructor(
    box: HTMLElement,
    private readonly terminal: Terminal,
    private readonly events: LinkEvents,
  ) {
    const style = getComputedStyle(document.documentElement)
    this.screen = new Xterm({
      fontFamily: style.getPropertyValue('--font-mono'),
      fontSize: 13,
      lineHeight: 1.2,
      scrollback: 10_000,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      // Logs come with bare line feeds.
      convertEol: !terminal.raw,
      disableStdin: !terminal.raw,
      allowProposedApi: true,
      minimumContrastRatio: 4.5,
    })
    this.screen.loadAddon(this.fit)
    this.screen.loadAddon(new WebLinksAddon())
    this.screen.loadAddon(new Unicode11Addon())
    this.screen.unicode.activeVersion = '11'
    this.screen.open(box)
    this.setTheme()
    this.screen.attachCustomKeyEventHandler((event) => {
      if (event.type !== 'keydown' || event.key !== 'Escape' || !event.shiftKey) return true
      // Everything else, Tab too, belongs to the far program; this is the way out.
      document.querySelector<HTMLElement>('[aria-label="Close terminal"]')?.focus()
      return false
    })
    const encoder = new TextEncoder()
    this.screen.onData((text) => this.send(encoder.encode(text)))
    this.screen.onBinary((text) => this.send(Uint8Array.from(text, (c) => c.charCodeAt(0))))
    this.screen.onResize(() => this.resized())
    this.observer = new ResizeObserver(() => this.refit())
    this.observer.observe(box)
    backend.openPipe(terminal.pipeId, {
      event: (event) => this.receive(event),
      data: (data) => this.write(data),
    })
    this.refit()
    this.focus()
  }

  destroy(): void {
    this.observer.disconnect()
    clearTimeout(this.resizeTimer)
    backend.closePipe(this.terminal.pipeId, true)
    this.screen.dispose()
  }

  focus(): void {
    this.screen.focus()
  }

  /** Announces output; off at first because it swallows some ways to type. */
  setAnnounced(on: boolean): void {
    this.screen.options.screenReaderMode = on
  }

  setTheme(): void {
    const style = getComputedStyle(document.documentElement)
    const dark = style.getPropertyValue('--scheme').trim() === 'dark'
    this.screen.options.theme = dark
      ? { background: '#0e1014', foreground: '#d9dce3', cursor: '#9aa5ff', selectionBackground: '#39406b' }
      : {
          background: '#ffffff',
          foreground: '#23262f',
          cursor: '#4652c8',
          selectionBackground: '#cdd3f7',
          black: '#23262f',
          red: '#b3261e',
          green: '#1c7a3d',
          yellow: '#8a6100',
          blue: '#2a55c4',
          magenta: '#8a3ab0',
          cyan: '#0f7480',
          white: '#5d626e',
        }
  }

  private send(data: Uint8Array): void {
    if (this.open) backend.send({ type: 'pipeWrite', pipeId: this.terminal.pipeId, data })
  }

  private receive(event: PipeEvent): void {
    if (event.kind === 'skipped') return this.events.skipped(event.bytes)
    // What is typed while the connection is away waits in the worker.
    this.open = event.state !== 'closed'
    if (event.state === 'open') this.resized()
    if (event.state === 'closed') this.screen.options.cursorBlink = false
    this.events.state(event)
  }

  private write(data: Uint8Array): void {
    for (let at = 0; at < data.length; at += PIECE) {
      const piece = data.subarray(at, at + PIECE)
      this.screen.write(piece, () =>
        backend.send({ type: 'pipeAck', pipeId: this.terminal.pipeId, bytes: piece.length }),
      )
    }
  }

  private refit(): void {
    // A hidden box has no size.
    if (this.screen.element?.offsetParent) this.fit.fit()
  }

  private resized(): void {
    const { cols, rows } = this.screen
    this.events.size(`${cols} × ${rows}`)
    const { resizeControl, probeId, nodeId, pipeId } = this.terminal
    if (resizeControl === '' || !this.open) return
    clearTimeout(this.resizeTimer)
    this.resizeTimer = setTimeout(() => {
      const size = `${cols}x${rows}`
      if (size === this.sentSize) return
      this.sentSize = size
      const args = { pipeID: pipeId, height: String(rows), width: String(cols) }
      void backend
        .call({ method: 'invoke', probeId, nodeId, control: resizeControl, args })
        // The next change of size tries again.
        .catch(() => {
          this.sentSize = ''
        })
    }, RESIZE_AFTER_MS)
  }
}
