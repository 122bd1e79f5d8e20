import { describe, expect, it } from 'vitest'
import { formatTerminalAddress, parseTerminalAddress } from './terminalAddress'

describe('addresses of terminals', () => {
  it('come back as they went', () => {
    const watch = {
      org: 'amber',
      pipeId: 'pipe-17',
      title: 'Exec shell · orders & co',
      watch: true,
      size: [120, 40] as [number, number],
    }
    expect(parseTerminalAddress(formatTerminalAddress(watch))).toEqual(watch)
    const own = { ...watch, org: '', watch: false, size: null }
    expect(parseTerminalAddress(formatTerminalAddress(own))).toEqual(own)
  })

  it('are refused when the id is none', () => {
    for (const hash of [
      '',
      '#/pods',
      '#/-/terminal/',
      '#/-/terminal/a%2Fb',
      `#/-/watch/${'x'.repeat(129)}`,
      '#/-/exec/p',
    ])
      expect(parseTerminalAddress(hash)).toBeNull()
  })

  it('are bounded', () => {
    const read = (size: string) => parseTerminalAddress(`#/-/watch/p?size=${size}`)?.size
    expect(read('80x24')).toEqual([80, 24])
    for (const size of ['9999x9999', '0x0', '1x1', '80', '80x24x3', '-3x4']) expect(read(size)).toBeNull()
    expect(parseTerminalAddress(`#/-/watch/p?title=${'t'.repeat(999)}`)?.title.length).toBe(200)
  })
})
