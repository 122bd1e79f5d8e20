import { type Ref, useState } from 'react'
import { fontSize, MAX_FONT, MIN_FONT, stepFontSize } from '../state/fontSize'
import { useStore } from '../state/store'
import type { Terminal } from '../state/terminals'
import { Icon, type IconName } from '../ui/icons'
import { Tip } from '../ui/Tip'
import css from './Pane.module.css'
import type { LinkView } from './useLink'

interface Props {
  terminal: Terminal
  view: LinkView
  closeRef: Ref<HTMLButtonElement>
  onFind: () => void
  onCopy: () => void
  onPaste: () => void
  onAnnounce: (on: boolean) => void
  onShare: () => void
  onPopOut: () => void
  /** Absent in the page. */
  onBack?: () => void
  onClose: () => void
}

function Tool(props: {
  icon?: IconName
  text?: string
  label: string
  keys?: string
  disabled?: boolean
  pressed?: boolean
  onClick: () => void
  ref?: Ref<HTMLButtonElement>
}) {
  return (
    <Tip text={props.keys ? `${props.label} (${props.keys})` : props.label} side="top">
      <button
        ref={props.ref}
        type="button"
        aria-label={props.label}
        aria-pressed={props.pressed}
        disabled={props.disabled}
        onClick={props.onClick}
      >
        {props.icon ? <Icon name={props.icon} size={14} /> : props.text}
      </button>
    </Tip>
  )
}

function FontTools() {
  const font = useStore(fontSize, (value) => value.px)
  return (
    <>
      <Tool text="A−" label="Smaller text" disabled={font <= MIN_FONT} onClick={() => stepFontSize(-1)} />
      <Tool text="A+" label="Larger text" disabled={font >= MAX_FONT} onClick={() => stepFontSize(1)} />
    </>
  )
}

export function Tools({ terminal, view, closeRef, ...on }: Props) {
  const [announced, setAnnounced] = useState(false)
  const { state } = view.state
  const over = state === 'ended' || state === 'broken'
  const types = terminal.raw && !terminal.watch
  return (
    <div className={css.tools} role="toolbar" aria-label="Terminal">
      <span className={css.size}>{view.columns > 0 && `${view.columns} × ${view.rows}`}</span>
      <Tool icon="search" label="Search" keys="Ctrl+Shift+F" onClick={on.onFind} />
      <Tool icon="copy" label="Copy" keys="Ctrl+Shift+C" disabled={!view.selected} onClick={on.onCopy} />
      {types && <Tool icon="paste" label="Paste" keys="Ctrl+Shift+V" disabled={over} onClick={on.onPaste} />}
      <FontTools />
      <Tool
        icon="speech"
        label="Screen reader reads output"
        pressed={announced}
        onClick={() => {
          setAnnounced(!announced)
          on.onAnnounce(!announced)
        }}
      />
      {!terminal.watch && (
        <>
          <Tool icon="eye" label="Let others watch" disabled={over} onClick={on.onShare} />
          {on.onBack ? (
            <Tool icon="dock" label="Back into the page" onClick={on.onBack} />
          ) : (
            <Tool icon="window" label="Own window" onClick={on.onPopOut} />
          )}
          <Tool icon="close" label="Close terminal" onClick={on.onClose} ref={closeRef} />
        </>
      )}
    </div>
  )
}
