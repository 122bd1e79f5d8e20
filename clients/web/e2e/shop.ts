// A small made-up shop: processes with names and connections worth a picture.
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Who listens where, and whom they hold connections to. */
const SHOP: [name: string, port: number, calls: string[]][] = [
  ['gateway', 47001, ['storefront', 'checkout', 'accounts']],
  ['storefront', 47002, ['catalog', 'search', 'redis']],
  ['checkout', 47003, ['payments', 'orders', 'redis']],
  ['accounts', 47004, ['postgres', 'redis']],
  ['catalog', 47005, ['postgres']],
  ['search', 47006, ['catalog']],
  ['payments', 47007, ['orders']],
  ['orders', 47008, ['postgres', 'queue']],
  ['mailer', 47009, ['queue']],
  ['queue', 47010, []],
  ['redis', 47011, []],
  ['postgres', 47012, []],
]

const PROGRAM = `
const net = require('node:net')
const [port, ...calls] = process.argv.slice(2).map(Number)
const hold = (to) => {
  const socket = net.connect(to, '127.0.0.1')
  socket.on('error', () => setTimeout(hold, 200, to))
}
net.createServer((socket) => socket.on('error', () => {})).listen(port, '127.0.0.1')
calls.forEach(hold)
`

/** Opens the shop, its program in this folder; close it with what is returned. */
export function openShop(folder: string): () => void {
  const program = join(folder, 'serve.cjs')
  writeFileSync(program, PROGRAM)
  const ports = new Map(SHOP.map(([name, port]) => [name, port]))
  const children: ChildProcess[] = SHOP.map(([name, port, calls]) =>
    spawn(process.execPath, [program, String(port), ...calls.map((call) => String(ports.get(call)))], {
      argv0: name,
      stdio: 'ignore',
    }),
  )
  return () => {
    for (const child of children) child.kill()
  }
}
