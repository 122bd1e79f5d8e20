import { createRoot } from 'react-dom/client'
import { start } from './state/app'
import { restorePins } from './state/pins'
import { startTheme } from './state/theme'
import { startTime } from './state/time'
import { App } from './ui/App'
import './ui/style/base.css'

startTheme()
const root = document.getElementById('root')
if (root) createRoot(root).render(<App />)
startTime()
start()
restorePins()
