import { expect, it } from 'vitest'
import { describe, describeSkipped, mayRun } from './describe'

const event = (state: 'open' | 'reconnecting' | 'broken' | 'ended', text = '', retryAt?: number) =>
  ({ kind: 'state', state, text, retryAt }) as const

it('says who else is attached', () => {
  expect(describe(event('open'), 1, 0)).toBe('Connected')
  expect(describe(event('open'), 3, 0)).toBe('Connected; 3 people are attached')
})

it('says when it tries again, and why', () => {
  const lost = event('reconnecting', 'the server cannot be reached', 5_000)
  expect(describe(lost, 1, 1_500)).toBe('Reconnecting in 4 s: the server cannot be reached. Nothing is lost.')
  expect(describe(lost, 1, 6_000)).toBe('Reconnecting: the server cannot be reached. Nothing is lost.')
})

it('says why it ended, if there is something to say', () => {
  expect(describe(event('ended'), 1, 0)).toBe('The session has ended')
  expect(describe(event('ended', 'somebody closed it'), 1, 0)).toBe(
    'The session has ended: somebody closed it',
  )
})

it('asks only where something may run', () => {
  expect(mayRun('open', true)).toBe(true)
  expect(mayRun('broken', true)).toBe(true)
  expect(mayRun('ended', true)).toBe(false)
  expect(mayRun('open', false)).toBe(false)
})

it('says what was lost, as far as it is known', () => {
  expect(describeSkipped(0)).toBe('')
  expect(describeSkipped(70)).toBe('70 bytes of output were lost')
  expect(describeSkipped(2 ** 40 - 70)).toBe('Some output was lost')
})
