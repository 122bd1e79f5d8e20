import { existsSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { serve } from '../dev/serve'
import { accessibility } from './accessibility'
import { BROWSER_ARGS } from './browser'
import { budgets } from './budgets'
import { Desk, type Scenario } from './desk'
import { keyboard } from './keyboard'
import { login } from './login'
import { pages } from './pages'
import { terminals } from './terminals'
import { time } from './time'

/** Runs all scenarios, or those whose names contain an argument. Returns the exit code. */
export async function main(wanted: string[]): Promise<number> {
  const dist = fileURLToPath(new URL('../dist', import.meta.url))
  if (!existsSync(dist)) {
    console.error('there is no dist: run `npm run build` first')
    return 1
  }
  const server = await serve(dist, 0)
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: BROWSER_ARGS,
  })
  const scenarios: Scenario[] = [
    ...pages,
    ...time,
    ...keyboard,
    ...terminals,
    ...login,
    ...accessibility,
    ...budgets,
  ]
  let failed = 0
  for (const scenario of scenarios) {
    if (wanted.length > 0 && !wanted.some((text) => scenario.name.includes(text))) continue
    const desk = await Desk.open(browser, base, scenario)
    const start = performance.now()
    try {
      await scenario.run(desk)
      desk.checkErrors()
      console.log(`ok    ${scenario.name} (${Math.round(performance.now() - start)} ms)`)
    } catch (error) {
      failed++
      console.log(`FAIL  ${scenario.name}\n      ${error instanceof Error ? error.stack : error}`)
      await desk.page.screenshot({
        path: fileURLToPath(new URL(`./shots/failed-${failed}.png`, import.meta.url)),
      })
    }
    await desk.close()
  }
  await browser.close()
  server.closeAllConnections()
  server.close()
  console.log(failed === 0 ? 'all passed' : `${failed} failed`)
  return failed === 0 ? 0 : 1
}
