import { useEffect, useMemo } from 'react'
import { formatMoment, reportsText, spanAt } from '../shared/timeline'
import { app } from '../state/app'
import { useStore } from '../state/store'
import { loadView, panBy, reveal, strip, viewOf } from '../state/strip'
import { serverNow } from '../state/time'
import { useNow } from './clock'
import { Icon } from './icons'
import { ChangeSteps, MomentField, Player, Ranges } from './TimeControls'
import controls from './TimeControls.module.css'
import css from './TimeStrip.module.css'
import { TimeTrack } from './TimeTrack'
import { Tip } from './Tip'
import { Warnings } from './Warnings'

const REFRESH_MS = 2_000

function Pan({
  name,
  icon,
  ms,
  disabled,
}: {
  name: string
  icon: 'left' | 'right'
  ms: number
  disabled: boolean
}) {
  return (
    <Tip text={name} side="top">
      <button
        type="button"
        className={controls.icon}
        aria-label={name}
        aria-disabled={disabled}
        onClick={() => !disabled && panBy(ms)}
      >
        <Icon name={icon} size={14} />
      </button>
    </Tip>
  )
}

/** When there were reports and who came and went; the way to every moment that is kept. */
export function TimeStrip() {
  const at = useStore(app, (state) => state.address.at)
  const playback = useStore(app, (state) => state.playback)
  const { range, until, stretch, problem } = useStore(strip, (state) => state)
  useNow(REFRESH_MS)
  const now = serverNow()
  const second = Math.floor(now / 1000) * 1000
  const view = useMemo(() => viewOf({ range, until }, second), [range, until, second])

  useEffect(() => {
    void view
    loadView()
  }, [view])
  useEffect(() => {
    if (at !== null) reveal(at, playback !== null)
  }, [at, playback])

  const span = at === null ? undefined : spanAt(stretch, at)
  const words = at === null ? 'Live' : formatMoment(at, now)
  return (
    <section className={css.strip} aria-label="Time" data-testid="time-strip">
      <div className={css.row}>
        <Player at={at} />
        <div className={css.words} data-testid="moment">
          <b data-past={at !== null || undefined}>{words}</b>
          {playback && <span>{playback.speed}×</span>}
          {span && <span>{reportsText(span)}</span>}
        </div>
        {problem !== '' && <span className={css.problem}>{problem}</span>}
        <div className={css.warnings}>
          <Warnings warnings={stretch?.warnings ?? []} />
        </div>
        <ChangeSteps at={at} />
        <MomentField at={at} />
        <Ranges at={at} />
      </div>
      <div className={css.row}>
        <Pan name="Earlier" icon="left" ms={-range.ms / 2} disabled={false} />
        <TimeTrack
          at={at}
          view={view}
          range={range}
          stretch={stretch}
          playing={playback !== null}
          now={second}
        />
        <Pan name="Later" icon="right" ms={range.ms / 2} disabled={until === null} />
      </div>
    </section>
  )
}
