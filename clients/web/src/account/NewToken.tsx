import { useState } from 'react'
import type { NewTokenView } from '../shared/accounts'
import { ADMIN, may } from '../shared/permissions'
import { ask } from '../state/accounts'
import { app } from '../state/app'
import { useStore } from '../state/store'
import css from './Account.module.css'
import { FormDialog, PermissionChoice } from './parts'
import { useDoing } from './useAsk'

const VIEW = 1
const REPORT = 3
const DAY_MS = 24 * 60 * 60 * 1000
const LIVES = [
  { days: 0, text: 'never' },
  { days: 30, text: 'in 30 days' },
  { days: 90, text: 'in 90 days' },
  { days: 365, text: 'in a year' },
]

type Kind = 'probe' | 'script' | 'personal'

function kinds(admin: boolean, reports: boolean, person: boolean): [Kind, string, string][] {
  const all: [Kind, string, string, boolean][] = [
    ['probe', 'For probes', 'sends reports, and nothing else', admin && reports],
    ['script', 'For a script', 'the organisation’s, whoever leaves', admin],
    ['personal', 'Personal', 'yours: it never may more than you, in each of your organisations', person],
  ]
  return all.filter((one) => one[3]).map(([kind, name, text]) => [kind, name, text])
}

export function NewToken({ onClose, onMade }: { onClose: () => void; onMade: (made: NewTokenView) => void }) {
  const user = useStore(app, (state) => state.user)
  const own = user?.permissions ?? null
  // The local user and tokens are nobody's person.
  const offered = kinds(may(ADMIN, own), may(REPORT, own), user?.email !== '')
  const [kind, setKind] = useState<Kind>(offered[0]?.[0] ?? 'personal')
  const [name, setName] = useState('')
  const [permissions, setPermissions] = useState([VIEW])
  const [days, setDays] = useState(0)
  const doing = useDoing()
  const submit = () =>
    doing.run(async () => {
      const expiresAt = days === 0 ? null : Date.now() + days * DAY_MS
      const given = kind === 'probe' ? [REPORT] : permissions
      onMade(
        await ask('createToken', {
          name: name.trim(),
          permissions: given,
          expiresAt,
          personal: kind === 'personal',
        }),
      )
    })
  return (
    <FormDialog
      title="New token"
      action="Make token"
      doing={doing}
      ready={name.trim() !== '' && (kind === 'probe' || permissions.length > 0)}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <label className={css.line}>
        <span>Name</span>
        <input
          required
          maxLength={100}
          autoComplete="off"
          placeholder="what it is for"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </label>
      <fieldset className={css.choice}>
        <legend>Kind</legend>
        {offered.map(([one, title, text]) => (
          <label key={one}>
            <input type="radio" name="kind" checked={kind === one} onChange={() => setKind(one)} />
            <span>
              <b>{title}</b> {text}
            </span>
          </label>
        ))}
      </fieldset>
      {kind !== 'probe' && <PermissionChoice offered={own} chosen={permissions} onChange={setPermissions} />}
      <label className={css.line}>
        <span>Ends</span>
        <select value={days} onChange={(event) => setDays(Number(event.target.value))}>
          {LIVES.map((life) => (
            <option key={life.days} value={life.days}>
              {life.text}
            </option>
          ))}
        </select>
      </label>
    </FormDialog>
  )
}
