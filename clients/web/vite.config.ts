import { gzipSync } from 'node:zlib'
import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

// With WEFT_BACKEND the dev server proxies to a running weft; without it the mock answers in the same process.
const backend = process.env.WEFT_BACKEND
// weft refuses pages of other origins.
const target = { target: backend, changeOrigin: true, headers: { origin: backend ?? '' } }
const proxy = backend ? { '^/weft\\.': target, '/api': target } : undefined

function mockBackend(): Plugin {
  return {
    name: 'weft-mock',
    apply: 'serve',
    async configureServer(server) {
      if (process.env.VITEST) return
      const { mockHandler, stripPrefix } = await server.ssrLoadModule('/dev/handler.ts')
      const handle = mockHandler()
      server.middlewares.use((request, response, next) => {
        if (handle(request, response)) return
        request.url = stripPrefix(request.url ?? '/')
        next()
      })
    },
  }
}

/** What the page must fetch before its first picture, compressed: scripts, the worker, and styles. */
const START_BYTES = 200_000

function startBudget(): Plugin {
  return {
    name: 'weft-start-budget',
    apply: 'build',
    generateBundle: {
      // After the worker is there.
      order: 'post',
      handler(_, bundle) {
        const start = new Set<string>()
        const add = (name: string) => {
          const file = bundle[name]
          if (!file || start.has(name)) return
          start.add(name)
          if (file.type === 'chunk') for (const other of file.imports) add(other)
        }
        for (const file of Object.values(bundle)) {
          const entry =
            file.type === 'chunk' ? file.isEntry : /\/(worker|index)-[^/]*\.(js|css)$/.test(file.fileName)
          if (entry) add(file.fileName)
        }
        let bytes = 0
        for (const name of start) {
          const file = bundle[name]
          bytes += gzipSync(file.type === 'chunk' ? file.code : file.source, { level: 9 }).length
        }
        const said = `the start takes ${bytes} bytes, compressed: ${[...start].join(', ')}`
        if (start.size < 3 || bytes > START_BYTES) this.error(`${said}; at most ${START_BYTES}`)
        console.log(said)
      },
    },
  }
}

export default defineConfig({
  // The UI is served under any path prefix, so every address in the build is relative.
  base: './',
  plugins: [react(), startBudget(), ...(backend ? [] : [mockBackend()])],
  server: { proxy },
  preview: { proxy },
  worker: { format: 'es' },
  build: { target: 'es2023', chunkSizeWarningLimit: 700, modulePreload: { polyfill: false } },
  test: {
    include: ['src/**/*.test.{ts,tsx}', 'dev/**/*.test.ts'],
    environment: 'happy-dom',
  },
})
