import { finishPasskey, LoginError, startPasskey } from './routes'

/** Passkeys, as far as the browser has to do with them. */

/** Old browsers do not speak JSON here, and pages without TLS get none at all. */
export function knowsPasskeys(): boolean {
  return (
    typeof PublicKeyCredential !== 'undefined' &&
    typeof PublicKeyCredential.parseRequestOptionsFromJSON === 'function'
  )
}

/** Logs somebody in; `again` whoever is logged in, and nobody else. */
export async function signInWithPasskey(again: boolean): Promise<void> {
  const options = await startPasskey(again)
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey)
  const credential = await navigator.credentials.get({ publicKey })
  await finishPasskey((credential as PublicKeyCredential).toJSON())
}

/** Makes a passkey; what the server is told about it. */
export async function makePasskey(optionsJson: string): Promise<string> {
  const options: { publicKey: PublicKeyCredentialCreationOptionsJSON } = JSON.parse(optionsJson)
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey)
  const credential = await navigator.credentials.create({ publicKey })
  return JSON.stringify((credential as PublicKeyCredential).toJSON())
}

/** What the browser or the device did not do; empty for other problems. */
export function explainDevice(error: unknown): string {
  if (!(error instanceof DOMException)) return ''
  switch (error.name) {
    case 'NotAllowedError':
    case 'AbortError':
      return 'The device did not confirm it: it was cancelled, took too long, or there is no passkey for this site.'
    case 'InvalidStateError':
      return 'This device has a passkey of yours already.'
    case 'SecurityError':
      return 'Passkeys do not work at this address: use the name that this Weft was given.'
    default:
      return `The device refuses: ${error.message || error.name}.`
  }
}

/** What went wrong with a login, as a sentence that says what to do. */
export function explainPasskey(error: unknown): string {
  const device = explainDevice(error)
  if (device !== '') return device
  if (!(error instanceof LoginError)) return 'Something went wrong in this page; load it anew.'
  switch (error.status) {
    case 0:
      return 'The server cannot be reached. Try again in a moment.'
    case 429:
      return 'Too many tries. Wait a few minutes.'
    case 503:
      return 'Accounts cannot be reached right now. Try again in a moment.'
    default:
      return error.message === ''
        ? `The server answers ${error.status}.`
        : `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`
  }
}
