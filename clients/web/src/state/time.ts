import { type AppState, app, freeze, navigate, setPlayback, writeUrlLater } from './app'

/** Moving through time: stand still, go to a moment, play, come back. */

/** Closer to the present than this is the present. */
const NEAR_MS = 4_000
/** The server says at least this often where it is; then it is silent for a reason. */
const SILENCE_MS = 12_000
const TICK_MS = 500
export const SPEEDS = [1, 10, 60, 600]

export function serverNow(): number {
  return Date.now() + app.get().skew
}

type TimeState = Pick<AppState, 'address' | 'playback' | 'shown' | 'skew' | 'frozenAt' | 'connection'>

/** The moment that is shown, or null for the present. Between two words of the server, playing goes on. */
export function shownMoment(state: TimeState, now = Date.now()): number | null {
  const { address, playback, shown } = state
  if (address.at === null) return state.frozenAt
  if (!playback) return address.at
  if (!shown) return playback.from
  const elapsed = state.connection.state === 'live' ? Math.min(now - shown.receivedAt, SILENCE_MS) : 0
  return Math.min(shown.at + elapsed * playback.speed, now + state.skew)
}

export function pause(): void {
  const { history, shown } = app.get()
  if (!history) return freeze(true)
  // The newest picture that was really shown, so that nothing jumps.
  const recent = shown && shown.at > serverNow() - 30_000 ? shown.at : serverNow()
  navigate({ at: Math.floor(recent / 1000) * 1000 })
}

export function goLive(how: 'push' | 'replace' | 'later' = 'push'): void {
  freeze(false)
  if (app.get().address.at !== null) navigate({ at: null }, how)
}

/** Shows a moment. The first step from the present is worth a step back. */
export function moveTo(at: number, how?: 'push' | 'later'): void {
  const chosen = how ?? (app.get().address.at === null ? 'push' : 'later')
  if (at > serverNow() - NEAR_MS) return goLive(chosen)
  if (app.get().playback) setPlayback(null)
  navigate({ at: Math.round(at / 1000) * 1000 }, chosen)
}

export function play(): void {
  const from = shownMoment(app.get())
  if (from !== null) setPlayback({ from, speed: app.get().playSpeed })
}

export function hold(): void {
  const at = shownMoment(app.get())
  if (at === null) return pause()
  setPlayback(null)
  navigate({ at: Math.floor(at / 1000) * 1000 }, 'replace')
}

/** Plays or stands still, as in a player; the present plays by itself. */
export function togglePlay(): void {
  const { address, playback } = app.get()
  if (address.at === null) pause()
  else if (playback) hold()
  else play()
}

export function setSpeed(speed: number): void {
  app.set({ playSpeed: speed })
  if (app.get().playback) play()
}

/** While history is played, the address follows and the present ends it. */
function tick(): void {
  const { playback, shown, address } = app.get()
  if (!playback) return
  if (shown && shown.at > serverNow() - NEAR_MS) return goLive('replace')
  const at = Math.floor((shownMoment(app.get()) ?? playback.from) / 1000) * 1000
  if (at === address.at) return
  app.set({ address: { ...address, at } })
  writeUrlLater()
}

export function startTime(): void {
  let timer = 0
  app.subscribe(() => {
    const playing = app.get().playback !== null
    if (playing && timer === 0) timer = window.setInterval(tick, TICK_MS)
    if (playing || timer === 0) return
    clearInterval(timer)
    timer = 0
  })
}
