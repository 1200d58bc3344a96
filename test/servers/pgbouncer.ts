/**
 * PgBouncer before a test's server, where the machine has it: a pooler, which hands out backend keys of its own and carries
 * cancel requests on to the server that works for the client.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, writeFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Listener } from '../net/listener.ts'
import { AS_SERVER, giveToServer, runAsServer } from './account.ts'
import { openHome } from './home.ts'
import type { TestServer } from './server.ts'

const START_MS_MAX = 10_000

/** Null if PgBouncer can be had, else why not: a test that needs it is then skipped, and says so. */
export async function findPgBouncerObstacle(): Promise<string | null> {
  try {
    await runAsServer('pgbouncer', ['--version'])
    return null
  } catch {
    return 'no pgbouncer in PATH; install the package of that name'
  }
}

export class PgBouncer implements AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly #process: ChildProcess
  readonly #room: string

  private constructor(port: number, process: ChildProcess, room: string) {
    this.port = port
    this.#process = process
    this.#room = room
  }

  /** Whoever is let in here is `user` there. By 'any' everybody is; by 'scram-sha-256' `user` is, with the password. */
  static async start(
    server: TestServer,
    user: { name: string; password: string },
    authType: 'any' | 'scram-sha-256' = 'any',
  ): Promise<PgBouncer> {
    const home = openHome()
    const room = home.room()
    giveToServer(room)
    const port = await Listener.closedPort()
    const configuration = join(room, 'pgbouncer.ini')
    const users = join(room, 'users.txt')
    writeFileSync(users, `"${user.name}" "${user.password}"\n`, { mode: 0o600 })
    giveToServer(users)
    const there = `host=${server.host} port=${server.port} user=${user.name} password='${user.password}'`
    writeFileSync(
      configuration,
      `[databases]
postgres = ${there}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = ${authType}
auth_file = ${users}
pool_mode = session
server_tls_sslmode = disable
`,
      { mode: 0o600 },
    )
    giveToServer(configuration)
    const log = openSync(join(room, 'log'), 'a')
    const child = spawn('pgbouncer', [configuration], { ...AS_SERVER, detached: true, stdio: ['ignore', log, log] })
    const { pid } = child
    if (pid !== undefined) {
      home.guard(pid)
      child.once('exit', () => home.release(pid))
    }
    const bouncer = new PgBouncer(port, child, room)
    try {
      await bouncer.#ready()
      return bouncer
    } catch (error) {
      await bouncer[Symbol.asyncDispose]()
      throw error
    }
  }

  async #ready(): Promise<void> {
    const began = performance.now()
    while (this.#process.exitCode === null && performance.now() - began < START_MS_MAX) {
      if (await answers(this.port)) return
      await sleep(10)
    }
    throw new Error(`PgBouncer did not start. Its log:\n${await readFile(join(this.#room, 'log'), 'utf8')}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit')
      // Immediate shutdown, whoever is still connected.
      this.#process.kill('SIGTERM')
      await exited
    }
    await rm(this.#room, { recursive: true, force: true })
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
