import { app } from '../state/app'
import { runs } from '../state/runs'
import { useStore } from '../state/store'
import css from './Notices.module.css'
import { RunLine } from './RunLine'

/** Controls of nodes whose card is not in front: what was started must not end unseen. */
export function Notices() {
  const all = useStore(runs, (state) => state.all)
  const front = useStore(app, (state) => {
    const card = state.address.cards.at(-1)
    return card ? state.details[`${card.topologyId}\n${card.nodeId}`] : undefined
  })
  const elsewhere = all.filter(
    (run) =>
      !front?.controls.some(({ nodeId, id }) => nodeId === run.control.nodeId && id === run.control.id),
  )
  if (elsewhere.length === 0) return null
  return (
    <section className={css.notices} aria-label="Controls under way" data-testid="notices">
      {elsewhere.map((run) => (
        <RunLine key={run.id} run={run} named />
      ))}
    </section>
  )
}
