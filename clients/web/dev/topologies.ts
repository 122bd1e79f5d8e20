import type { Kind } from './world'

/** The mock's topologies and options. */

export interface Definition {
  id: string
  name: string
  rank: number
  parentId: string
  kind: Kind
  hideIfEmpty: boolean
}

const define = (
  id: string,
  name: string,
  rank: number,
  parentId: string,
  kind: Kind,
  hideIfEmpty = true,
): Definition => ({
  id,
  name,
  rank,
  parentId,
  kind,
  hideIfEmpty,
})

export const DEFINITIONS: Definition[] = [
  define('processes', 'Processes', 1, '', 'process'),
  define('processes-by-name', 'by name', 0, 'processes', 'name'),
  define('containers', 'Containers', 2, '', 'container', false),
  define('containers-by-image', 'by image', 0, 'containers', 'image', false),
  define('pods', 'Pods', 3, '', 'pod'),
  define('kube-controllers', 'Controllers', 0, 'pods', 'controller'),
  define('services', 'Services', 0, 'pods', 'service'),
  define('hosts', 'Hosts', 4, '', 'host', false),
]

export type Options = Record<string, string[]>

export const radio = (id: string, defaultValue: string, options: [string, string][]) => ({
  id,
  defaultValue,
  options: options.map(([value, label]) => ({ value, label })),
})
