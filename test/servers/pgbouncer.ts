/**
 * PgBouncer before a server, if it is installed on this machine: for what a pooler makes of a client's flights. It asks for
 * SCRAM with the server's own verifier, so that it can log in behind it with what it learns.
 */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AS_SERVER, giveToServer, runAsServer } from './account.ts'
import { openHome } from './home.ts'
import type { TestServer } from './server.ts'

const HOST = '127.0.0.1'
const START_MS_MAX = 10_000

export interface Pooler extends AsyncDisposable {
  readonly host: string
  readonly port: number
}

/** Null if it can be started here, otherwise why not. */
export async function pgBouncerUnavailable(): Promise<string | null> {
  if (process.platform === 'win32') return 'PgBouncer is not looked for on Windows'
  return runAsServer('pgbouncer', ['--version']).then(
    () => null,
    (error: unknown) => `PgBouncer is not installed (${String(error)})`,
  )
}

/** Before `server`, for this role. */
export async function startPgBouncer(server: TestServer, role: string): Promise<Pooler> {
  const home = openHome()
  const room = home.room()
  giveToServer(room)
  const [row] = await server.sql('select rolpassword from pg_catalog.pg_authid where rolname = $1', [role])
  const port = await findFreePort()
  const users = join(room, 'users.txt')
  const settings = join(room, 'pgbouncer.ini')
  writeFileSync(users, `"${role}" "${String(row?.['rolpassword'])}"\n`, { mode: 0o600 })
  writeFileSync(
    settings,
    [
      '[databases]',
      `* = host=${server.host} port=${server.port}`,
      '[pgbouncer]',
      `listen_addr = ${HOST}`,
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = scram-sha-256',
      `auth_file = ${users}`,
      '',
    ].join('\n'),
  )
  giveToServer(users)
  giveToServer(settings)
  const pooler = spawn('pgbouncer', ['--quiet', settings], { ...AS_SERVER, detached: true, stdio: 'ignore' })
  const { pid } = pooler
  const ended = new Promise<void>((resolve) => pooler.once('close', () => resolve()))
  pooler.once('error', () => {})
  if (pid !== undefined) {
    home.guard(pid)
    pooler.once('exit', () => home.release(pid))
  }
  const stop = async () => {
    pooler.kill('SIGQUIT')
    await ended
    await rm(room, { recursive: true, force: true })
  }
  try {
    await untilListening(port)
  } catch (error) {
    await stop()
    throw error
  }
  return { host: HOST, port, [Symbol.asyncDispose]: stop }
}

async function untilListening(port: number): Promise<void> {
  const began = performance.now()
  while (performance.now() - began < START_MS_MAX) {
    const isListening = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: HOST, port })
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isListening) return
    await sleep(20)
  }
  throw new Error(`PgBouncer did not listen after ${START_MS_MAX} ms`)
}

async function findFreePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject)
    probe.listen(0, HOST, resolve)
  })
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('the probe has no port')
  return address.port
}
