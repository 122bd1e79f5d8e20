/** A made-up installation that changes slowly: hosts, pods, containers, processes and their connections. */

import { Shape } from '../src/gen/weft/query/v1/topology_pb'
import { NAMESPACES, PORTS, SERVICES, SYSTEM } from './catalogue'

export type Kind =
  | 'process'
  | 'name'
  | 'container'
  | 'image'
  | 'pod'
  | 'controller'
  | 'service'
  | 'host'
  | 'internet'

export interface Entity {
  id: string
  kind: Kind
  label: string
  minor: string
  rank: string
  shape: Shape
  stack: boolean
  pseudo: boolean
  stale: boolean
  /** label, value, data type, key. */
  facts: [string, string, string, string][]
  /** Ids of parents by topology. */
  parents: [string, string][]
  labels: [string, string][]
  cpu: number
  memory: number
  rev: number
  system: boolean
  running: boolean
  namespace: string
}

/** Where a process belongs, by kind. */
export interface Place extends Partial<Record<Kind, string>> {
  process: string
}

export interface Wire {
  from: string
  to: string
  port: number
}

/** What there is at one moment. */
export interface Picture {
  readonly entities: ReadonlyMap<string, Entity>
  readonly places: ReadonlyMap<string, Place>
  readonly wires: readonly Wire[]
  /** Names what came, went or connected: equal only for equal structures. */
  readonly structure: number
  /** The moment; absent for now. */
  readonly at?: number
}

export interface Size {
  hosts: number
  namespaces: number
  /** Processes of the system, per host. */
  system: number
  replicas: number
}

export const SIZES: Record<string, Size> = {
  empty: { hosts: 0, namespaces: 0, system: 0, replicas: 0 },
  few: { hosts: 1, namespaces: 0, system: 128, replicas: 1 },
  medium: { hosts: 6, namespaces: 5, system: 28, replicas: 3 },
  many: { hosts: 278, namespaces: 40, system: 24, replicas: 14 },
}

export class World implements Picture {
  readonly entities = new Map<string, Entity>()
  readonly places = new Map<string, Place>()
  wires: Wire[] = []
  /** Rises when something comes, goes or connects. */
  structure = 1
  tick = 0
  private seed = 7
  private pid = 1

  constructor(readonly size: Size) {
    if (size.hosts === 0) return
    for (const [id, minor] of [
      ['in-theinternet', 'Inbound connections'],
      ['out-theinternet', 'Outbound connections'],
    ]) {
      this.add({
        id,
        kind: 'internet',
        label: 'The Internet',
        minor,
        rank: id,
        shape: Shape.CLOUD,
        pseudo: true,
      })
    }
    for (let i = 0; i < size.hosts; i++) this.addHost(i)
    for (let i = 0; i < size.namespaces; i++) this.addNamespace(i)
    this.connectSystem()
  }

  random(): number {
    this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0
    return this.seed / 2 ** 32
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)]
  }

  hex(length: number): string {
    let text = ''
    while (text.length < length) text += Math.floor(this.random() * 16).toString(16)
    return text
  }

  add(init: Partial<Entity> & Pick<Entity, 'id' | 'kind' | 'label' | 'shape'>): Entity {
    const known = this.entities.get(init.id)
    if (known) return known
    const entity: Entity = {
      minor: '',
      rank: init.label,
      stack: false,
      pseudo: false,
      stale: false,
      facts: [],
      parents: [],
      labels: [],
      cpu: this.random() ** 4 * 90,
      memory: 2 ** (20 + this.random() * 11),
      rev: 1,
      system: false,
      running: true,
      namespace: '',
      ...init,
    }
    this.entities.set(entity.id, entity)
    return entity
  }

  hostName(i: number): string {
    return this.size.hosts === 1 ? 'workshop' : `node-${String(i + 1).padStart(2, '0')}`
  }

  private addHost(i: number): void {
    const name = this.hostName(i)
    this.add({
      id: `${name};<host>`,
      kind: 'host',
      label: name,
      minor: 'eu-central',
      rank: 'eu-central',
      shape: Shape.CIRCLE,
      facts: [
        ['Kernel version', '6.12.9 #1 SMP', '', 'kernel_version'],
        ['Uptime', String(86_400 * 12 + i * 5000), 'duration', 'uptime'],
        ['Hostname', name, '', 'host_name'],
        ['OS', 'linux', '', 'os'],
        ['Local networks', `10.0.${i}.1/24, 127.0.0.1/8`, '', 'local_networks'],
      ],
    })
    for (let k = 0; k < this.size.system; k++) this.addProcess(SYSTEM[k % SYSTEM.length], '', name, {})
    if (this.size.namespaces === 0) {
      for (const [service, program, command] of SERVICES.slice(0, 12)) {
        this.addContainer(service, program, command, name, 'compose', undefined)
      }
    }
  }

  addProcess(program: string, command: string, host: string, place: Partial<Place>): string {
    const pid = this.pid++
    const id = `${host};${pid}`
    const label = command === '' && !program.includes('/') ? `/usr/bin/${program}` : program
    this.add({
      id,
      kind: 'process',
      label,
      minor: `${host} (${pid})`,
      rank: label,
      shape: Shape.SQUARE,
      system: command === '',
      facts: [
        ['PID', String(pid), 'number', 'pid'],
        ['Command', command || `/usr/bin/${program} --foreground`, '', 'cmdline'],
        ['Parent PID', '1', 'number', 'ppid'],
        ['# Threads', String(1 + Math.floor(this.random() * 30)), 'number', 'threads'],
      ],
      parents: [
        [`${host};<host>`, 'hosts'],
        ...(place.container ? [[place.container, 'containers'] as [string, string]] : []),
      ],
    })
    const name = this.add({ id: label, kind: 'name', label, minor: '', shape: Shape.SQUARE, stack: true })
    const full: Place = { ...place, process: id, name: name.id, host: `${host};<host>` }
    this.places.set(id, full)
    this.structure++
    return id
  }

  private addContainer(
    service: string,
    program: string,
    command: string,
    host: string,
    ns: string,
    pod?: string,
  ): string {
    const id = `${this.hex(64)};<container>`
    const image = `weaveworks/${service}`
    this.add({
      id: `${image};<image>`,
      kind: 'image',
      label: image,
      minor: '',
      rank: image,
      shape: Shape.HEXAGON,
      stack: true,
    })
    this.add({
      id,
      kind: 'container',
      label: pod ? service : `shop_${service}_1`,
      minor: host,
      rank: image,
      shape: Shape.HEXAGON,
      namespace: ns,
      system: ns === 'kube-system',
      facts: [
        ['Image tag', '0.3.5', '', 'docker_image_tag'],
        ['Image name', image, '', 'docker_image_name'],
        ['Command', command, '', 'docker_container_command'],
        ['State', 'Up 3 days', '', 'docker_container_state_human'],
        ['Uptime', String(Math.floor(this.random() * 500_000)), 'duration', 'docker_container_uptime'],
        [
          'IPs',
          `10.44.${Math.floor(this.random() * 9)}.${Math.floor(this.random() * 250)}`,
          'ip',
          'docker_container_ips',
        ],
        [
          'Created',
          new Date(Date.now() - this.random() * 1e9).toISOString(),
          'datetime',
          'docker_container_created',
        ],
        ['ID', id.slice(0, 64), '', 'docker_container_id'],
      ],
      labels: [
        ['maintainer', 'team@example.org'],
        ['service', service],
        ['tier', service.endsWith('db') ? 'data' : 'app'],
      ],
      parents: [
        [`${image};<image>`, 'containers-by-image'],
        ...(pod ? [[pod, 'pods'] as [string, string]] : []),
        [`${host};<host>`, 'hosts'],
      ],
    })
    const podEntity = pod ? this.entities.get(pod) : undefined
    const controller = podEntity?.parents.find(([, topology]) => topology === 'kube-controllers')?.[0]
    const serviceId = podEntity?.parents.find(([, topology]) => topology === 'services')?.[0]
    return this.addProcess(program, command, host, {
      container: id,
      image: `${image};<image>`,
      pod,
      controller,
      service: serviceId,
    })
  }

  private addNamespace(n: number): void {
    const ns = NAMESPACES[n] ?? `team-${n}`
    const byService = new Map<string, string[]>()
    for (const [service, program, command] of SERVICES) {
      const replicas = service.endsWith('db')
        ? 1 + (this.size.replicas > 5 ? 3 : 0)
        : 1 + Math.floor(this.random() * this.size.replicas)
      byService.set(service, [])
      for (let i = 0; i < replicas; i++)
        byService.get(service)!.push(this.addPod(service, program, command, ns))
    }
    for (const [service, , , calls] of SERVICES) {
      for (const caller of byService.get(service)!) {
        for (const target of calls) {
          for (const callee of byService.get(target)!) if (this.random() < 0.8) this.wire(caller, callee)
        }
      }
    }
    for (const front of byService.get('front-end')!)
      this.wires.push({ from: 'in-theinternet', to: front, port: 443 })
    for (const payment of byService.get('payment')!)
      this.wires.push({ from: payment, to: 'out-theinternet', port: 443 })
  }

  addPod(service: string, program: string, command: string, ns: string): string {
    const host = this.hostName(Math.floor(this.random() * this.size.hosts))
    const stateful = service.endsWith('db')
    const controller = `${ns}/${service};<deployment>`
    const serviceId = `${ns}/${service};<service>`
    const namespaceFact: [string, string, string, string] = ['Namespace', ns, '', 'kubernetes_namespace']
    this.add({
      id: controller,
      kind: 'controller',
      label: service,
      minor: stateful ? 'StatefulSet' : 'Deployment',
      rank: `${ns}/${service}`,
      shape: stateful ? Shape.OCTAGON : Shape.HEPTAGON,
      stack: true,
      namespace: ns,
      facts: [['Type', stateful ? 'StatefulSet' : 'Deployment', '', 'kubernetes_node_type'], namespaceFact],
    })
    this.add({
      id: serviceId,
      kind: 'service',
      label: service,
      minor: '',
      rank: `${ns}/${service}`,
      shape: Shape.HEPTAGON,
      stack: true,
      namespace: ns,
      facts: [
        namespaceFact,
        ['Internal IP', `10.96.1.${Math.floor(this.random() * 250)}`, 'ip', 'kubernetes_ip'],
      ],
    })
    const id = `${this.hex(32)};<pod>`
    const name = stateful ? `${service}-0` : `${service}-${this.hex(9)}-${this.hex(5)}`
    this.add({
      id,
      kind: 'pod',
      label: name,
      minor: '1 container',
      rank: `${ns}/${name}`,
      shape: Shape.HEPTAGON,
      namespace: ns,
      facts: [
        ['State', 'Running', '', 'kubernetes_state'],
        [
          'IP',
          `10.44.${Math.floor(this.random() * 9)}.${Math.floor(this.random() * 250)}`,
          'ip',
          'kubernetes_ip',
        ],
        namespaceFact,
        [
          'Created',
          new Date(Date.now() - this.random() * 1e10).toISOString(),
          'datetime',
          'kubernetes_created',
        ],
        ['Restart #', String(Math.floor(this.random() ** 5 * 9)), 'number', 'kubernetes_restart_count'],
      ],
      labels: [
        ['name', service],
        ['pod-template-hash', this.hex(9)],
      ],
      parents: [
        [controller, 'kube-controllers'],
        [serviceId, 'services'],
        [`${host};<host>`, 'hosts'],
      ],
    })
    return this.addContainer(service, program, command, host, ns, id)
  }

  private wire(from: string, to: string): void {
    const program = this.entities.get(to)?.label ?? ''
    this.wires.push({ from, to, port: PORTS[program.slice(program.lastIndexOf('/') + 1)] ?? 80 })
  }

  /** Host daemons talk, too: agents to collectors, shells to servers. */
  private connectSystem(): void {
    const all = [...this.places.keys()]
    const daemons = all.filter((id) => this.entities.get(id)!.system)
    const density = this.size.hosts === 1 ? 0.9 : 2
    for (const id of daemons) {
      const host = this.places.get(id)!.host
      for (let i = 0; i < density; i++) {
        if (this.random() > 0.62) continue
        const at = all.indexOf(id)
        const near =
          all[
            Math.max(0, Math.min(all.length - 1, at + Math.floor((this.random() - 0.5) * this.size.system)))
          ]
        if (near !== id && (this.places.get(near)!.host === host || this.random() < 0.1)) this.wire(id, near)
      }
    }
    if (this.size.namespaces === 0) {
      const apps = all.filter((id) => !this.entities.get(id)!.system)
      SERVICES.slice(0, 12).forEach(([, , , calls], i) => {
        for (const target of calls) {
          const j = SERVICES.findIndex(([name]) => name === target)
          if (apps[i] && apps[j]) this.wire(apps[i], apps[j])
        }
      })
      this.wires.push({ from: 'in-theinternet', to: apps[0], port: 443 })
      this.wires.push({ from: apps[7], to: 'out-theinternet', port: 443 })
    }
  }

  remove(id: string): void {
    this.entities.delete(id)
    this.places.delete(id)
    this.wires = this.wires.filter((wire) => wire.from !== id && wire.to !== id)
    this.structure++
  }

  /** A second passes. */
  step(): void {
    this.tick++
    for (const entity of this.entities.values()) {
      if (this.random() > 0.04) continue
      entity.cpu = Math.min(100, Math.max(0, entity.cpu + (this.random() - 0.5) * 12))
      entity.memory = Math.max(2 ** 20, entity.memory * (0.97 + this.random() * 0.06))
      entity.rev++
    }
    if (this.tick % 7 === 0 && this.places.size > 0) this.churn()
  }

  private churn(): void {
    const hosts = [...this.entities.values()].filter((entity) => entity.kind === 'host')
    const host = this.pick(hosts)
    const targets = [...this.places.keys()]
    const id = this.addProcess('curl', 'curl -fsS https://health.example.org', host.label, {})
    this.wires.push(
      { from: id, to: 'out-theinternet', port: 443 },
      { from: id, to: this.pick(targets), port: 80 },
    )
    const visitors = targets.filter((target) => this.entities.get(target)!.label === 'curl')
    if (visitors.length > 6) this.remove(visitors[0])
    const late = this.pick(targets)
    const entity = this.entities.get(late)!
    entity.stale = !entity.stale
    entity.rev++
  }
}
