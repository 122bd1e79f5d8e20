import { app, goLive, pause } from '../state/app'
import { useStore } from '../state/store'
import { Icon } from './icons'
import css from './TimeButton.module.css'
import { Tip } from './Tip'

/** Live, or a moment that stands still; with history, the way to all other moments. */
export function TimeButton() {
  const at = useStore(app, (state) => state.address.at ?? state.frozenAt)
  const history = useStore(app, (state) => state.history === true)
  const strip = useStore(app, (state) => state.timeStrip)
  return (
    <div className={css.time}>
      {at === null ? (
        <Tip text="Stop at this moment">
          <button type="button" className={css.live} aria-label="Pause" onClick={pause}>
            <Icon name="pause" size={12} />
            Pause
          </button>
        </Tip>
      ) : (
        <Tip text="Back to now">
          <button type="button" className={css.past} aria-label="Back to live" onClick={goLive}>
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
      )}
      {history && (
        <Tip text={strip ? 'Hide the past' : 'Show the past'}>
          <button
            type="button"
            className={css.icon}
            aria-label="Time strip"
            aria-pressed={strip}
            onClick={() => app.set({ timeStrip: !strip })}
          >
            <Icon name="clock" size={15} />
          </button>
        </Tip>
      )}
    </div>
  )
}
