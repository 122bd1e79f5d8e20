// People and tokens, in a browser, against a running Weft that demands credentials. `WEFT_LOGIN_LINK` is the link for its first
// admin, which this uses up.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { checkAccessible } from './accessibility'
import { BROWSER_ARGS } from './browser'

const EMAIL = 'ada@amber.example'
const shots = process.env.WEFT_SHOTS ?? fileURLToPath(new URL('./shots', import.meta.url))

/** A browser of somebody; errors that the page reports are collected. */
async function somebody(browser: Browser, dark = false, width = 1440) {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: dark ? 'dark' : 'light',
  })
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  return { context, page }
}

async function shot(page: Page, name: string): Promise<void> {
  mkdirSync(shots, { recursive: true })
  await page.screenshot({ path: `${shots}/accounts-${name}.png` })
}

/** Without a session the page leads to the sign-in page, and the link leads back to the view. */
async function signIn(page: Page, link: string): Promise<void> {
  const base = new URL('/', link).href
  await page.goto(`${base}#/hosts?view=table`)
  await page.getByTestId('login').waitFor()
  await shot(page, 'signed-out')
  await page.goto(link)
  await page.waitForFunction(() => window.location.hash === '')
  await page.getByRole('textbox', { name: 'Your e-mail address' }).fill(EMAIL)
  await checkAccessible(page)
  await shot(page, 'bootstrap')
  await page.getByRole('button', { name: 'Create the account' }).click()
  await page.getByTestId('status').getByText('Live').waitFor()
  assert.match(page.url(), /#\/hosts\?view=table$/)
  console.log('the link of the first admin leads back to the view that was left')
}

async function linkWorksOnce(browser: Browser, link: string): Promise<void> {
  const { context, page } = await somebody(browser)
  await page.goto(link)
  await page.getByRole('textbox', { name: 'Your e-mail address' }).fill('mallory@amber.example')
  await page.getByRole('button', { name: 'Create the account' }).click()
  await page.getByRole('alert').getByText('was used already').waitFor()
  await context.close()
  console.log('and works once')
}

async function openPage(page: Page, name: string): Promise<void> {
  await page.getByTestId('user').click()
  await page.getByRole('menuitem', { name, exact: true }).click()
  await page.getByTestId('account').waitFor()
}

async function invite(page: Page): Promise<void> {
  await openPage(page, 'Members')
  await page
    .getByRole('row', { name: new RegExp(EMAIL) })
    .getByText('admin')
    .first()
    .waitFor()
  await page.getByRole('button', { name: 'Invite' }).click()
  const form = page.getByRole('dialog', { name: 'Invite somebody' })
  await form.getByRole('textbox', { name: 'E-mail address' }).fill('bob@amber.example')
  await form.getByRole('radio', { name: 'Editor' }).check()
  await form.getByRole('button', { name: 'Invite' }).click()
  const row = page.getByRole('row', { name: /bob@amber\.example/ })
  await row.getByText('editor').waitFor()
  await checkAccessible(page)
  await shot(page, 'members')
  await row.getByRole('button', { name: 'Take back' }).click()
  await row.waitFor({ state: 'detached' })
  console.log('somebody is invited, and the invitation taken back')
}

async function asked(base: string, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` }
  return (await fetch(new URL('/api/topology', base), { headers })).status
}

/** The secret is shown once, works, and does not once it is revoked. */
async function makeToken(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Tokens' }).click()
  await page.getByRole('button', { name: 'New token' }).click()
  const form = page.getByRole('dialog', { name: 'New token' })
  await form.getByRole('textbox', { name: 'Name' }).fill('reader')
  await form.getByRole('radio', { name: 'For a script' }).check()
  await form.getByRole('button', { name: 'Make token' }).click()
  const shown = page.getByTestId('secret')
  const secret = await shown.getByLabel('the token', { exact: true }).innerText()
  assert.match(secret, /^weftorg_\w+$/)
  await page.keyboard.press('Escape')
  await shown.getByRole('button', { name: 'I have it' }).click()
  await page.getByRole('row', { name: /reader/ }).waitFor()
  assert.ok(!(await page.content()).includes(secret), 'the secret is still in the page')
  assert.equal(await asked(page.url(), secret), 200)
  await checkAccessible(page)
  await shot(page, 'tokens')
  await page.getByRole('button', { name: 'Revoke reader' }).click()
  await page.getByTestId('confirm').getByRole('button', { name: 'Revoke' }).click()
  await page.getByRole('row', { name: /reader/ }).waitFor({ state: 'detached' })
  assert.equal(await asked(page.url(), secret), 401)
  console.log('a token is shown once, works, and is refused when it is revoked')
}

async function audit(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Audit log' }).click()
  await page.getByRole('searchbox', { name: 'Filter' }).fill('token.revoke ada@')
  await page.getByRole('row', { name: /Token revoked/ }).waitFor()
  assert.equal(await page.getByRole('row', { name: /Token made/ }).count(), 0)
  await checkAccessible(page)
  await shot(page, 'audit')
  const saving = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Export CSV' }).click()
  const saved = await saving
  assert.match(saved.suggestedFilename(), /^audit-.*\.csv$/)
  console.log('the audit log says so, is filtered and exported')
}

/** A second organisation, and the switch between both. */
async function organisations(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'You', exact: true }).click()
  await page.getByRole('button', { name: 'New organisation' }).click()
  await page.getByRole('textbox', { name: 'Name' }).fill('Second Ltd')
  await page.getByRole('button', { name: 'Create' }).click()
  await page.getByText('Nothing reports yet').waitFor()
  assert.match(page.url(), /org=[a-z0-9-]+/)
  await page.getByTestId('user').click()
  await page.getByRole('menuitemradio', { name: 'Second Ltd', checked: true }).waitFor()
  await shot(page, 'switch')
  await page.getByRole('menuitemradio', { checked: false }).first().click()
  await page.getByTestId('counts').waitFor()
  console.log('an organisation is made, and one switches between two')
}

/** The session ends in the other browser too, which then shows the sign-in page by itself. */
async function logOutEverywhere(browser: Browser, context: BrowserContext, page: Page): Promise<void> {
  const other = await somebody(browser, true, 390)
  await other.context.addCookies(await context.cookies())
  await other.page.goto(page.url())
  await other.page.getByTestId('status').getByText('Live').waitFor()
  await openPage(page, 'You')
  await page.getByText('this browser').waitFor()
  await checkAccessible(page)
  await shot(page, 'you')
  await page.getByRole('button', { name: 'Log out everywhere' }).click()
  await page.getByTestId('confirm').getByRole('button', { name: 'Log out everywhere' }).click()
  await page.getByTestId('login').waitFor()
  await other.page.getByTestId('login').waitFor()
  await shot(other.page, 'logged-out-dark')
  await other.context.close()
  console.log('logging out everywhere ends what is open elsewhere')
}

export async function main(): Promise<number> {
  const link = process.env.WEFT_LOGIN_LINK
  if (!link) {
    console.error('WEFT_LOGIN_LINK must be the link for the first admin')
    return 1
  }
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: BROWSER_ARGS,
  })
  const { context, page } = await somebody(browser)
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  try {
    await signIn(page, link)
    await linkWorksOnce(browser, link)
    await invite(page)
    await makeToken(page)
    await audit(page)
    await organisations(page)
    await logOutEverywhere(browser, context, page)
    assert.deepEqual(errors, [], 'the page reported errors')
    console.log('1 passed, 0 failed')
    return 0
  } catch (error) {
    console.error(error)
    await shot(page, 'failed')
    return 1
  } finally {
    await browser.close()
  }
}
