/** What a process leaves behind that had a server, here a `sleep`, and ended without stopping it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { expect, it, vi } from 'vitest'

const HOME = new URL('home.ts', import.meta.url).href
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

// The sleeper inherits the output, which is therefore closed once the process and the sleeper are both gone.
const PROGRAM = `
  const { openHome } = await import(${JSON.stringify(HOME)})
  const home = openHome()
  const sleeper = (await import('node:child_process')).spawn('sleep', ['60'], { detached: true, stdio: 'inherit' })
  home.guard(sleeper.pid)
  process.stdin.on('data', () => process.exit(0))
  console.log(home.room() && home.directory)
`

const ENDS: Record<string, (child: ChildProcess) => void> = {
  'exits by itself': (child) => child.stdin?.write('exit'),
  'is terminated': (child) => child.kill('SIGTERM'),
  'is killed with -9': (child) => child.kill('SIGKILL'),
}

it.skipIf(process.platform === 'win32').each(Object.keys(ENDS))('a process that %s leaves nothing', async (how) => {
  const child = spawn(process.execPath, ['--import', TSX, '--input-type=module', '-e', PROGRAM])
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const directory = line.toString().trim()
  expect(existsSync(directory)).toBe(true)

  const closed = once(child, 'close')
  ENDS[how]?.(child)
  await closed
  await vi.waitFor(() => expect(existsSync(directory)).toBe(false), { timeout: 5_000, interval: 10 })
})
