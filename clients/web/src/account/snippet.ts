/** How a probe is started against this page's server. The token is in neither line, so that no history or process list has it. */
export function probeCommands(here: { origin: string; pathname: string }): string {
  const path = here.pathname.replace(/[^/]*$/, '').replace(/\/$/, '')
  return [
    '(umask 077; cat > weft-probe.token)',
    `sudo weft probe --token-file weft-probe.token ${here.origin}${path}`,
  ].join('\n')
}
