import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type WatchResponse, WatchResponseSchema } from '../gen/weft/query/v1/query_pb'
import type { Connection } from '../shared/messages'
import { backoff } from './backoff'
import { DEAD_MS, PATIENCE_MS, Stream } from './stream'

/** A stream that a test feeds. */
class Feed {
  private readonly queue: (WatchResponse | Error)[] = []
  private wake: (() => void) | undefined

  push(item: WatchResponse | Error): void {
    this.queue.push(item)
    this.wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchResponse> {
    for (;;) {
      const item = this.queue.shift()
      if (item instanceof Error) throw item
      if (item) yield item
      else {
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
      }
    }
  }
}

const started = (id: string) =>
  create(WatchResponseSchema, { event: { case: 'started', value: { watchId: id } } })
const nodes = (scopeNumber: bigint) =>
  create(WatchResponseSchema, { event: { case: 'nodes', value: { reset: true } }, scopeNumber })

function desk() {
  const feeds: Feed[] = []
  const watched: unknown[] = []
  const updates: { scopeNumber?: bigint }[] = []
  const connections: Connection[] = []
  const responses: WatchResponse[] = []
  const missing = vi.fn()
  let refuse: Error | undefined
  const stream = new Stream(
    {
      watch: (request: unknown) => {
        watched.push(request)
        const feed = new Feed()
        feeds.push(feed)
        return feed
      },
      updateWatch: async (request: { scopeNumber?: bigint }) => {
        updates.push(request)
        if (refuse) throw refuse
        return {}
      },
    } as never,
    {
      response: (response) => responses.push(response),
      connection: (connection) => connections.push(connection),
      missing,
      opened: () => undefined,
    },
  )
  const settle = () => vi.advanceTimersByTimeAsync(1)
  const state = () => connections.at(-1)?.state
  return {
    stream,
    feeds,
    watched,
    updates,
    connections,
    responses,
    missing,
    settle,
    state,
    refuse: (error: Error) => {
      refuse = error
    },
  }
}

describe('stream', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  it('drops answers to scopes that are no longer shown', async () => {
    const { stream, feeds, responses, updates, settle, state } = desk()
    stream.setScope({ topologyId: 'pods' })
    feeds[0].push(started('w'))
    await settle()
    expect(state()).toBe('live')
    stream.setScope({ topologyId: 'hosts' })
    stream.setScope({ topologyId: 'containers' })
    feeds[0].push(nodes(0n))
    feeds[0].push(nodes(1n))
    feeds[0].push(nodes(2n))
    await settle()
    expect(updates.map((update) => update.scopeNumber)).toEqual([1n, 2n])
    expect(responses.map((response) => response.scopeNumber)).toEqual([2n])
  })

  it('lets only the last of many patient scopes follow an answer', async () => {
    const { stream, feeds, updates, settle } = desk()
    stream.setScope({ topologyId: 'pods' })
    feeds[0].push(started('w'))
    feeds[0].push(nodes(0n))
    await settle()
    for (let speed = 1; speed <= 9; speed++) stream.setScope({ topologyId: 'pods', speed }, true)
    await settle()
    expect(updates).toMatchObject([{ scope: { speed: 1 } }])
    expect(stream.isSettled).toBe(false)
    feeds[0].push(nodes(1n))
    await settle()
    expect(updates).toMatchObject([{}, { scope: { speed: 9 } }])
    expect(stream.isSettled).toBe(true)
  })

  it('loses patience when no picture comes', async () => {
    const { stream, feeds, updates, settle } = desk()
    stream.setScope({ topologyId: 'pods' })
    feeds[0].push(started('w'))
    await settle()
    stream.setScope({ topologyId: 'pods', speed: 1 }, true)
    await settle()
    expect(updates).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(PATIENCE_MS)
    expect(updates).toMatchObject([{ scope: { speed: 1 } }])
  })

  it('goes on from where it was played to when the stream breaks', async () => {
    const { stream, feeds, watched, settle } = desk()
    stream.setScope({ topologyId: 'pods', speed: 1 })
    feeds[0].push(started('w'))
    await settle()
    stream.setResume({ topologyId: 'pods', speed: 7 })
    feeds[0].push(new ConnectError('Failed to fetch', Code.Unknown))
    await vi.advanceTimersByTimeAsync(600)
    expect(watched[1]).toMatchObject({ scope: { speed: 7 } })
  })

  it('sends a scope that changed before the watch had a name', async () => {
    const { stream, feeds, updates, settle } = desk()
    stream.setScope({ topologyId: 'pods' })
    stream.setScope({ topologyId: 'hosts' })
    feeds[0].push(started('w'))
    await settle()
    expect(updates).toMatchObject([{ watchId: 'w', scope: { topologyId: 'hosts' }, scopeNumber: 1n }])
  })

  it('comes back after an error and says when', async () => {
    const { stream, feeds, watched, connections, settle, state } = desk()
    stream.setScope({ topologyId: 'pods' })
    feeds[0].push(started('w'))
    await settle()
    feeds[0].push(new ConnectError('Failed to fetch', Code.Unknown))
    await settle()
    expect(connections.at(-1)).toMatchObject({ state: 'reconnecting', error: 'the server cannot be reached' })
    await vi.advanceTimersByTimeAsync(600)
    expect(watched).toHaveLength(2)
    feeds[1].push(started('w2'))
    await settle()
    expect(state()).toBe('live')
  })

  it('takes silence for death', async () => {
    const { stream, feeds, state, settle } = desk()
    stream.setScope({ topologyId: 'pods' })
    feeds[0].push(started('w'))
    await settle()
    await vi.advanceTimersByTimeAsync(DEAD_MS - 100)
    expect(state()).toBe('live')
    await vi.advanceTimersByTimeAsync(200)
    expect(state()).toBe('reconnecting')
  })

  it('opens a new watch when the server has forgotten the old one', async () => {
    const { stream, feeds, watched, settle, refuse } = desk()
    stream.setScope({ topologyId: 'pods' })
    feeds[0].push(started('w'))
    await settle()
    refuse(new ConnectError('gone', Code.NotFound))
    stream.setScope({ topologyId: 'hosts' })
    await settle()
    expect(watched).toMatchObject([{}, { scope: { topologyId: 'hosts' } }])
  })

  it('still shows the list when the topology does not exist', async () => {
    const { stream, feeds, watched, missing, settle } = desk()
    stream.setScope({ topologyId: 'nonsense' })
    feeds[0].push(new ConnectError('no such topology', Code.NotFound))
    await settle()
    expect(missing).toHaveBeenCalled()
    expect(watched[1]).toMatchObject({ scope: { topologyId: '' } })
  })

  it('does not insist when signed out', async () => {
    const { stream, feeds, watched, state, settle } = desk()
    stream.setScope({ topologyId: 'pods' })
    feeds[0].push(new ConnectError('who?', Code.Unauthenticated))
    await settle()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(state()).toBe('signed-out')
    expect(watched).toHaveLength(1)
  })

  it('goes on in the session of a newer login', async () => {
    const { stream, feeds, watched, state, settle } = desk()
    stream.setScope({ topologyId: 'pods' })
    feeds[0].push(started('w'))
    await settle()
    feeds[0].push(new ConnectError('ended', Code.Unauthenticated))
    await settle()
    expect(watched).toHaveLength(2)
    feeds[1].push(new ConnectError('who?', Code.Unauthenticated))
    await settle()
    expect(state()).toBe('signed-out')
    expect(watched).toHaveLength(2)
  })

  it('rests while asleep and starts with the newest scope', async () => {
    const { stream, watched, state } = desk()
    stream.setScope({ topologyId: 'pods' })
    stream.sleep()
    expect(state()).toBe('asleep')
    stream.setScope({ topologyId: 'hosts' })
    expect(watched).toHaveLength(1)
    stream.wake()
    expect(watched[1]).toMatchObject({ scope: { topologyId: 'hosts' } })
  })
})

describe('backoff', () => {
  it('grows from half a second to half a minute, with jitter', () => {
    expect(backoff(0, () => 1)).toBe(500)
    expect(backoff(3, () => 1)).toBe(4000)
    expect(backoff(50, () => 1)).toBe(30_000)
    expect(backoff(3, () => 0)).toBe(2000)
  })
})
