import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { WatchTopologyResponseSchema } from '../gen/weft/query/v1/query_pb'
import { NodeSummarySchema } from '../gen/weft/query/v1/topology_pb'
import { Model } from './model'

type Init = Parameters<typeof create<typeof WatchTopologyResponseSchema>>[1]

const response = (init: Init) => create(WatchTopologyResponseSchema, init)
const node = (id: string, adjacency: string[] = [], cpu = 1) =>
  create(NodeSummarySchema, { id, label: id, adjacency, metrics: [{ id: 'cpu', label: 'CPU', value: cpu }] })

function filled(): Model {
  const model = new Model()
  model.apply(response({ reset: true, added: [node('a', ['b']), node('b'), node('c')] }))
  return model
}

const ids = (model: Model) => [...model.nodes()].map((one) => one.id)

describe('model', () => {
  it('adds, changes and removes', () => {
    const model = filled()
    const change = model.apply(response({ added: [node('d')], updated: [node('a', [])], removedIds: ['c'] }))
    expect(change.structure).toBe(true)
    expect(ids(model)).toEqual(['a', 'b', 'd'])
    expect(model.get('a')?.adjacency).toEqual([])
  })

  it('knows new values from a new structure', () => {
    const model = filled()
    expect(model.apply(response({ updated: [node('b', [], 50)] }))).toMatchObject({ structure: false })
    expect(model.get('b')?.metrics[0].value).toBe(50)
    expect(model.apply(response({ updated: [node('b', ['c'])] })).structure).toBe(true)
    expect(model.apply(response({})).structure).toBe(false)
  })

  it('forgets everything on a reset', () => {
    const model = filled()
    model.apply(response({ reset: true, added: [node('x')] }))
    expect(ids(model)).toEqual(['x'])
  })

  it('survives the removal of what it does not know', () => {
    expect(filled().apply(response({ removedIds: ['nowhere'] })).structure).toBe(false)
  })

  it('matches changed nodes by their new values', () => {
    const model = filled()
    expect(model.matcher('cpu > 40').test('b')).toBe(false)
    model.apply(response({ updated: [node('b', [], 50)] }))
    expect(model.matcher('cpu > 40').test('b')).toBe(true)
    expect(model.matcher('-cpu>40').test('b')).toBe(false)
  })
})
