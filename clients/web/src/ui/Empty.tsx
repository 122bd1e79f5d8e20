import { fullName } from '../shared/names'
import { ADMIN, may } from '../shared/permissions'
import { formatMoment } from '../shared/timeline'
import { app, backend, navigate } from '../state/app'
import { openOrganisation } from '../state/org'
import { useStore } from '../state/store'
import { goLive, serverNow } from '../state/time'
import css from './Empty.module.css'
import { NoReports } from './NoReports'
import { Panel } from './Panel'
import { SignedOut } from './SignedOut'

function Filtered({ name }: { name: string }) {
  const chips = useStore(app, (state) => state.address.chips)
  const options = useStore(app, (state) => state.address.options)
  return (
    <Panel
      title={`No ${name.toLowerCase()} pass the filters`}
      actions={
        <>
          {chips.length > 0 && (
            <button type="button" onClick={() => navigate({ chips: [] })}>
              Remove search filters
            </button>
          )}
          {Object.keys(options).length > 0 && (
            <button type="button" onClick={() => navigate({ options: {} })}>
              Back to default filters
            </button>
          )}
        </>
      }
    >
      <p>
        There is something to show, but the choices under “Show”, the search filters or the moment leave none
        of it.
      </p>
    </Panel>
  )
}

function NothingYet() {
  const user = useStore(app, (state) => state.user)
  // The local user needs no token, and reports by itself.
  const tokens = user !== null && user.email !== '' && may(ADMIN, user.permissions)
  return (
    <Panel
      title="Nothing reports yet"
      actions={
        tokens && (
          <button type="button" onClick={() => navigate({ page: 'tokens' })}>
            Make a token for a probe
          </button>
        )
      }
    >
      <p>Start a probe and point it here; what it sees appears within seconds.</p>
      {!tokens && <pre>scope launch {window.location.host}</pre>}
      <p>If probes are running, check that they reach this address and that their token is right.</p>
    </Panel>
  )
}

function Denied({ error }: { error: string }) {
  const user = useStore(app, (state) => state.user)
  const org = useStore(app, (state) => state.address.org)
  if (user && user.id !== '' && user.orgId === '')
    return (
      <Panel
        title="You belong to no organisation yet"
        actions={
          <button type="button" onClick={() => navigate({ page: 'you' })}>
            Invitations, and a new one
          </button>
        }
      >
        <p>Accept an invitation, or make an organisation of your own.</p>
      </Panel>
    )
  return (
    <Panel
      title="You may not see this"
      actions={
        org !== '' && (
          <button type="button" onClick={() => openOrganisation('')}>
            Open your own organisation
          </button>
        )
      }
    >
      <p>{error}</p>
    </Panel>
  )
}

/** What stands in the place of a picture that cannot be drawn, or null. */
export function Empty() {
  const connection = useStore(app, (state) => state.connection)
  const summary = useStore(app, (state) => state.summary)
  const topologies = useStore(app, (state) => state.topologies)
  const topologyId = useStore(app, (state) => state.address.topologyId)
  const at = useStore(app, (state) => state.address.at)
  const name = fullName(topologies ?? [], topologyId)
  const topology = topologies?.find((one) => one.id === topologyId)
  const nowhere = topologies?.every((one) => one.nodes === 0 && one.filtered === 0)

  if (connection.state === 'signed-out') return <SignedOut />
  if (connection.state === 'denied') return <Denied error={connection.error} />
  if (connection.state === 'no-history') {
    return (
      <Panel
        title="This moment is not kept"
        actions={
          <button type="button" onClick={() => goLive()}>
            Back to now
          </button>
        }
      >
        <p>This Weft knows only the present.</p>
      </Panel>
    )
  }
  if (summary?.missing) {
    return (
      <Panel
        title="There is no such topology"
        actions={
          <button
            type="button"
            onClick={() => navigate({ topologyId: topologies?.[0]?.id ?? '', cards: [] })}
          >
            Show {topologies?.[0]?.name ?? 'another'}
          </button>
        }
      >
        <p>“{topologyId}” is not known here.</p>
      </Panel>
    )
  }
  const loaded = summary?.loaded && summary.topologyId === topologyId
  if (!loaded && !(nowhere && topologyId === '')) {
    if (connection.state === 'reconnecting') {
      return (
        <Panel
          title="No connection"
          actions={
            <button type="button" onClick={() => backend.send({ type: 'retry' })}>
              Try now
            </button>
          }
        >
          <p>Weft tries again by itself. Last problem: {connection.error}.</p>
        </Panel>
      )
    }
    return (
      <div className={css.loading} role="status">
        <span className={css.pulse} aria-hidden="true" />
        {topologyId === '' ? 'Connecting…' : `Loading ${name.toLowerCase()}…`}
      </div>
    )
  }
  if ((summary?.nodes ?? 0) > 0) return null
  if ((summary?.hidden ?? 0) > 0 || (topology?.filtered ?? 0) > 0) return <Filtered name={name} />
  if (nowhere && at !== null) return <NoReports at={at} />
  if (nowhere) return <NothingYet />
  return (
    <Panel title={`No ${name.toLowerCase()}${at === null ? '' : ` at ${formatMoment(at, serverNow())}`}`}>
      <p>
        No probe {at === null ? 'has reported' : 'reported'} any. Other topologies on the left have something
        to show.
      </p>
    </Panel>
  )
}
