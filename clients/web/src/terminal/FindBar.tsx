import { useEffect, useRef, useState } from 'react'
import { Icon } from '../ui/icons'
import css from './FindBar.module.css'
import type { Find } from './link'
import type { LinkView } from './useLink'

interface Props {
  view: LinkView
  find: (find: Find, step: 'next' | 'previous' | 'typed') => void
  onClose: () => void
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text)
    return true
  } catch {
    return false
  }
}

/** Search in what is above. Enter goes up, to older lines, as in a shell's history. */
export function FindBar({ view, find, onClose }: Props) {
  const [query, setQuery] = useState<Find>({ text: '', exact: false, regex: false })
  const input = useRef<HTMLInputElement>(null)
  const wrong = query.regex && !isPattern(query.text)
  useEffect(() => input.current?.focus(), [])

  const change = (part: Partial<Find>) => {
    const next = { ...query, ...part }
    setQuery(next)
    if (!next.regex || isPattern(next.text)) find(next, 'typed')
  }
  const step = (way: 'next' | 'previous') => !wrong && find(query, way)
  const result =
    query.text === ''
      ? ''
      : wrong
        ? 'not a pattern'
        : view.matches === 0
          ? 'nothing'
          : `${view.match} of ${view.matches}`

  return (
    <search className={css.find}>
      <input
        ref={input}
        type="text"
        aria-label="Search in the output"
        placeholder="Search in the output"
        spellCheck={false}
        autoComplete="off"
        value={query.text}
        onChange={(event) => change({ text: event.target.value })}
        onKeyDown={(event) => {
          if (event.key === 'Enter') step(event.shiftKey ? 'next' : 'previous')
          else if (event.key === 'Escape') onClose()
          else return
          event.preventDefault()
          event.stopPropagation()
        }}
      />
      <output className={css.result}>{result}</output>
      <button
        type="button"
        className={css.toggle}
        aria-pressed={query.exact}
        aria-label="Upper and lower case differ"
        title="Upper and lower case differ"
        onClick={() => change({ exact: !query.exact })}
      >
        Aa
      </button>
      <button
        type="button"
        className={css.toggle}
        aria-pressed={query.regex}
        aria-label="Regular expression"
        title="Regular expression"
        onClick={() => change({ regex: !query.regex })}
      >
        .*
      </button>
      <button
        type="button"
        aria-label="Older match"
        title="Older match (Enter)"
        onClick={() => step('previous')}
      >
        <Icon name="up" size={13} />
      </button>
      <button
        type="button"
        aria-label="Newer match"
        title="Newer match (Shift+Enter)"
        onClick={() => step('next')}
      >
        <Icon name="down" size={13} />
      </button>
      <button type="button" aria-label="End search" title="End search (Esc)" onClick={onClose}>
        <Icon name="close" size={12} />
      </button>
    </search>
  )
}
