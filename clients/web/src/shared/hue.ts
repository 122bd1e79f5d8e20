import { PSEUDO_HUE } from './scene'

/**
 * Hues, in OKLCH degrees. The reds (about 5 to 45) are left out: red means trouble.
 */
export const HUES: readonly number[] = [
  58, 74, 92, 112, 132, 150, 166, 182, 198, 212, 226, 240, 254, 266, 278, 290, 302, 314, 328, 344,
]

/** FNV-1a over the whole rank, so that "web" and "webhook" differ. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i)
    hash = Math.imul(hash, 0x01000193)
  }
  // The low bits of FNV mix badly over short, similar texts.
  hash ^= hash >>> 15
  return Math.imul(hash, 0x2c1b3c6d) >>> 8
}

/** The index into HUES of a node's rank. */
export function hueOf(rank: string, pseudo: boolean): number {
  return pseudo ? PSEUDO_HUE : hashText(rank) % HUES.length
}
