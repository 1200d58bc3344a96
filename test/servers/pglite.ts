/**
 * PGlite behind its socket: PostgreSQL compiled to WebAssembly, in one process of Node, served by `pglite-server` of
 * @electric-sql/pglite-socket. In a process of its own, which can be ended whatever has become of it; nothing of it blocks ours.
 *
 * What it is like: one backend for all connections, trust for whoever comes, no TLS. What it does not answer, and what it does
 * not get over, is written in test/live/pglite.test.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { openHome } from './home.ts'

const require = createRequire(import.meta.url)

/** It compiles and runs initdb in WebAssembly: seconds, and many where others want the processors too. */
const START_MS_MAX = 180_000
/** Its line for us, once it listens. */
const LISTENING = /^PGLiteSocketServer listening on (\{.*\})$/m

export interface PgliteServer extends AsyncDisposable {
  /** For instance 'PGlite 0.4.6 (pglite-socket 0.1.6)'. */
  readonly name: string
  readonly host: string
  readonly port: number
  /** The one role that it has, and the one database. */
  readonly user: 'postgres'
  readonly database: 'postgres'
  /** Idempotent. */
  stop(): Promise<void>
}

export interface PgliteOptions {
  /** Default: 10. Its own default is 1. Whoever is one too many is told so in plain text, which is no message. */
  readonly maxConnections?: number
}

export async function startPglite({ maxConnections = 10 }: PgliteOptions = {}): Promise<PgliteServer> {
  const home = openHome()
  const socketPackage = findPackage(require.resolve('@electric-sql/pglite-socket'))
  const program = join(socketPackage.directory, 'dist', 'scripts', 'server.js')
  const parameters = [program, '--port=0', '--host=127.0.0.1', `--max-connections=${maxConnections}`]
  const child = spawn(process.execPath, parameters, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const { pid } = child
  if (pid !== undefined) {
    home.guard(pid)
    child.once('exit', () => home.release(pid))
  }
  try {
    const { host, port } = await listening(child)
    const stop = () => end(child)
    return {
      name: `PGlite ${findPackage(require.resolve('@electric-sql/pglite')).version} (pglite-socket ${socketPackage.version})`,
      host,
      port,
      user: 'postgres',
      database: 'postgres',
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await end(child)
    throw error
  }
}

function listening(child: ChildProcess): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    let output = ''
    const late = setTimeout(() => fail('is not up in time'), START_MS_MAX)
    const fail = (what: string) => {
      clearTimeout(late)
      reject(new Error(`PGlite ${what}. What it said:\n${output}`))
    }
    const look = (chunk: Buffer) => {
      output += chunk.toString()
      const address = LISTENING.exec(output)?.[1]
      if (address === undefined) return
      clearTimeout(late)
      // It goes on talking: whoever does not read would stop it in the end.
      for (const stream of [child.stdout, child.stderr]) stream?.off('data', look).resume()
      resolve(JSON.parse(address) as { host: string; port: number })
    }
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', look)
    child.once('error', (error) => fail(`cannot be started (${error.message})`))
    child.once('exit', () => fail('has ended'))
  })
}

/** Not asked, but ended: it waits for its clients otherwise (electric-sql/pglite#678), and has nothing to write. */
async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** By its entry, which stands in dist/. */
function findPackage(entry: string): { readonly directory: string; readonly version: string } {
  const directory = dirname(dirname(entry))
  const { version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { version: string }
  return { directory, version }
}
