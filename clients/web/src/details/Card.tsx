import { useEffect, useRef } from 'react'
import type { DetailsView } from '../shared/details'
import { HUES } from '../shared/hue'
import type { CardRef } from '../shared/messages'
import { fullName } from '../shared/names'
import { PSEUDO_HUE } from '../shared/scene'
import { formatMoment } from '../shared/timeline'
import { app, cardKey, navigate, pushCard, setTopology } from '../state/app'
import { useStore } from '../state/store'
import { serverNow } from '../state/time'
import { Icon } from '../ui/icons'
import { NodeIcon } from '../ui/NodeIcon'
import css from './Card.module.css'
import { Controls } from './Controls'
import { DataTable } from './DataTable'
import { Facts } from './Facts'
import { Metrics } from './Metrics'
import { Parents } from './Parents'

interface Props {
  card: CardRef
  depth: number
  onBack: () => void
  onClose: () => void
}

function Sections({ details, card }: { details: DetailsView; card: CardRef }) {
  const open = (topologyId: string) => (nodeId: string) =>
    pushCard({ topologyId: topologyId || card.topologyId, nodeId })
  return (
    <>
      {details.metrics.length > 0 && <Metrics metrics={details.metrics} />}
      {details.facts.length > 0 && <Facts facts={details.facts} />}
      {details.incoming && <DataTable table={details.incoming} tone="incoming" open={open('')} />}
      {details.outgoing && <DataTable table={details.outgoing} tone="outgoing" open={open('')} />}
      {details.children.map((table) => (
        <DataTable key={table.key} table={table} open={open(table.topologyId)} />
      ))}
      {details.tables.map((table) => (
        <DataTable key={table.key} table={table} />
      ))}
    </>
  )
}

export function Card({ card, depth, onBack, onClose }: Props) {
  const details = useStore(app, (state) => state.details[cardKey(card)])
  const known = useStore(app, (state) => cardKey(card) in state.details)
  const topologies = useStore(app, (state) => state.topologies)
  const current = useStore(app, (state) => state.address.topologyId)
  const at = useStore(app, (state) => state.address.at)
  const last = useRef<DetailsView | null>(null)
  const title = useRef<HTMLHeadingElement>(null)
  if (details) last.current = details
  // A node that is gone stays readable as it was.
  const shown = details ?? last.current
  const gone = known && details === null
  useEffect(() => {
    if (depth > 0) title.current?.focus()
  }, [depth])

  const hue = shown && shown.hue !== PSEUDO_HUE ? HUES[shown.hue] : undefined
  return (
    <article className={css.card} data-gone={gone || undefined} aria-label={shown?.label ?? 'Loading'}>
      <header
        className={css.header}
        style={hue === undefined ? undefined : ({ '--hue': hue, '--chroma': 0.035 } as React.CSSProperties)}
      >
        <div className={css.bar}>
          {depth > 0 && (
            <button type="button" className={css.icon} aria-label="Back" onClick={onBack}>
              <Icon name="back" />
            </button>
          )}
          <span className={css.kind}>{fullName(topologies ?? [], card.topologyId)}</span>
          {card.topologyId !== current && !gone && (
            <button
              type="button"
              className={css.showIn}
              onClick={() => {
                setTopology(card.topologyId)
                navigate({ cards: [card] }, 'replace')
              }}
            >
              Show in {fullName(topologies ?? [], card.topologyId)}
            </button>
          )}
          <button type="button" className={css.icon} aria-label="Close details" onClick={onClose}>
            <Icon name="close" />
          </button>
        </div>
        <div className={css.title}>
          {shown && <NodeIcon shape={shown.shape} hue={shown.hue} size={26} stale={shown.stale} />}
          <div>
            <h2 ref={title} tabIndex={-1}>
              {shown?.label ?? (gone ? card.nodeId : <span className={css.loading} />)}
            </h2>
            {shown && shown.labelMinor !== '' && <p>{shown.labelMinor}</p>}
          </div>
        </div>
        {shown && shown.parents.length > 0 && <Parents parents={shown.parents} />}
        {gone && (
          <p className={css.note}>
            {at === null
              ? 'This node is gone. What you see is what was last known.'
              : shown
                ? `This node was not there at ${formatMoment(at, serverNow())}. What you see is from another moment.`
                : `This node was not there at ${formatMoment(at, serverNow())}.`}
          </p>
        )}
        {shown && !gone && at !== null && (
          <p className={css.past}>As of {formatMoment(at, serverNow())}. Controls act on the present only.</p>
        )}
        {!gone && shown?.stale && (
          <p className={css.note}>Its probe is late. What you see is what was last known.</p>
        )}
        {shown && !gone && shown.controls.length > 0 && <Controls details={shown} />}
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled region must be reachable by keys */}
      <div className={css.body} tabIndex={0} role="region" aria-label="Facts">
        {shown ? (
          <Sections details={shown} card={card} />
        ) : (
          !gone && (
            <div className={css.skeleton} aria-hidden="true">
              <i />
              <i />
              <i />
              <i />
            </div>
          )
        )}
      </div>
    </article>
  )
}
