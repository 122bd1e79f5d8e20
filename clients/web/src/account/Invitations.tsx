import { type InvitationView, ROLES, type Role } from '../shared/accounts'
import { ask } from '../state/accounts'
import css from './Account.module.css'
import { Problem, Section, When } from './parts'
import { type Asked, useDoing } from './useAsk'

/** Who was asked to become a member, and has not answered. */
export function Invitations({ invitations }: { invitations: Asked<InvitationView[]> }) {
  const doing = useDoing()
  if (invitations.data?.length === 0) return null
  return (
    <Section title="Invitations">
      <Problem text={invitations.error} retry={invitations.reload} />
      <Problem text={doing.error} />
      {invitations.data && (
        <div className={css.scroll}>
          <table className={css.table}>
            <thead>
              <tr>
                <th scope="col">Address</th>
                <th scope="col">Role</th>
                <th scope="col">Lapses</th>
                <td />
              </tr>
            </thead>
            <tbody>
              {invitations.data.map(({ id, email, role, expiresAt }) => (
                <tr key={id}>
                  <th scope="row">{email}</th>
                  <td>{ROLES[role as Role] ?? 'unknown'}</td>
                  <td data-label="lapses">
                    <When at={expiresAt} none="never" />
                  </td>
                  <td className={css.actions}>
                    <button
                      type="button"
                      disabled={doing.busy}
                      aria-label={`Take back the invitation of ${email}`}
                      onClick={() =>
                        void doing
                          .run(() => ask('revokeInvitation', { id }))
                          .then((done) => done && invitations.reload())
                      }
                    >
                      Take back
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  )
}
