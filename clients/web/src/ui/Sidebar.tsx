import { Suspense, useState } from 'react'
import { formatCount } from '../shared/format'
import type { OptionGroupView, TopologyView } from '../shared/messages'
import { app, navigate, setTopology, shownMetric } from '../state/app'
import { useStore } from '../state/store'
import { chosenValues, offered, rootOf, toggleOption } from '../state/topologies'
import { later } from './later'
import { Mark } from './Mark'
import css from './Sidebar.module.css'

const UserMenu = later(() => import('./UserMenu').then((module) => module.UserMenu))

function TopologyButton({
  topology,
  current,
  hits,
}: {
  topology: TopologyView
  current: boolean
  hits: number | undefined
}) {
  const parts = [`${formatCount(topology.nodes)} nodes`, `${formatCount(topology.edges)} connections`]
  if (topology.filtered > 0) parts.push(`${formatCount(topology.filtered)} filtered`)
  if (hits !== undefined) parts.push(`${formatCount(hits)} matches`)
  return (
    <button
      type="button"
      className={topology.parentId === '' ? css.topology : css.variant}
      aria-current={current ? 'page' : undefined}
      aria-label={`${topology.name}, ${parts.join(', ')}`}
      title={parts.join(' · ')}
      data-empty={topology.nodes === 0 || undefined}
      data-topology={topology.id}
      onClick={() => setTopology(topology.id)}
    >
      <span className={css.name}>{topology.name}</span>
      {hits !== undefined && hits > 0 && <span className={css.hits}>{formatCount(hits)}</span>}
      <span className={css.count}>{formatCount(topology.nodes)}</span>
    </button>
  )
}

function Topologies() {
  const topologies = useStore(app, (state) => state.topologies)
  const current = useStore(app, (state) => state.address.topologyId)
  const hits = useStore(app, (state) => state.hits)
  const refused = useStore(app, (state) => /signed-out|denied/.test(state.connection.state))
  const searching = Object.keys(hits).length > 0
  if (topologies === null) {
    if (refused) return null
    return (
      <div className={css.skeleton} aria-hidden="true">
        {[70, 52, 60, 44].map((width) => (
          <span key={width} style={{ width: `${width}%` }} />
        ))}
      </div>
    )
  }
  return (
    <ul>
      {offered(topologies, current).map((topology) => (
        <li key={topology.id}>
          <TopologyButton
            topology={topology}
            current={topology.id === current}
            hits={searching ? (hits[topology.id] ?? 0) : undefined}
          />
        </li>
      ))}
    </ul>
  )
}

/** More options than this would push everything else away. */
const FOLD_ABOVE = 14

function OptionChips({ group }: { group: OptionGroupView }) {
  const options = useStore(app, (state) => state.address.options)
  const [all, setAll] = useState(false)
  const chosen = chosenValues(group, options)
  const none = group.multiple && group.noneLabel !== ''
  const offered = none ? [{ value: '', label: group.noneLabel }, ...group.options] : group.options
  const folded = !all && offered.length > FOLD_ABOVE
  const shown = folded
    ? offered.filter((option, i) => i < FOLD_ABOVE - 2 || chosen.includes(option.value))
    : offered
  return (
    <div
      className={css.chips}
      role={group.multiple ? 'group' : 'radiogroup'}
      aria-label={group.noneLabel || group.id}
    >
      {shown.map((option) => {
        const on = option.value === '' ? chosen.length === 0 : chosen.includes(option.value)
        return (
          <button
            key={option.value}
            type="button"
            className={css.chip}
            role={group.multiple ? 'checkbox' : 'radio'}
            aria-checked={on}
            onClick={() => navigate({ options: toggleOption(group, options, option.value) })}
          >
            {option.label}
          </button>
        )
      })}
      {folded && (
        <button type="button" className={css.moreChips} onClick={() => setAll(true)}>
          {offered.length - shown.length} more
        </button>
      )}
    </div>
  )
}

function Options() {
  const topologies = useStore(app, (state) => state.topologies)
  const current = useStore(app, (state) => state.address.topologyId)
  const list = topologies ?? []
  const own = list.find((one) => one.id === current)
  // Options belong to the parent; variants share them.
  const groups =
    own && own.groups.length > 0
      ? own.groups
      : (list.find((one) => one.id === rootOf(list, current))?.groups ?? [])
  if (groups.length === 0) return null
  return (
    <section aria-label="Filters" className={css.section}>
      <h2>Show</h2>
      {groups.map((group) => (
        // Two groups of one topology can share an id.
        <OptionChips key={`${group.id} ${group.noneLabel} ${group.options[0]?.value}`} group={group} />
      ))}
    </section>
  )
}

function Looks() {
  const summary = useStore(app, (state) => state.summary)
  const groupBy = useStore(app, (state) => state.address.groupBy)
  const metric = useStore(app, shownMetric)
  const view = useStore(app, (state) => state.address.view)
  if (!summary || summary.nodes + summary.hidden === 0 || view !== 'map') return null
  const auto = summary.groupings.find((one) => one.id === summary.grouping)?.label
  return (
    <section aria-label="Appearance" className={css.section}>
      <h2>Appearance</h2>
      <div className={css.looks}>
        <label>
          <span>Group by</span>
          <select value={groupBy} onChange={(event) => navigate({ groupBy: event.target.value })}>
            <option value="">{groupBy === '' && auto ? `Auto: ${auto}` : 'Auto'}</option>
            {summary.groupings.map((one) => (
              <option key={one.id} value={one.id}>
                {one.label}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>Fill by</span>
          <select value={metric} onChange={(event) => navigate({ metric: event.target.value }, 'replace')}>
            <option value="">No metric</option>
            {summary.metrics.map((label) => (
              <option key={label}>{label}</option>
            ))}
          </select>
        </label>
      </div>
    </section>
  )
}

export function Sidebar() {
  const user = useStore(app, (state) => state.user)
  const menu = useStore(app, (state) => state.menu)
  return (
    <aside className={css.side} data-open={menu || undefined} aria-label="Topologies and filters">
      <div className={css.brand}>
        <Mark />
        <h1>Weft</h1>
        {user?.org && <span className={css.org}>{user.org}</span>}
      </div>
      <div className={css.scroll}>
        <nav aria-label="Topologies">
          <Topologies />
        </nav>
        <Options />
        <Looks />
      </div>
      <Suspense>
        <UserMenu />
      </Suspense>
    </aside>
  )
}
