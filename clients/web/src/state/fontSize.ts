import { Store } from './store'

/** The size of text in terminals, in CSS pixels. */
export const MIN_FONT = 8
export const MAX_FONT = 28
const USUAL = 13
const KEY = 'weft.terminal.font'

function load(): number {
  try {
    const kept = Number(localStorage.getItem(KEY))
    return kept >= MIN_FONT && kept <= MAX_FONT ? Math.round(kept) : USUAL
  } catch {
    return USUAL
  }
}

export const fontSize = new Store({ px: load() })

export function stepFontSize(step: number): void {
  const px = Math.min(MAX_FONT, Math.max(MIN_FONT, fontSize.get().px + step))
  fontSize.set({ px })
  try {
    localStorage.setItem(KEY, String(px))
  } catch {
    // Then it lasts as long as the page.
  }
}
