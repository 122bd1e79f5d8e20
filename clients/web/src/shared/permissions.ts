/** What callers may be allowed, by the numbers of the contract, with the names that the command line uses. */
export const PERMISSIONS = {
  1: { name: 'view', allows: 'topologies, nodes, reports, the timeline' },
  2: { name: 'view-secrets', allows: 'command lines and environment variables' },
  3: { name: 'report', allows: 'sending reports, as probes do' },
  4: { name: 'control', allows: 'stop, restart, scale, delete' },
  5: { name: 'exec', allows: 'terminals in containers' },
  6: { name: 'logs', allows: 'logs and descriptions' },
  7: { name: 'admin', allows: 'members, tokens, settings' },
  8: { name: 'host-exec', allows: 'terminals on hosts, which are root’s' },
} as const

export type Permission = keyof typeof PERMISSIONS

export const ADMIN = 7 satisfies Permission

/** Which permission a control needs, as the server decides it. */
export function permissionOf(control: string): Permission {
  switch (control) {
    case 'host_exec':
    case 'host_resize_exec_tty':
      return 8
    case 'docker_exec_container':
    case 'docker_attach_container':
    case 'docker_resize_exec_tty':
      return 5
    case 'kubernetes_get_logs':
    case 'kubernetes_describe':
      return 6
    default:
      return 4
  }
}

export function permissionName(permission: number): string {
  return permission in PERMISSIONS ? PERMISSIONS[permission as Permission].name : `number ${permission}`
}

/** Null stands for a server that did not say. */
export function may(permission: number, permissions: number[] | null | undefined): boolean {
  return !permissions || permissions.includes(permission)
}
