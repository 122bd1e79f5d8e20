/** Limits such as "unlimited memory" arrive as huge numbers; they are no scale. */
const ABSURD = 2 ** 53

export function knownMax(max: number): number {
  return max > 0 && max < ABSURD ? max : 0
}

/** The next 1, 2 or 5 times a power of ten. */
export function niceCeil(value: number): number {
  if (!(value > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  const digit = value / power
  return (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10) * power
}

/**
 * How full a node is drawn: 0 is empty, at or over the maximum is full, and everything between stays within 10 and 90 %,
 * so that "a little" never looks like nothing nor "a lot" like everything.
 */
export function fillOf(value: number, max: number, group: string): number {
  if (!Number.isFinite(value)) return -1
  if (value <= 0) return 0
  if (group === 'load') {
    const share = (Math.log10(value) + 2) / 4
    return Math.min(1, Math.max(0.1, share))
  }
  if (!(max > 0)) return 0
  if (value >= max) return 1
  return 0.1 + 0.8 * (value / max)
}
