import { formatAddress, START } from './address'

/** Shows another organisation: the page is loaded anew, so that nothing of one is left when another is shown. */
export function openOrganisation(org: string): void {
  const hash = formatAddress({ ...START, org })
  const same = hash === window.location.hash
  window.location.hash = hash
  // Another hash alone loads nothing; the page follows it by loading itself (`app.ts`).
  if (same) window.location.reload()
}
