import { lazy, type ReactNode, Suspense } from 'react'
import { createRoot } from 'react-dom/client'
import { start } from './state/app'
import { restorePins } from './state/pins'
import { takeReturn } from './state/signIn'
import { parseTerminalAddress } from './state/terminalAddress'
import { startTerminals } from './state/terminals'
import { startTheme } from './state/theme'
import { startTime } from './state/time'
import { App } from './ui/App'
import './ui/style/base.css'

const LoginPage = lazy(() => import('./login/LoginPage'))
const TerminalWindow = lazy(() => import('./terminal/TerminalWindow'))

function render(): void {
  const element = document.getElementById('root')
  if (!element) return
  const root = createRoot(element)
  // Another address in the same window is another page.
  const alone = (page: ReactNode) => {
    window.addEventListener('hashchange', () => window.location.reload())
    root.render(<Suspense>{page}</Suspense>)
  }
  if (/\/login$/.test(window.location.pathname)) return alone(<LoginPage />)
  // Where programs send people; it is a page of the application.
  if (/\/device$/.test(window.location.pathname)) {
    const code = encodeURIComponent(window.location.hash.slice(1))
    return window.location.replace(
      new URL(`.#/?page=device&code=${code}`, window.location.href.split('#')[0]),
    )
  }
  const terminal = parseTerminalAddress(window.location.hash)
  if (terminal) return alone(<TerminalWindow address={terminal} />)
  const back = takeReturn()
  if (back !== '' && window.location.hash === '') {
    // Back from a provider, which knows no view. The address counts from the beginning: it says which organisation.
    window.location.hash = back
    return window.location.reload()
  }
  root.render(<App />)
  startTime()
  start()
  restorePins()
  startTerminals()
}

startTheme()
render()
