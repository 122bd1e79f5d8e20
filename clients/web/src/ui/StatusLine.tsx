import { formatAge, formatCount } from '../shared/format'
import type { Connection } from '../shared/messages'
import { app, backend } from '../state/app'
import { useStore } from '../state/store'
import { useNow } from './clock'
import { Icon } from './icons'
import css from './StatusLine.module.css'

function describe(connection: Connection, now: number, paused: boolean): { tone: string; text: string } {
  switch (connection.state) {
    case 'live':
      return paused ? { tone: 'past', text: 'Paused' } : { tone: 'live', text: 'Live' }
    case 'connecting':
      return { tone: 'wait', text: 'Connecting…' }
    case 'reconnecting': {
      const left = Math.max(0, Math.ceil((connection.retryAt - now) / 1000))
      return { tone: 'bad', text: left > 0 ? `Reconnecting in ${left} s` : 'Reconnecting…' }
    }
    case 'asleep':
      return { tone: 'wait', text: 'Asleep' }
    case 'signed-out':
      return { tone: 'bad', text: 'Signed out' }
    case 'denied':
      return { tone: 'bad', text: 'No access' }
    case 'no-history':
      return { tone: 'bad', text: 'Not kept' }
  }
}

function State() {
  const connection = useStore(app, (state) => state.connection)
  const paused = useStore(app, (state) => state.address.at !== null || state.frozenAt !== null)
  const now = useNow()
  const { tone, text } = describe(connection, now, paused)
  return (
    <>
      <span className={css.state} data-tone={tone}>
        <i aria-hidden="true" />
        {text}
      </span>
      {connection.state === 'reconnecting' && (
        <>
          <span className={css.error}>{connection.error}</span>
          <button type="button" className={css.retry} onClick={() => backend.send({ type: 'retry' })}>
            Try now
          </button>
        </>
      )}
    </>
  )
}

function Age() {
  const summary = useStore(app, (state) => state.summary)
  const receivedAt = useStore(app, (state) => state.receivedAt)
  const at = useStore(app, (state) => state.address.at)
  const frozenAt = useStore(app, (state) => state.frozenAt)
  const now = useNow()
  if (!summary?.loaded || receivedAt === 0) return null
  if (at !== null && summary.at > 0) return <span>as of {new Date(summary.at).toLocaleTimeString()}</span>
  if (frozenAt !== null) return <span>as of {new Date(frozenAt).toLocaleTimeString()}</span>
  const age = Math.max(0, now - receivedAt)
  return (
    <span
      title={summary.at > 0 ? `Newest data: ${new Date(summary.at).toLocaleString()}` : undefined}
      data-testid="age"
    >
      updated {age < 1500 ? 'just now' : `${formatAge(age)} ago`}
    </span>
  )
}

function Counts() {
  const summary = useStore(app, (state) => state.summary)
  const topology = useStore(app, (state) =>
    state.topologies?.find((one) => one.id === state.address.topologyId),
  )
  if (!summary?.loaded || summary.missing) return null
  const filtered = summary.hidden + (topology?.filtered ?? 0)
  return (
    <span className={css.counts} data-testid="counts">
      showing <b>{formatCount(summary.nodes)}</b> {summary.nodes === 1 ? 'node' : 'nodes'},{' '}
      <b>{formatCount(summary.edges)}</b> {summary.edges === 1 ? 'connection' : 'connections'}
      {filtered > 0 && (
        <>
          , <b>{formatCount(filtered)}</b> filtered
        </>
      )}
      {summary.stale > 0 && (
        <>
          , <b>{formatCount(summary.stale)}</b> stale
        </>
      )}
    </span>
  )
}

function Warnings() {
  const warnings = useStore(app, (state) => state.summary?.warnings)
  if (!warnings || warnings.length === 0) return null
  return (
    <span className={css.warning} title={warnings.join('\n')}>
      <Icon name="warning" size={12} />
      {warnings[0]}
      {warnings.length > 1 && ` (+${warnings.length - 1})`}
    </span>
  )
}

export function StatusLine() {
  return (
    <footer className={css.status} data-testid="status" aria-label="Status">
      <State />
      <Age />
      <Warnings />
      <Counts />
    </footer>
  )
}
