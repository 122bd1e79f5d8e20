import { describe, expect, it, vi } from 'vitest'
import { permissionOf } from '../shared/permissions'

vi.mock('./app', () => ({ app: {}, backend: {}, closeCards: () => undefined }))
vi.mock('./terminals', () => ({ openTerminal: () => undefined }))
const { answerText, explainControl, isDestructive } = await import('./controls')
const { CallError } = await import('./backend')

describe('controls', () => {
  it('that interrupt something are asked about', () => {
    for (const id of [
      'docker_stop_container',
      'docker_restart_container',
      'docker_pause_container',
      'kubernetes_delete_pod',
      'kubernetes_scale_down',
      'ecs_scale_down',
      'docker_remove_container',
    ])
      expect(isDestructive(id), id).toBe(true)
    for (const id of [
      'docker_start_container',
      'docker_unpause_container',
      'docker_exec_container',
      'kubernetes_scale_up',
      'kubernetes_get_logs',
      'host_exec',
    ])
      expect(isDestructive(id), id).toBe(false)
  })

  it('need the permission that the server asks for', () => {
    expect(permissionOf('host_exec')).toBe(8)
    expect(permissionOf('docker_exec_container')).toBe(5)
    expect(permissionOf('kubernetes_describe')).toBe(6)
    expect(permissionOf('docker_stop_container')).toBe(4)
    expect(permissionOf('exec')).toBe(4)
  })

  it('say what went wrong and what to do', () => {
    const say = (code: string, message = 'x') => explainControl(new CallError(message, code), 'host_exec')
    expect(say('Unavailable', 'probe p is not connected right now')).toMatch(
      /^probe p is not connected right now\. Try again/,
    )
    expect(say('Unavailable', 'probe p went away before it answered; it may have acted')).toMatch(
      /it may have acted\. Look at the node/,
    )
    expect(say('Unavailable', 'the server cannot be reached')).toMatch(/server cannot be reached/)
    expect(say('DeadlineExceeded')).toMatch(/may have acted\. Look/)
    expect(say('PermissionDenied')).toMatch(/“host-exec”.*admin/)
    expect(say('FailedPrecondition', 'no such container')).toBe('no such container')
  })

  it('show what the probe answered', () => {
    expect(answerText('')).toBe('')
    expect(answerText('null')).toBe('')
    expect(answerText('"paused"')).toBe('paused')
    expect(answerText('{"a":1}')).toBe('{"a":1}')
    expect(answerText('{broken')).toBe('{broken')
  })
})
