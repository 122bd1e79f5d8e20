import { describe, expect, it } from 'vitest'
import { type Address, formatAddress, parseAddress, START } from './address'

function checkRoundTrip(part: Partial<Address>): void {
  const address = { ...START, ...part }
  expect(parseAddress(formatAddress(address))).toEqual(address)
}

describe('address', () => {
  it('comes back as it was', () => {
    checkRoundTrip({})
    checkRoundTrip({ topologyId: 'containers-by-image', view: 'table', sort: 'metric:cpu', descending: true })
    checkRoundTrip({ topologyId: 'pods', options: { namespace: ['a', 'b,c~d%'], pseudo: ['show'], x: [''] } })
    checkRoundTrip({
      cards: [
        { topologyId: 'hosts', nodeId: 'node,1~x;<host>' },
        { topologyId: 'pods', nodeId: '100%/é' },
      ],
    })
    checkRoundTrip({ query: 'cpu > 50% "a b"', chips: ['-host:db', 'a&b=c'], groupBy: 'meta:ns', metric: '' })
    checkRoundTrip({ org: 'brisk-loom-4711', page: 'audit' })
    checkRoundTrip({ page: 'device', code: 'BCDF-GHJK' })
    checkRoundTrip({ at: 1_700_000_000_000, metric: 'CPU' })
  })

  it('says nothing about what is usual', () => {
    expect(formatAddress({ ...START, topologyId: 'pods' })).toBe('#/pods')
    expect(formatAddress({ ...START, topologyId: 'pods', code: 'BCDF-GHJK' })).toBe('#/pods')
  })

  it('survives nonsense', () => {
    expect(parseAddress('')).toEqual(START)
    expect(parseAddress('#/%E0%A4%A?card=x&at=never')).toMatchObject({ cards: [], at: null })
    expect(parseAddress('#!/state/{broken')).toEqual(START)
    expect(parseAddress('#/pods?page=secrets&org=../x&code=<b>')).toMatchObject({
      page: '',
      org: '',
      code: '',
    })
  })

  it("understands Scope's links", () => {
    const state = {
      topologyId: 'containers',
      topologyViewMode: 'grid',
      nodeDetails: [{ id: 'a<SLASH>b', topologyId: 'pods' }],
      pinnedSearches: ['web'],
    }
    expect(parseAddress(`#!/state/${JSON.stringify(state)}`)).toMatchObject({
      topologyId: 'containers',
      view: 'table',
      cards: [{ topologyId: 'pods', nodeId: 'a/b' }],
      chips: ['web'],
    })
  })
})
