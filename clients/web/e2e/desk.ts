import assert from 'node:assert/strict'
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'

export interface Scenario {
  name: string
  /** Path and hash, under the mock: `/few/#/processes`. */
  path: string
  dark?: boolean
  reducedMotion?: boolean
  run: (desk: Desk) => Promise<void>
}

/** One page and what tests ask of it. */
export class Desk {
  readonly errors: string[] = []

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    readonly base: string,
  ) {}

  static async open(browser: Browser, base: string, scenario: Scenario): Promise<Desk> {
    const context = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      colorScheme: scenario.dark ? 'dark' : 'light',
      reducedMotion: scenario.reducedMotion ? 'reduce' : 'no-preference',
    })
    const page = await context.newPage()
    page.setDefaultTimeout(10_000)
    const desk = new Desk(context, page, base)
    page.on('pageerror', (error) => desk.errors.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') desk.errors.push(message.text())
    })
    await page.goto(base + scenario.path)
    return desk
  }

  async close(): Promise<void> {
    await this.context.close()
  }

  checkErrors(): void {
    assert.deepEqual(this.errors, [], 'the page reported errors')
  }

  byId(id: string): Locator {
    return this.page.getByTestId(id)
  }

  async live(): Promise<void> {
    await this.byId('status').getByText('Live').waitFor()
    await this.byId('counts').waitFor()
  }

  /** How many nodes the status line claims. */
  async shown(): Promise<number> {
    const text = (await this.byId('counts').innerText()).replaceAll('\u202f', '')
    return Number(/showing\s+(\d+)/.exec(text)?.[1])
  }

  topology(id: string): Locator {
    return this.page.locator(`[data-topology="${id}"]`)
  }

  /** The middle of a node on the screen. */
  async nodeAt(label: string): Promise<{ x: number; y: number; id: string }> {
    return this.page.evaluate((wanted) => {
      const map = window.weftMap
      const scene = map?.scene
      const i = scene?.labels.findIndex((text) => text.includes(wanted)) ?? -1
      if (!map || !scene || i < 0) throw new Error(`no node is called ${wanted}`)
      const at = map.toScreen(i)
      const rect = document.querySelector('canvas')!.getBoundingClientRect()
      return { x: at.x + rect.left, y: at.y + rect.top, id: scene.ids[i] }
    }, label)
  }

  async waitForScene(topologyId: string): Promise<void> {
    await this.page.waitForFunction(
      (id) => window.weftMap?.scene?.topologyId === id && window.weftMap.scene.ids.length > 0,
      topologyId,
    )
  }

  async clickNode(label: string): Promise<void> {
    const at = await this.nodeAt(label)
    await this.page.mouse.click(at.x, at.y)
  }
}
