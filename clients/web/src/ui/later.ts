import { type ComponentType, lazy } from 'react'

/** Code that the first picture does without: it comes when it is wanted, or when the page has nothing better to do. */

const all: (() => Promise<unknown>)[] = []

/** A component whose code comes later; what suspends for it shows nothing meanwhile. */
export function later<P extends object>(load: () => Promise<ComponentType<P>>) {
  const module = () => load().then((component) => ({ default: component }))
  all.push(module)
  return lazy(module)
}

/** Fetches all of it, so that nothing waits when it is wanted; what fails is tried again then. */
export function loadTheRest(): void {
  const load = () => {
    for (const one of all) void one().catch(() => undefined)
  }
  // Safari has no idle callbacks.
  if ('requestIdleCallback' in window) window.requestIdleCallback(load, { timeout: 5_000 })
  else setTimeout(load, 2_000)
}
