import type { DetailsView } from '../shared/details'
import type {
  CardRef,
  Connection,
  FromWorker,
  PageScope,
  Summary,
  TableWindow,
  TopologyView,
  UserView,
} from '../shared/messages'
import { type Address, formatAddress, orgOf, parseAddress } from './address'
import { Backend, CallError } from './backend'
import { Store } from './store'
import { parseTerminalAddress } from './terminalAddress'
import { firstTopology, rootOf } from './topologies'

export interface Playback {
  from: number
  speed: number
}

export interface AppState {
  address: Address
  connection: Connection
  /** Null until the first list came. */
  topologies: TopologyView[] | null
  summary: Summary | null
  table: TableWindow | null
  /** By card key; null means gone, absent means not answered yet. */
  details: Record<string, DetailsView | null>
  hits: Record<string, number>
  receivedAt: number
  /** Whether past moments can be shown; null until known. */
  history: boolean | null
  /** Since when the picture stands still although the server only knows now. */
  frozenAt: number | null
  timeStrip: boolean
  /** History is being played; the address follows. */
  playback: Playback | null
  /** Seconds of history per second, for the next time it is played. */
  playSpeed: number
  /** The moment that the server says it shows; null until it answered for the present choice. */
  shown: { at: number; receivedAt: number } | null
  /** How far the server's clock is ahead of this one. */
  skew: number
  user: UserView | null
  dialog: '' | 'help' | 'palette'
  /** On narrow screens topologies and filters lie over the picture when called. */
  menu: boolean
  /** Where the keyboard is on the map. */
  cursor: string
}

export function cardKey(card: CardRef): string {
  return `${card.topologyId}\n${card.nodeId}`
}

export const app = new Store<AppState>({
  address: parseAddress(window.location.hash),
  connection: { state: 'connecting' },
  topologies: null,
  summary: null,
  table: null,
  details: {},
  hits: {},
  receivedAt: 0,
  history: null,
  frozenAt: null,
  // A link to a past moment also shows where in time it is.
  timeStrip: parseAddress(window.location.hash).at !== null,
  playback: null,
  playSpeed: 10,
  shown: null,
  skew: 0,
  user: null,
  dialog: '',
  menu: false,
  cursor: '',
})

export const backend = new Backend(receive, orgOf(window.location.hash))

function receive(message: FromWorker): void {
  switch (message.type) {
    case 'connection':
      return app.set({ connection: message.connection })
    case 'topologies':
      app.set({ topologies: message.topologies })
      if (app.get().address.topologyId === '') {
        const first = firstTopology(message.topologies)
        if (first) navigate({ topologyId: first }, 'replace')
      } else post()
      return
    case 'summary':
      app.set({ summary: message.summary })
      return post()
    case 'table':
      return app.set({ table: message.window })
    case 'details':
      return app.set({ details: { ...app.get().details, [cardKey(message.card)]: message.details } })
    case 'hits':
      return app.set({ hits: message.hits })
    case 'moment':
      return receiveMoment(message.at, message.receivedAt, message.jump, message.live)
    case 'data':
      return app.get().frozenAt === null ? app.set({ receivedAt: message.receivedAt }) : undefined
  }
}

/** Differences below this are the way of the data, not of the clocks. */
const SKEW_FROM_MS = 15_000
let ahead = Number.NEGATIVE_INFINITY

function receiveMoment(at: number, receivedAt: number, of: number, live: boolean): void {
  if (of !== jump) return
  // A live picture may be old when nothing changes, but never from the future.
  if (live) ahead = Math.max(ahead, at - receivedAt)
  const skew = Math.abs(ahead) < SKEW_FROM_MS || !Number.isFinite(ahead) ? 0 : ahead
  app.set({ shown: { at, receivedAt }, skew })
}

/** The metric that fills nodes now. */
export function shownMetric(state: AppState): string {
  if (state.address.metric !== null) return state.address.metric
  return state.summary?.metrics[0] ?? ''
}

let postedScope = ''
let postedView = ''
let postedMoment = ''
let jump = 0

/** Tells the worker what the page shows, if that has changed. */
function post(): void {
  const state = app.get()
  const { address, playback } = state
  const moment = playback ? `${playback.from} ${playback.speed}` : String(address.at)
  if (moment !== postedMoment) {
    postedMoment = moment
    jump++
    app.set({ shown: null })
  }
  const scope: PageScope = {
    topologyId: address.topologyId,
    options: address.options,
    at: playback ? playback.from : address.at,
    speed: playback?.speed ?? 0,
    jump,
    cards: address.cards,
  }
  const scopeText = JSON.stringify(scope)
  if (scopeText !== postedScope) {
    postedScope = scopeText
    backend.send({ type: 'scope', scope })
  }
  const view = {
    query: address.query,
    chips: address.chips,
    groupBy: address.groupBy,
    metric: shownMetric(state),
  }
  const viewText = JSON.stringify(view)
  if (viewText !== postedView) {
    postedView = viewText
    backend.send({ type: 'view', view })
  }
}

function show(address: Address): void {
  const before = app.get()
  const elsewhere =
    before.address.topologyId !== address.topologyId ||
    JSON.stringify(before.address.options) !== JSON.stringify(address.options)
  if (elsewhere) freeze(false)
  const other = before.address.topologyId !== address.topologyId
  // Going elsewhere in time by other means ends the playing.
  const playback = before.address.at === address.at ? before.playback : null
  const keys = new Set(address.cards.map(cardKey))
  app.set({
    address,
    playback,
    details: Object.fromEntries(Object.entries(before.details).filter(([key]) => keys.has(key))),
    ...(other ? { table: null, cursor: '' } : {}),
  })
  post()
}

const URL_LATER_MS = 400
let urlTimer = 0

function writeUrl(how: 'push' | 'replace'): void {
  clearTimeout(urlTimer)
  urlTimer = 0
  const hash = formatAddress(app.get().address)
  if (hash !== window.location.hash)
    window.history[how === 'push' ? 'pushState' : 'replaceState'](null, '', hash)
}

/** Browsers refuse addresses that change many times a second. */
export function writeUrlLater(): void {
  if (urlTimer === 0) urlTimer = window.setTimeout(() => writeUrl('replace'), URL_LATER_MS)
}

/**
 * Changes the address. `replace` for what is not worth a step back, such as a key stroke in the search; `later` also for
 * what changes many times a second.
 */
export function navigate(part: Partial<Address>, how: 'push' | 'replace' | 'later' = 'push'): void {
  // A step back must lead to where the last changes ended.
  if (how === 'push' && urlTimer !== 0) writeUrl('replace')
  show({ ...app.get().address, ...part })
  if (how === 'later') writeUrlLater()
  else writeUrl(how)
}

export function setTopology(topologyId: string): void {
  const { address, topologies } = app.get()
  app.set({ menu: false })
  if (topologyId === address.topologyId) return
  const list = topologies ?? []
  // Variants of one topology share its options.
  const related = rootOf(list, topologyId) === rootOf(list, address.topologyId)
  navigate({ topologyId, cards: [], groupBy: '', sort: '', options: related ? address.options : {} })
}

/** From the map or table: the stack starts anew. The same node again closes it. */
export function openNode(nodeId: string): void {
  const { address } = app.get()
  const front = address.cards[address.cards.length - 1]
  if (front?.nodeId === nodeId && front.topologyId === address.topologyId) return closeCards()
  navigate({ cards: [{ topologyId: address.topologyId, nodeId }] })
}

/** From within a card: a further card in front. */
export function pushCard(card: CardRef): void {
  const { cards } = app.get().address
  const rest = cards.filter((other) => cardKey(other) !== cardKey(card))
  navigate({ cards: [...rest, card].slice(-8) })
}

export function popCard(): void {
  navigate({ cards: app.get().address.cards.slice(0, -1) })
}

export function closeCards(): void {
  if (app.get().address.cards.length > 0) navigate({ cards: [] })
}

/** Without history the picture can still be held. */
export function freeze(frozen: boolean): void {
  if (frozen === (app.get().frozenAt !== null)) return
  app.set({ frozenAt: frozen ? Date.now() : null })
  backend.send({ type: 'freeze', frozen })
}

/** Plays history from a moment, or stands still. */
export function setPlayback(playback: Playback | null): void {
  app.set({ playback })
  post()
}

const NOBODY: UserView = {
  id: '',
  email: '',
  name: '',
  orgId: '',
  org: '',
  refusal: '',
  loggedIn: false,
  permissions: null,
}

const ASK_AGAIN_MS = 10_000

/** Whether the server knows the past. */
async function askForHistory(): Promise<void> {
  const now = Date.now()
  try {
    await backend.call({ method: 'timeline', from: now - 60_000, until: now, spans: 1 })
    app.set({ history: true })
  } catch (error) {
    if (error instanceof CallError && error.code === 'Unimplemented') app.set({ history: false })
    else setTimeout(() => void askForHistory(), ASK_AGAIN_MS)
  }
}

function follow(): void {
  // A terminal has the window to itself.
  const { hash } = window.location
  // So has an organisation: nothing of one may be left when another is shown.
  if (parseTerminalAddress(hash) || orgOf(hash) !== app.get().address.org) window.location.reload()
  else show(parseAddress(window.location.hash))
}

export function start(): void {
  window.addEventListener('popstate', follow)
  window.addEventListener('hashchange', follow)
  post()
  void askForHistory()
  backend
    .call<UserView>({ method: 'user' })
    .then((user) => app.set({ user }))
    // A server without users answers nothing here; the server decides in the end anyway.
    .catch(() => app.set({ user: NOBODY }))
}
