import { app, cardKey, closeCards, popCard } from '../state/app'
import { useStore } from '../state/store'
import { Card } from './Card'
import css from './CardStack.module.css'

/** Open nodes, the front one readable, those behind it as edges that lead back. */
export function CardStack() {
  const cards = useStore(app, (state) => state.address.cards)
  if (cards.length === 0) return null
  const front = cards[cards.length - 1]
  const behind = cards.length - 1
  return (
    <aside
      className={css.stack}
      aria-label="Details"
      data-testid="details"
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || event.defaultPrevented) return
        event.stopPropagation()
        popCard()
      }}
    >
      {Array.from({ length: Math.min(2, behind) }, (_, i) => (
        <div
          key={cardKey(cards[i])}
          className={css.behind}
          style={{ '--depth': Math.min(2, behind) - i } as React.CSSProperties}
          aria-hidden="true"
        />
      ))}
      <Card key={cardKey(front)} card={front} depth={behind} onBack={popCard} onClose={closeCards} />
    </aside>
  )
}
