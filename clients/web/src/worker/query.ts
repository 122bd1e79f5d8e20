/**
 * The search language: terms separated by blanks, all must match. `text`, `field:text`, `-term`, `metric > 50%`; quotes
 * keep blanks together. The same as QueryService.Search, so that live and server search agree.
 */

export type Term =
  | { kind: 'text'; text: string; negated: boolean }
  | { kind: 'field'; field: string; text: string; negated: boolean }
  | { kind: 'metric'; metric: string; op: Op; value: number; negated: boolean }

export type Op = '<' | '<=' | '>' | '>=' | '=' | '!='

export interface Query {
  terms: Term[]
  /** In words, or empty. A query with an error has the terms before it. */
  error: string
}

const OPERATOR = /^(<=|>=|!=|<|>|=)/
const UNITS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

/** Letters and digits only, lower case: `Open files` and `open-files` are the same field. */
export function slug(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '')
}

interface Token {
  text: string
  quoted: boolean
  at: number
}

function tokenise(source: string): { tokens: Token[]; error: string } {
  const tokens: Token[] = []
  let text = ''
  let quoted = false
  let open = -1
  let start = 0
  for (let i = 0; i < source.length; i++) {
    const c = source[i]
    if (c === '"') {
      open = open < 0 ? i : -1
      quoted = true
      if (text === '') start = i
    } else if (open < 0 && /\s/.test(c)) {
      if (text !== '' || quoted) tokens.push({ text, quoted, at: start })
      text = ''
      quoted = false
    } else {
      if (text === '' && !quoted) start = i
      text += c
    }
  }
  if (text !== '' || quoted) tokens.push({ text, quoted, at: start })
  return { tokens, error: open >= 0 ? `the quote at ${open + 1} is not closed` : '' }
}

function parseValue(text: string): number {
  const found = /^(-?\d+(?:\.\d+)?)\s*(%|[kmgt]?(?:i?b)?)$/i.exec(text)
  if (!found) return Number.NaN
  const unit = found[2].toLowerCase()
  return Number(found[1]) * (unit === '%' || unit === 'b' ? 1 : (UNITS[unit.charAt(0)] ?? 1))
}

/** Joins `cpu`, `>`, `50%` and every spacing of it into one token. */
function joinComparisons(tokens: Token[]): Token[] {
  const joined: Token[] = []
  for (let i = 0; i < tokens.length; i++) {
    let token = tokens[i]
    const next = tokens[i + 1]
    if (!token.quoted && next && !next.quoted && OPERATOR.test(next.text)) {
      token = { ...token, text: token.text + next.text }
      i++
    }
    const after = tokens[i + 1]
    if (!token.quoted && after && !after.quoted && /(<=|>=|!=|<|>|=)$/.test(token.text)) {
      token = { ...token, text: token.text + after.text }
      i++
    }
    joined.push(token)
  }
  return joined
}

function parseTerm(token: Token, knownField: (slug: string) => boolean): Term | string {
  let text = token.text
  const negated = text.startsWith('-') && text.length > 1
  if (negated) text = text.slice(1)
  const comparison = /^([^<>=!:]+?)(<=|>=|!=|<|>|=)(.*)$/.exec(text)
  if (comparison && !token.quoted) {
    const value = parseValue(comparison[3])
    if (comparison[3] === '') return `${comparison[1]} ${comparison[2]} needs a number`
    if (Number.isNaN(value)) return `“${comparison[3]}” is not a number`
    return { kind: 'metric', metric: slug(comparison[1]), op: comparison[2] as Op, value, negated }
  }
  const colon = text.indexOf(':')
  if (colon > 0) {
    const field = slug(text.slice(0, colon))
    const value = text.slice(colon + 1).toLowerCase()
    // `10.0.0.1:80` and `nginx:1.2` are texts, unless a field is called so.
    if (field !== '' && knownField(field)) {
      return { kind: 'field', field, text: value, negated }
    }
  }
  return { kind: 'text', text: text.toLowerCase(), negated }
}

export function parseQuery(source: string, knownField: (slug: string) => boolean): Query {
  const { tokens, error } = tokenise(source)
  const terms: Term[] = []
  for (const token of joinComparisons(tokens)) {
    if (token.text === '' || token.text === '-') continue
    const term = parseTerm(token, knownField)
    if (typeof term === 'string') return { terms, error: term }
    terms.push(term)
  }
  return { terms, error }
}

export function compare(value: number, op: Op, limit: number): boolean {
  if (op === '<') return value < limit
  if (op === '<=') return value <= limit
  if (op === '>') return value > limit
  if (op === '>=') return value >= limit
  // Metrics are cut to two decimals on their way here.
  const equal = Math.abs(value - limit) < 0.005
  return op === '=' ? equal : !equal
}
