import assert from 'node:assert/strict'
import { checkAccessible } from './accessibility'
import type { Desk, Scenario } from './desk'

/** Answers the routes of logins as the server does; returns what was asked. */
async function answers(desk: Desk, options: object): Promise<string[]> {
  const asked: string[] = []
  await desk.context.route(/\/api\/users\//, async (route) => {
    const request = route.request()
    const path = new URL(request.url()).pathname.replace(/^.*\/api\/users\//, '')
    asked.push(`${request.method()} ${path} ${request.postData() ?? ''}`.trim())
    if (path === 'login') return route.fulfill({ json: options })
    if (path === 'login/mail') return route.fulfill({ status: 202 })
    if (path === 'login/link') return route.fulfill({ status: 401, json: 'the link was used' })
    return route.fulfill({ json: { url: new URL('/few/#/hosts', desk.base).href } })
  })
  return asked
}

const EVERYTHING = {
  possible: true,
  mail: true,
  oidc: [
    { id: 'corp', name: 'Example Corp' },
    { id: 'git', name: 'GitForge' },
  ],
  signUp: true,
}

export const login: Scenario[] = [false, true].flatMap((dark): Scenario[] => [
  {
    name: `login: mail and providers, ${dark ? 'dark' : 'light'}`,
    path: '/empty/',
    dark,
    run: async (desk) => {
      const { page } = desk
      const asked = await answers(desk, EVERYTHING)
      await page.goto(`${desk.base}/few/login#error=not-allowed`)
      await page.getByRole('alert').getByText('ask an admin to invite').waitFor()
      assert.equal(new URL(page.url()).hash, '')
      await checkAccessible(page)
      await page.getByRole('textbox', { name: 'Your e-mail address' }).fill(' ada@amber.example ')
      await page.keyboard.press('Enter')
      await page.getByRole('status').getByText('ada@amber.example').waitFor()
      await checkAccessible(page)
      assert.deepEqual(asked, ['GET login', 'POST login/mail {"email":"ada@amber.example"}'])
      await page.getByRole('button', { name: 'Sign in with Example Corp' }).click()
      await desk.waitForScene('hosts')
      assert.equal(asked[2], 'POST login/oidc/corp {"returnTo":"/few/"}')
    },
  },
  {
    name: `login: a link is used by a click and by nothing else, ${dark ? 'dark' : 'light'}`,
    path: '/empty/',
    dark,
    run: async (desk) => {
      const { page } = desk
      const asked = await answers(desk, { ...EVERYTHING, mail: false, oidc: [] })
      await page.goto(`${desk.base}/few/login#weftlnk_abc123`)
      await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
      // The browser's history must not keep it.
      await page.waitForFunction(() => window.location.hash === '')
      await checkAccessible(page)
      assert.deepEqual(asked, ['GET login'])
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
      await page.getByRole('alert').getByText('was used already').waitFor()
      assert.equal(asked[1], 'POST login/link {"secret":"weftlnk_abc123"}')
      await page.getByRole('button', { name: 'Sign in another way' }).click()
      await page.getByText('weft admin bootstrap').waitFor()
      await checkAccessible(page)
      // The browser itself says that a request was refused.
      desk.errors.length = 0
    },
  },
])
