import { Flag, type Scene } from '../shared/scene'
import { neighbours } from './lookup'
import css from './MapView.module.css'

export interface Hover {
  node: number
  group: number
  x: number
  y: number
}

const WIDTH = 320

function NodeText({ scene, node }: { scene: Scene; node: number }) {
  const { incoming, outgoing } = neighbours(scene, node)
  return (
    <>
      <strong>{scene.labels[node]}</strong>
      {scene.minors[node] !== '' && <p>{scene.minors[node]}</p>}
      {(scene.flags[node] & Flag.stale) !== 0 && <p>Its probe is late: this was last known.</p>}
      <div className={css.directions}>
        <span>{incoming.length} in</span>
        <span>{outgoing.length} out</span>
      </div>
    </>
  )
}

/** What is under the pointer, in words: in a corner, because beside the pointer it would cover what it is linked to. */
export function HoverCard({ hover, scene, room }: { hover: Hover; scene: Scene; room: number }) {
  const box = scene.groups[hover.group]
  if (hover.node >= scene.ids.length || (hover.node < 0 && (!box || box.label === ''))) return null
  const aside = hover.x < WIDTH + 40 && hover.y < 140
  return (
    <div className={css.card} style={aside ? { right: room } : { left: 12 }}>
      {hover.node >= 0 ? (
        <NodeText scene={scene} node={hover.node} />
      ) : (
        <>
          <strong>{box.label}</strong>
          <p>{box.count === 1 ? '1 node' : `${box.count} nodes`} · double click to zoom in</p>
        </>
      )}
    </div>
  )
}
