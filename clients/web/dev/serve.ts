import { createReadStream, existsSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { mockHandler, stripPrefix } from './handler'

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/** Serves the built UI and the mock on one port, as weft itself does. */
export function serve(dist: string, port: number): Promise<Server> {
  const handle = mockHandler()
  const server = createServer((request, response) => {
    if (handle(request, response)) return
    const path = stripPrefix((request.url ?? '/').split('?')[0])
    const file = join(dist, normalize(path === '/' || path === '/login' ? '/index.html' : path))
    if (!file.startsWith(dist) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' })
    createReadStream(file).pipe(response)
  })
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)))
}
