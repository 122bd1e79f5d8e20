import assert from 'node:assert/strict'
import type { Desk, Scenario } from './desk'

const MINUTE = 60_000

/** The installation begins to be with the first request; its past is counted back from then. */
const ago = (minutes: number) => new Date(Date.now() - minutes * MINUTE).toISOString()

async function openStrip(desk: Desk): Promise<void> {
  await desk.page.getByRole('button', { name: 'Time strip' }).click()
  await desk.byId('time-strip').waitFor()
}

const slider = (desk: Desk) => desk.page.getByRole('slider', { name: 'Moment' })

async function valueText(desk: Desk): Promise<string> {
  return (await slider(desk).getAttribute('aria-valuetext')) ?? ''
}

async function waitForValue(desk: Desk, pattern: RegExp): Promise<void> {
  await desk.page.waitForFunction(
    ([source]) =>
      new RegExp(source).test(document.querySelector('[role=slider]')?.getAttribute('aria-valuetext') ?? ''),
    [pattern.source],
  )
}

async function waitForHosts(desk: Desk, count: number): Promise<void> {
  await desk.page.waitForFunction(
    (wanted) => window.weftMap?.scene?.ids.filter((id) => id.endsWith(';<host>')).length === wanted,
    count,
  )
}

export const time: Scenario[] = [
  {
    name: 'time: pause stands still, live goes on',
    path: '/few/#/hosts',
    run: async (desk) => {
      await desk.live()
      await desk.page.getByRole('button', { name: 'Pause' }).click()
      await desk.byId('status').getByText('Paused').waitFor()
      assert.match(desk.page.url(), /at=/)
      await desk.page.getByRole('button', { name: 'Back to live' }).click()
      await desk.live()
      await openStrip(desk)
      assert.equal(await valueText(desk), 'now')
      await slider(desk).focus()
      await desk.page.keyboard.press('ArrowLeft')
      await desk.byId('status').getByText('Paused').waitFor()
      await desk.page.keyboard.press('End')
      await desk.live()
    },
  },
  {
    name: 'time: a link to the past shows who was there then',
    path: `/medium/#/hosts?at=${ago(20)}`,
    run: async (desk) => {
      await desk.byId('status').getByText('Paused').waitFor()
      await waitForHosts(desk, 5)
      await waitForValue(desk, /reports from 5 hosts/)
      await desk.page.getByRole('button', { name: 'Later change of hosts' }).click()
      await waitForHosts(desk, 6)
      await desk.page.getByRole('button', { name: 'Earlier change of hosts' }).waitFor()
      await desk.page.getByRole('button', { name: 'Back to live' }).click()
      await desk.live()
      await waitForHosts(desk, 6)
      assert.doesNotMatch(desk.page.url(), /at=/)
      const places = () =>
        desk.page.evaluate(() => {
          const scene = window.weftMap!.scene!
          return scene.ids.map((id, i) => `${id} ${scene.x[i]} ${scene.y[i]}`).sort()
        })
      const before = await places()
      await desk.page.goBack()
      await desk.byId('status').getByText('Paused').waitFor()
      await waitForHosts(desk, 6)
      await desk.page.goBack()
      await waitForHosts(desk, 5)
      await desk.page.goForward()
      await waitForHosts(desk, 6)
      // The map leads what moved to its place.
      await desk.page.waitForTimeout(400)
      assert.deepEqual(await places(), before)
    },
  },
  {
    name: 'time: dragging asks for one picture at a time and ends where it was let go',
    path: `/medium/#/hosts?at=${ago(20)}`,
    run: async (desk) => {
      await waitForHosts(desk, 5)
      await waitForValue(desk, /5 hosts/)
      let count = 0
      let release = () => {}
      const released = new Promise<void>((resolve) => {
        release = resolve
      })
      // A server that does not answer until the pointer has come to its end.
      await desk.context.route('**/UpdateWatch', async (route) => {
        count++
        await released
        await route.continue()
      })
      const box = (await slider(desk).boundingBox())!
      const y = box.y + box.height / 2
      await desk.page.mouse.move(box.x + box.width * 0.3, y)
      await desk.page.mouse.down()
      await desk.page.mouse.move(box.x + box.width * 0.95, y, { steps: 60 })
      await desk.byId('time-tip').getByText('6 hosts').waitFor()
      await desk.page.mouse.up()
      assert.equal(count, 1)
      release()
      await waitForHosts(desk, 6)
      assert.equal(count, 2)
      await desk.page.waitForFunction(
        (wanted) => {
          const at = Date.parse(/at=([^&]+)/.exec(decodeURIComponent(location.hash))?.[1] ?? '')
          return Math.abs(at - wanted) < 30_000
        },
        Date.now() - 0.05 * 60 * MINUTE,
      )
      await desk.page.goBack()
      await waitForHosts(desk, 5)
    },
  },
  {
    name: 'time: a mark says who came or went, a hole that there is nothing',
    path: `/medium/#/pods?at=${ago(36)}`,
    run: async (desk) => {
      const empty = desk.byId('empty')
      await empty.getByText(/^No reports at/).waitFor()
      await empty.getByText(/^The nearest are at .+ and .+/).waitFor()
      await waitForValue(desk, /no reports/)
      await empty
        .getByRole('button', { name: /^Go to/ })
        .last()
        .click()
      await desk.waitForScene('pods')
      await empty.waitFor({ state: 'detached' })
      await desk.page.getByRole('button', { name: /^Later change of hosts: / }).click()
      await waitForValue(desk, /from 5 hosts/)
      const box = (await slider(desk).boundingBox())!
      const mark = await desk.page.evaluate(() => {
        const play = document.querySelector('[role=slider] > i:last-of-type') as HTMLElement
        return play.getBoundingClientRect().left
      })
      await desk.page.mouse.move(mark, box.y + 6)
      await desk
        .byId('time-tip')
        .getByText(/^1 host vanished at/)
        .waitFor()
      await desk.page.goBack()
      await desk.page.goBack()
      await empty.getByText(/^No reports at/).waitFor()
    },
  },
  {
    name: 'time: history is played, held, and goes on as live',
    path: `/medium/#/hosts?at=${ago(13)}`,
    run: async (desk) => {
      await waitForHosts(desk, 5)
      await desk.page.getByRole('combobox', { name: 'Speed' }).selectOption('60×')
      await desk.page.getByRole('button', { name: 'Play' }).click()
      await desk.byId('status').getByText('Playing 60×').waitFor()
      await waitForHosts(desk, 6)
      await slider(desk).focus()
      await desk.page.keyboard.press('Space')
      await desk.byId('status').getByText('Paused').waitFor()
      const held = desk.page.url()
      assert.match(held, /at=/)
      await desk.page.keyboard.press('End')
      await desk.live()
      await desk.page.keyboard.press('ArrowLeft')
      await desk.page.keyboard.press('ArrowLeft')
      await desk.byId('status').getByText('Paused').waitFor()
      await desk.page.keyboard.press('Space')
      await desk.byId('status').getByText('Playing 60×').waitFor()
      await desk.live()
      assert.equal(await valueText(desk), 'now')
      assert.doesNotMatch(desk.page.url(), /at=/)
    },
  },
  {
    name: 'time: details, counts and search are of the moment, controls are not there',
    path: `/medium/#/hosts?at=${ago(20)}`,
    run: async (desk) => {
      await waitForHosts(desk, 5)
      // With the two ends of the Internet.
      await desk.topology('hosts').getByText('7').waitFor()
      await desk.page.getByRole('searchbox').fill('node-02')
      await desk.page
        .getByText('No match')
        .or(desk.page.getByText(/^0 match/))
        .first()
        .waitFor()
      await desk.page.getByRole('searchbox').fill('')
      await desk.page.keyboard.press('Escape')
      await desk.clickNode('node-01')
      const details = desk.byId('details')
      await details.getByText(/^As of /).waitFor()
      await details.getByRole('region', { name: 'Info' }).waitFor()
      assert.equal(await details.getByRole('toolbar', { name: 'Controls' }).count(), 0)
      await desk.page.getByRole('button', { name: 'Back to live' }).click()
      await details.getByRole('toolbar', { name: 'Controls' }).waitFor()
    },
  },
  {
    name: 'time: the range grows, moves back, warns and comes back',
    path: '/medium/#/hosts',
    run: async (desk) => {
      await desk.live()
      await openStrip(desk)
      await desk.page.getByRole('radio', { name: '7 days' }).click()
      await desk.byId('time-strip').getByText('does not answer').waitFor()
      await desk.page.getByRole('radio', { name: '15 minutes' }).click()
      const from = async () => Number(await slider(desk).getAttribute('aria-valuemin'))
      const before = await from()
      await desk.page.getByRole('button', { name: 'Earlier', exact: true }).click()
      await desk.page.waitForFunction(
        (old) => Number(document.querySelector('[role=slider]')!.getAttribute('aria-valuemin')) < old - 300,
        before,
      )
      await desk.live()
      await desk.page.getByRole('button', { name: 'Later', exact: true }).click()
      await desk.page.waitForFunction(
        (old) => Number(document.querySelector('[role=slider]')!.getAttribute('aria-valuemin')) >= old,
        before,
      )
    },
  },
]
