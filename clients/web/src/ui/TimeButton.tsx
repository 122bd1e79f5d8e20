import { formatMoment } from '../shared/timeline'
import { app } from '../state/app'
import { useStore } from '../state/store'
import { goLive, pause, serverNow } from '../state/time'
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
            <span>Pause</span>
          </button>
        </Tip>
      ) : (
        <div className={css.past}>
          <time dateTime={new Date(at).toISOString()}>{formatMoment(at, serverNow())}</time>
          <button type="button" onClick={() => goLive()}>
            Back to live
          </button>
        </div>
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
