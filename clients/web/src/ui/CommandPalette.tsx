import { Dialog } from 'radix-ui'
import { useMemo, useState } from 'react'
import { fullName } from '../shared/names'
import { ADMIN, may } from '../shared/permissions'
import type { Page } from '../state/address'
import { app, backend, navigate, setTopology } from '../state/app'
import { tidy } from '../state/pins'
import { useStore } from '../state/store'
import { showTerminal, terminals } from '../state/terminals'
import { toggleTheme } from '../state/theme'
import { goLive, pause, togglePlay } from '../state/time'
import { offered } from '../state/topologies'
import css from './CommandPalette.module.css'
import dialog from './Dialog.module.css'
import { download } from './download'

interface Item {
  id: string
  label: string
  detail: string
  act: () => void
}

const MAX_NODES = 40

function commands(): Item[] {
  const { topologies, address, summary } = app.get()
  const list = topologies ?? []
  const item = (label: string, detail: string, act: () => void): Item => ({
    id: `${detail} ${label}`,
    label,
    detail,
    act,
  })
  return [
    ...offered(list, address.topologyId)
      .filter((one) => one.id !== address.topologyId)
      .map((one) => item(fullName(list, one.id), 'Topology', () => setTopology(one.id))),
    item('Map', 'View', () => navigate({ view: 'map' })),
    item('Table', 'View', () => navigate({ view: 'table' })),
    ...(summary?.metrics ?? []).map((label) =>
      item(`Fill by ${label}`, 'Metric', () => navigate({ metric: label }, 'replace')),
    ),
    ...(summary?.groupings ?? []).map((one) =>
      item(`Group by ${one.label}`, 'Groups', () => navigate({ groupBy: one.id })),
    ),
    ...timeCommands(item),
    item('Tidy up the map', 'Action', tidy),
    item('Switch between light and dark', 'Action', toggleTheme),
    item('Download the table as CSV', 'Action', () => {
      void backend
        .call<string>({ method: 'csv' })
        .then((text) => download(`${address.topologyId}.csv`, 'text/csv', text))
    }),
    item(
      'Copy a link to this view',
      'Action',
      () => void navigator.clipboard?.writeText(window.location.href),
    ),
    ...terminals.get().all.map((one) => item(one.title, 'Terminal', () => focusTerminal(one.pipeId))),
    ...accountCommands(item),
    item('Help and keys', 'Action', () => app.set({ dialog: 'help' })),
  ]
}

function focusTerminal(pipeId: string): void {
  showTerminal(pipeId)
  // The palette gives the focus back when it closes; this comes after.
  setTimeout(() => document.querySelector<HTMLElement>(`#terminal-${CSS.escape(pipeId)} textarea`)?.focus())
}

function accountCommands(item: (label: string, detail: string, act: () => void) => Item): Item[] {
  const { user } = app.get()
  if (!user || user.id === '') return []
  const page = (label: string, to: Page) => item(label, 'Account', () => navigate({ page: to }))
  return [
    page('Members', 'members'),
    page('Tokens', 'tokens'),
    ...(may(ADMIN, user.permissions) ? [page('Audit log', 'audit')] : []),
    page('You and your organisations', 'you'),
  ]
}

function timeCommands(item: (label: string, detail: string, act: () => void) => Item): Item[] {
  const { address, history, playback, frozenAt } = app.get()
  const past = address.at !== null || frozenAt !== null
  return [
    past ? item('Back to live', 'Time', () => goLive()) : item('Pause', 'Time', pause),
    ...(history
      ? [item('Show or hide the time strip', 'Time', () => app.set({ timeStrip: !app.get().timeStrip }))]
      : []),
    ...(address.at !== null && history
      ? [item(playback ? 'Hold this moment' : 'Play from here', 'Time', togglePlay)]
      : []),
  ]
}

function nodes(text: string): Item[] {
  const { scene } = backend
  if (!scene || text === '') return []
  const found: Item[] = []
  for (let i = 0; i < scene.ids.length && found.length < MAX_NODES; i++) {
    if (!scene.labels[i].toLowerCase().includes(text)) continue
    const nodeId = scene.ids[i]
    found.push({
      id: nodeId,
      label: scene.labels[i],
      detail: scene.minors[i] || 'Node',
      act: () => navigate({ cards: [{ topologyId: scene.topologyId, nodeId }] }),
    })
  }
  return found
}

function Box() {
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const items = useMemo(() => {
    const wanted = text.trim().toLowerCase()
    return [
      ...commands().filter((item) => `${item.label} ${item.detail}`.toLowerCase().includes(wanted)),
      ...nodes(wanted),
    ]
  }, [text])
  const run = (item: Item | undefined) => {
    if (!item) return
    app.set({ dialog: '' })
    item.act()
  }
  const move = (step: number) => {
    const next = Math.min(items.length - 1, Math.max(0, at + step))
    setAt(next)
    document.getElementById(`command-${next}`)?.scrollIntoView({ block: 'nearest' })
  }
  return (
    <>
      <input
        className={css.input}
        role="combobox"
        aria-label="Command or node"
        aria-expanded="true"
        aria-controls="commands"
        aria-activedescendant={items.length > 0 ? `command-${at}` : undefined}
        placeholder="Go to a topology, a node, or do something"
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          setAt(0)
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') move(1)
          else if (event.key === 'ArrowUp') move(-1)
          else if (event.key === 'Enter') run(items[at])
          else return
          event.preventDefault()
        }}
      />
      <div id="commands" role="listbox" aria-label="Commands" className={css.list}>
        {items.map((item, i) => (
          <div
            key={item.id}
            id={`command-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === at}
            onPointerMove={() => setAt(i)}
            onClick={() => run(item)}
            onKeyDown={() => undefined}
          >
            <span>{item.label}</span>
            <small>{item.detail}</small>
          </div>
        ))}
        {items.length === 0 && <p>Nothing is called so.</p>}
      </div>
    </>
  )
}

export function CommandPalette() {
  const open = useStore(app, (state) => state.dialog === 'palette')
  return (
    <Dialog.Root open={open} onOpenChange={(next) => app.set({ dialog: next ? 'palette' : '' })}>
      <Dialog.Portal>
        <Dialog.Overlay className={dialog.overlay} />
        <Dialog.Content
          className={dialog.content}
          data-size="palette"
          aria-describedby={undefined}
          data-testid="palette"
        >
          <Dialog.Title className="hidden-visually">Commands</Dialog.Title>
          <Box />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
