import { formatAge, formatCount } from '../shared/format'
import type { Connection } from '../shared/messages'
import { formatMoment } from '../shared/timeline'
import { app, backend } from '../state/app'
import { useStore } from '../state/store'
import { serverNow } from '../state/time'
import { useNow } from './clock'
import css from './StatusLine.module.css'
import { Warnings } from './Warnings'

function describe(connection: Connection, now: number, past: string): { tone: string; text: string } {
  switch (connection.state) {
    case 'live':
      return past === '' ? { tone: 'live', text: 'Live' } : { tone: 'past', text: past }
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
  const past = useStore(app, (state) => {
    if (state.playback) return `Playing ${state.playback.speed}×`
    return state.address.at !== null || state.frozenAt !== null ? 'Paused' : ''
  })
  const now = useNow()
  const { tone, text } = describe(connection, now, past)
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
  const moment = useStore(app, (state) => state.address.at ?? state.frozenAt)
  const now = useNow()
  if (!summary?.loaded || receivedAt === 0) return null
  if (moment !== null) return <span>as of {formatMoment(moment, serverNow())}</span>
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

const NOTHING: string[] = []

function Missing() {
  const warnings = useStore(app, (state) => state.summary?.warnings ?? NOTHING)
  return (
    <div className={css.warnings}>
      <Warnings warnings={warnings} />
    </div>
  )
}

export function StatusLine() {
  return (
    <footer className={css.status} data-testid="status" aria-label="Status">
      <State />
      <Age />
      <Missing />
      <Counts />
    </footer>
  )
}
