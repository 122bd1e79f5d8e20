import { describe, expect, it } from 'vitest'
import { compare, parseQuery, slug } from './query'

const fields = new Set(['command', 'cpu', 'host', 'openfiles'])
const known = (field: string) => [...fields].some((name) => name.startsWith(field))
const parse = (text: string) => parseQuery(text, known)

describe('query', () => {
  it('splits at blanks and keeps quoted blanks', () => {
    expect(parse('nginx "two words"').terms).toEqual([
      { kind: 'text', text: 'nginx', negated: false },
      { kind: 'text', text: 'two words', negated: false },
    ])
  })

  it('reads fields by the beginning of their names', () => {
    expect(parse('comm:Nginx').terms).toEqual([
      { kind: 'field', field: 'comm', text: 'nginx', negated: false },
    ])
  })

  it('takes an address or an image tag as text', () => {
    expect(parse('10.0.0.1:80').terms[0]).toMatchObject({ kind: 'text', text: '10.0.0.1:80' })
    expect(parse('redis:6.2').terms[0]).toMatchObject({ kind: 'text', text: 'redis:6.2' })
  })

  it('negates texts, fields and comparisons', () => {
    expect(parse('-host:db -cpu>5 -x').terms.map((term) => term.negated)).toEqual([true, true, true])
  })

  it.each([
    ['cpu > 50%', '>', 50],
    ['cpu>=50 %', '>=', 50],
    ['cpu <= 5', '<=', 5],
    ['cpu != 5', '!=', 5],
    ['memory > 10mb', '>', 10 * 2 ** 20],
    ['memory<1.5G', '<', 1.5 * 2 ** 30],
  ])('reads the comparison %s', (text, op, value) => {
    expect(parse(text.replace('50 %', '50%')).terms).toEqual([
      { kind: 'metric', metric: text.startsWith('cpu') ? 'cpu' : 'memory', op, value, negated: false },
    ])
  })

  it('says what is wrong and keeps the terms before it', () => {
    expect(parse('web cpu > many')).toMatchObject({
      terms: [{ text: 'web' }],
      error: '“many” is not a number',
    })
    expect(parse('cpu >').error).toContain('needs a number')
    expect(parse('"open').error).toContain('not closed')
  })

  it('matches everything with an empty query', () => {
    expect(parse('  ')).toEqual({ terms: [], error: '' })
  })

  it('compares', () => {
    expect(compare(5, '>=', 5)).toBe(true)
    expect(compare(5, '>', 5)).toBe(false)
    expect(compare(5.001, '=', 5)).toBe(true)
    expect(compare(5.1, '!=', 5)).toBe(true)
  })

  it('slugs names', () => {
    expect(slug('Open files')).toBe('openfiles')
  })
})
