import { Dialog } from 'radix-ui'
import { app } from '../state/app'
import { useStore } from '../state/store'
import dialog from './Dialog.module.css'
import css from './HelpDialog.module.css'
import { Icon } from './icons'

const KEYS: [string, [string[], string][]][] = [
  [
    'Everywhere',
    [
      [['/'], 'Search'],
      [['g'], 'Map'],
      [['t'], 'Table'],
      [['<', '>'], 'Previous and next metric'],
      [['q'], 'No metric'],
      [['Ctrl', 'K'], 'Commands and nodes'],
      [['Esc'], 'One step up: card, selection, overview'],
      [['?'], 'This help'],
    ],
  ],
  [
    'On the map',
    [
      [['←', '↑', '→', '↓'], 'Nearest node in that direction'],
      [['Enter'], 'Open details'],
      [['['], 'Previous connection'],
      [[']'], 'Next connection'],
      [['+', '−'], 'Zoom'],
      [['Home'], 'Fit everything'],
      [['Shift', '←'], 'Pan'],
    ],
  ],
  [
    'In a terminal',
    [
      [['Ctrl', 'Shift', 'C'], 'Copy; on a Mac with Cmd, as the next two'],
      [['Ctrl', 'Shift', 'V'], 'Paste'],
      [['Ctrl', 'Shift', 'F'], 'Search in the output'],
      [['Ctrl', 'Shift', 'PgDn'], 'Next terminal'],
      [['Shift', 'Esc'], 'Leave it, to its buttons'],
    ],
  ],
  [
    'In the time strip',
    [
      [['←', '→'], 'Step; with Shift a tenth of what is shown'],
      [['Home'], 'Its beginning'],
      [['End'], 'Back to live'],
      [['Space'], 'Play, or hold the moment'],
      [['[', ']'], 'To the change of hosts before and after'],
      [['+', '−'], 'Show less or more time'],
    ],
  ],
]

const SEARCH: [string, string][] = [
  ['redis', 'anywhere in a node'],
  ['"two words"', 'with the blank'],
  ['image:redis', 'in the fields whose name begins with “image”'],
  ['-redis', 'without'],
  ['cpu > 50%', 'compares a metric'],
  ['memory > 200m', 'k, m, g and t are powers of 1024'],
]

export function HelpDialog() {
  const open = useStore(app, (state) => state.dialog === 'help')
  return (
    <Dialog.Root open={open} onOpenChange={(next) => app.set({ dialog: next ? 'help' : '' })}>
      <Dialog.Portal>
        <Dialog.Overlay className={dialog.overlay} />
        <Dialog.Content className={dialog.content} aria-describedby={undefined} data-testid="help">
          <Dialog.Title className={dialog.title}>Help</Dialog.Title>
          <div className={css.columns}>
            {KEYS.map(([title, keys]) => (
              <section key={title}>
                <h3>{title}</h3>
                <dl>
                  {keys.map(([names, meaning]) => (
                    <div key={meaning}>
                      <dt>
                        {names.map((name) => (
                          <kbd key={name}>{name}</kbd>
                        ))}
                      </dt>
                      <dd>{meaning}</dd>
                    </div>
                  ))}
                </dl>
              </section>
            ))}
          </div>
          <section className={css.search}>
            <h3>Search</h3>
            <p>
              Typing dims what does not match; Enter turns the text into a filter. Terms are separated by
              blanks and all must match.
            </p>
            <dl>
              {SEARCH.map(([text, meaning]) => (
                <div key={text}>
                  <dt>
                    <code>{text}</code>
                  </dt>
                  <dd>{meaning}</dd>
                </div>
              ))}
            </dl>
          </section>
          <section className={css.search}>
            <h3>Map</h3>
            <p>
              Drag to pan, turn the wheel to zoom, drag a node to pin it. Nodes keep their places while data
              change; “Tidy up” lays everything out anew. Hatched nodes are stale: their probe is late.
              Callers stand above what they call where they can.
            </p>
          </section>
          <Dialog.Close className={dialog.close} aria-label="Close">
            <Icon name="close" />
          </Dialog.Close>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
