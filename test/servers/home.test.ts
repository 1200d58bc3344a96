/** What a process leaves behind that had a server, here a `sleep`, and ended without stopping it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { expect, it, vi } from 'vitest'

const HOME = new URL('home.ts', import.meta.url).href
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

// The sleeper inherits the output, which is therefore closed once the process and the sleeper are both gone. Told to end, it takes
// its time, as a server does that has shared memory to give back, and says that it is through.
const SLEEPER = `
  trap 'sleep 0.5; echo "the sleeper is through"; rm "$1"; exit' QUIT
  echo >"$1"
  while :; do sleep 0.05; done
`
const PROGRAM = `
  const { openHome } = await import(${JSON.stringify(HOME)})
  const { existsSync } = await import('node:fs')
  const home = openHome()
  const pidFile = home.room() + '/sleeper.pid'
  const parameters = ['-c', ${JSON.stringify(SLEEPER)}, 'sleeper', pidFile]
  const sleeper = (await import('node:child_process')).spawn('sh', parameters, { detached: true, stdio: 'inherit' })
  home.guard(sleeper.pid, pidFile)
  while (!existsSync(pidFile)) await new Promise((resolve) => setTimeout(resolve, 10))
  process.stdin.on('data', () => process.exit(0))
  console.log(home.directory)
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

  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const closed = once(child, 'close')
  ENDS[how]?.(child)
  await closed
  expect(said).toBe('the sleeper is through\n')
  await vi.waitFor(() => expect(existsSync(directory)).toBe(false), { timeout: 5_000, interval: 10 })
})
