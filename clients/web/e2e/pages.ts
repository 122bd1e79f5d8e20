import assert from 'node:assert/strict'
import type { Scenario } from './desk'

export const pages: Scenario[] = [
  {
    name: 'picker: first topology, counts, hidden ones',
    path: '/few/',
    run: async (desk) => {
      await desk.live()
      assert.match(desk.page.url(), /#\/containers$/)
      assert.equal(await desk.topology('containers').getAttribute('aria-current'), 'page')
      assert.equal(await desk.topology('pods').count(), 0)
      await desk.topology('processes').click()
      await desk.waitForScene('processes')
      assert.equal(await desk.topology('processes').getAttribute('aria-current'), 'page')
      const shown = await desk.shown()
      assert.ok(shown > 50, `${shown} processes`)
    },
  },
  {
    name: 'options: a radio shows more nodes and stands in the address',
    path: '/few/#/processes',
    run: async (desk) => {
      await desk.live()
      const before = await desk.shown()
      await desk.page.getByRole('radio', { name: 'Show unconnected' }).click()
      await desk.page.waitForFunction((count) => (window.weftMap?.scene?.ids.length ?? 0) > count, before)
      assert.match(desk.page.url(), /o\.unconnected=show/)
      await desk.page.goBack()
      await desk.page.getByRole('radio', { name: 'Hide unconnected', checked: true }).waitFor()
    },
  },
  {
    name: 'map: places survive changes, drag pins, tidy unpins',
    path: '/few/#/processes',
    run: async (desk) => {
      await desk.live()
      await desk.waitForScene('processes')
      const places = () =>
        desk.page.evaluate(() => {
          const scene = window.weftMap!.scene!
          return Object.fromEntries(scene.ids.map((id, i) => [id, [scene.x[i], scene.y[i]]]))
        })
      const before = await places()
      const rev = await desk.page.evaluate(() => window.weftMap!.scene!.rev)
      // The mock adds a process every few seconds.
      await desk.page.waitForFunction((old) => window.weftMap!.scene!.rev > old, rev, { timeout: 15_000 })
      const after = await places()
      const both = Object.keys(before).filter((id) => id in after)
      const moved = both.filter((id) => String(before[id]) !== String(after[id]))
      assert.deepEqual(moved, [])
      const at = await desk.nodeAt('catalogue')
      await desk.page.mouse.move(at.x, at.y)
      await desk.page.mouse.down()
      await desk.page.mouse.move(at.x + 90, at.y + 40, { steps: 6 })
      await desk.page.mouse.up()
      await desk.page.waitForTimeout(300)
      assert.notDeepEqual((await places())[at.id], after[at.id])
      await desk.page.getByRole('button', { name: 'Tidy up' }).click()
      await desk.page.waitForFunction(() => window.weftMap!.scene!.flags.every((flags) => (flags & 16) === 0))
    },
  },
  {
    name: 'search: typing dims, a chip filters, other topologies count',
    path: '/few/#/processes',
    run: async (desk) => {
      await desk.live()
      const all = await desk.shown()
      const box = desk.page.getByRole('searchbox', { name: 'Search' })
      await box.fill('kubelet')
      await desk.page.getByText(/^\d+ match/).waitFor()
      assert.equal(await desk.shown(), all)
      assert.ok(await desk.page.evaluate(() => window.weftMap!.scene!.matching))
      await box.press('Enter')
      await desk.page.waitForFunction((count) => window.weftMap!.scene!.ids.length < count, all)
      assert.match(desk.page.url(), /find=kubelet/)
      await box.fill('cpu > nonsense')
      await desk.page.getByText('is not a number').waitFor()
      await box.fill('')
      await desk.page.getByRole('button', { name: 'Remove filter kubelet' }).click()
      await desk.page.waitForFunction((count) => window.weftMap!.scene!.ids.length >= count - 5, all)
    },
  },
  {
    name: 'details: open from the map, follow links, go back, close',
    path: '/medium/#/pods',
    run: async (desk) => {
      await desk.live()
      await desk.waitForScene('pods')
      await desk.clickNode('orders-')
      const details = desk.byId('details')
      await details.getByRole('heading', { name: /^orders-/ }).waitFor()
      await details.getByRole('region', { name: 'Status' }).waitFor()
      await details.getByRole('region', { name: 'Outgoing connections' }).waitFor()
      assert.match(desk.page.url(), /card=pods/)
      await details.getByRole('button', { name: /^Hosts/ }).click()
      await details.getByRole('heading', { name: /^node-/ }).waitFor()
      await details.getByRole('button', { name: 'Back' }).click()
      await details.getByRole('heading', { name: /^orders-/ }).waitFor()
      await details.getByRole('button', { name: 'Close details' }).click()
      await details.waitFor({ state: 'detached' })
      await desk.page.goBack()
      await details.getByRole('heading', { name: /^orders-/ }).waitFor()
    },
  },
  {
    name: 'controls: confirmation, failure, success',
    path: '/few/#/containers',
    run: async (desk) => {
      await desk.live()
      await desk.waitForScene('containers')
      await desk.clickNode('queue-master')
      const controls = desk.byId('details').getByRole('toolbar', { name: 'Controls' })
      const dialog = desk.page.getByRole('alertdialog')
      // The probe asks for no question here, but it interrupts something.
      await controls.getByRole('button', { name: 'Pause' }).click()
      await dialog.getByText('Pause shop_queue-master_1?').waitFor()
      await dialog.getByText('workshop').waitFor()
      await dialog.getByRole('button', { name: 'Pause' }).click()
      const failure = desk.byId('details').getByRole('alert').getByText('cannot pause')
      await failure.waitFor()
      // What went wrong stays while another goes well.
      await controls.getByRole('button', { name: 'Restart' }).click()
      await dialog.getByRole('button', { name: 'Restart' }).click()
      await desk
        .byId('details')
        .getByRole('status')
        .getByText(/done in/)
        .waitFor()
      await failure.waitFor()
      await desk.byId('details').getByRole('button', { name: 'Dismiss: Pause' }).click()
      await failure.waitFor({ state: 'detached' })
      await controls.getByRole('button', { name: 'Stop' }).click()
      await dialog.getByText('Stop this container?').waitFor()
      await dialog.getByRole('button', { name: 'Cancel' }).click()
      await dialog.waitFor({ state: 'detached' })
      await controls.getByRole('button', { name: 'Stop' }).click()
      await dialog.getByRole('button', { name: 'Stop' }).click()
      await desk.byId('details').waitFor({ state: 'detached' })
      // Its card is gone, so this is where it is said.
      await desk.byId('notices').getByText('Stop · shop_queue-master_1:').waitFor()
      await desk.page.waitForFunction(
        () => !window.weftMap!.scene!.labels.some((label) => label.includes('queue-master')),
      )
    },
  },
  {
    name: 'controls: what is not allowed says which permission is missing',
    path: '/few/#/hosts',
    run: async (desk) => {
      await desk.live()
      await desk.waitForScene('hosts')
      await desk.clickNode('workshop')
      const details = desk.byId('details')
      await details.getByText('Exec shell: you need the permission “host-exec”').waitFor()
      assert.equal(await details.getByRole('button', { name: 'Exec shell' }).count(), 0)
    },
  },
  {
    name: 'table: sorts, scrolls through everything, opens details, dims',
    path: '/many/#/processes?view=table',
    run: async (desk) => {
      await desk.live()
      const table = desk.byId('table')
      await desk.byId('row').first().waitFor()
      assert.ok((await desk.byId('row').count()) < 120, 'the table is virtual')
      await table.getByRole('columnheader', { name: 'Name' }).getByRole('button').click()
      await table
        .getByRole('columnheader', { name: 'Name' })
        .and(desk.page.locator('[aria-sort="ascending"]'))
        .waitFor()
      assert.match(desk.page.url(), /sort=name/)
      const first = desk.page.locator('[data-index="0"]')
      await first
        .getByText('/usr/bin/NetworkManager')
        .or(first.getByText('/app'))
        .or(first.getByText('/'))
        .first()
        .waitFor()
      await table.evaluate((element) => {
        element.scrollTop = element.scrollHeight
      })
      const total = await desk.shown()
      await desk.page.waitForFunction(
        (count) =>
          [...document.querySelectorAll('[data-testid="row"][data-id]')].some(
            (row) => Number(row.getAttribute('data-index')) > count - 30,
          ),
        total,
      )
      await desk.page.locator('[data-testid="row"][data-id]').last().click()
      await desk.byId('details').getByRole('region', { name: 'Info' }).waitFor()
    },
  },
  {
    name: 'empty: says what to do',
    path: '/empty/',
    run: async (desk) => {
      await desk.byId('empty').getByText('Nothing reports yet').waitFor()
      await desk.byId('status').getByText('Live').waitFor()
    },
  },
  {
    name: 'filters that leave nothing say so and can be taken back',
    path: '/few/#/containers?find=no-such-thing',
    run: async (desk) => {
      await desk.byId('empty').getByText('pass the filters').waitFor()
      await desk.page.getByRole('button', { name: 'Remove search filters' }).click()
      await desk.waitForScene('containers')
    },
  },
  {
    name: 'an unknown topology is named and a way out is offered',
    path: '/few/#/no-such-topology',
    run: async (desk) => {
      await desk.byId('empty').getByText('There is no such topology').waitFor()
      await desk.topology('hosts').click()
      await desk.waitForScene('hosts')
    },
  },
  {
    name: 'connection: lost and found again, and the page says so',
    path: '/few/#/hosts',
    run: async (desk) => {
      await desk.live()
      await desk.context.setOffline(true)
      await desk.context.route('**/weft.*/**', (route) => route.abort())
      await desk.topology('containers').click()
      await desk
        .byId('status')
        .getByText(/Reconnecting/)
        .waitFor()
      await desk.byId('status').getByText('cannot be reached').waitFor()
      await desk.context.unroute('**/weft.*/**')
      await desk.context.setOffline(false)
      await desk
        .byId('status')
        .getByRole('button', { name: 'Try now' })
        .click({ timeout: 3000 })
        .catch(() => undefined)
      await desk.live()
      await desk.waitForScene('containers')
      desk.errors.length = 0
    },
  },
]
