// The UI against a running Weft that reports this very machine (`WEFT_URL`).
import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
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
