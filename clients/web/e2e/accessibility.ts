import assert from 'node:assert/strict'
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import type { Desk, Scenario } from './desk'

/** Fails with what keeps people from using what the page shows. */
export async function checkAccessible(page: Page): Promise<void> {
  // Colours in transition would be measured half way.
  await page.waitForTimeout(300)
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'])
    .analyze()
  const text = violations.map(
    (one) =>
      `${one.id}: ${one.nodes
        .map((node) => node.html.slice(0, 160))
        .slice(0, 3)
        .join(' | ')}`,
  )
  assert.deepEqual(text, [])
}

const check = (desk: Desk) => checkAccessible(desk.page)

const themes = [false, true]

export const accessibility: Scenario[] = themes.flatMap((dark): Scenario[] => {
  const theme = dark ? 'dark' : 'light'
  return [
    {
      name: `axe: map with details, ${theme}`,
      path: '/medium/#/pods',
      dark,
      run: async (desk) => {
        await desk.live()
        await desk.waitForScene('pods')
        await check(desk)
        await desk.clickNode('carts-')
        await desk.byId('details').getByRole('region', { name: 'Info' }).waitFor()
        await check(desk)
      },
    },
    {
      name: `axe: table, ${theme}`,
      path: '/few/#/processes?view=table',
      dark,
      run: async (desk) => {
        await desk.live()
        await desk.byId('row').first().waitFor()
        await check(desk)
      },
    },
    {
      name: `axe: dialogs, search, empty, ${theme}`,
      path: '/empty/',
      dark,
      run: async (desk) => {
        await desk.byId('empty').waitFor()
        await check(desk)
        await desk.page.keyboard.press('?')
        await desk.byId('help').waitFor()
        await check(desk)
        await desk.page.keyboard.press('Escape')
        await desk.page.keyboard.press('Control+k')
        await desk.byId('palette').waitFor()
        await check(desk)
        await desk.page.keyboard.press('Escape')
        await desk.page.keyboard.press('/')
        await check(desk)
      },
    },
    {
      name: `axe: time strip, ${theme}`,
      path: `/medium/#/pods?at=${new Date(Date.now() - 20 * 60_000).toISOString()}`,
      dark,
      run: async (desk) => {
        await desk.waitForScene('pods')
        const slider = desk.page.getByRole('slider', { name: 'Moment' })
        await slider.focus()
        await desk.page.keyboard.press(']')
        await desk.byId('time-tip').getByText('1 host appeared').waitFor()
        await check(desk)
        await desk.page.getByRole('radio', { name: '6 hours' }).click()
        await desk.page.getByRole('button', { name: 'Play' }).click()
        await desk.byId('status').getByText('Playing').waitFor()
        await check(desk)
      },
    },
    {
      name: `axe: terminal, ${theme}`,
      path: '/few/#/containers',
      dark,
      run: async (desk) => {
        await desk.live()
        await desk.waitForScene('containers')
        await desk.clickNode('orders_1')
        await desk.byId('details').getByRole('button', { name: 'Exec shell' }).click()
        await desk.byId('terminal-state').getByText('Connected').waitFor()
        await check(desk)
      },
    },
  ]
})
