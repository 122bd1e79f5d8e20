import { Suspense } from 'react'
import { Icon } from './icons'
import { later } from './later'
import css from './Warnings.module.css'

const WarningList = later(() => import('./WarningList').then((module) => module.WarningList))

/** What is missing, in words; all of them on demand. */
export function Warnings({ warnings }: { warnings: readonly string[] }) {
  if (warnings.length === 0) return null
  const first = (
    <span className={css.warning} title={warnings[0]}>
      <Icon name="warning" size={12} />
      <span>{warnings[0]}</span>
    </span>
  )
  if (warnings.length === 1) return first
  return (
    <Suspense fallback={first}>
      <WarningList warnings={warnings} />
    </Suspense>
  )
}
