import { HUES } from '../shared/hue'
import { PSEUDO_HUE } from '../shared/scene'

/** The map's colours, read once per theme change: a canvas sees no CSS. */
export interface Palette {
  dark: boolean
  contrast: boolean
  background: string
  group: string
  groupBorder: string
  groupText: string
  text: string
  muted: string
  edge: string
  edgeStrong: string
  incoming: string
  outgoing: string
  accent: string
  font: string
  line(hue: number): string
  body(hue: number): string
  fill(hue: number): string
}

export function readPalette(root: HTMLElement): Palette {
  const style = getComputedStyle(root)
  const read = (name: string) => style.getPropertyValue(name).trim()
  const dark = read('--scheme') === 'dark'
  const contrast = matchMedia('(prefers-contrast: more)').matches
  const colour =
    (lightness: number, chroma: number, alpha = 1) =>
    (hue: number) =>
      hue === PSEUDO_HUE
        ? `oklch(${lightness} 0.012 275 / ${alpha})`
        : `oklch(${lightness} ${chroma} ${HUES[hue]} / ${alpha})`
  return {
    dark,
    contrast,
    background: read('--map'),
    group: read('--map-group'),
    groupBorder: read('--map-group-border'),
    groupText: read('--text-2'),
    text: read('--text-1'),
    muted: read('--text-3'),
    edge: read('--map-edge'),
    edgeStrong: read('--map-edge-strong'),
    incoming: read('--incoming'),
    outgoing: read('--outgoing'),
    accent: read('--accent'),
    font: read('--font-sans') || 'sans-serif',
    line: dark ? colour(contrast ? 0.86 : 0.76, 0.1) : colour(contrast ? 0.42 : 0.56, 0.13),
    body: dark ? colour(0.32, 0.035) : colour(0.955, 0.024),
    fill: dark ? colour(0.58, 0.09, 0.85) : colour(0.8, 0.085, 0.9),
  }
}
