import { app, navigate } from '../state/app'
import { useStore } from '../state/store'
import { theme, toggleTheme } from '../state/theme'
import { Icon } from './icons'
import { SearchBox } from './SearchBox'
import { TimeButton } from './TimeButton'
import { Tip } from './Tip'
import css from './TopBar.module.css'

function ViewSwitch() {
  const view = useStore(app, (state) => state.address.view)
  return (
    <div className={css.switch} role="radiogroup" aria-label="View">
      {(['map', 'table'] as const).map((one) => (
        <button
          key={one}
          type="button"
          role="radio"
          aria-checked={view === one}
          data-testid={`view-${one}`}
          onClick={() => navigate({ view: one })}
        >
          <Icon name={one} size={14} />
          <span>{one === 'map' ? 'Map' : 'Table'}</span>
        </button>
      ))}
    </div>
  )
}

export function TopBar() {
  const dark = useStore(theme, (state) => state.dark)
  const menu = useStore(app, (state) => state.menu)
  return (
    <header className={css.top}>
      <button
        type="button"
        className={css.menu}
        aria-label="Topologies and filters"
        aria-expanded={menu}
        onClick={() => app.set({ menu: !menu })}
      >
        <Icon name="menu" />
      </button>
      <SearchBox />
      <div className={css.right}>
        <TimeButton />
        <ViewSwitch />
        <Tip text={dark ? 'Light theme' : 'Dark theme'}>
          <button
            type="button"
            className={css.icon}
            aria-label={dark ? 'Light theme' : 'Dark theme'}
            onClick={toggleTheme}
          >
            <Icon name={dark ? 'sun' : 'moon'} />
          </button>
        </Tip>
        <Tip text="Help and keys">
          <button
            type="button"
            className={css.icon}
            aria-label="Help"
            onClick={() => app.set({ dialog: 'help' })}
          >
            <Icon name="help" />
          </button>
        </Tip>
      </div>
    </header>
  )
}
