import { Tooltip } from 'radix-ui'
import { useEffect, useState } from 'react'
import { formatTerminalAddress, type TerminalAddress } from '../state/terminalAddress'
import { claimTerminal, type Terminal } from '../state/terminals'
import { Panel } from '../ui/Panel'
import { TerminalPane } from './TerminalPane'
import css from './TerminalWindow.module.css'

/** Somebody else's terminal: nothing is known of it but its id, and nothing is typed into it. */
function watched({ pipeId, title, size }: TerminalAddress): Terminal {
  return {
    pipeId,
    title,
    size,
    raw: true,
    resizeControl: '',
    probeId: '',
    nodeId: '',
    known: true,
    away: false,
    watch: true,
  }
}

function Nowhere({ address }: { address: TerminalAddress }) {
  return (
    <div className={css.nowhere}>
      <Panel
        title="This terminal is not open in this browser"
        actions={
          <button
            type="button"
            onClick={() => {
              window.location.hash = formatTerminalAddress({ ...address, watch: true })
            }}
          >
            Watch it
          </button>
        }
      >
        <p>The page that it belonged to has been closed. If it still runs, you can watch it.</p>
      </Panel>
    </div>
  )
}

/** A whole window for one terminal: popped out of the page, or a link to watch. */
export default function TerminalWindow({ address }: { address: TerminalAddress }) {
  const [terminal, setTerminal] = useState<Terminal | null | undefined>(() =>
    address.watch ? watched(address) : undefined,
  )
  useEffect(() => {
    document.title = `${address.title} – Weft`
    if (!address.watch) void claimTerminal(address.pipeId).then((found) => setTerminal(found ?? null))
  }, [address])
  return (
    <Tooltip.Provider delayDuration={400}>
      <main className={css.window} data-testid="terminal">
        <h1>{address.title}</h1>
        {terminal === null && <Nowhere address={address} />}
        {terminal && (
          <TerminalPane
            terminal={terminal}
            shown
            bringBack={() => window.close()}
            onEnd={() => window.close()}
          />
        )}
      </main>
    </Tooltip.Provider>
  )
}
