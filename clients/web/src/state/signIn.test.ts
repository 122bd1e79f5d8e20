import { beforeEach, expect, it, vi } from 'vitest'
import { forgetAndSignIn, goToSignIn, takeReturn } from './signIn'

beforeEach(() => {
  localStorage.clear()
  vi.spyOn(window.location, 'assign').mockImplementation(() => undefined)
})

it('comes back to the view, once', () => {
  window.location.hash = '#/pods?org=amber'
  goToSignIn()
  expect(window.location.assign).toHaveBeenCalledWith(expect.stringMatching(/\/login$/))
  expect(takeReturn()).toBe('#/pods?org=amber')
  expect(takeReturn()).toBe('')
})

it('forgets it after a while, and nonsense at once', () => {
  localStorage.setItem('weft.return', JSON.stringify({ hash: '#/pods', at: Date.now() - 16 * 60_000 }))
  expect(takeReturn()).toBe('')
  localStorage.setItem('weft.return', '{')
  expect(takeReturn()).toBe('')
  localStorage.setItem('weft.return', JSON.stringify({ hash: 'https://elsewhere', at: Date.now() }))
  expect(takeReturn()).toBe('')
})

it('leaves nothing for whoever signs in next', () => {
  window.location.hash = '#/pods'
  goToSignIn()
  sessionStorage.setItem('weft.terminals', '{"all":[]}')
  forgetAndSignIn()
  expect(sessionStorage.length).toBe(0)
  expect(takeReturn()).toBe('')
})
