import { Store } from './store'

export type Theme = 'system' | 'light' | 'dark'
const KEY = 'weft.theme'
const query = matchMedia('(prefers-color-scheme: dark)')

function load(): Theme {
  try {
    const kept = localStorage.getItem(KEY)
    return kept === 'light' || kept === 'dark' ? kept : 'system'
  } catch {
    // Storage can be forbidden.
    return 'system'
  }
}

export const theme = new Store<{ choice: Theme; dark: boolean }>({ choice: load(), dark: false })

function apply(): void {
  const { choice } = theme.get()
  const dark = choice === 'system' ? query.matches : choice === 'dark'
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
  theme.set({ dark })
}

export function setTheme(choice: Theme): void {
  try {
    localStorage.setItem(KEY, choice)
  } catch {
    // The choice then lasts as long as the page.
  }
  theme.set({ choice })
  apply()
}

export function toggleTheme(): void {
  setTheme(theme.get().dark ? 'light' : 'dark')
}

export function startTheme(): void {
  query.addEventListener('change', apply)
  apply()
}
