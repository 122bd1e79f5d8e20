import { describe, expect, it } from 'vitest'
import type { OptionGroupView, TopologyView } from '../shared/messages'
import { fullName } from '../shared/names'
import { chosenValues, firstTopology, offered, toggleOption } from './topologies'

function topology(id: string, nodes: number, parentId = '', hideIfEmpty = true): TopologyView {
  return { id, name: id, parentId, hideIfEmpty, groups: [], nodes, realNodes: nodes, edges: 0, filtered: 0 }
}

const namespaces: OptionGroupView = {
  id: 'namespace',
  defaultValue: '',
  options: ['a', 'b'].map((value) => ({ value, label: value })),
  multiple: true,
  noneLabel: 'All',
}
const system: OptionGroupView = {
  ...namespaces,
  id: 'system',
  defaultValue: 'a',
  multiple: false,
  noneLabel: '',
}

describe('topologies', () => {
  it('hides what is empty and asks for it, except the current family', () => {
    const list = [topology('pods', 0), topology('services', 0, 'pods'), topology('hosts', 0, '', false)]
    expect(offered(list, '').map((one) => one.id)).toEqual(['hosts'])
    expect(offered(list, 'services').map((one) => one.id)).toEqual(['pods', 'services', 'hosts'])
  })

  it('prefers the most telling topology', () => {
    expect(firstTopology([topology('processes', 9), topology('pods', 2)])).toBe('pods')
    expect(firstTopology([topology('processes', 9), topology('containers', 0)])).toBe('processes')
    expect(firstTopology([topology('hosts', 0, '', false)])).toBe('hosts')
  })

  it('names variants after their parents', () => {
    const list = [
      { ...topology('processes', 1), name: 'Processes' },
      { ...topology('x', 1, 'processes'), name: 'by name' },
    ]
    expect(fullName(list, 'x')).toBe('Processes by name')
  })

  it('toggles values of a group for many', () => {
    const one = toggleOption(namespaces, {}, 'a')
    expect(one).toEqual({ namespace: ['a'] })
    const two = toggleOption(namespaces, one, 'b')
    expect(two).toEqual({ namespace: ['a', 'b'] })
    expect(toggleOption(namespaces, one, 'a')).toEqual({})
    expect(toggleOption(namespaces, two, '')).toEqual({})
  })

  it('chooses one value of a group for one and says nothing about defaults', () => {
    expect(toggleOption(system, {}, 'b')).toEqual({ system: ['b'] })
    expect(toggleOption(system, { system: ['b'] }, 'a')).toEqual({})
  })

  it('falls back to the default when a chosen value no longer exists', () => {
    expect(chosenValues(system, { system: ['gone'] })).toEqual(['a'])
    expect(chosenValues(namespaces, { namespace: ['b', 'gone'] })).toEqual(['b'])
  })
})
