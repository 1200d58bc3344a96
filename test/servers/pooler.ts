/**
 * A pooler before a test's server, where the machine has one: what PgBouncer and Pgpool-II share. How each of them is
 * configured stands in a file of its own.
 *
 * It lives as a server does: in a room of its own, under the server's account, and no longer than this process.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Listener } from '../net/listener.ts'
import { AS_SERVER, giveToServer } from './account.ts'
import { endProcess, hasEnded } from './end-process.ts'
import { openHome } from './home.ts'

export interface PoolerOptions {
  readonly server: Place
  /** Of its users, in the clear: what it demands of them, and what it logs in with at the server. */
  readonly passwords: Readonly<Record<string, string>>
  /** As pg_hba.conf. Default: everybody by SCRAM. */
  readonly hba?: readonly string[]
  /** Without one there is no TLS. */
  readonly certificate?: { readonly crt: string; readonly key: string }
}

export interface Pooler extends AsyncDisposable, Place {
  /** For instance 'PgBouncer 1.18.0'. */
  readonly name: string
}

interface Place {
  readonly host: string
  readonly port: number
}

/** One sort of pooler. */
export interface PoolerKind {
  readonly name: string
  readonly program: string
  /** Writes its files, and returns the arguments with which it runs in the foreground. */
  configure(options: PoolerOptions & { readonly hba: readonly string[] }, room: Room): readonly string[]
  /** What it logs once it is up. */
  readonly up: RegExp
  /** Tells it to end at once, whoever is still connected. */
  readonly stopSignal: NodeJS.Signals
  /** The file in its room that is there until it has given back its shared memory, if it keeps some. */
  readonly pidFile?: string
}

/** Where a pooler lives and listens. */
interface Room extends Place {
  readonly directory: string
  /** A file that the server's account alone can read; returns its path. */
  write(name: string, text: string): string
}

const HOST = '127.0.0.1'
const START_MS_MAX = 30_000

/** Null if it can be had, else why not: a test that needs it is then skipped, and says so. */
export async function findPoolerObstacle(kind: PoolerKind): Promise<string | null> {
  const version = await findVersion(kind)
  return version === null ? `no ${kind.program} in PATH; install ${kind.name}` : null
}

export async function startPooler(kind: PoolerKind, options: PoolerOptions): Promise<Pooler> {
  const home = openHome()
  const directory = home.room()
  giveToServer(directory)
  const port = await Listener.closedPort()
  const write = (name: string, text: string) => {
    const file = join(directory, name)
    writeFileSync(file, text, { mode: 0o600 })
    giveToServer(file)
    return file
  }
  const hba = options.hba ?? ['host all all 127.0.0.1/32 scram-sha-256']
  const configured = kind.configure({ ...options, hba }, { directory, host: HOST, port, write })
  const log = openSync(join(directory, 'log'), 'a')
  const child = spawn(kind.program, configured, { ...AS_SERVER, detached: true, stdio: ['ignore', log, log] })
  closeSync(log)
  const { pid } = child
  if (pid !== undefined) {
    home.guard(pid, kind.pidFile && join(directory, kind.pidFile))
    child.once('exit', () => home.release(pid))
  }
  const stop = async () => {
    await endProcess(child, kind.stopSignal)
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await untilUp(child, () => readFile(join(directory, 'log'), 'utf8'), kind.up)
    return { name: `${kind.name} ${await findVersion(kind)}`, host: HOST, port, [Symbol.asyncDispose]: stop }
  } catch (error) {
    const said = await readFile(join(directory, 'log'), 'utf8')
    await stop()
    throw new Error(`${kind.name} did not start. Its log:\n${said}`, { cause: error })
  }
}

async function findVersion({ program }: PoolerKind): Promise<string | null> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, ['--version'], AS_SERVER)
    // Pgpool-II prints it to stderr.
    return /\d+(?:\.\d+)+/.exec(String(stdout) + String(stderr))?.[0] ?? null
  } catch {
    return null
  }
}

async function untilUp(child: ChildProcess, readLog: () => Promise<string>, up: RegExp): Promise<void> {
  let failure: Error | null = null
  child.once('error', (error) => {
    failure = error
  })
  const began = performance.now()
  while (performance.now() - began < START_MS_MAX) {
    if (failure !== null) throw failure
    if (hasEnded(child)) throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`)
    if (up.test(await readLog())) return
    await sleep(10)
  }
  throw new Error(`it was not up after ${START_MS_MAX} ms`)
}
