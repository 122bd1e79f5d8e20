// Every way in, in a browser, with a Weft, a mail server, an OpenID Connect provider and an authenticator of its own.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  type Browser,
  type BrowserContext,
  type CDPSession,
  chromium,
  type Page,
  type Request,
  type Response,
} from 'playwright-core'
import { checkAccessible } from './accessibility'
import { BROWSER_ARGS } from './browser'
import { until, World } from './world'

const shots = process.env.WEFT_SHOTS ?? fileURLToPath(new URL('./shots', import.meta.url))
/** How long a session that was ended may still be good for. */
const ENDS_WITHIN_MS = 1_000

/** One browser of one person. */
class Visitor {
  readonly errors: string[] = []

  private constructor(
    private readonly world: World,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {}

  static async arrive(world: World, browser: Browser): Promise<Visitor> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 } })
    const page = await context.newPage()
    page.setDefaultTimeout(20_000)
    const visitor = new Visitor(world, context, page)
    page.on('pageerror', (error) => visitor.errors.push(error.message))
    page.on('request', (request) => visitor.look(request))
    page.on('response', (response) => void visitor.listen(response).catch(() => undefined))
    return visitor
  }

  /** Keeps the secrets of logins as they go out. */
  private look(request: Request): void {
    const url = new URL(request.url())
    if (!url.pathname.startsWith('/api/users/login')) return
    for (const name of ['code', 'state'])
      this.world.keep(`a provider's ${name}`, url.searchParams.get(name) ?? '')
    const sent = request.postData() ?? ''
    this.world.keep('the secret of a link', /"secret":"\w{8}(\w+)"/.exec(sent)?.[1])
    this.world.keep('the signature of a passkey', /"signature":"([\w-]+)"/.exec(sent)?.[1])
  }

  /** And as they come back. */
  private async listen(response: Response): Promise<void> {
    if (!/\/api\/users\/login/.test(response.url())) return
    for (const { name, value } of await response.headersArray()) {
      if (name !== 'set-cookie') continue
      const cookie = /^[^=]+=([^;]{40,})/.exec(value)?.[1]
      this.world.keep('a cookie', cookie)
      // Without what tells its kind.
      this.world.keep('a cookie', cookie?.replace(/^weft\w{3}_/, '').slice(0, 40))
    }
    if (response.url().endsWith('/passkey'))
      this.world.keep('a challenge', (await response.json()).publicKey?.challenge)
  }

  async leave(): Promise<void> {
    assert.deepEqual(this.errors, [], 'the page reported errors')
    await this.context.close()
  }

  button(name: string) {
    return this.page.getByRole('button', { name, exact: true })
  }

  async shot(name: string): Promise<void> {
    mkdirSync(shots, { recursive: true })
    await this.page.screenshot({ path: `${shots}/people-${name}.png` })
  }

  async signInPage(): Promise<void> {
    await this.page.goto(`${this.world.base}login`)
    await this.page.getByTestId('login').waitFor()
  }

  /** Uses a link up; the first admin's asks for an address. */
  async open(link: string, email?: string): Promise<void> {
    await this.page.goto(link)
    if (email) {
      await this.page.getByRole('textbox', { name: 'Your e-mail address' }).fill(email)
      await this.button('Create the account').click()
    } else await this.button('Sign in').click()
    await this.isIn()
  }

  async isIn(): Promise<void> {
    await this.page.getByTestId('user').waitFor()
  }

  async name(): Promise<string> {
    return (await this.page.getByTestId('user').innerText()).trim()
  }

  async account(tab: 'You' | 'Tokens'): Promise<void> {
    await this.page.getByTestId('user').click()
    await this.page.getByRole('menuitem', { name: tab, exact: true }).click()
    await this.page.getByTestId('account').waitFor()
  }

  async signOut(): Promise<void> {
    await this.page.getByTestId('user').click()
    await this.page.getByRole('menuitem', { name: 'Sign out' }).click()
    await this.page.getByTestId('login').waitFor()
  }

  /** The status of what only somebody may ask who is logged in. */
  status(): Promise<number> {
    return this.page.evaluate(async () => (await fetch('/api/topology', { cache: 'no-store' })).status)
  }

  /** A device that keeps passkeys and knows its owner. */
  async device(): Promise<CDPSession> {
    const cdp = await this.context.newCDPSession(this.page)
    await cdp.send('WebAuthn.enable')
    await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    })
    return cdp
  }
}

/** A string or a message in protobuf's encoding, as this field. */
function field(number: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes])
}

/** What the server answers when a login is too old, as gRPC-web writes it. */
function loginTooOld(): Record<string, string> {
  const reason = Buffer.concat([field(1, 'LOGIN_TOO_OLD'), field(2, 'weft')])
  const any = Buffer.concat([field(1, 'type.googleapis.com/google.rpc.ErrorInfo'), field(2, reason)])
  const status = Buffer.concat([Buffer.from([8, 7]), field(2, 'log in again'), field(3, any)])
  return {
    'content-type': 'application/grpc-web+proto',
    'grpc-status': '7',
    'grpc-message': 'log in again',
    'grpc-status-details-bin': status.toString('base64').replace(/=+$/, ''),
  }
}

async function addPasskey(visitor: Visitor, name: string): Promise<void> {
  await visitor.button('Add a passkey').click()
  const form = visitor.page.getByRole('dialog', { name: 'Add a passkey' })
  await form.getByRole('textbox', { name: 'Name' }).fill(name)
  await checkAccessible(visitor.page)
  await form.getByRole('button', { name: 'Go on' }).click()
  await form.waitFor({ state: 'detached' })
  await visitor.page.getByRole('listitem').filter({ hasText: name }).waitFor()
}

/** What only a recent login may do is done after a touch, and the picture goes on. */
async function stepUp(world: World, visitor: Visitor): Promise<void> {
  const { page } = visitor
  const sessions = (await visitor.context.cookies()).find((cookie) => cookie.name.endsWith('weft_session'))
  await page.route(
    '**/weft.users.v1.UsersService/CreateToken',
    (route) => route.fulfill({ headers: loginTooOld() }),
    {
      times: 1,
    },
  )
  await visitor.account('Tokens')
  await visitor.button('New token').click()
  const form = page.getByRole('dialog', { name: 'New token' })
  await form.getByRole('textbox', { name: 'Name' }).fill('laptop')
  await form.getByRole('radio', { name: 'Personal' }).check()
  await form.getByRole('button', { name: 'Make token' }).click()
  await form.getByRole('alert').getByText('a login of the last 15 minutes').waitFor()
  await visitor.shot('step-up')
  await form.getByRole('button', { name: 'Use a passkey' }).click()
  await form.getByRole('alert').waitFor({ state: 'detached' })
  const now = (await visitor.context.cookies()).find((cookie) => cookie.name.endsWith('weft_session'))
  assert.notEqual(now?.value, sessions?.value, 'the session is the old one')
  await form.getByRole('button', { name: 'Make token' }).click()
  const shown = page.getByTestId('secret')
  const token = await shown.getByLabel('the token', { exact: true }).innerText()
  world.keep('a token', token.slice('weftusr_'.length))
  await shown.getByRole('button', { name: 'I have it' }).click()
  await page.getByRole('row', { name: /laptop/ }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByTestId('status').getByText('Live').waitFor()
}

async function passkey(world: World, browser: Browser): Promise<void> {
  const visitor = await Visitor.arrive(world, browser)
  const { page } = visitor
  const device = await visitor.device()
  await visitor.open(world.link, 'ada@amber.example')
  await visitor.account('You')
  await page.getByText('None yet.').waitFor()
  await addPasskey(visitor, 'this laptop')
  await visitor.button('Rename this laptop').click()
  const form = page.getByRole('dialog', { name: 'Rename the passkey' })
  await form.getByRole('textbox', { name: 'Name' }).fill('my laptop')
  await form.getByRole('button', { name: 'Rename' }).click()
  await page.getByRole('listitem').filter({ hasText: 'my laptop' }).waitFor()
  await checkAccessible(page)
  await visitor.shot('passkeys')
  // The same device holds one per person.
  await visitor.button('Add a passkey').click()
  const twice = page.getByRole('dialog', { name: 'Add a passkey' })
  await twice.getByRole('button', { name: 'Go on' }).click()
  await twice.getByRole('alert').getByText('has a passkey of yours already').waitFor()
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')
  await visitor.signOut()
  await checkAccessible(page)
  await visitor.shot('sign-in')
  await visitor.button('Sign in with a passkey').click()
  await visitor.isIn()
  assert.equal(await visitor.name(), 'ada')
  await visitor.account('You')
  await page.getByRole('listitem').filter({ hasText: 'this browser' }).getByText('passkey,').waitFor()
  console.log('a passkey is made, renamed, and signs its person in without a name')
  await page.keyboard.press('Escape')
  await stepUp(world, visitor)
  console.log('and confirms what needs a recent login, without leaving the page')
  await visitor.account('You')
  await visitor.button('Remove my laptop').click()
  await page.getByTestId('confirm').getByRole('button', { name: 'Remove' }).click()
  await page.getByText('None yet.').waitFor()
  await page.keyboard.press('Escape')
  await visitor.signOut()
  await visitor.button('Sign in with a passkey').click()
  await page.getByRole('alert').getByText('not known here').waitFor()
  assert.equal(await visitor.status(), 401)
  console.log('and no longer, once it is removed')
  await device.detach()
  await visitor.leave()
}

async function mail(world: World, browser: Browser): Promise<void> {
  const asks = await Visitor.arrive(world, browser)
  await asks.signInPage()
  await asks.page.getByRole('textbox', { name: 'Your e-mail address' }).fill('bob@amber.example')
  await asks.button('Send me a link').click()
  await asks.page.getByRole('status').getByText('bob@amber.example').waitFor()
  const link = await world.mailedLink('bob@amber.example')
  // It works in any browser, once.
  const opens = await Visitor.arrive(world, browser)
  await opens.open(link)
  assert.equal(await opens.name(), 'bob')
  await asks.page.goto('about:blank')
  await asks.page.goto(link)
  await asks.button('Sign in').click()
  await asks.page.getByRole('alert').getByText('was used already').waitFor()
  await asks.leave()
  await opens.leave()
  console.log('a link by mail signs in once, in any browser')
}

/** Signs in at the provider, under a name that lists groups after dots. */
async function atCorp(visitor: Visitor, name: string): Promise<void> {
  const { page } = visitor
  await visitor.signInPage()
  await visitor.button('Sign in with Corp').click()
  await page.locator('input[name=login]').fill(name)
  await page.locator('input[name=password]').fill('x')
  await page.locator('button[type=submit]').click()
  // The provider asks whether Weft may know.
  await page.locator('input[name=login]').waitFor({ state: 'detached' })
  await page.locator('button[type=submit]').click()
  await visitor.isIn()
}

async function oidc(world: World, browser: Browser): Promise<void> {
  const visitor = await Visitor.arrive(world, browser)
  const { page } = visitor
  await atCorp(visitor, 'eve.platform')
  assert.equal(new URL(page.url()).origin, new URL(world.base).origin)
  assert.equal(await visitor.name(), 'eve of people')
  // A group of the provider's made her an admin.
  assert.equal(await visitor.status(), 200)
  await visitor.leave()
  console.log('a provider signs in whom it knows, with the role of a group')
}

/** A program without a browser gets a token of who compares the code and approves it. */
async function program(world: World, browser: Browser): Promise<void> {
  const visitor = await Visitor.arrive(world, browser)
  const { page } = visitor
  await atCorp(visitor, 'zoe.platform')
  const login = world.command(['login', world.base, '--permissions', 'view,control', '--name', 'a terminal'])
  const link = await until('a link', async () => /http\S+\/device#\S+/.exec(login.printed())?.[0])
  await page.goto(link)
  const code = await page.getByTestId('code').innerText()
  assert.ok(login.printed().includes(`the code ${code}`), login.printed())
  await page.getByText('a terminal', { exact: true }).waitFor()
  await page.getByText('127.0.0.1').waitFor()
  await page.getByText('control', { exact: true }).waitFor()
  await checkAccessible(page)
  await visitor.shot('program')
  await visitor.button('Approve').click()
  await page.getByRole('status').getByText('Approved').waitFor()
  assert.equal(await login.ended, 0, login.printed())
  world.keep('the token of a program', world.login().token.slice('weftusr_'.length))
  const whoami = world.command(['whoami'])
  assert.equal(await whoami.ended, 0, whoami.printed())
  assert.match(whoami.printed(), /You are zoe@people\.example .* in local/)
  const logout = world.command(['logout'])
  assert.equal(await logout.ended, 0, logout.printed())
  await page.keyboard.press('Escape')
  await visitor.account('Tokens')
  await visitor.button('New token').waitFor()
  assert.equal(await page.getByRole('row', { name: /a terminal/ }).count(), 0)
  await visitor.leave()
  console.log('a program logs in through a browser, and out again')
}

/** Another browser of the same person is out within a second, and shows it by itself. */
async function logOutEverywhere(world: World, browser: Browser): Promise<void> {
  const one = await Visitor.arrive(world, browser)
  const other = await Visitor.arrive(world, browser)
  for (const visitor of [one, other]) {
    await atCorp(visitor, 'mia.platform')
    await visitor.page.getByTestId('status').getByText('Live').waitFor()
  }
  await other.account('You')
  await one.account('You')
  await one.button('Log out everywhere').click()
  const answered = one.page.waitForResponse(/RevokeAllSessions/)
  const out = other.page.waitForRequest(/\/api\/users\/login$/).then(() => Date.now())
  await one.page.getByTestId('confirm').getByRole('button', { name: 'Log out everywhere' }).click()
  await answered
  const ended = Date.now()
  await until('the session to end', async () => ((await other.status()) === 401 ? true : undefined))
  const refused = Date.now() - ended
  const noticed = (await out) - ended
  await other.page.getByTestId('login').waitFor()
  assert.ok(refused < ENDS_WITHIN_MS, `the session was good for another ${refused} ms`)
  assert.ok(noticed < ENDS_WITHIN_MS, `the page stayed for ${noticed} ms`)
  await one.leave()
  await other.leave()
  console.log(`logging out everywhere: refused after ${refused} ms, and the page says so after ${noticed} ms`)
}

export async function main(): Promise<number> {
  const world = await World.start()
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: BROWSER_ARGS,
  })
  try {
    for (const scenario of [passkey, mail, oidc, program, logOutEverywhere]) await scenario(world, browser)
    assert.deepEqual(world.leaks(), [], 'secrets are where they must not be')
    console.log('no secret is in the log, the events or the store')
    console.log('5 passed, 0 failed')
    return 0
  } catch (error) {
    console.error(error)
    console.error(
      world
        .log()
        .split('\n')
        .filter((line) => /WARN|ERROR/.test(line))
        .slice(-30)
        .join('\n'),
    )
    for (const context of browser.contexts())
      for (const page of context.pages()) await page.screenshot({ path: `${shots}/people-failed.png` })
    return 1
  } finally {
    await browser.close()
    await world.close()
  }
}
