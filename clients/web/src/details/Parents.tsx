import { useState } from 'react'
import type { LinkView } from '../shared/details'
import { fullName } from '../shared/names'
import { app, pushCard } from '../state/app'
import { useStore } from '../state/store'
import css from './Card.module.css'

const SHOWN = 5

export function Parents({ parents }: { parents: LinkView[] }) {
  const [all, setAll] = useState(false)
  const topologies = useStore(app, (state) => state.topologies)
  const shown = all ? parents : parents.slice(0, SHOWN)
  return (
    <div className={css.parents}>
      {shown.map((parent) => (
        <button
          key={`${parent.topologyId} ${parent.id}`}
          type="button"
          onClick={() => pushCard({ topologyId: parent.topologyId, nodeId: parent.id })}
        >
          <span>{fullName(topologies ?? [], parent.topologyId)}</span>
          <b>{parent.label}</b>
        </button>
      ))}
      {parents.length > shown.length && (
        <button type="button" onClick={() => setAll(true)}>
          {parents.length - shown.length} more
        </button>
      )}
    </div>
  )
}
