// The UI against a running Weft that reports this very machine (`WEFT_URL`).
import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type Page } from 'playwright-core'
import { BROWSER_ARGS } from './browser'
import { Desk } from './desk'
import { openShop } from './shop'

/** How long a process may take to be seen. */
const APPEAR_MS = 6_000
/** Gone once the live window of 15 s and a publish interval have passed. */
const VANISH_MS = 25_000

async function waitForNode(desk: Desk, name: string, there: boolean, timeout: number) {
  await desk.page.waitForFunction(
    ([label, wanted]) =>
      (window.weftMap?.scene?.labels.some((text) => text.includes(label as string)) ?? false) === wanted,
    [name, there],
    { timeout },
  )
}

async function processComesAndGoes(desk: Desk, folder: string): Promise<void> {
  // A name of its own: a copy of sleep.
  const name = `weft-seen-${process.pid}`
  const binary = join(folder, name)
  copyFileSync('/bin/sleep', binary)
  await desk.waitForScene('processes')
  const started = performance.now()
  const child = spawn(binary, ['600'])
  await waitForNode(desk, name, true, APPEAR_MS)
  console.log(`a process appeared after ${Math.round(performance.now() - started)} ms`)
  await desk.page.getByRole('searchbox').fill(name)
  await desk.page.keyboard.press('Escape')
  await desk.page.getByRole('button', { name: 'Fit everything' }).click()
  await desk.page.waitForTimeout(500)
  await desk.clickNode(name)
  await desk.byId('details').getByText(name).first().waitFor()
  await desk.byId('details').getByText('600').first().waitFor()
  child.kill()
  const ended = performance.now()
  await waitForNode(desk, name, false, VANISH_MS)
  console.log(`and vanished ${Math.round(performance.now() - ended)} ms after it ended`)
}

async function shellAnswers(desk: Desk): Promise<void> {
  await desk.page.getByRole('button', { name: 'Exec shell' }).click()
  await desk.byId('terminal-state').getByText('Connected').waitFor()
  await desk.page.keyboard.type('echo "we$(echo ft) $((6*7))"\r')
  await desk.page.waitForFunction(() =>
    document.querySelector('.xterm-rows')?.textContent?.replaceAll('\u00a0', ' ').includes('weft 42'),
  )
  console.log('a host shell answered')
}

async function screenHas(page: Page, text: string): Promise<void> {
  await page.waitForFunction(
    (wanted) =>
      document.querySelector('.xterm-rows')?.textContent?.replaceAll('\u00a0', ' ').includes(wanted),
    text,
  )
}

/** The shell has the terminal's size, and goes on when the page is loaded anew and in a window of its own. */
async function shellGoesOn(desk: Desk): Promise<void> {
  const { page } = desk
  const type = async (on: Page, text: string) => {
    await on.locator('.xterm-helper-textarea').focus()
    await on.keyboard.type(text)
  }
  const shown = async (on: Page) => {
    const [columns, rows] = (await on.getByText(/^\d+ × \d+$/).innerText()).split(' × ')
    return `${rows} ${columns}`
  }
  // The control that resizes is asked a little after the last change.
  await page.waitForTimeout(800)
  await type(page, 'stty size\r')
  await screenHas(page, await shown(page))
  await page.reload()
  await desk.byId('terminal-state').getByText('Connected').waitFor()
  await screenHas(page, 'weft 42')
  const opening = desk.context.waitForEvent('page')
  await page.getByRole('button', { name: 'Own window' }).click()
  const window = await opening
  await window.getByTestId('terminal-state').getByText('Connected').waitFor()
  await screenHas(window, 'weft 42')
  await window.waitForTimeout(800)
  await type(window, 'clear; stty size\r')
  await screenHas(window, await shown(window))
  await window.getByRole('button', { name: 'Back into the page' }).click()
  await desk.byId('terminal-state').getByText('Connected').waitFor()
  await type(page, 'exit\r')
  await desk.byId('terminal-state').getByText('ended').waitFor()
  await page.getByRole('button', { name: 'Close terminal' }).click()
  await desk.byId('terminal').waitFor({ state: 'detached' })
  console.log('a shell outlives the page that shows it, knows its size, and ends when it says so')
}

async function shopIsConnected(desk: Desk): Promise<void> {
  await desk.page.getByRole('searchbox').fill('')
  await desk.page.getByRole('radio', { name: 'Hide unconnected' }).click()
  await waitForNode(desk, 'postgres', true, APPEAR_MS)
  await desk.page.keyboard.press('Escape')
  await desk.page.getByRole('button', { name: 'Tidy up' }).click()
  await desk.page.getByRole('button', { name: 'Fit everything' }).click()
  await desk.page.waitForTimeout(700)
  await desk.clickNode('checkout')
  const details = desk.byId('details')
  await details.getByRole('region', { name: 'Outgoing connections' }).getByText('payments').waitFor()
  await details.getByRole('region', { name: 'Incoming connections' }).getByText('gateway').waitFor()
  await desk.page.getByRole('button', { name: 'Fit everything' }).click()
  await desk.page.mouse.move(700, 820)
  await desk.page.waitForTimeout(700)
  console.log('connections of a process are listed with their other ends')
}

async function openHost(desk: Desk): Promise<void> {
  await desk.topology('hosts').click()
  await desk.waitForScene('hosts')
  await desk.page.getByRole('button', { name: 'Fit everything' }).click()
  await desk.page.waitForTimeout(500)
  const label = await desk.page.evaluate(() => {
    const scene = window.weftMap?.scene
    return scene?.labels[scene.ids.findIndex((id) => id.endsWith(';<host>'))] ?? ''
  })
  await desk.clickNode(label)
  await desk.byId('details').getByRole('button', { name: 'Exec shell' }).waitFor()
}

export async function main(): Promise<number> {
  const base = process.env.WEFT_URL
  if (!base) {
    console.error('WEFT_URL must say where Weft runs')
    return 1
  }
  const folder = mkdtempSync(join(tmpdir(), 'weft-e2e-'))
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: BROWSER_ARGS,
  })
  const closeShop = openShop(folder)
  const shot = async (desk: Desk, name: string) => {
    const to = process.env.WEFT_SHOTS ?? fileURLToPath(new URL('./shots', import.meta.url))
    const path = join(to, `${name}.png`)
    mkdirSync(dirname(path), { recursive: true })
    await desk.page.screenshot({ path })
  }
  try {
    const desk = await Desk.open(browser, base, {
      name: 'system',
      path: '/#/processes',
      run: async () => {},
    })
    await desk.live()
    await desk.page.getByRole('radio', { name: 'Show unconnected' }).click()
    await processComesAndGoes(desk, folder)
    await shopIsConnected(desk)
    await shot(desk, 'map')
    await openHost(desk)
    await shellAnswers(desk)
    await shot(desk, 'terminal')
    await shellGoesOn(desk)
    desk.checkErrors()
    await desk.close()
    const dark = await Desk.open(browser, base, {
      name: 'system, dark',
      path: '/#/processes',
      dark: true,
      run: async () => {},
    })
    await dark.live()
    await dark.waitForScene('processes')
    await dark.page.waitForTimeout(500)
    await shot(dark, 'dark')
    dark.checkErrors()
    await dark.close()
    console.log('1 passed, 0 failed')
    return 0
  } catch (error) {
    console.error(error)
    for (const page of browser.contexts().flatMap((context) => context.pages())) {
      const path = fileURLToPath(new URL('./shots/system-failed.png', import.meta.url))
      await page.screenshot({ path })
    }
    return 1
  } finally {
    await browser.close()
    closeShop()
    rmSync(folder, { recursive: true, force: true })
  }
}
