import type { MetricView } from '../shared/details'
import { formatMetric } from '../shared/format'
import { knownMax } from '../shared/scale'
import css from './Metrics.module.css'

const W = 100
const H = 28

/** The last samples; the scale is the metric's own where that leaves something to see. */
export function Sparkline({ metric }: { metric: MetricView }) {
  const { samples } = metric
  const count = samples.length / 2
  if (count < 2) {
    return (
      <svg className={css.spark} viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" aria-hidden="true">
        <path d={`M0 ${H - 2}H${W}`} stroke="var(--border-strong)" strokeDasharray="3 3" />
      </svg>
    )
  }
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  let sum = 0
  for (let i = 1; i < samples.length; i += 2) {
    low = Math.min(low, samples[i])
    high = Math.max(high, samples[i])
    sum += samples[i]
  }
  const limit = knownMax(metric.max)
  const floor = limit > 0 && low < limit * 0.3 ? 0 : low
  const top = limit > 0 && high > limit * 0.25 ? Math.max(limit, high) : high
  const span = top - floor || 1
  const first = samples[0]
  const width = samples[samples.length - 2] - first || 1
  const x = (i: number) => ((samples[i * 2] - first) / width) * W
  const y = (i: number) => H - 2 - ((samples[i * 2 + 1] - floor) / span) * (H - 4)
  let line = ''
  for (let i = 0; i < count; i++) line += `${i === 0 ? 'M' : 'L'}${x(i).toFixed(1)} ${y(i).toFixed(1)}`
  const text = (value: number) => formatMetric(value, metric.format)
  const title = `Last ${Math.round(width / 1000)} seconds, ${count} samples, min ${text(low)}, max ${text(high)}, mean ${text(sum / count)}`
  return (
    <svg
      className={css.spark}
      viewBox={`0 0 ${W} ${H}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={title}
    >
      <title>{title}</title>
      <path d={`${line}L${W} ${H}L0 ${H}Z`} fill="currentColor" opacity="0.12" />
      <path
        d={line}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        vectorEffect="non-scaling-stroke"
        strokeLinejoin="round"
      />
    </svg>
  )
}
