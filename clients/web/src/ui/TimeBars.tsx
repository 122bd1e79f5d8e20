import { memo } from 'react'
import { hasChanges, holes, type Stretch, type Tick } from '../shared/timeline'
import type { View } from '../state/strip'
import css from './TimeTrack.module.css'

export const TRACK_HEIGHT = 38
/** Above the bars, for the marks. */
const MARK_ROOM = 9

interface Props {
  stretch: Stretch | null
  view: View
  width: number
  ticks: Tick[]
  now: number
}

interface Paths {
  bars: string
  holes: string
  came: string
  went: string
  both: string
  stems: string
}

const round = (value: number) => Math.round(value * 10) / 10

function up(x: number): string {
  return `M${round(x)} 0l4 7h-8z`
}

function down(x: number): string {
  return `M${round(x)} 7l4 -7h-8z`
}

function diamond(x: number): string {
  return `M${round(x)} -0.5l4 4l-4 4l-4 -4z`
}

/** One path for each kind of thing, however many spans there are. */
function draw({ stretch, view, width, now }: Props): Paths {
  const paths: Paths = { bars: '', holes: '', came: '', went: '', both: '', stems: '' }
  if (!stretch) return paths
  const scale = width / (view.until - view.from)
  const x = (at: number) => (at - view.from) * scale
  const seen = (from: number) => from < view.until && from + stretch.spanMs > view.from
  let most = 1
  for (const span of stretch.spans) if (seen(span.from)) most = Math.max(most, span.reports)
  const gap = stretch.spanMs * scale > 3 ? 1 : 0
  stretch.spans.forEach((span, i) => {
    if (!seen(span.from)) return
    const left = x(span.from)
    const right = x(span.from + stretch.spanMs) - gap
    if (span.reports > 0) {
      const height = 3 + (TRACK_HEIGHT - MARK_ROOM - 3) * (span.reports / most)
      paths.bars += `M${round(left)} ${TRACK_HEIGHT}V${round(TRACK_HEIGHT - height)}H${round(right)}V${TRACK_HEIGHT}z`
    }
    if (!hasChanges(stretch, i)) return
    const middle = (left + right) / 2
    paths.stems += `M${round(middle)} 7V${TRACK_HEIGHT}`
    if (span.vanished === 0) paths.came += up(middle)
    else if (span.appeared === 0) paths.went += down(middle)
    else paths.both += diamond(middle)
  })
  for (const hole of holes(stretch, now)) {
    if (hole.until <= view.from || hole.from >= view.until) continue
    const left = Math.max(0, x(hole.from))
    paths.holes += `M${round(left)} ${MARK_ROOM}H${round(Math.min(width, x(hole.until)))}V${TRACK_HEIGHT}H${round(left)}z`
  }
  return paths
}

/** The picture behind the slider: reports as bars, holes hatched, marks where hosts came or went. */
export const TimeBars = memo(function TimeBars(props: Props) {
  const { view, width, ticks } = props
  const paths = draw(props)
  const x = (at: number) => ((at - view.from) / (view.until - view.from)) * width
  return (
    <svg width={width} height={TRACK_HEIGHT} aria-hidden="true" className={css.bars}>
      <defs>
        <pattern id="hole" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect width="2" height="6" />
        </pattern>
      </defs>
      <path
        d={ticks.map((tick) => `M${round(x(tick.at))} 0V${TRACK_HEIGHT}`).join('')}
        className={css.grid}
      />
      <path d={paths.holes} className={css.hole} fill="url(#hole)" />
      <path d={paths.bars} className={css.bar} />
      <path d={paths.stems} className={css.stem} />
      <path d={paths.came} className={css.came} />
      <path d={paths.went} className={css.went} />
      <path d={paths.both} className={css.both} />
    </svg>
  )
})
