import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import type { Desk, Scenario } from './desk'

async function waitForText(page: Page, text: string): Promise<void> {
  await page.waitForFunction(
    (wanted) =>
      document.querySelector('.xterm-rows')?.textContent?.replaceAll('\u00a0', ' ').includes(wanted),
    text,
  )
}

async function screen(page: Page): Promise<string> {
  return page.locator('.xterm-rows').first().innerText()
}

function state(page: Page) {
  return page.getByTestId('terminal-state')
}

async function open(desk: Desk): Promise<void> {
  await desk.live()
  await desk.waitForScene('containers')
  await desk.clickNode('orders_1')
  await desk.byId('details').getByRole('button', { name: 'Exec shell' }).click()
  await state(desk.page).getByText('Connected').waitFor()
  await waitForText(desk.page, 'Welcome')
}

/** How often the output, with what is above the screen, has the text. */
async function count(page: Page, text: string): Promise<number> {
  await page.getByRole('button', { name: 'Search', exact: true }).click()
  await page.getByRole('textbox', { name: 'Search in the output' }).fill(text)
  const result = page.locator('output')
  await result.getByText(/of|nothing/).waitFor()
  const found = /of (\d+)/.exec(await result.innerText())
  await page.keyboard.press('Escape')
  // What is typed next goes to the terminal.
  await page.locator('.xterm-helper-textarea:focus').waitFor({ state: 'attached' })
  return found ? Number(found[1]) : 0
}

/** The terminal's own window. */
async function popOut(desk: Desk): Promise<Page> {
  const opened = desk.context.waitForEvent('page')
  await desk.page.getByRole('button', { name: 'Own window' }).click()
  const page = await opened
  page.on('pageerror', (error) => desk.errors.push(error.message))
  await state(page).getByText('Connected').waitFor()
  return page
}

export const terminals: Scenario[] = [
  {
    name: 'terminal: types, resizes, ends',
    path: '/few/#/containers',
    run: async (desk) => {
      const { page } = desk
      await open(desk)
      await page.keyboard.type('echo grüße\r')
      await waitForText(page, 'grüße')
      await page.waitForTimeout(700)
      await page.keyboard.type('size\r')
      const size = await page.getByText(/^\d+ × \d+/).innerText()
      await waitForText(page, size.replace(' × ', 'x'))
      await page.keyboard.type('exit\r')
      await state(page).getByText('ended').waitFor()
      // What has ended is closed without a question.
      await page.getByRole('button', { name: 'Close terminal' }).click()
      await desk.byId('terminal').waitFor({ state: 'detached' })
    },
  },
  {
    name: 'terminal: survives a flood and keeps the page alive',
    path: '/few/#/containers',
    run: async (desk) => {
      await open(desk)
      await desk.page.keyboard.type('flood\r')
      await waitForText(desk.page, 'line 499')
      await desk.page.keyboard.press('Shift+Escape')
      const focused = await desk.page.evaluate(() => document.activeElement?.getAttribute('aria-label'))
      assert.equal(focused, 'Close terminal')
      assert.match(await screen(desk.page), /line 49\d/)
    },
  },
  {
    name: 'terminal: tabs by keys, and closing asks',
    path: '/few/#/containers',
    run: async (desk) => {
      const { page } = desk
      await open(desk)
      await desk.byId('details').getByRole('button', { name: 'Attach' }).click()
      const tabs = page.getByRole('tab')
      await tabs.nth(1).waitFor()
      assert.equal(await tabs.nth(1).getAttribute('aria-selected'), 'true')
      await tabs.nth(1).focus()
      await page.keyboard.press('ArrowLeft')
      assert.equal(await tabs.nth(0).getAttribute('aria-selected'), 'true')
      // From anywhere: by the palette.
      await page.keyboard.press('Control+k')
      await page.keyboard.type('attach')
      await page.keyboard.press('Enter')
      await page.waitForFunction(() => document.activeElement?.classList.contains('xterm-helper-textarea'))
      assert.equal(await tabs.nth(1).getAttribute('aria-selected'), 'true')
      await page.keyboard.press('Control+Shift+PageUp')
      await page.waitForFunction(
        () => document.querySelector('[role=tab]')?.getAttribute('aria-selected') === 'true',
      )
      await page.getByRole('button', { name: 'Close terminal' }).click()
      await desk.byId('confirm').getByText('may still run something').waitFor()
      await page.keyboard.press('Escape')
      assert.equal(await tabs.count(), 2)
      await page.getByRole('button', { name: 'Close terminal' }).click()
      await desk.byId('confirm').getByRole('button', { name: 'End and close' }).click()
      await page.waitForFunction(() => document.querySelectorAll('[role=tab]').length === 1)
      await page.getByRole('button', { name: 'Close terminal' }).click()
      await desk.byId('confirm').getByRole('button', { name: 'End and close' }).click()
      await desk.byId('terminal').waitFor({ state: 'detached' })
    },
  },
  {
    name: 'terminal: comes back after a cut, with each byte once',
    path: '/few/#/containers',
    run: async (desk) => {
      const { page } = desk
      await open(desk)
      await page.keyboard.type('drop\r')
      await state(page)
        .getByText(/Reconnecting.*the connection was cut/)
        .waitFor()
      await page.getByRole('button', { name: 'Try now' }).click()
      await state(page).getByText('Connected').waitFor()
      await page.locator('.xterm-helper-textarea').focus()
      await page.keyboard.type('echo after\r')
      await waitForText(page, 'after')
      assert.equal(await count(page, 'on and off'), 1)
      assert.equal(await count(page, 'Welcome'), 1)
    },
  },
  {
    name: 'terminal: searches what is above',
    path: '/few/#/containers',
    run: async (desk) => {
      const { page } = desk
      await open(desk)
      await page.keyboard.type('flood\r')
      await waitForText(page, 'line 499')
      await page.keyboard.press('Control+Shift+F')
      const field = page.getByRole('textbox', { name: 'Search in the output' })
      await field.fill('line 12')
      const result = page.locator('output')
      await result.getByText('of 11').waitFor()
      const first = await result.innerText()
      await page.keyboard.press('Enter')
      await page.waitForFunction((old) => document.querySelector('output')?.textContent !== old, first)
      await page.getByRole('button', { name: 'Regular expression' }).click()
      await field.fill('line 4[0-9]{2} ')
      await result.getByText('of 100').waitFor()
      await field.fill('line [')
      await result.getByText('not a pattern').waitFor()
      await page.keyboard.press('Escape')
      await field.waitFor({ state: 'detached' })
      await page.keyboard.type('echo back\r')
      await waitForText(page, 'back')
    },
  },
  {
    name: 'terminal: copies, pastes, and asks before many lines run',
    path: '/few/#/containers',
    run: async (desk) => {
      const { page } = desk
      await desk.context.grantPermissions(['clipboard-read', 'clipboard-write'])
      await open(desk)
      await page.keyboard.type('echo one\r')
      await waitForText(page, 'one')
      await page.evaluate(() => navigator.clipboard.writeText('echo two'))
      await page.getByRole('button', { name: 'Paste' }).click()
      await page.keyboard.press('Enter')
      await waitForText(page, '# echo two')
      await page.evaluate(() => navigator.clipboard.writeText('echo three\necho four\n'))
      await page.getByRole('button', { name: 'Paste' }).click()
      await desk.byId('confirm').getByText('echo four').waitFor()
      assert.ok(!(await screen(page)).includes('three'))
      await desk.byId('confirm').getByRole('button', { name: 'Paste' }).click()
      await waitForText(page, '# echo four')
      await page.locator('.xterm-screen').dblclick({ position: { x: 20, y: 8 } })
      await page.getByRole('button', { name: 'Copy', exact: true }).click()
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'Welcome')
    },
  },
  {
    name: 'terminal: into a window and back, with all that it showed',
    path: '/few/#/containers',
    run: async (desk) => {
      await open(desk)
      // More than the server keeps, so that the first line can only have come from the page.
      await desk.page.keyboard.type('flood\r')
      await waitForText(desk.page, 'line 499')
      const window = await popOut(desk)
      await desk.page.getByText('in a window of its own').waitFor()
      await waitForText(window, 'line 499')
      assert.equal(await count(window, 'Welcome to'), 1)
      assert.equal(await count(window, 'line 499'), 1)
      await window.keyboard.type('echo over there\r')
      await waitForText(window, '# echo over there')
      await window.reload()
      await waitForText(window, '# echo over there')
      // The click closes its own window, maybe before it is seen to be done.
      const closed = window.waitForEvent('close')
      window
        .getByRole('button', { name: 'Back into the page' })
        .click()
        .catch(() => {})
      await closed
      await state(desk.page).getByText('Connected').waitFor()
      await waitForText(desk.page, '# echo over there')
      assert.equal(await count(desk.page, 'Welcome to'), 1)
      assert.equal(await count(desk.page, '# echo over there'), 1)
      await desk.page.keyboard.type('exit\r')
      await state(desk.page).getByText('ended').waitFor()
    },
  },
  {
    name: 'terminal: others watch, and cannot type',
    path: '/few/#/containers',
    run: async (desk) => {
      await open(desk)
      await desk.page.getByRole('button', { name: 'Let others watch' }).click()
      const url = await desk.page.getByRole('textbox', { name: 'Link' }).inputValue()
      await desk.page.keyboard.press('Escape')
      const other = await desk.context.newPage()
      await other.goto(url)
      await state(other).getByText('Connected').waitFor()
      await waitForText(other, 'Welcome')
      await other.getByText('Watching only').waitFor()
      await other.keyboard.type('echo intruder\r')
      await desk.page.locator('.xterm-helper-textarea').focus()
      await desk.page.keyboard.type('echo mine\r')
      await waitForText(other, 'mine')
      assert.ok(!(await screen(other)).includes('intruder'))
      await state(desk.page).getByText('2 people are attached').waitFor()
    },
  },
  {
    name: 'terminal: is there again after the page is loaded anew',
    path: '/few/#/containers',
    run: async (desk) => {
      const { page } = desk
      await open(desk)
      await page.keyboard.type('echo still here\r')
      await waitForText(page, '# echo still here')
      await page.reload()
      await state(page).getByText('Connected').waitFor()
      await waitForText(page, '# echo still here')
      await page.locator('.xterm-helper-textarea').focus()
      await page.keyboard.type('exit\r')
      await state(page).getByText('ended').waitFor()
      await page.reload()
      await state(page).getByText('ended').waitFor()
    },
  },
]
