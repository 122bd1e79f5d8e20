import { app, navigate } from '../state/app'
import { useStore } from '../state/store'
import { Icon } from './icons'
import css from './TimeButton.module.css'
import { Tip } from './Tip'

/** Live, or a moment that stands still. */
export function TimeButton() {
  const at = useStore(app, (state) => state.address.at)
  if (at === null) {
    return (
      <Tip text="Stop at this moment">
        <button
          type="button"
          className={css.live}
          aria-label="Pause"
          onClick={() => navigate({ at: Date.now() })}
        >
          <Icon name="pause" size={12} />
          Pause
        </button>
      </Tip>
    )
  }
  return (
    <Tip text="Back to now">
      <button
        type="button"
        className={css.past}
        aria-label="Back to live"
        onClick={() => navigate({ at: null })}
      >
        <Icon name="play" size={12} />
        {new Date(at).toLocaleString(undefined, {
          month: 'short',
          day: 'numeric',
          hour: '2-digit',
          minute: '2-digit',
          second: '2-digit',
        })}
      </button>
    </Tip>
  )
}
