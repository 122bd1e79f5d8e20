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

export default defineConfig({
  // The UI is served under any path prefix, so every address in the build is relative.
  base: './',
  plugins: [react(), ...(backend ? [] : [mockBackend()])],
  server: { proxy },
  preview: { proxy },
  worker: { format: 'es' },
  build: { target: 'es2023', chunkSizeWarningLimit: 700, modulePreload: { polyfill: false } },
  test: {
    include: ['src/**/*.test.{ts,tsx}', 'dev/**/*.test.ts'],
    environment: 'happy-dom',
  },
})
