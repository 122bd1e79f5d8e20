import { type ReactNode, useState } from 'react'
import { explainDevice, knowsPasskeys, makePasskey } from '../login/passkeys'
import type { PasskeyView } from '../shared/accounts'
import { ask } from '../state/accounts'
import { Confirm } from '../ui/Confirm'
import dialog from '../ui/Dialog.module.css'
import css from './Account.module.css'
import { browserName } from './browserName'
import { FormDialog, Problem, Section, When } from './parts'
import { useAsk, useDoing } from './useAsk'

/** One field for a name, and what to do with it. */
function NameDialog(props: {
  title: string
  text?: ReactNode
  action: string
  name: string
  onSubmit: (name: string) => Promise<unknown>
  onDone: () => void
  onClose: () => void
}) {
  const [name, setName] = useState(props.name)
  const [device, setDevice] = useState('')
  const doing = useDoing()
  const submit = async () => {
    setDevice('')
    const well = await doing.run(async () => {
      try {
        await props.onSubmit(name.trim())
      } catch (problem) {
        setDevice(explainDevice(problem))
        throw problem
      }
    })
    if (well) props.onDone()
  }
  return (
    <FormDialog
      title={props.title}
      text={props.text}
      action={props.action}
      doing={device === '' ? doing : { ...doing, error: device }}
      ready={name.trim() !== ''}
      onSubmit={() => void submit()}
      onClose={props.onClose}
    >
      <label className={css.line}>
        <span>Name</span>
        <input required maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />
      </label>
    </FormDialog>
  )
}

async function register(name: string): Promise<void> {
  const { optionsJson, binding } = await ask('startPasskey', {})
  await ask('finishPasskey', { credentialJson: await makePasskey(optionsJson), binding, name })
}

function Row(props: { passkey: PasskeyView; busy: boolean; onRename: () => void; onRemove: () => void }) {
  const { name, createdAt, lastUsedAt } = props.passkey
  return (
    <li>
      <span>
        <b>{name}</b>
        <small>
          registered <When at={createdAt} none="some time ago" />, last used{' '}
          <When at={lastUsedAt} none="never" />
        </small>
      </span>
      <button
        type="button"
        className={dialog.button}
        disabled={props.busy}
        aria-label={`Rename ${name}`}
        onClick={props.onRename}
      >
        Rename
      </button>
      <button
        type="button"
        className={dialog.button}
        disabled={props.busy}
        aria-label={`Remove ${name}`}
        onClick={props.onRemove}
      >
        Remove
      </button>
    </li>
  )
}

/** The keys on devices that one logs in with. */
export function Passkeys() {
  const passkeys = useAsk('passkeys')
  const doing = useDoing()
  const [adding, setAdding] = useState(false)
  const [renaming, setRenaming] = useState<PasskeyView | null>(null)
  const [removing, setRemoving] = useState<PasskeyView | null>(null)
  const { data, reload } = passkeys
  const remove = async (id: string) => {
    setRemoving(null)
    if (await doing.run(() => ask('removePasskey', { id }))) reload()
  }
  const close = () => {
    setAdding(false)
    setRenaming(null)
  }
  const done = () => {
    close()
    reload()
  }
  // A Weft without a name of its own has none, and needs no words about it.
  if (data && !data.possible && data.all.length === 0) return null
  return (
    <Section
      title="Passkeys"
      action={
        data?.possible &&
        knowsPasskeys() && (
          <button type="button" className={dialog.button} onClick={() => setAdding(true)}>
            Add a passkey
          </button>
        )
      }
    >
      <Problem text={passkeys.error} retry={reload} />
      <Problem text={doing.error} />
      {data?.all.length === 0 && <p>None yet. With one you sign in by fingerprint, face or PIN.</p>}
      <ul className={css.list}>
        {data?.all.map((passkey) => (
          <Row
            key={passkey.id}
            passkey={passkey}
            busy={doing.busy}
            onRename={() => setRenaming(passkey)}
            onRemove={() => setRemoving(passkey)}
          />
        ))}
      </ul>
      {adding && (
        <NameDialog
          title="Add a passkey"
          text="Your device asks for your fingerprint, face or PIN, and keeps the key."
          action="Go on"
          name={browserName(navigator.userAgent)}
          onSubmit={register}
          onDone={done}
          onClose={close}
        />
      )}
      {renaming && (
        <NameDialog
          title="Rename the passkey"
          action="Rename"
          name={renaming.name}
          onSubmit={(name) => ask('renamePasskey', { id: renaming.id, name })}
          onDone={done}
          onClose={close}
        />
      )}
      <Confirm
        open={removing !== null}
        title="Remove the passkey?"
        action="Remove"
        onConfirm={() => removing && void remove(removing.id)}
        onCancel={() => setRemoving(null)}
      >
        <b>{removing?.name}</b> no longer signs you in. Remove it from the device as well.
      </Confirm>
    </Section>
  )
}
