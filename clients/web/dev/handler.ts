import type { IncomingMessage, ServerResponse } from 'node:http'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { Mock } from './mock-server'
import { SIZES } from './world'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/**
 * Answers RPCs under `/`, `/few/`, `/medium/`, `/many/` and `/empty/`, each an installation of its own; the prefixes
 * also prove that the UI works under any path. Returns false for other requests.
 */
export function mockHandler(): (request: IncomingMessage, response: ServerResponse) => boolean {
  const handlers = new Map<string, Handler>()
  return (request, response) => {
    const found = /^(?:\/([a-z]+))?\/weft\.[a-z.0-9]+\.[A-Za-z]+\/[A-Za-z]+/.exec(request.url ?? '')
    if (!found) return false
    const name = found[1] ?? 'medium'
    if (!(name in SIZES)) return false
    let handler = handlers.get(name)
    if (!handler) {
      handler = connectNodeAdapter({
        routes: new Mock(name).routes,
        requestPathPrefix: found[1] ? `/${found[1]}` : '',
        // The adapter treats a client that goes away as an error; the mock does not care.
        connect: false,
        grpc: false,
      })
      handlers.set(name, handler)
    }
    handler(request, response)
    return true
  }
}

/** The page of an installation is the same page: takes the prefix away. */
export function stripPrefix(url: string): string {
  const found = /^\/([a-z]+)(\/.*)$/.exec(url)
  return found && found[1] in SIZES ? found[2] : url
}
