import { DropdownMenu } from 'radix-ui'
import { useState } from 'react'
import { logout } from '../login/routes'
import type { OrganisationView } from '../shared/accounts'
import { ADMIN, may } from '../shared/permissions'
import { ask } from '../state/accounts'
import type { Page } from '../state/address'
import { app, navigate } from '../state/app'
import { openOrganisation } from '../state/org'
import { forgetAndSignIn } from '../state/signIn'
import { useStore } from '../state/store'
import { Icon, type IconName } from './icons'
import css from './UserMenu.module.css'

function Entry({ page, icon, text }: { page: Page; icon: IconName; text: string }) {
  return (
    <DropdownMenu.Item className={css.item} onSelect={() => navigate({ page })}>
      <Icon name={icon} size={14} />
      {text}
    </DropdownMenu.Item>
  )
}

function signOut(): void {
  // Without an answer the session lasts: the page that is loaded anew shows it.
  void logout().then(forgetAndSignIn, () => window.location.reload())
}

/** Who is here, in which organisation, and the way to both. */
export function UserMenu() {
  const user = useStore(app, (state) => state.user)
  const [organisations, setOrganisations] = useState<OrganisationView[]>([])
  // A server without users has nothing to manage.
  if (!user || user.id === '') return null
  const load = (open: boolean) => {
    // The pages say what is wrong when it cannot be had; the menu does without.
    if (open) void ask('organisations', {}).then(setOrganisations, () => undefined)
  }
  return (
    <DropdownMenu.Root onOpenChange={load} modal={false}>
      <DropdownMenu.Trigger className={css.trigger} data-testid="user">
        <Icon name="person" size={15} />
        <span>{user.name}</span>
        <Icon name="chevron" size={12} />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className={css.menu} side="top" align="start" sideOffset={6}>
          {organisations.length > 1 && (
            <>
              <DropdownMenu.Label className={css.label}>Organisation</DropdownMenu.Label>
              <DropdownMenu.RadioGroup value={user.orgId}>
                {organisations.map((one) => (
                  <DropdownMenu.RadioItem
                    key={one.id}
                    value={one.id}
                    className={css.item}
                    onSelect={() => one.id !== user.orgId && openOrganisation(one.id)}
                  >
                    <span className={css.mark}>
                      <DropdownMenu.ItemIndicator>
                        <Icon name="check" size={13} />
                      </DropdownMenu.ItemIndicator>
                    </span>
                    {one.name}
                  </DropdownMenu.RadioItem>
                ))}
              </DropdownMenu.RadioGroup>
              <DropdownMenu.Separator className={css.line} />
            </>
          )}
          {user.orgId !== '' && (
            <>
              <Entry page="members" icon="people" text="Members" />
              <Entry page="tokens" icon="key" text="Tokens" />
            </>
          )}
          {may(ADMIN, user.permissions) && <Entry page="audit" icon="logs" text="Audit log" />}
          <Entry page="you" icon="person" text="You" />
          {user.loggedIn && (
            <>
              <DropdownMenu.Separator className={css.line} />
              <DropdownMenu.Item className={css.item} onSelect={signOut}>
                <Icon name="leave" size={14} />
                Sign out
              </DropdownMenu.Item>
            </>
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}
