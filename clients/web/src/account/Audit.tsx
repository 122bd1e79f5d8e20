import { useEffect, useMemo, useState } from 'react'
import type { AuditEventView } from '../shared/accounts'
import { ask } from '../state/accounts'
import { app } from '../state/app'
import { useStore } from '../state/store'
import dialog from '../ui/Dialog.module.css'
import { download } from '../ui/download'
import css from './Account.module.css'
import { auditCsv, matchesAudit } from './auditLog'
import { actionInWords } from './auditWords'
import { Problem, Section } from './parts'
import { useAsk, useDoing } from './useAsk'

const PAGE = 200
/** The server's bound of a page; an export asks for as many at a time. */
const BIG_PAGE = 1000
/** Beyond this an export belongs to the command line. */
const MAX_EXPORT = 50_000

function Row({ event, names }: { event: AuditEventView; names: Map<string, string> }) {
  return (
    <tr>
      <td>
        {event.at !== null && (
          <time dateTime={new Date(event.at).toISOString()}>{new Date(event.at).toLocaleString()}</time>
        )}
      </td>
      <td title={event.action}>{actionInWords(event.action)}</td>
      <td className={css.wrap} title={event.actor}>
        {names.get(event.actor) ?? event.actor}
      </td>
      <td>{event.address}</td>
      <td className={css.wrap} title={event.target}>
        {names.get(event.target) ?? event.target}
      </td>
      <td className={css.wrap}>{event.detail}</td>
    </tr>
  )
}

/** All events from the newest on, a page at a time. */
async function everything(progress: (count: number) => void): Promise<AuditEventView[]> {
  const all: AuditEventView[] = []
  for (;;) {
    const before = all.at(-1)?.position ?? null
    const page = await ask('audit', { before, size: BIG_PAGE })
    all.push(...page)
    progress(all.length)
    if (page.length < BIG_PAGE || all.length >= MAX_EXPORT) return all
  }
}

export function Audit() {
  const org = useStore(app, (state) => state.user?.orgId ?? '')
  const [events, setEvents] = useState<AuditEventView[] | null>(null)
  const [end, setEnd] = useState(false)
  const [text, setText] = useState('')
  const [exported, setExported] = useState(0)
  const doing = useDoing()
  const more = () =>
    doing.run(async () => {
      const page = await ask('audit', { before: events?.at(-1)?.position ?? null, size: PAGE })
      setEvents([...(events ?? []), ...page])
      setEnd(page.length < PAGE)
    })
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it is opened
  useEffect(() => void more(), [])
  // People by their addresses; who is no member any more stays an id.
  const members = useAsk('members')
  const names = useMemo(() => new Map(members.data?.map((one) => [one.id, one.email])), [members.data])
  const shown = useMemo(
    () => (events ?? []).filter((event) => matchesAudit(event, text, names.get(event.actor))),
    [events, text, names],
  )
  const save = (kind: 'csv' | 'json') =>
    doing.run(async () => {
      const everyone = await everything(setExported)
      const all = everyone.filter((event) => matchesAudit(event, text, names.get(event.actor)))
      setExported(0)
      if (kind === 'csv') download(`audit-${org}.csv`, 'text/csv', auditCsv(all))
      else download(`audit-${org}.json`, 'application/json', JSON.stringify(all, null, 2))
    })

  return (
    <Section
      title="Audit log"
      action={
        <div className={css.row}>
          {(['csv', 'json'] as const).map((kind) => (
            <button
              key={kind}
              type="button"
              className={dialog.button}
              disabled={doing.busy}
              onClick={() => void save(kind)}
            >
              Export {kind.toUpperCase()}
            </button>
          ))}
        </div>
      }
    >
      <div className={css.filter}>
        <input
          type="search"
          aria-label="Filter"
          placeholder="Filter by what was done, by whom, to what"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <output>
          {exported > 0
            ? `${exported} read…`
            : events && `${shown.length} of ${events.length}${end ? '' : ' read so far'}`}
        </output>
      </div>
      <Problem text={doing.error} retry={() => void more()} />
      {events?.length === 0 && <p className={css.none}>Nothing has been done yet.</p>}
      {shown.length > 0 && (
        <div className={css.scroll}>
          <table className={css.table}>
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">What</th>
                <th scope="col">By</th>
                <th scope="col">From</th>
                <th scope="col">To</th>
                <th scope="col">Details</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((event) => (
                <Row key={event.position} event={event} names={names} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {events && !end && (
        <button type="button" className={dialog.button} disabled={doing.busy} onClick={() => void more()}>
          Read older ones
        </button>
      )}
    </Section>
  )
}
