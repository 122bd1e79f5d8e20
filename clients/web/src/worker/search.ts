import type { NodeSummary } from '../gen/weft/query/v1/topology_pb'
import { compare, parseQuery, type Query, slug, type Term } from './query'

/** One node, prepared for matching. */
export interface Searchable {
  /** Everything, lower case, fields separated by line feeds. */
  all: string
  fields: { slug: string; text: string }[]
  metrics: { slug: string; value: number }[]
}

const slugs = new Map<string, string>()

function cachedSlug(label: string): string {
  let found = slugs.get(label)
  if (found === undefined) {
    found = slug(label)
    slugs.set(label, found)
  }
  return found
}

export function prepare(node: NodeSummary): Searchable {
  const fields: Searchable['fields'] = []
  const add = (label: string, value: string) => {
    if (value !== '') fields.push({ slug: cachedSlug(label), text: value.toLowerCase() })
  }
  add('label', node.label)
  add('label', node.labelMinor)
  for (const row of node.metadata) add(row.label, row.value)
  for (const parent of node.parents) add(parent.topologyId, parent.label)
  for (const table of node.tables) {
    for (const row of table.rows) {
      const { label, value } = row.entries
      if (label !== undefined && value !== undefined) add(label, value)
      else for (const [column, text] of Object.entries(row.entries)) add(column, text)
    }
  }
  return {
    all: fields.map((field) => field.text).join('\n'),
    fields,
    metrics: node.metrics
      .filter((metric) => !metric.valueEmpty)
      .map((metric) => ({ slug: cachedSlug(metric.label), value: metric.value })),
  }
}

function termMatches(term: Term, node: Searchable): boolean {
  if (term.kind === 'text') return node.all.includes(term.text)
  if (term.kind === 'field') {
    return node.fields.some((field) => field.slug.startsWith(term.field) && field.text.includes(term.text))
  }
  return node.metrics.some(
    (metric) => metric.slug.startsWith(term.metric) && compare(metric.value, term.op, term.value),
  )
}

export function matches(query: Query, node: Searchable): boolean {
  return query.terms.every((term) => termMatches(term, node) !== term.negated)
}

/** A query over the fields that exist; metrics count as fields, for `cpu:`. */
export function compile(text: string, fieldSlugs: Iterable<string>): Query {
  const known = [...fieldSlugs]
  return parseQuery(text, (field) => known.some((name) => name.startsWith(field)))
}
