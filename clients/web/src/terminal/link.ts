import type { SearchAddon } from '@xterm/addon-search'
import type { IDisposable } from '@xterm/xterm'
import type { PipeEvent } from '../shared/messages'
import { backend } from '../state/app'
import type { Screen, Terminal } from '../state/terminals'
import { type TerminalKey, terminalKey } from './keys'
import { makeScreen, matchColours, type Parts, screenTheme } from './screen'

/** A bigger piece would freeze the page while it is drawn. */
const PIECE = 64 * 1024
const RESIZE_AFTER_MS = 250
/** Lines above the screen that move along to another window. */
const MOVED_LINES = 10_000
const MAC = /^Mac/.test(navigator.platform)

export interface LinkEvents {
  pipe: (event: PipeEvent) => void
  size: (columns: number, rows: number) => void
  key: (key: TerminalKey) => void
  selected: (selected: boolean) => void
  /** The text came by the browser's own paste. */
  paste: (text: string) => void
  matches: (at: number, count: number) => void
}

export interface Find {
  text: string
  exact: boolean
  regex: boolean
}

/** A terminal's screen and its pipe. */
export class Link {
  private readonly parts: Parts
  private readonly observer: ResizeObserver
  private readonly input: boolean
  private resizeTimer: ReturnType<typeof setTimeout> | undefined
  private sentSize = ''
  private settling: IDisposable | undefined
  private open = false
  /** The output up to here is on the screen. */
  private drawn: number
  /** The screen that it had elsewhere, until all of it is drawn: another window may ask before that. */
  private coming: Screen | undefined

  constructor(
    box: HTMLElement,
    private readonly terminal: Terminal,
    screen: Screen | undefined,
    fontSize: number,
    private readonly events: LinkEvents,
  ) {
    this.input = terminal.raw && !terminal.watch
    this.parts = makeScreen(box, terminal.raw, this.input, fontSize)
    this.drawn = screen?.offset ?? 0
    this.coming = screen
    if (screen) {
      this.parts.xterm.write(screen.text, () => {
        this.coming = undefined
      })
    }
    this.listen(box)
    this.observer = new ResizeObserver(() => this.refit())
    this.observer.observe(box)
    backend.openPipe(terminal.pipeId, this.drawn, terminal.known, {
      event: (event) => this.receive(event),
      data: (data, end) => this.write(data, end),
    })
    const { size } = terminal
    if (size) this.keepPlace(() => this.parts.xterm.resize(...size))
    this.refit()
    this.resized()
    this.focus()
  }

  private listen(box: HTMLElement): void {
    const { xterm, search } = this.parts
    xterm.attachCustomKeyEventHandler((event) => {
      const key = terminalKey(event, { mac: MAC, selected: xterm.hasSelection(), input: this.input })
      if (key === null) return true
      // The browser's own paste brings the text without asking for the clipboard.
      if (key === 'paste') return false
      event.preventDefault()
      if (event.type === 'keydown') this.events.key(key)
      return false
    })
    // Before xterm's own: a paste may have to be asked about.
    box.addEventListener(
      'paste',
      (event) => {
        event.preventDefault()
        event.stopPropagation()
        if (this.input) this.events.paste(event.clipboardData?.getData('text/plain') ?? '')
      },
      true,
    )
    const encoder = new TextEncoder()
    xterm.onData((text) => this.send(encoder.encode(text)))
    xterm.onBinary((text) => this.send(Uint8Array.from(text, (c) => c.charCodeAt(0))))
    xterm.onResize(() => this.resized())
    xterm.onSelectionChange(() => this.events.selected(xterm.hasSelection()))
    search.onDidChangeResults(({ resultIndex, resultCount }) =>
      this.events.matches(resultIndex + 1, resultCount),
    )
  }

  destroy(): void {
    this.observer.disconnect()
    clearTimeout(this.resizeTimer)
    backend.releasePipe(this.terminal.pipeId)
    this.parts.xterm.dispose()
  }

  focus(): void {
    this.parts.xterm.focus()
  }

  /** What is on the screen and above it, for another window. */
  get screen(): Screen {
    const text = () => this.parts.serialize.serialize({ scrollback: MOVED_LINES })
    return this.coming ?? { text: text(), offset: this.drawn }
  }

  get selection(): string {
    return this.parts.xterm.getSelection()
  }

  get bracketedPaste(): boolean {
    return this.parts.xterm.modes.bracketedPasteMode
  }

  paste(text: string): void {
    this.parts.xterm.paste(text)
    this.focus()
  }

  find(find: Find, step: 'next' | 'previous' | 'typed'): void {
    const { search } = this.parts
    if (find.text === '') return search.clearDecorations()
    const options: Parameters<SearchAddon['findNext']>[1] = {
      caseSensitive: find.exact,
      regex: find.regex,
      // While it is typed, the match that is shown may grow.
      incremental: step === 'typed',
      decorations: matchColours(),
    }
    if (step === 'next') search.findNext(find.text, options)
    else search.findPrevious(find.text, options)
  }

  endFind(): void {
    this.parts.search.clearDecorations()
    this.parts.xterm.clearSelection()
    this.focus()
  }

  /** Announces output; off at first because it swallows some ways to type. */
  setAnnounced(on: boolean): void {
    this.parts.xterm.options.screenReaderMode = on
  }

  setTheme(): void {
    this.parts.xterm.options.theme = screenTheme()
  }

  setFontSize(size: number): void {
    this.parts.xterm.options.fontSize = size
    this.refit()
  }

  private send(data: Uint8Array): void {
    if (this.open && this.input) backend.send({ type: 'pipeWrite', pipeId: this.terminal.pipeId, data })
  }

  private receive(event: PipeEvent): void {
    if (event.kind === 'state') {
      // What is typed while the connection is away waits in the worker.
      this.open = event.state !== 'ended' && event.state !== 'broken'
      this.parts.xterm.options.cursorBlink = this.open && this.input
      if (event.state === 'open') this.resized()
    }
    this.events.pipe(event)
  }

  private write(data: Uint8Array, end: number): void {
    for (let at = 0; at < data.length; at += PIECE) {
      const piece = data.subarray(at, at + PIECE)
      this.parts.xterm.write(piece, () => {
        this.drawn = end - data.length + at + piece.length
        backend.send({ type: 'pipeAck', pipeId: this.terminal.pipeId, bytes: piece.length })
      })
    }
  }

  private refit(): void {
    // A hidden box has no size; that of another's terminal is not ours to choose.
    if (this.parts.xterm.element?.offsetParent && !this.terminal.size)
      this.keepPlace(() => this.parts.fit.fit())
  }

  /**
   * A new size must not change what is looked at. xterm takes output that comes between it and the next picture
   * for somebody's scrolling up, and loses count of the line when somebody did scroll up: then a key pressed
   * later does not show what it typed.
   */
  private keepPlace(resize: () => void): void {
    const { xterm } = this.parts
    const before = xterm.buffer.active
    const follows = before.viewportY >= before.baseY
    resize()
    const settle = () => {
      const { viewportY, baseY } = xterm.buffer.active
      const line = follows ? baseY : viewportY
      // Only a change makes it count anew.
      xterm.scrollLines(line > 0 ? -1 : 1)
      xterm.scrollToLine(line)
    }
    settle()
    this.settling?.dispose()
    this.settling = xterm.onRender(() => {
      this.settling?.dispose()
      requestAnimationFrame(() => {
        if (follows && xterm.element?.isConnected) settle()
      })
    })
  }

  private resized(): void {
    const { cols, rows } = this.parts.xterm
    this.events.size(cols, rows)
    const { resizeControl, probeId, nodeId, pipeId, watch } = this.terminal
    if (resizeControl === '' || watch || !this.open) return
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
