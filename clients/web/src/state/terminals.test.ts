import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const endPipe = vi.fn(async (_pipeId: string) => undefined)
vi.mock('./app', () => ({ app: { get: () => ({ address: { org: '' } }) }, backend: { endPipe } }))
const { endTerminal, openTerminal, present, showTerminal, startTerminals, takeScreen, terminals } =
  await import('./terminals')

const terminal = (pipeId: string) => ({
  pipeId,
  title: pipeId,
  raw: true,
  resizeControl: 'host_resize_exec_tty',
  probeId: 'p',
  nodeId: 'n',
  known: false,
  away: false,
  watch: false,
  size: null,
})

/** A window of one of the terminals, as the page hears it. */
function otherWindow() {
  const channel = new BroadcastChannel('weft.terminals')
  const heard: Record<string, unknown>[] = []
  channel.onmessage = (event) => heard.push(event.data)
  return { channel, heard }
}

describe('terminals of a page', () => {
  let other: ReturnType<typeof otherWindow>
  beforeEach(() => {
    sessionStorage.clear()
    terminals.set({ all: [], front: '' })
    startTerminals()
    other = otherWindow()
  })
  afterEach(() => other.channel.close())

  it('go to a window with what they showed, and come back with what it shows then', async () => {
    openTerminal(terminal('a'))
    const takeBack = present('a', () => ({ text: 'so far', offset: 6 }))
    other.channel.postMessage({ say: 'who', pipeId: 'a' })
    await vi.waitFor(() => expect(terminals.get().all[0].away).toBe(true))
    await vi.waitFor(() =>
      expect(other.heard).toContainEqual(
        expect.objectContaining({
          say: 'take',
          screen: { text: 'so far', offset: 6 },
          terminal: expect.objectContaining({ known: true, away: false }),
        }),
      ),
    )
    takeBack()
    other.channel.postMessage({ say: 'back', pipeId: 'a', screen: { text: 'and more', offset: 14 } })
    await vi.waitFor(() => expect(terminals.get().all[0].away).toBe(false))
    expect(takeScreen('a')).toEqual({ text: 'and more', offset: 14 })
    expect(takeScreen('a')).toBeUndefined()
  })

  it('say nothing to windows of others', async () => {
    openTerminal(terminal('a'))
    other.channel.postMessage({ say: 'who', pipeId: 'elsewhere' })
    other.channel.postMessage({ say: 'who', pipeId: 'a' })
    await vi.waitFor(() => expect(other.heard).toHaveLength(1))
    expect(other.heard[0]).toMatchObject({ pipeId: 'a' })
  })

  it('end once, and the neighbour comes to the front', async () => {
    for (const id of ['a', 'b', 'c']) openTerminal(terminal(id))
    showTerminal('b')
    await endTerminal('b')
    expect(endPipe).toHaveBeenCalledWith('b')
    expect(terminals.get().front).toBe('c')
    await vi.waitFor(() => expect(other.heard).toContainEqual({ say: 'ended', pipeId: 'b' }))
    other.channel.postMessage({ say: 'ended', pipeId: 'c' })
    await vi.waitFor(() => expect(terminals.get().all.map((one) => one.pipeId)).toEqual(['a']))
    expect(terminals.get().front).toBe('a')
  })

  it('are found again by a page that is loaded anew, without what they showed', () => {
    openTerminal(terminal('a'))
    present('a', () => ({ text: 'a secret', offset: 8 }))
    expect(JSON.stringify(Object.values(sessionStorage))).not.toContain('a secret')
    terminals.set({ all: [], front: '' })
    startTerminals()
    expect(terminals.get()).toMatchObject({ all: [{ pipeId: 'a', known: true, away: false }], front: 'a' })
  })
})
