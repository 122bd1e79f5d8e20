import assert from 'node:assert/strict'
import type { Desk, Scenario } from './desk'

async function screen(desk: Desk): Promise<string> {
  return desk.page.locator('.xterm-rows').first().innerText()
}

async function waitForText(desk: Desk, text: string): Promise<void> {
  await desk.page.waitForFunction(
    (wanted) =>
      document.querySelector('.xterm-rows')?.textContent?.replaceAll('\u00a0', ' ').includes(wanted),
    text,
  )
}

async function open(desk: Desk): Promise<void> {
  await desk.live()
  await desk.waitForScene('containers')
  await desk.clickNode('orders_1')
  await desk.byId('details').getByRole('button', { name: 'Exec shell' }).click()
  await desk.byId('terminal-state').getByText('Connected').waitFor()
}

export const terminals: Scenario[] = [
  {
    name: 'terminal: types, resizes, ends',
    path: '/few/#/containers',
    run: async (desk) => {
      await open(desk)
      await waitForText(desk, 'Welcome')
      await desk.page.keyboard.type('echo grüße\r')
      await waitForText(desk, 'grüße')
      await desk.page.waitForTimeout(700)
      await desk.page.keyboard.type('size\r')
      const size = await desk.page.getByText(/^\d+ × \d+/).innerText()
      await waitForText(desk, size.split(' · ')[0].replace(' × ', 'x'))
      await desk.page.keyboard.type('exit\r')
      await desk.byId('terminal-state').getByText('ended').waitFor()
      await desk.byId('terminal').getByRole('button', { name: 'Close terminal' }).click()
      await desk.byId('terminal').waitFor({ state: 'detached' })
    },
  },
  {
    name: 'terminal: survives a flood and keeps the page alive',
    path: '/few/#/containers',
    run: async (desk) => {
      await open(desk)
      await desk.page.keyboard.type('flood\r')
      await waitForText(desk, 'line 499')
      await desk.page.keyboard.press('Shift+Escape')
      const focused = await desk.page.evaluate(() => document.activeElement?.getAttribute('aria-label'))
      assert.equal(focused, 'Close terminal')
      assert.match(await screen(desk), /line 49\d/)
    },
  },
]
