import { useEffect, useState } from 'react'
import { formatMoment } from '../shared/timeline'
import { app } from '../state/app'
import { type Nearest, nearestReports } from '../state/nearest'
import { useStore } from '../state/store'
import { askTimeline } from '../state/strip'
import { goLive, moveTo, serverNow } from '../state/time'
import { Panel } from './Panel'

/** A moment that is passed by needs no search. */
const REST_MS = 250

function useNearest(at: number): Nearest | null {
  const [found, setFound] = useState<{ at: number; nearest: Nearest } | null>(null)
  useEffect(() => {
    let left = false
    const timer = setTimeout(() => {
      nearestReports(askTimeline, at, serverNow())
        .then((nearest) => !left && setFound({ at, nearest }))
        // The strip says what is wrong with the timeline.
        .catch(() => undefined)
    }, REST_MS)
    return () => {
      left = true
      clearTimeout(timer)
    }
  }, [at])
  return found?.at === at ? found.nearest : null
}

function sentence(nearest: Nearest, now: number): string {
  const times = [nearest.before, nearest.after].flatMap((at) => (at === null ? [] : [formatMoment(at, now)]))
  if (times.length === 2) return `The nearest are at ${times[0]} and ${times[1]}.`
  if (times.length === 1) return `The nearest are at ${times[0]}.`
  return 'None are kept from around that time.'
}

/** A moment in a hole, and the ways out of it. */
export function NoReports({ at }: { at: number }) {
  const nearest = useNearest(at)
  const playing = useStore(app, (state) => state.playback !== null)
  const now = serverNow()
  return (
    <Panel
      title={`No reports at ${formatMoment(at, now)}`}
      actions={
        <>
          {[nearest?.before, nearest?.after].map(
            (to) =>
              typeof to === 'number' && (
                <button key={to} type="button" onClick={() => moveTo(to, 'push')}>
                  Go to {formatMoment(to, now)}
                </button>
              ),
          )}
          <button type="button" onClick={() => goLive()}>
            Back to now
          </button>
        </>
      }
    >
      <p>
        {nearest ? sentence(nearest, now) : playing ? 'Playing goes on.' : 'Looking for the nearest ones…'}
      </p>
    </Panel>
  )
}
