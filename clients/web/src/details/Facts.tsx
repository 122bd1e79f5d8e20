import { useState } from 'react'
import type { FactView } from '../shared/details'
import { formatFact, fullFact } from '../shared/format'
import { app } from '../state/app'
import { useStore } from '../state/store'
import { useNow } from '../ui/clock'
import card from './Card.module.css'
import css from './Facts.module.css'

/** Rows below this are the important ones. */
const IMPORTANT = 10

function Value({ fact, now }: { fact: FactView; now: number }) {
  const [whole, setWhole] = useState(false)
  if (fact.dataType === 'link' && /^https?:\/\//.test(fact.value)) {
    return (
      <a href={fact.value} target="_blank" rel="noreferrer">
        {fact.value}
      </a>
    )
  }
  const text = formatFact(fact.value, fact.dataType, now)
  if (fact.truncate > 0 && text.length > fact.truncate && !whole) {
    return (
      <button type="button" className={css.cut} title={text} onClick={() => setWhole(true)}>
        {text.slice(0, fact.truncate)}
        <span>…</span>
      </button>
    )
  }
  return <span title={fullFact(fact.value, fact.dataType)}>{text}</span>
}

export function Facts({ facts }: { facts: FactView[] }) {
  const [all, setAll] = useState(false)
  const at = useStore(app, (state) => state.address.at)
  const present = useNow(10_000)
  const now = at ?? present
  const important = facts.filter((fact) => fact.priority < IMPORTANT)
  const shown = all || important.length === 0 ? facts : important
  return (
    <section className={card.section} aria-label="Info">
      <h3>Info</h3>
      <dl className={css.facts}>
        {shown.map((fact) => (
          <div key={fact.id}>
            <dt>{fact.label}</dt>
            <dd data-mono={/command|id$|ips?$|image/i.test(fact.label) || undefined}>
              <Value fact={fact} now={now} />
            </dd>
          </div>
        ))}
      </dl>
      {facts.length > shown.length && (
        <button type="button" className={card.more} onClick={() => setAll(true)}>
          {facts.length - shown.length} more
        </button>
      )}
    </section>
  )
}
