import assert from 'node:assert/strict'
import type { Scenario } from './desk'

export const keyboard: Scenario[] = [
  {
    name: 'keys: walk the map, open, walk links, step up',
    path: '/medium/#/pods',
    reducedMotion: true,
    run: async (desk) => {
      await desk.live()
      await desk.waitForScene('pods')
      const { page } = desk
      await page.getByRole('application', { name: 'Topology map' }).focus()
      const name = () => page.locator('#map-node').getAttribute('aria-label')
      await page.keyboard.press('ArrowDown')
      await page.waitForFunction(() =>
        document.querySelector('#map-node')?.getAttribute('aria-label')?.includes('outgoing'),
      )
      const first = await name()
      await page.keyboard.press('ArrowRight')
      await page.waitForFunction(
        (old) => document.querySelector('#map-node')?.getAttribute('aria-label') !== old,
        first,
      )
      await page.keyboard.press('Enter')
      await desk.byId('details').waitFor()
      const opened = await name()
      await page.keyboard.press(']')
      await page.waitForFunction(
        (old) => document.querySelector('#map-node')?.getAttribute('aria-label') !== old,
        opened,
      )
      await page.keyboard.press('Escape')
      await desk.byId('details').waitFor({ state: 'detached' })
      const before = await page.evaluate(() => window.weftMap!.camera.scale)
      await page.keyboard.press('+')
      await page.waitForFunction((old) => window.weftMap!.camera.scale > old, before)
      await page.keyboard.press('Home')
      await page.waitForFunction((old) => Math.abs(window.weftMap!.camera.scale - old) < 0.01, before)
    },
  },
  {
    name: 'keys: search, views, help, palette',
    path: '/few/#/processes',
    run: async (desk) => {
      await desk.live()
      const { page } = desk
      await page.keyboard.press('/')
      assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('role')), 'searchbox')
      await page.keyboard.type('t')
      await page.keyboard.press('Escape')
      await page.keyboard.press('Escape')
      assert.equal(await desk.byId('table').count(), 0)
      await page.keyboard.press('t')
      await desk.byId('table').waitFor()
      await page.locator('[data-index="0"]').focus()
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('Enter')
      await desk.byId('details').waitFor()
      await page.keyboard.press('Escape')
      await page.keyboard.press('g')
      await desk.byId('map').waitFor()
      await page.keyboard.press('?')
      await desk.byId('help').waitFor()
      await page.keyboard.press('Escape')
      await desk.byId('help').waitFor({ state: 'detached' })
      await page.keyboard.press('Control+k')
      await page.keyboard.type('hosts')
      await page.keyboard.press('Enter')
      await desk.waitForScene('hosts')
    },
  },
]
