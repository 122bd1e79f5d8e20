import type { ReactNode } from 'react'
import css from './Empty.module.css'
import { Mark } from './Mark'

/** What stands where a picture would be. */
export function Panel({
  title,
  children,
  actions,
}: {
  title: string
  children?: ReactNode
  actions?: ReactNode
}) {
  return (
    <div className={css.empty} data-testid="empty">
      <Mark size={34} />
      <h2>{title}</h2>
      {children}
      {actions && <div className={css.actions}>{actions}</div>}
    </div>
  )
}
