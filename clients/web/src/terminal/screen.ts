import { FitAddon } from '@xterm/addon-fit'
import { SearchAddon } from '@xterm/addon-search'
import { SerializeAddon } from '@xterm/addon-serialize'
import { Unicode11Addon } from '@xterm/addon-unicode11'
import { WebLinksAddon } from '@xterm/addon-web-links'
import { type ITheme, Terminal as Xterm } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'

/** Lines above the screen that are kept. */
const SCROLLBACK = 10_000

export interface Parts {
  xterm: Xterm
  fit: FitAddon
  search: SearchAddon
  serialize: SerializeAddon
}

/** An xterm in a box, with everything it needs here. `raw` takes every key; else it shows a log. */
export function makeScreen(box: HTMLElement, raw: boolean, input: boolean, fontSize: number): Parts {
  const style = getComputedStyle(document.documentElement)
  const xterm = new Xterm({
    fontFamily: style.getPropertyValue('--font-mono'),
    fontSize,
    lineHeight: 1.2,
    scrollback: SCROLLBACK,
    cursorBlink: input && !matchMedia('(prefers-reduced-motion: reduce)').matches,
    // Logs come with bare line feeds.
    convertEol: !raw,
    disableStdin: !input,
    allowProposedApi: true,
    minimumContrastRatio: 4.5,
  })
  const parts = {
    xterm,
    fit: new FitAddon(),
    search: new SearchAddon({ highlightLimit: 1000 }),
    serialize: new SerializeAddon(),
  }
  xterm.loadAddon(parts.fit)
  xterm.loadAddon(parts.search)
  xterm.loadAddon(parts.serialize)
  xterm.loadAddon(new WebLinksAddon())
  xterm.loadAddon(new Unicode11Addon())
  xterm.unicode.activeVersion = '11'
  xterm.open(box)
  xterm.options.theme = screenTheme()
  return parts
}

export function screenTheme(): ITheme {
  const style = getComputedStyle(document.documentElement)
  return style.getPropertyValue('--scheme').trim() === 'dark'
    ? { background: '#0e1014', foreground: '#d9dce3', cursor: '#9aa5ff', selectionBackground: '#39406b' }
    : {
        background: '#ffffff',
        foreground: '#23262f',
        cursor: '#4652c8',
        selectionBackground: '#cdd3f7',
        black: '#23262f',
        red: '#b3261e',
        green: '#1c7a3d',
        yellow: '#8a6100',
        blue: '#2a55c4',
        magenta: '#8a3ab0',
        cyan: '#0f7480',
        white: '#5d626e',
      }
}

/** Colours of matches; the addon takes six-digit colours only. */
export function matchColours() {
  const style = getComputedStyle(document.documentElement)
  const dark = style.getPropertyValue('--scheme').trim() === 'dark'
  return dark
    ? {
        matchBackground: '#5c4a12',
        activeMatchBackground: '#9a7a14',
        matchOverviewRuler: '#9a7a14',
        activeMatchColorOverviewRuler: '#e0b93c',
      }
    : {
        matchBackground: '#fff1b8',
        activeMatchBackground: '#ffd24d',
        matchOverviewRuler: '#d9a400',
        activeMatchColorOverviewRuler: '#a37b00',
      }
}
