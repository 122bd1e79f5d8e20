import { useEffect, useState } from 'react'
import { app, backend, navigate } from '../state/app'
import { useStore } from '../state/store'
import { Icon } from './icons'
import css from './SearchBox.module.css'

export const SEARCH_ID = 'search'

function Hint({ fields }: { fields: string[] }) {
  const field = fields.find((one) => /command|image|host|namespace/i.test(one)) ?? fields[1] ?? 'label'
  const metric = fields.find((one) => /cpu/i.test(one)) ?? 'cpu'
  const example = (text: string, meaning: string) => (
    <div key={text}>
      <code>{text}</code>
      <span>{meaning}</span>
    </div>
  )
  return (
    <div className={css.hint} id="search-hint">
      <p>Typing dims what does not match. Enter turns the text into a filter.</p>
      {example('redis', 'anywhere')}
      {example(`${field.toLowerCase().replaceAll(' ', '')}:redis`, `in ${field}`)}
      {example('-redis', 'without')}
      {example(`${metric.toLowerCase()} > 50%`, 'compares a metric; k, m, g, t for sizes')}
    </div>
  )
}

export function SearchBox() {
  const query = useStore(app, (state) => state.address.query)
  const chips = useStore(app, (state) => state.address.chips)
  const matches = useStore(app, (state) => state.summary?.matches ?? -1)
  const error = useStore(app, (state) => state.summary?.queryError ?? '')
  const fields = useStore(app, (state) => state.summary?.fields)
  const [focused, setFocused] = useState(false)
  // The field keeps what is typed, also while an older text comes back from the address.
  const [text, setText] = useState(query)
  useEffect(() => setText(query), [query])

  const change = (next: string) => {
    setText(next)
    navigate({ query: next }, 'later')
  }
  const pin = () => {
    const chip = text.trim()
    if (chip === '' || error !== '') return
    navigate({ query: '', chips: chips.includes(chip) ? chips : [...chips, chip] })
    setText('')
  }
  const drop = (chip: string) => navigate({ chips: chips.filter((one) => one !== chip) })

  return (
    <div className={css.search} data-focused={focused || undefined}>
      <Icon name="search" size={15} />
      {chips.map((chip) => (
        <span key={chip} className={css.chip}>
          <span>{chip}</span>
          <button type="button" aria-label={`Remove filter ${chip}`} onClick={() => drop(chip)}>
            <Icon name="close" size={10} />
          </button>
        </span>
      ))}
      <input
        id={SEARCH_ID}
        type="text"
        role="searchbox"
        aria-label="Search"
        aria-describedby={focused ? 'search-hint' : undefined}
        aria-invalid={error !== '' || undefined}
        placeholder={chips.length > 0 ? '' : 'Search'}
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => change(event.target.value)}
        onFocus={() => {
          setFocused(true)
          backend.send({ type: 'warm' })
        }}
        onBlur={() => setFocused(false)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') pin()
          else if (event.key === 'Backspace' && text === '' && chips.length > 0) drop(chips[chips.length - 1])
          else if (event.key === 'Escape') {
            event.stopPropagation()
            if (text !== '') change('')
            else event.currentTarget.blur()
          }
        }}
      />
      {error !== '' ? (
        <span className={css.error} role="status">
          {error}
        </span>
      ) : matches >= 0 ? (
        <span className={css.matches} role="status">
          {matches === 1 ? '1 match' : `${matches} matches`}
        </span>
      ) : (
        !focused && <kbd>/</kbd>
      )}
      {focused && text === '' && <Hint fields={fields ?? []} />}
    </div>
  )
}
