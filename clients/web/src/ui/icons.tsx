/** Line icons of 16 by 16, drawn here so that no icon font has to be loaded. */

const PATHS = {
  search: 'M7 12.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM11 11l3.5 3.5',
  map: 'M4 4.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM12 7.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM5 14.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM5.4 3.7l5.2 1.8M4.2 4.5l.6 7M6.2 12l4.8-4.7',
  table: 'M2 3h12v10H2zM2 6.5h12M2 9.8h12M6.5 6.5V13',
  sun: 'M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9 13 13M3 13l1.1-1.1M11.9 4.1 13 3',
  moon: 'M13.5 9.7A6 6 0 1 1 6.3 2.5a4.8 4.8 0 0 0 7.2 7.2Z',
  help: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM6.2 6.2A1.9 1.9 0 1 1 8.8 8c-.6.3-.8.6-.8 1.2M8 11.5v.01',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  back: 'M9.5 3 4.5 8l5 5M4.5 8H13',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  fit: 'M2 5.5V2h3.5M10.5 2H14v3.5M14 10.5V14h-3.5M5.5 14H2v-3.5',
  tidy: 'M2 2h4.5v4.5H2zM9.5 2H14v4.5H9.5zM2 9.5h4.5V14H2zM9.5 9.5H14V14H9.5z',
  terminal: 'M2 2.5h12v11H2zM4.5 6 7 8l-2.5 2M8.5 10.5h3',
  logs: 'M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3M5.5 7.5h5M5.5 10h5M5.5 12.2h3',
  play: 'M4.5 2.8v10.4l8.5-5.2z',
  pause: 'M5 3v10M11 3v10',
  stop: 'M3.5 3.5h9v9h-9z',
  restart: 'M13 8a5 5 0 1 1-1.6-3.7M13 1.8v3h-3',
  trash: 'M2.5 4h11M6 4V2.2h4V4M4 4l.6 9.8h6.8L12 4M6.6 6.8v4.4M9.4 6.8v4.4',
  up: 'M8 13V3.5M4 7.2 8 3.2l4 4',
  down: 'M8 3v9.5M4 8.8l4 4 4-4',
  screen: 'M1.5 2.5h13v8.5h-13zM5.5 14h5M8 11v3',
  command: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM5.3 8h5.4',
  shield: 'M8 1.5 13 3.3v4.2c0 3.3-2 5.7-5 7-3-1.3-5-3.7-5-7V3.3Z',
  left: 'M10 3.5 5.5 8l4.5 4.5',
  right: 'M6 3.5 10.5 8 6 12.5',
  chevron: 'M4 6l4 4 4-4',
  warning: 'M8 2 15 14H1ZM8 6.5v3.5M8 12v.01',
  link: 'M6.5 3H3v10h10V9.5M9 2.5h4.5V7M13 3 7.5 8.5',
  clock: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM8 4.5V8l2.5 1.8',
  download: 'M8 2v8.5M4.5 7.5 8 11l3.5-3.5M2.5 13.5h11',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  paste: 'M5.5 3H3.5v11h9V3h-2M5.5 1.8h5v2.6h-5zM6 8h4M6 11h4',
  window: 'M6.5 3H2v11h11V9.5M9.5 2H14v4.5M14 2 8 8',
  dock: 'M1.5 2.5h13v11h-13zM1.5 9h13',
  speech: 'M2 6v4h2.5L8 13V3L4.5 6zM10.5 5.5a3.5 3.5 0 0 1 0 5M12.5 3.5a6.3 6.3 0 0 1 0 9',
  eye: 'M1 8s2.5-4.5 7-4.5S15 8 15 8s-2.5 4.5-7 4.5S1 8 1 8ZM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z',
  check: 'M3 8.5 6.5 12 13 4.5',
  people:
    'M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.5 13.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M10.5 2.8a2.5 2.5 0 0 1 0 4.4M12 9.9c1.6.5 2.5 1.8 2.5 3.6',
  person: 'M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.5 14.5c0-3 2.4-4.8 5.5-4.8s5.5 1.8 5.5 4.8',
  leave: 'M9.5 2.5h-7v11h7M6.5 8h8M11.5 5l3 3-3 3',
  key: 'M5.5 13a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM7.7 7.8l5.8-5.8M11 4.5l2 2M9 6.5l1.5 1.5',
  camera: 'M1.5 5h3l1.2-2h4.6l1.2 2h3v8h-13zM8 11.2a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6Z',
  menu: 'M2 4h12M2 8h12M2 12h12',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  )
}

const BY_CLASS: [RegExp, IconName][] = [
  [/terminal/, 'terminal'],
  [/desktop/, 'screen'],
  [/file|book|align/, 'logs'],
  [/play/, 'play'],
  [/pause/, 'pause'],
  [/stop/, 'stop'],
  [/sync|redo|repeat|refresh|undo/, 'restart'],
  [/trash|times/, 'trash'],
  [/plus|arrow-up/, 'plus'],
  [/minus|arrow-down/, 'minus'],
  [/camera/, 'camera'],
  [/clone|copy/, 'copy'],
  [/toggle|ban|shield/, 'shield'],
]

/** Probes name icons by Font Awesome classes. */
export function controlIcon(classes: string): IconName {
  return BY_CLASS.find(([pattern]) => pattern.test(classes))?.[1] ?? 'command'
}
