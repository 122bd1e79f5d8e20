// Node 20 does not read TypeScript, Vite does.
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const { module } = await runnerImport(fileURLToPath(new URL('./serve.ts', import.meta.url)))
const port = Number(process.env.PORT ?? 4173)
await module.serve(fileURLToPath(new URL('../dist', import.meta.url)), port)
console.log(`mock on http://127.0.0.1:${port}/ and under /few/ /medium/ /many/ /empty/`)
