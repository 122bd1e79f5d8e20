import { app, backend } from './app'
import { Store } from './store'
import { formatTerminalAddress } from './terminalAddress'

/** The terminals of this page, and of the windows that it opened. */

export interface Terminal {
  pipeId: string
  title: string
  /** A shell that takes every key, not a log. */
  raw: boolean
  resizeControl: string
  probeId: string
  nodeId: string
  /** Attached to before: by this page before it was loaded anew, or in a window. */
  known: boolean
  /** In a window of its own. */
  away: boolean
  /** Shown without taking input. */
  watch: boolean
  /** Columns and rows that are not this page's to choose; null if they are. */
  size: [number, number] | null
}

/** A screen on its way between page and window. */
export interface Screen {
  text: string
  /** The output up to here is in it. */
  offset: number
}

type Said =
  | { say: 'who'; pipeId: string }
  | { say: 'take'; pipeId: string; terminal: Terminal; screen: Screen | undefined }
  | { say: 'back'; pipeId: string; screen: Screen | undefined }
  | { say: 'ended'; pipeId: string }
  | { say: 'come'; pipeId: string }

interface State {
  all: Terminal[]
  front: string
}

export const terminals = new Store<State>({ all: [], front: '' })

const KEY = 'weft.terminals'
const CHANNEL = 'weft.terminals'
const ANSWER_MS = 700
/** Screens of terminals that are not shown at the moment, each for the next one who shows it. */
const kept = new Map<string, Screen>()
/** How to get the screen of a shown terminal. */
const shown = new Map<string, () => Screen>()
let channel: BroadcastChannel | undefined

function say(message: Said): void {
  channel?.postMessage(message)
}

/** The list alone: what terminals show may be secret, and storage can be on disk. The server repeats the last output. */
function save(): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(terminals.get()))
  } catch {
    // Then they last as long as the page.
  }
}

function change(all: Terminal[], front: string): void {
  terminals.set({ all, front: all.some((one) => one.pipeId === front) ? front : (all.at(-1)?.pipeId ?? '') })
  save()
}

function update(pipeId: string, part: Partial<Terminal>): void {
  const { all, front } = terminals.get()
  change(
    all.map((one) => (one.pipeId === pipeId ? { ...one, ...part } : one)),
    front,
  )
}

export function openTerminal(terminal: Terminal): void {
  const rest = terminals.get().all.filter((one) => one.pipeId !== terminal.pipeId)
  change([...rest, terminal], terminal.pipeId)
}

export function showTerminal(pipeId: string): void {
  change(terminals.get().all, pipeId)
}

/** Ends what runs in it. */
export async function endTerminal(pipeId: string): Promise<void> {
  forget(pipeId)
  say({ say: 'ended', pipeId })
  // Without an answer the server ends it a minute after the last one has left.
  await backend.endPipe(pipeId).catch(() => undefined)
}

function forget(pipeId: string): void {
  kept.delete(pipeId)
  const { all, front } = terminals.get()
  const at = all.findIndex((one) => one.pipeId === pipeId)
  const next = all[at + 1] ?? all[at - 1]
  change(
    all.filter((one) => one.pipeId !== pipeId),
    front === pipeId ? (next?.pipeId ?? '') : front,
  )
}

/** For as long as a terminal is shown; returns how to take it back. */
export function present(pipeId: string, screen: () => Screen): () => void {
  shown.set(pipeId, screen)
  return () => {
    if (shown.get(pipeId) === screen) shown.delete(pipeId)
  }
}

/** The screen that this terminal had where it was before. */
export function takeScreen(pipeId: string): Screen | undefined {
  const screen = kept.get(pipeId)
  kept.delete(pipeId)
  return screen
}

function handOver(pipeId: string): Screen | undefined {
  return shown.get(pipeId)?.() ?? kept.get(pipeId)
}

/** False if the browser does not open windows for us. */
export function popOut(terminal: Terminal): boolean {
  const { pipeId, title } = terminal
  const url = new URL(window.location.href)
  url.hash = formatTerminalAddress({
    org: app.get().address.org,
    pipeId,
    title,
    watch: false,
    size: null,
  })
  return window.open(url.href, `weft-${pipeId}`, 'popup,width=860,height=560') !== null
}

/** From the page: the window closes and gives its terminal back. */
export function bringBack(pipeId: string): void {
  say({ say: 'come', pipeId })
  // A window that is gone does not answer.
  setTimeout(() => update(pipeId, { away: false, known: true }), ANSWER_MS)
}

function receive(message: Said): void {
  const terminal = terminals.get().all.find((one) => one.pipeId === message.pipeId)
  if (!terminal) return
  const { pipeId } = message
  switch (message.say) {
    case 'who':
      say({
        say: 'take',
        pipeId,
        terminal: { ...terminal, known: true, away: false },
        screen: handOver(pipeId),
      })
      return update(pipeId, { away: true })
    case 'back':
      if (message.screen) kept.set(pipeId, message.screen)
      return update(pipeId, { away: false, known: true })
    case 'ended':
      return forget(pipeId)
  }
}

/** The page's side. */
export function startTerminals(): void {
  channel?.close()
  channel = new BroadcastChannel(CHANNEL)
  channel.onmessage = (event: MessageEvent<Said>) => receive(event.data)
  restore()
}

function restore(): void {
  try {
    const saved = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as State | null
    if (saved)
      change(
        saved.all.map((one) => ({ ...one, known: true, away: false })),
        saved.front,
      )
  } catch {
    // Of another version, or forbidden.
  }
}

function own(pipeId: string): Terminal | undefined {
  restore()
  return terminals.get().all.find((one) => one.pipeId === pipeId)
}

/** A window's side: gets its terminal from the page that opened it; undefined if no page has it. */
export function claimTerminal(pipeId: string): Promise<Terminal | undefined> {
  channel = new BroadcastChannel(CHANNEL)
  return new Promise((resolve) => {
    // Loaded anew after the page has gone, it still knows what it showed.
    const timer = setTimeout(() => resolve(own(pipeId)), ANSWER_MS)
    channel?.addEventListener('message', ({ data }: MessageEvent<Said>) => {
      if (data.pipeId !== pipeId) return
      if (data.say === 'come' || data.say === 'ended') return window.close()
      if (data.say !== 'take') return
      clearTimeout(timer)
      if (data.screen) kept.set(pipeId, data.screen)
      change([data.terminal], pipeId)
      resolve(data.terminal)
    })
    // However the window goes, its terminal does not.
    window.addEventListener('pagehide', () => {
      if (terminals.get().all.length > 0) say({ say: 'back', pipeId, screen: handOver(pipeId) })
    })
    say({ say: 'who', pipeId })
  })
}
