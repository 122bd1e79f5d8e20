import { useState } from 'react'
import type { MetricView } from '../shared/details'
import { formatMetric } from '../shared/format'
import { Icon } from '../ui/icons'
import card from './Card.module.css'
import css from './Metrics.module.css'
import { Sparkline } from './Sparkline'

const SHOWN = 3

export function Metrics({ metrics }: { metrics: MetricView[] }) {
  const [all, setAll] = useState(false)
  const sorted = [...metrics].sort((a, b) => Number(a.empty) - Number(b.empty) || a.priority - b.priority)
  const shown = all ? sorted : sorted.filter((metric) => !metric.empty).slice(0, SHOWN)
  return (
    <section className={card.section} aria-label="Status">
      <h3>Status</h3>
      <div className={css.metrics}>
        {shown.map((metric) => (
          <div key={metric.id} className={css.metric}>
            <span className={css.label}>
              {metric.url === '' ? (
                metric.label
              ) : (
                <a href={metric.url} target="_blank" rel="noreferrer">
                  {metric.label} <Icon name="link" size={11} />
                </a>
              )}
            </span>
            <span className={css.value}>
              {metric.empty ? '–' : formatMetric(metric.value, metric.format)}
            </span>
            <Sparkline metric={metric} />
          </div>
        ))}
      </div>
      {sorted.length > shown.length && (
        <button type="button" className={card.more} onClick={() => setAll(true)}>
          {sorted.length - shown.length} more
        </button>
      )}
    </section>
  )
}
