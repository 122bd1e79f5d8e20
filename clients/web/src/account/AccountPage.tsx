import { Dialog } from 'radix-ui'
import type { ReactNode } from 'react'
import { ADMIN, may } from '../shared/permissions'
import type { Page } from '../state/address'
import { app, navigate } from '../state/app'
import { useStore } from '../state/store'
import { Icon, type IconName } from '../ui/icons'
import css from './Account.module.css'
import { Audit } from './Audit'
import { Device } from './Device'
import { Members } from './Members'
import { Tokens } from './Tokens'
import { You } from './You'

const TABS: { page: Exclude<Page, ''>; title: string; icon: IconName; content: () => ReactNode }[] = [
  { page: 'members', title: 'Members', icon: 'people', content: () => <Members /> },
  { page: 'tokens', title: 'Tokens', icon: 'key', content: () => <Tokens /> },
  { page: 'audit', title: 'Audit log', icon: 'logs', content: () => <Audit /> },
  { page: 'you', title: 'You', icon: 'person', content: () => <You /> },
  { page: 'device', title: 'Approve a program', icon: 'key', content: () => <Device /> },
]

/** Everything about organisations and people, over the picture; the address says which page. */
export default function AccountPage() {
  const page = useStore(app, (state) => state.address.page)
  const user = useStore(app, (state) => state.user)
  const admin = may(ADMIN, user?.permissions)
  // Who belongs to no organisation has only themselves.
  const nowhere = user?.orgId === ''
  const tabs = TABS.filter((tab) => {
    if (tab.page === 'you') return true
    // Links of programs lead there, and nothing else.
    if (tab.page === 'device' && page !== 'device') return false
    return !nowhere && (tab.page !== 'audit' || admin)
  })
  const shown = tabs.find((tab) => tab.page === page) ?? tabs[0]
  return (
    <Dialog.Root open onOpenChange={(open) => !open && navigate({ page: '' })}>
      <Dialog.Portal>
        <Dialog.Content
          className={css.page}
          aria-describedby={undefined}
          data-testid="account"
          onEscapeKeyDown={(event) => {
            // A dialog above that has only just come does not hear it yet, and a secret would go with the page.
            if (document.querySelectorAll('[role="dialog"], [role="alertdialog"]').length > 1)
              event.preventDefault()
          }}
        >
          <header className={css.header}>
            <Dialog.Close className={css.back} aria-label="Back to the picture">
              <Icon name="back" />
            </Dialog.Close>
            <Dialog.Title>{user?.org || 'Weft'}</Dialog.Title>
            {user?.orgId && user.orgId !== user.org && <code>{user.orgId}</code>}
          </header>
          <nav className={css.nav} aria-label="Accounts">
            {tabs.map((tab) => (
              <button
                key={tab.page}
                type="button"
                aria-current={tab === shown ? 'page' : undefined}
                onClick={() => navigate({ page: tab.page }, 'replace')}
              >
                <Icon name={tab.icon} size={14} />
                {tab.title}
              </button>
            ))}
          </nav>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled region must be reachable by keys */}
          <div className={css.content} tabIndex={0} role="region" aria-label="Page">
            {user?.refusal && <p className={css.refusal}>This organisation is restricted: {user.refusal}.</p>}
            {shown.content()}
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
