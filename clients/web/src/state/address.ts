import type { CardRef } from '../shared/messages'

export const PAGES = ['members', 'tokens', 'audit', 'you', 'device'] as const
export type Page = '' | (typeof PAGES)[number]

/** What the address says: everything needed to show a colleague the same picture. */
export interface Address {
  /** The organisation; empty for the caller's own. */
  org: string
  /** What lies over the picture. */
  page: Page
  /** Of a program that asks for a token; on the page for that alone. */
  code: string
  topologyId: string
  view: 'map' | 'table'
  options: Record<string, string[]>
  /** Open cards, the front one last. */
  cards: CardRef[]
  query: string
  chips: string[]
  groupBy: string
  /** The label of the metric that fills nodes; null for the first one there is. */
  metric: string | null
  sort: string
  descending: boolean
  at: number | null
}

export const START: Address = {
  org: '',
  page: '',
  code: '',
  topologyId: '',
  view: 'map',
  options: {},
  cards: [],
  query: '',
  chips: [],
  groupBy: '',
  metric: null,
  sort: '',
  descending: false,
  at: null,
}

/** `~` and `,` separate values; both can stand in ids. */
function encodePart(text: string): string {
  return text.replace(/[%~,]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function decodePart(text: string): string {
  return text.replace(/%(25|7E|2C)/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
}

export function formatAddress(address: Address): string {
  const params = new URLSearchParams()
  if (address.org !== '') params.set('org', address.org)
  if (address.page !== '') params.set('page', address.page)
  if (address.page === 'device' && address.code !== '') params.set('code', address.code)
  if (address.view !== 'map') params.set('view', address.view)
  for (const [id, values] of Object.entries(address.options))
    params.set(`o.${id}`, values.map(encodePart).join(','))
  for (const card of address.cards)
    params.append('card', `${encodePart(card.topologyId)}~${encodePart(card.nodeId)}`)
  if (address.query !== '') params.set('q', address.query)
  for (const chip of address.chips) params.append('find', chip)
  if (address.groupBy !== '') params.set('group', address.groupBy)
  if (address.metric !== null) params.set('metric', address.metric)
  if (address.sort !== '') params.set('sort', `${address.descending ? '-' : ''}${address.sort}`)
  if (address.at !== null) params.set('at', new Date(address.at).toISOString())
  const query = params.toString()
  return `#/${encodeURIComponent(address.topologyId)}${query === '' ? '' : `?${query}`}`
}

/** The organisation that an address of any kind names, by the server's rule for their ids; empty if it names none. */
export function orgOf(hash: string): string {
  const org = new URLSearchParams(hash.split('?')[1] ?? '').get('org') ?? ''
  return /^[a-z0-9-]{1,64}$/.test(org) ? org : ''
}

export function parseAddress(hash: string): Address {
  if (hash.startsWith('#!/state/')) return parseScopeAddress(hash)
  const found = /^#\/([^?]*)(?:\?(.*))?$/.exec(hash)
  if (!found) return START
  const params = new URLSearchParams(found[2] ?? '')
  const options: Address['options'] = {}
  for (const [key, value] of params) {
    if (key.startsWith('o.')) options[key.slice(2)] = value === '' ? [''] : value.split(',').map(decodePart)
  }
  const cards = params.getAll('card').flatMap((text) => {
    const parts = text.split('~').map(decodePart)
    return parts.length === 2 ? [{ topologyId: parts[0], nodeId: parts[1] }] : []
  })
  const sort = params.get('sort') ?? ''
  const at = Date.parse(params.get('at') ?? '')
  return {
    org: orgOf(hash),
    page: PAGES.find((one) => one === params.get('page')) ?? '',
    code: /^[A-Za-z0-9-]{1,16}$/.exec(params.get('code') ?? '')?.[0] ?? '',
    topologyId: safeDecode(found[1]),
    view: params.get('view') === 'table' ? 'table' : 'map',
    options,
    cards,
    query: params.get('q') ?? '',
    chips: params.getAll('find'),
    groupBy: params.get('group') ?? '',
    metric: params.get('metric'),
    sort: sort.replace(/^-/, ''),
    descending: sort.startsWith('-'),
    at: Number.isNaN(at) ? null : at,
  }
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

interface ScopeState {
  topologyId?: string
  topologyViewMode?: string
  topologyOptions?: Record<string, Record<string, string | string[]>>
  nodeDetails?: { id?: string; topologyId?: string }[]
  searchQuery?: string
  pinnedSearches?: string[]
  pinnedMetricType?: string
  pausedAt?: string
}

/** Links into Weave Scope's UI still lead somewhere. */
function parseScopeAddress(hash: string): Address {
  try {
    const text = safeDecode(hash.slice('#!/state/'.length))
      .replaceAll('<SLASH>', '/')
      .replaceAll('<PERCENT>', '%')
    const state = JSON.parse(text) as ScopeState
    const topologyId = state.topologyId ?? ''
    const chosen = state.topologyOptions?.[topologyId] ?? {}
    const at = Date.parse(state.pausedAt ?? '')
    return {
      ...START,
      topologyId,
      view: state.topologyViewMode === 'grid' ? 'table' : 'map',
      options: Object.fromEntries(
        Object.entries(chosen).map(([id, value]) => [id, Array.isArray(value) ? value : [value]]),
      ),
      cards: (state.nodeDetails ?? []).flatMap((one) =>
        one.id ? [{ topologyId: one.topologyId ?? topologyId, nodeId: one.id }] : [],
      ),
      query: state.searchQuery ?? '',
      chips: state.pinnedSearches ?? [],
      metric: state.pinnedMetricType ?? null,
      at: Number.isNaN(at) ? null : at,
    }
  } catch {
    return START
  }
}
