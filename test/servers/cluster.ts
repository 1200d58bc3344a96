/**
 * Runs PostgreSQL from a directory of its programs: initdb, postgres, and the way down. It refuses to know where the programs
 * come from; `embedded.ts` and `local.ts` do.
 *
 * initdb takes most of a second, so it runs once a process and set of programs; every server gets a copy of its result.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { appendFile, cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Listener } from '../net/listener.ts'
import { AS_SERVER, giveToServer, runAsServer } from './account.ts'
import { checkFileName, INITDB_ARGUMENTS, SUPERUSER, writeHba, writeSettings } from './configuration.ts'
import { writeUrl } from './connection-url.ts'
import { endProcess, hasEnded } from './end-process.ts'
import { openHome } from './home.ts'
import type { ServerOptions, TestServer } from './server.ts'
import { openSuperuser } from './superuser.ts'

const HOST = '127.0.0.1'
const START_MS_MAX = 60_000
const PORT_TRIES = 5

export async function startCluster(
  provider: 'embedded' | 'local',
  programs: string,
  options: ServerOptions,
): Promise<TestServer> {
  const { signal } = options
  const template = await untilAborted(findTemplate(programs), signal)
  const room = openHome().room()
  try {
    await furnish(room, template, options)
    signal?.throwIfAborted()
    const { postgres, port } = await startPostgres(room, programs, signal)
    return describeServer(provider, room, postgres, port)
  } catch (error) {
    await rm(room, { recursive: true, force: true })
    throw error
  }
}

async function describeServer(
  provider: 'embedded' | 'local',
  room: string,
  postgres: ChildProcess,
  port: number,
): Promise<TestServer> {
  const socketDirectory = process.platform === 'win32' ? null : join(room, 'socket')
  const { name: user, password } = SUPERUSER
  const superuser = openSuperuser({ host: socketDirectory ?? HOST, port, user, password, ssl: false })
  let stopped: Promise<void> | null = null

  async function stop(): Promise<void> {
    await superuser.close()
    await endProcess(postgres, 'SIGQUIT')
    await rm(room, { recursive: true, force: true, maxRetries: 5 })
  }

  const server = {
    provider,
    version: '',
    host: HOST,
    port,
    socketDirectory,
    url: (parts) => writeUrl({ host: HOST, port, user, password, database: 'postgres' }, parts),
    sql: superuser.sql,
    log: () => readFile(join(room, 'log'), 'utf8'),
    stop() {
      stopped ??= stop()
      return stopped
    },
    [Symbol.asyncDispose]: () => server.stop(),
  } satisfies TestServer as TestServer

  try {
    return Object.assign(server, { version: await reportVersion(server) })
  } catch (error) {
    const tail = await tailOfLog(room)
    await server.stop()
    throw new Error(`PostgreSQL started, but the superuser could not log in. The end of its log:\n${tail}`, {
      cause: error,
    })
  }
}

/** '18.4' of '18.4 (Debian 18.4-1.pgdg120+1)'. */
export async function reportVersion(server: Pick<TestServer, 'sql'>): Promise<string> {
  const [row] = await server.sql('show server_version')
  const { server_version: version } = row ?? {}
  return String(version).split(' ')[0] ?? ''
}

const templates = new Map<string, Promise<string>>()

function findTemplate(programs: string): Promise<string> {
  let template = templates.get(programs)
  if (template === undefined) {
    template = createTemplate(programs)
    templates.set(programs, template)
    template.catch(() => templates.delete(programs))
  }
  return template
}

async function createTemplate(programs: string): Promise<string> {
  const home = openHome()
  const room = home.room()
  const passwordFile = join(room, 'password')
  writeFileSync(passwordFile, SUPERUSER.password, { mode: 0o600 })
  giveToServer(passwordFile)
  giveToServer(room)
  const template = join(room, 'data')
  let pid: number | null = null
  try {
    await runAsServer(
      join(programs, 'initdb'),
      [...INITDB_ARGUMENTS, `--pgdata=${template}`, `--pwfile=${passwordFile}`],
      (started) => {
        pid = started
        home.guard(pid)
      },
    )
  } finally {
    if (pid !== null) home.release(pid)
    await rm(passwordFile)
  }
  return template
}

/** The room of a server: data directory, socket directory and log. */
async function furnish(room: string, template: string, options: ServerOptions): Promise<void> {
  giveToServer(room)
  const data = join(room, 'data')
  // By the server's account, which then owns the copy; cp does it in half the time of fs.cp.
  if (process.platform === 'win32') await cp(template, data, { recursive: true })
  else await runAsServer('cp', ['-R', template, data])

  await appendFile(join(data, 'postgresql.conf'), writeSettings(HOST, options))
  await writeFile(join(data, 'pg_hba.conf'), writeHba(options))
  for (const [name, content] of Object.entries(options.files ?? {})) {
    const file = join(data, checkFileName(name))
    writeFileSync(file, content, { mode: 0o600 })
    giveToServer(file)
  }
  const socketDirectory = join(room, 'socket')
  mkdirSync(socketDirectory)
  chmodSync(socketDirectory, 0o755)
  giveToServer(socketDirectory)
}

async function startPostgres(
  room: string,
  programs: string,
  signal: AbortSignal | undefined,
): Promise<{ postgres: ChildProcess; port: number }> {
  for (let tries = 1; ; tries += 1) {
    const port = await Listener.closedPort()
    const postgres = spawnPostgres(room, programs, port)
    try {
      await untilReady(postgres, room, signal)
      return { postgres, port }
    } catch (error) {
      await endProcess(postgres, 'SIGQUIT')
      signal?.throwIfAborted()
      const tail = await tailOfLog(room)
      // Between our letting go of the port and PostgreSQL's taking it, somebody else may have.
      if (tail.includes('Address already in use') && tries < PORT_TRIES) {
        await writeFile(join(room, 'log'), '')
        continue
      }
      throw new Error(`PostgreSQL did not start (${String(error)}). The end of its log:\n${tail}`, { cause: error })
    }
  }
}

function spawnPostgres(room: string, programs: string, port: number): ChildProcess {
  const home = openHome()
  const data = join(room, 'data')
  const sockets = process.platform === 'win32' ? '' : join(room, 'socket')
  const log = openSync(join(room, 'log'), 'a')
  try {
    const postgres = spawn(join(programs, 'postgres'), ['-D', data, '-p', String(port), '-k', sockets], {
      ...AS_SERVER,
      detached: true,
      stdio: ['ignore', log, log],
    })
    postgres.unref()
    const { pid } = postgres
    if (pid !== undefined) {
      home.guard(pid, join(data, 'postmaster.pid'))
      postgres.once('exit', () => home.release(pid))
    }
    return postgres
  } finally {
    closeSync(log)
  }
}

/** The eighth line of postmaster.pid is the server's own word for its state; pg_ctl reads it too. */
async function untilReady(postgres: ChildProcess, room: string, signal: AbortSignal | undefined): Promise<void> {
  let failure: Error | null = null
  postgres.once('error', (error) => {
    failure = error
  })
  const began = performance.now()
  while (performance.now() - began < START_MS_MAX) {
    signal?.throwIfAborted()
    if (failure !== null) throw failure
    if (hasEnded(postgres)) throw new Error(`it ended with ${postgres.exitCode ?? postgres.signalCode}`)
    const lines = await readFile(join(room, 'data', 'postmaster.pid'), 'utf8').catch(() => '')
    if (lines.split('\n')[7]?.trim() === 'ready') return
    await sleep(5)
  }
  throw new Error(`it was not ready after ${START_MS_MAX} ms`)
}

async function tailOfLog(room: string): Promise<string> {
  const log = await readFile(join(room, 'log'), 'utf8').catch(() => '')
  return log.split('\n').slice(-20).join('\n')
}

/** Others may wait for the same promise: it goes on, only this caller leaves. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise<T>((resolve, reject) => {
    const leave = () => reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    if (signal.aborted) leave()
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}
