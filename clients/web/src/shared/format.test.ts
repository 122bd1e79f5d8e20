import { describe, expect, it } from 'vitest'
import {
  compareKeys,
  formatAge,
  formatAgo,
  formatBytes,
  formatCount,
  formatDuration,
  formatFact,
  formatMetric,
  shorten,
  sortKey,
} from './format'

describe('format', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KB'],
    [1536, '1.5 KB'],
    [1024 * 1024 - 1, '1.0 MB'],
    [5.25 * 2 ** 30, '5.3 GB'],
  ])('writes %d bytes as %s', (value, text) => expect(formatBytes(value)).toBe(text))

  it.each([
    [0, 'percent', '0.00 %'],
    [12.34, 'percent', '12.3 %'],
    [156.7, 'percent', '157 %'],
    [112, 'integer', '112'],
    [65_536, 'integer', '66k'],
    [1_500, 'integer', '1.5k'],
    [0.99, '', '0.99'],
    [3, '', '3'],
    [Number.NaN, '', '–'],
  ])('writes the metric %d (%s) as %s', (value, format, text) =>
    expect(formatMetric(value, format)).toBe(text),
  )

  it('rounds durations down to the largest whole unit', () => {
    expect(formatDuration(86_400 * 2 - 1)).toBe('1 day')
    expect(formatDuration(3_600)).toBe('1 hour')
    expect(formatDuration(59.9)).toBe('59 seconds')
    expect(formatDuration(0)).toBe('now')
  })

  it('writes ages', () => {
    expect(formatAgo(0, 120_000)).toBe('2 minutes ago')
    expect(formatAgo(0, 200)).toBe('just now')
    expect(formatAge(61_000)).toBe('1 min')
  })

  it('writes counts exactly', () => {
    expect(formatCount(999)).toBe('999')
    expect(formatCount(1_234_567)).toBe('1\u202f234\u202f567')
  })

  it('reads facts by their type', () => {
    expect(formatFact('3600', 'duration', 0)).toBe('1 hour')
    expect(formatFact('not a date', 'datetime', 0)).toBe('not a date')
    expect(formatFact('1970-01-01T00:00:00Z', 'datetime', 60_000)).toBe('1 minute ago')
  })

  it('sorts addresses by number and puts numbers before texts', () => {
    const ips = ['10.0.0.12', '10.0.0.9', '9.1.1.1'].map((ip) => sortKey(ip, 'ip')).sort(compareKeys)
    expect(ips).toEqual(['009.001.001.001', '010.000.000.009', '010.000.000.012'])
    expect(compareKeys(5, 'a')).toBe(-1)
    expect(compareKeys(10, 9)).toBe(1)
  })

  it('keeps the telling part of a text', () => {
    expect(shorten('/usr/bin/postgres', 10)).toBe('postgres')
    expect(shorten('a-long-name-of-a-pod', 8)).toBe('a-long-…')
    expect(shorten('short', 8)).toBe('short')
  })
})
