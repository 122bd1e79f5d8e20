import { describe, expect, it } from 'vitest'
import { runsAtOnce, terminalKey } from './keys'

function key(name: string, held: Partial<KeyboardEventInit> = {}): KeyboardEvent {
  return new KeyboardEvent('keydown', { key: name, ...held })
}
const both = { ctrlKey: true, shiftKey: true }

describe('keys of a terminal', () => {
  it('leave what programs use to them', () => {
    for (const event of [
      key('c', { ctrlKey: true }),
      key('v', { ctrlKey: true }),
      key('f', { ctrlKey: true }),
      key('Escape'),
      key('Tab'),
      key('C', { ...both, altKey: true }),
      key('PageUp', { shiftKey: true }),
    ])
      expect(terminalKey(event, { mac: false, selected: true, input: true })).toBeNull()
  })

  it('copy, paste, find and leave', () => {
    expect(terminalKey(key('C', both), { mac: false, selected: true, input: true })).toBe('copy')
    expect(terminalKey(key('V', both), { mac: false, selected: false, input: true })).toBe('paste')
    expect(terminalKey(key('F', both), { mac: false, selected: false, input: true })).toBe('find')
    expect(terminalKey(key('Escape', { shiftKey: true }), { mac: false, selected: false, input: true })).toBe(
      'leave',
    )
    expect(terminalKey(key('Insert', { shiftKey: true }), { mac: false, selected: false, input: true })).toBe(
      'paste',
    )
    expect(terminalKey(key('PageDown', both), { mac: false, selected: false, input: true })).toBe('next')
  })

  it('copy only what is selected', () => {
    expect(terminalKey(key('C', both), { mac: false, selected: false, input: true })).toBeNull()
    expect(
      terminalKey(key('Insert', { ctrlKey: true }), { mac: false, selected: false, input: true }),
    ).toBeNull()
    expect(terminalKey(key('Insert', { ctrlKey: true }), { mac: false, selected: true, input: true })).toBe(
      'copy',
    )
    const log = { mac: false, selected: true, input: false }
    expect(terminalKey(key('c', { ctrlKey: true }), log)).toBe('copy')
    expect(terminalKey(key('c', { ctrlKey: true }), { ...log, selected: false })).toBeNull()
  })

  it('are those of a Mac on a Mac', () => {
    expect(terminalKey(key('c', { metaKey: true }), { mac: true, selected: true, input: true })).toBe('copy')
    expect(terminalKey(key('C', both), { mac: true, selected: true, input: true })).toBeNull()
    expect(terminalKey(key('c', { metaKey: true }), { mac: false, selected: true, input: true })).toBeNull()
  })
})

describe('a paste', () => {
  it('is asked about when it would run at once', () => {
    expect(runsAtOnce('ls', false)).toBe(false)
    expect(runsAtOnce('ls\n', false)).toBe(true)
    expect(runsAtOnce('a\rb', false)).toBe(true)
    expect(runsAtOnce('a\nb', true)).toBe(false)
  })
})
