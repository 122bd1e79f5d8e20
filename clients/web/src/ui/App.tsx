import { Tooltip } from 'radix-ui'
import { lazy, Suspense, useEffect, useState } from 'react'
import { Notices } from '../details/Notices'
import { MapView } from '../map/MapView'
import { app, navigate, popCard, shownMetric } from '../state/app'
import { useStore } from '../state/store'
import { terminals } from '../state/terminals'
import css from './App.module.css'
import { CommandPalette } from './CommandPalette'
import { Empty } from './Empty'
import { later, loadTheRest } from './later'
import { SEARCH_ID } from './SearchBox'
import { Sidebar } from './Sidebar'
import { StatusLine } from './StatusLine'
import { TopBar } from './TopBar'

const CardStack = later(() => import('../details/CardStack').then((module) => module.CardStack))
const TableView = later(() => import('./TableView').then((module) => module.TableView))
const TimeStrip = later(() => import('./TimeStrip').then((module) => module.TimeStrip))
const HelpDialog = later(() => import('./HelpDialog').then((module) => module.HelpDialog))
const AccountPage = lazy(() => import('../account/AccountPage'))
const TerminalDock = lazy(() => import('../terminal/TerminalDock'))

/** A card of 400 and its margins. */
const CARD_ROOM = 424
const MARGIN = 20

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (/^(input|textarea|select)$/i.test(target.tagName) || target.isContentEditable)
  )
}

function inTerminal(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('.xterm') !== null
}

function onKey(event: KeyboardEvent): void {
  if (inTerminal(event.target)) return
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
    event.preventDefault()
    app.set({ dialog: app.get().dialog === 'palette' ? '' : 'palette' })
    return
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || app.get().dialog !== '')
    return
  // A page over the picture has keys of its own.
  if (app.get().address.page !== '') return
  if (event.key === '/') document.getElementById(SEARCH_ID)?.focus()
  else if (event.key === '?') app.set({ dialog: 'help' })
  else if (event.key === 'g') navigate({ view: 'map' })
  else if (event.key === 't') navigate({ view: 'table' })
  else if (event.key === '<') stepMetric(-1)
  else if (event.key === '>') stepMetric(1)
  else if (event.key === 'q') navigate({ metric: '' }, 'replace')
  else if (event.key === 'Escape' && app.get().menu) app.set({ menu: false })
  else if (event.key === 'Escape' && app.get().address.cards.length > 0) popCard()
  else return
  event.preventDefault()
}

function stepMetric(step: number): void {
  const state = app.get()
  const metrics = state.summary?.metrics ?? []
  if (metrics.length === 0) return
  const at = metrics.indexOf(shownMetric(state))
  const next = at < 0 ? (step > 0 ? 0 : metrics.length - 1) : (at + step + metrics.length) % metrics.length
  navigate({ metric: metrics[next] }, 'replace')
}

function useWidth(): number {
  const [width, setWidth] = useState(window.innerWidth)
  useEffect(() => {
    const update = () => setWidth(window.innerWidth)
    window.addEventListener('resize', update)
    return () => window.removeEventListener('resize', update)
  }, [])
  return width
}

export function App() {
  const view = useStore(app, (state) => state.address.view)
  const page = useStore(app, (state) => state.address.page)
  const dialog = useStore(app, (state) => state.dialog)
  const hasCards = useStore(app, (state) => state.address.cards.length > 0)
  const hasTerminals = useStore(terminals, (state) => state.all.length > 0)
  const menu = useStore(app, (state) => state.menu)
  const strip = useStore(app, (state) => state.timeStrip && state.history === true)
  const empty = useStore(
    app,
    (state) => (state.summary?.nodes ?? 0) === 0 || state.summary?.topologyId !== state.address.topologyId,
  )
  const waiting = useStore(app, (state) => state.address.at !== null && state.shown === null)
  const wide = useWidth() > 760
  const right = hasCards && wide ? CARD_ROOM : MARGIN
  useEffect(() => {
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
  useEffect(loadTheRest, [])
  const [insets, setInsets] = useState({ top: MARGIN, right, bottom: MARGIN, left: MARGIN + 36 })
  useEffect(() => setInsets((old) => ({ ...old, right })), [right])

  return (
    <Tooltip.Provider delayDuration={400}>
      <div className={css.app}>
        <Sidebar />
        {menu && <div className={css.veil} aria-hidden="true" onClick={() => app.set({ menu: false })} />}
        <TopBar />
        <main className={css.main}>
          <div className={css.stage} data-waiting={waiting || undefined}>
            {view === 'map' ? (
              <MapView insets={insets} />
            ) : (
              !empty && (
                <Suspense>
                  <TableView inset={hasCards && wide ? CARD_ROOM - 12 : 0} />
                </Suspense>
              )
            )}
            <Empty />
            {hasCards && (
              <Suspense>
                <CardStack />
              </Suspense>
            )}
            <Notices />
          </div>
          {hasTerminals && (
            <Suspense fallback={<div className={css.dockWait} />}>
              <TerminalDock />
            </Suspense>
          )}
          {strip && (
            <Suspense>
              <TimeStrip />
            </Suspense>
          )}
        </main>
        <StatusLine />
      </div>
      {page !== '' && (
        <Suspense>
          <AccountPage />
        </Suspense>
      )}
      {dialog === 'help' && (
        <Suspense>
          <HelpDialog />
        </Suspense>
      )}
      <CommandPalette />
    </Tooltip.Provider>
  )
}
