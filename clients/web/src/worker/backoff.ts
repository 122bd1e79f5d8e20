const FIRST_MS = 500
const LAST_MS = 30_000

/** How long to wait before the given attempt (0 is the first), with jitter so that a fleet of tabs does not return at once. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(attempt, 10))
  return Math.round(ceiling * (0.5 + 0.5 * random()))
}
