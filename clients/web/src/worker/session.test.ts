import { create } from '@bufbuild/protobuf'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WatchTopologyResponseSchema } from '../gen/weft/query/v1/query_pb'
import { NodeSummarySchema, Shape } from '../gen/weft/query/v1/topology_pb'
import type { FromWorker, PageView, Summary, TableWindow } from '../shared/messages'
import type { Scene, SceneValues } from '../shared/scene'
import { Flag } from '../shared/scene'
import { Session } from './session'

const node = (id: string, host: string, adjacency: string[] = [], cpu = 1) =>
  create(NodeSummarySchema, {
    id,
    label: `name-${id}`,
    rank: 'r',
    shape: Shape.SQUARE,
    adjacency,
    parents: [{ id: host, label: host, topologyId: 'hosts' }],
    metrics: [{ id: 'cpu', label: 'CPU', value: cpu, max: 100, format: 'percent', priority: 1 }],
    metadata: [{ id: 'pid', label: 'PID', value: id, dataType: 'number', priority: 1 }],
  })

class Desk {
  scene: Scene | undefined
  values: SceneValues | undefined
  summary: Summary | undefined
  table: TableWindow | undefined
  readonly session = new Session((message: FromWorker) => {
    if (message.type === 'scene') this.scene = message.scene
    if (message.type === 'values') this.values = message.values
    if (message.type === 'summary') this.summary = message.summary
    if (message.type === 'table') this.table = message.window
  })

  constructor() {
    this.session.setTopology('processes')
    this.apply({
      reset: true,
      added: [node('1', 'a', ['2']), node('2', 'a', ['3'], 50), node('3', 'b', [], 90), node('4', 'b')],
    })
  }

  apply(init: Parameters<typeof create<typeof WatchTopologyResponseSchema>>[1]): void {
    this.session.apply(create(WatchTopologyResponseSchema, init))
    vi.advanceTimersByTime(300)
  }

  view(view: Partial<PageView>): void {
    this.session.setView({ query: '', chips: [], groupBy: '', metric: 'CPU', ...view })
    vi.advanceTimersByTime(300)
  }

  places(): Record<string, [number, number]> {
    const { scene } = this
    return Object.fromEntries((scene?.ids ?? []).map((id, i) => [id, [scene!.x[i], scene!.y[i]]]))
  }
}

describe('session', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  it('groups processes by host and counts edges inside and between groups', () => {
    const { scene } = new Desk()
    expect(scene?.groups.map((box) => [box.label, box.count])).toEqual([
      ['a', 2],
      ['b', 2],
    ])
    expect(scene?.innerEdges).toBe(1)
    expect([...scene!.links]).toEqual([0, 1, 1])
  })

  it('posts only values when nothing but values changed', () => {
    const desk = new Desk()
    const { scene } = desk
    desk.view({})
    desk.apply({ updated: [node('4', 'b', [], 100)] })
    expect(desk.scene).toBe(scene)
    expect(desk.values?.fill[scene!.ids.indexOf('4')]).toBe(1)
  })

  it('leaves everything in place when nodes come and go', () => {
    const desk = new Desk()
    const before = desk.places()
    desk.apply({ added: [node('5', 'a', ['1'])], removedIds: ['4'] })
    const after = desk.places()
    for (const id of ['1', '2', '3']) expect(after[id]).toEqual(before[id])
    expect(after['4']).toBeUndefined()
  })

  it('filters by chips without moving what is left, and marks what matches the text', () => {
    const desk = new Desk()
    const before = desk.places()
    desk.view({ chips: ['cpu > 40'], query: 'name-3' })
    expect(desk.scene?.ids.toSorted()).toEqual(['2', '3'])
    expect(desk.places()['2']).toEqual(before['2'])
    expect(desk.summary).toMatchObject({ nodes: 2, hidden: 2, matches: 1, queryError: '' })
    expect(desk.scene!.flags[desk.scene!.ids.indexOf('3')] & Flag.match).toBe(Flag.match)
  })

  it('dims nothing for a query that cannot be read, and says why', () => {
    const desk = new Desk()
    desk.view({ query: 'cpu > x' })
    expect(desk.values?.matching ?? desk.scene?.matching).toBe(false)
    expect(desk.summary?.queryError).toContain('not a number')
  })

  it('keeps a pinned node where it was put until everything is tidied', () => {
    const desk = new Desk()
    desk.session.pin('processes', '1', { x: 999, y: 777 })
    vi.advanceTimersByTime(300)
    expect(desk.places()['1']).toEqual([999, 777])
    desk.session.tidy()
    vi.advanceTimersByTime(300)
    expect(desk.places()['1']).not.toEqual([999, 777])
  })

  it('sorts the table and leaves what has no value last', () => {
    const desk = new Desk()
    desk.apply({ added: [create(NodeSummarySchema, { id: 'x', label: 'x', pseudo: true })] })
    desk.session.setTable({ sort: 'metric:cpu', descending: true, from: 0, to: 3 })
    expect(desk.table?.rows.map((row) => row.id)).toEqual(['3', '2', '1'])
    expect(desk.table?.total).toBe(5)
    desk.session.setTable({ sort: 'metric:cpu', descending: false, from: 0, to: 9 })
    expect(desk.table?.rows.at(-1)?.id).toBe('x')
  })

  it('draws nothing while nobody looks, then the newest once', () => {
    const desk = new Desk()
    const { scene } = desk
    desk.session.setVisible(false)
    desk.apply({ added: [node('9', 'a')] })
    expect(desk.scene).toBe(scene)
    desk.session.setVisible(true)
    vi.advanceTimersByTime(10)
    expect(desk.scene?.ids).toContain('9')
  })

  it('renews no picture of a group for a search', () => {
    const desk = new Desk()
    desk.view({})
    const { groupRevs, fill } = desk.values!
    desk.view({ query: 'name-2' })
    expect(desk.values?.matching).toBe(true)
    expect([...desk.values!.groupRevs]).toEqual([...groupRevs])
    expect([...desk.values!.fill]).toEqual([...fill])
    expect([...desk.values!.flags].filter((flags) => flags & Flag.match)).toHaveLength(1)
  })

  it('finds the same after it was warmed up', () => {
    const desk = new Desk()
    desk.session.warm()
    desk.view({ query: 'cpu > 40' })
    expect(desk.summary?.matches).toBe(2)
  })

  it('lets a chip that compares decide anew with new values', () => {
    const desk = new Desk()
    desk.view({ chips: ['cpu > 40'] })
    expect([...desk.scene!.ids].sort()).toEqual(['2', '3'])
    desk.apply({ updated: [node('1', 'a', ['2'], 70)] })
    vi.advanceTimersByTime(600)
    expect([...desk.scene!.ids].sort()).toEqual(['1', '2', '3'])
  })
})
