import { Popover } from 'radix-ui'
import { Icon } from './icons'
import css from './Warnings.module.css'

/** The first of several warnings, and all of them on demand. */
export function WarningList({ warnings }: { warnings: readonly string[] }) {
  return (
    <Popover.Root>
      <Popover.Trigger className={css.warning}>
        <Icon name="warning" size={12} />
        <span>{warnings[0]}</span>
        <b>and {warnings.length - 1} more</b>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className={css.list}
          side="top"
          sideOffset={8}
          collisionPadding={8}
          aria-label="Warnings"
        >
          <ul>
            {warnings.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  )
}
