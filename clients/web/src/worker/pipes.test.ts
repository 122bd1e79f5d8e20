import { Code, ConnectError } from '@connectrpc/connect'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CloseReason } from '../gen/weft/pipes/v1/pipes_pb'
import type { FromWorker } from '../shared/messages'
import { PipeLink } from './pipes'

type Read = { data: Uint8Array; offset: bigint; closed?: CloseReason }
const bytes = (text: string) => new TextEncoder().encode(text)

/** `connections` answers GetPipe in turn, its last item from then on; without any the pipe is gone. */
function desk(streams: (Read | Error | 'open')[][], known = false, connections: [number, number][] = []) {
  const offsets: bigint[] = []
  const writes: { text: string; sequence: bigint }[] = []
  const posted: FromWorker[] = []
  let failWrites = 0
  const client = {
    read: async function* (request: { fromOffset: bigint }) {
      offsets.push(request.fromOffset)
      const stream = streams.shift()
      for (const item of stream ?? []) {
        if (item instanceof Error) throw item
        if (item === 'open') await new Promise(() => undefined)
        else yield { closed: CloseReason.UNSPECIFIED, ...item }
      }
      if (!stream) await new Promise(() => undefined)
    },
    write: async (request: { data: Uint8Array; sequence: bigint }) => {
      if (failWrites-- > 0) throw new ConnectError('away', Code.Unavailable)
      writes.push({ text: new TextDecoder().decode(request.data), sequence: request.sequence })
      return {}
    },
    closePipe: vi.fn(async () => ({})),
    getPipe: vi.fn(async () => {
      const found = connections.length > 1 ? connections.shift() : connections[0]
      if (!found) throw new ConnectError('closed', Code.NotFound)
      return { userConnections: found[0], probeConnections: found[1] }
    }),
  }
  const start = { pipeId: 'p', from: 0, known }
  const link = new PipeLink(client as never, start, (message) => posted.push(message))
  return {
    link,
    client,
    offsets,
    writes,
    output: () =>
      posted
        .flatMap((message) => (message.type === 'pipeData' ? [new TextDecoder().decode(message.data)] : []))
        .join(''),
    states: () =>
      posted.flatMap((message) =>
        message.type === 'pipe' && message.event.kind === 'state' ? [message.event.state] : [],
      ),
    events: () => posted.flatMap((message) => (message.type === 'pipe' ? [message.event] : [])),
    failWrites: (count: number) => {
      failWrites = count
    },
  }
}

describe('pipe', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  it('goes on where it was after a lost connection, without doubling bytes', async () => {
    const { output, offsets, states } = desk([
      [
        { data: bytes(''), offset: 10n },
        { data: bytes('hello '), offset: 10n },
        new ConnectError('x', Code.Unavailable),
      ],
      [{ data: bytes('lo world'), offset: 13n }],
    ])
    await vi.advanceTimersByTimeAsync(2000)
    expect(offsets.slice(0, 2)).toEqual([0n, 16n])
    expect(output()).toBe('hello world')
    expect(states()).toEqual(['connecting', 'open', 'reconnecting', 'connecting', 'open', 'ended'])
  })

  it('says how much was lost', async () => {
    const { events } = desk([
      [
        { data: bytes('ab'), offset: 0n },
        { data: bytes('z'), offset: 9n },
      ],
    ])
    await vi.advanceTimersByTimeAsync(10)
    expect(events()).toContainEqual({ kind: 'skipped', bytes: 7 })
  })

  it('ends when the pipe is gone', async () => {
    const { states } = desk([[new ConnectError('closed', Code.NotFound)]])
    await vi.advanceTimersByTimeAsync(10)
    expect(states().at(-1)).toBe('ended')
  })

  it('says why it ended', async () => {
    const { events, output } = desk([
      [
        { data: bytes('bye'), offset: 0n },
        { data: bytes(''), offset: 3n, closed: CloseReason.CLOSED },
      ],
    ])
    await vi.advanceTimersByTimeAsync(10)
    expect(output()).toBe('bye')
    expect(events().at(-1)).toMatchObject({ state: 'ended', text: 'somebody closed it' })
  })

  it('collects key strokes and numbers the calls', async () => {
    const { link, writes } = desk([])
    link.write(bytes('l'))
    link.write(bytes('s'))
    await vi.advanceTimersByTimeAsync(50)
    link.write(bytes('\r'))
    await vi.advanceTimersByTimeAsync(50)
    expect(writes).toEqual([
      { text: 'ls', sequence: 1n },
      { text: '\r', sequence: 2n },
    ])
  })

  it('repeats a failed call under the same number and keeps the order', async () => {
    const { link, writes, failWrites } = desk([])
    failWrites(2)
    link.write(bytes('a'))
    await vi.advanceTimersByTimeAsync(20)
    link.write(bytes('b'))
    await vi.advanceTimersByTimeAsync(5000)
    expect(writes).toEqual([
      { text: 'a', sequence: 1n },
      { text: 'b', sequence: 2n },
    ])
  })

  it('stops reading while the screen cannot keep up', async () => {
    const piece = { data: new Uint8Array(200 * 1024), offset: 0n }
    const { link, output } = desk([[piece, { ...piece, offset: 204_800n }, { ...piece, offset: 409_600n }]])
    await vi.advanceTimersByTimeAsync(10)
    expect(output().length).toBe(400 * 1024)
    link.ack(400 * 1024)
    await vi.advanceTimersByTimeAsync(10)
    expect(output().length).toBe(600 * 1024)
  })

  it('does not keep the process waiting while the page is hidden', async () => {
    const size = 1024 * 1024
    const pieces = Array.from({ length: 20 }, (_, i) => ({
      data: new Uint8Array(size),
      offset: BigInt(i * size),
    }))
    const { link, output } = desk([pieces])
    await vi.advanceTimersByTimeAsync(10)
    expect(output().length).toBe(size)
    link.setVisible(false)
    await vi.advanceTimersByTimeAsync(10)
    expect(output().length).toBe(17 * size)
    link.setVisible(true)
    link.ack(16 * size)
    await vi.advanceTimersByTimeAsync(10)
    expect(output().length).toBe(17 * size)
    link.ack(size)
    await vi.advanceTimersByTimeAsync(10)
    expect(output().length).toBe(18 * size)
  })

  it('ends the far process when the user does', async () => {
    const { link, client } = desk([])
    await link.end()
    expect(client.closePipe).toHaveBeenCalledWith({ pipeId: 'p' })
  })

  it('lets go without ending it, and sends what was typed', async () => {
    const { link, client, writes } = desk([])
    link.write(bytes('exit'))
    link.release()
    await vi.advanceTimersByTimeAsync(10)
    expect(writes).toEqual([{ text: 'exit', sequence: 1n }])
    expect(client.closePipe).not.toHaveBeenCalled()
  })

  it('does not make a new pipe of one that is gone', async () => {
    const { states, offsets } = desk([[{ data: bytes(''), offset: 0n }]], true)
    await vi.advanceTimersByTimeAsync(10)
    expect(states()).toEqual(['connecting', 'ended'])
    expect(offsets).toEqual([])
  })

  it('says that the process is not attached, and who else is', async () => {
    const { states, events } = desk([[{ data: bytes(''), offset: 0n }, 'open']], false, [
      [1, 0],
      [3, 1],
    ])
    await vi.advanceTimersByTimeAsync(1_500)
    expect(states()).toEqual(['connecting', 'open', 'waiting'])
    await vi.advanceTimersByTimeAsync(5_000)
    expect(states().at(-1)).toBe('open')
    expect(events()).toContainEqual({ kind: 'watching', count: 3 })
  })

  it('gives up with the reason, and begins again when asked', async () => {
    const refused = new ConnectError('you may not open terminals', Code.PermissionDenied)
    const { link, states, events } = desk([[refused], [{ data: bytes('hi'), offset: 0n }]])
    await vi.advanceTimersByTimeAsync(10)
    expect(events().at(-1)).toEqual({
      kind: 'state',
      state: 'broken',
      text: 'you may not open terminals',
      retryAt: undefined,
    })
    link.retry()
    await vi.advanceTimersByTimeAsync(10)
    expect(states()).toEqual(['connecting', 'broken', 'connecting', 'open', 'ended'])
  })

  it('tries at once when asked', async () => {
    const { link, states } = desk([
      [new ConnectError('x', Code.Unavailable)],
      [{ data: bytes(''), offset: 0n }],
    ])
    await vi.advanceTimersByTimeAsync(1)
    expect(states().at(-1)).toBe('reconnecting')
    link.retry()
    await vi.advanceTimersByTimeAsync(1)
    expect(states().at(-1)).toBe('ended')
  })
})
