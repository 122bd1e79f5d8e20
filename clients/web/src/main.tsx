import { lazy, Suspense } from 'react'
import { createRoot } from 'react-dom/client'
import { start } from './state/app'
import { restorePins } from './state/pins'
import { parseTerminalAddress } from './state/terminalAddress'
import { startTerminals } from './state/terminals'
import { startTheme } from './state/theme'
import { startTime } from './state/time'
import { App } from './ui/App'
import './ui/style/base.css'

const TerminalWindow = lazy(() => import('./terminal/TerminalWindow'))

function render(): void {
  const element = document.getElementById('root')
  if (!element) return
  const root = createRoot(element)
  const terminal = parseTerminalAddress(window.location.hash)
  if (terminal) {
    // Another address in the same window is another page.
    window.addEventListener('hashchange', () => window.location.reload())
    return root.render(
      <Suspense>
        <TerminalWindow address={terminal} />
      </Suspense>,
    )
  }
  root.render(<App />)
  startTime()
  start()
  restorePins()
  startTerminals()
}

startTheme()
render()
