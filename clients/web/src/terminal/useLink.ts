import { type RefObject, useEffect, useRef, useState } from 'react'
import { fontSize } from '../state/fontSize'
import { useStore } from '../state/store'
import { present, type Terminal, takeScreen } from '../state/terminals'
import { theme } from '../state/theme'
import type { StateEvent } from './describe'
import type { TerminalKey } from './keys'
import { Link } from './link'

export interface LinkView {
  state: StateEvent
  columns: number
  rows: number
  selected: boolean
  /** Bytes of output that the server did not keep for us. */
  skipped: number
  watching: number
  /** The match that is shown, from 1, and how many there are. */
  match: number
  matches: number
}

const START: LinkView = {
  state: { kind: 'state', state: 'connecting', text: '' },
  columns: 0,
  rows: 0,
  selected: false,
  skipped: 0,
  watching: 0,
  match: 0,
  matches: 0,
}

/** Gives a terminal its screen in the box for as long as it is shown. */
export function useLink(
  terminal: Terminal,
  box: RefObject<HTMLDivElement | null>,
  on: { key: (key: TerminalKey) => void; paste: (text: string) => void },
) {
  const link = useRef<Link | null>(null)
  const handlers = useRef(on)
  handlers.current = on
  const [view, setView] = useState(START)
  const dark = useStore(theme, (value) => value.dark)
  const font = useStore(fontSize, (value) => value.px)
  const { pipeId } = terminal

  // biome-ignore lint/correctness/useExhaustiveDependencies: what it is does not change while it is shown
  useEffect(() => {
    if (!box.current) return
    const change = (part: Partial<LinkView>) => setView((old) => ({ ...old, ...part }))
    const made = new Link(box.current, terminal, takeScreen(pipeId), fontSize.get().px, {
      pipe: (event) => {
        if (event.kind === 'state') change({ state: event })
        else if (event.kind === 'watching') change({ watching: event.count })
        else setView((old) => ({ ...old, skipped: old.skipped + event.bytes }))
      },
      size: (columns, rows) => change({ columns, rows }),
      selected: (selected) => change({ selected }),
      matches: (match, matches) => change({ match, matches }),
      key: (key) => handlers.current.key(key),
      paste: (text) => handlers.current.paste(text),
    })
    link.current = made
    const takeBack = present(pipeId, () => made.screen)
    return () => {
      takeBack()
      made.destroy()
      link.current = null
      setView(START)
    }
  }, [pipeId])

  useEffect(() => {
    void dark
    link.current?.setTheme()
  }, [dark])
  useEffect(() => link.current?.setFontSize(font), [font])

  return { link, view }
}
