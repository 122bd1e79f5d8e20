// Node 20 does not read TypeScript, Vite does.
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const { module } = await runnerImport(fileURLToPath(new URL('./people.ts', import.meta.url)))
process.exit(await module.main())
