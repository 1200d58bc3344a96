/** One client at one place: sets the other end up, lets the client connect, and looks at what comes of it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { PASSWORD } from '../../src/testing/attack.ts'
import { HostileServer } from '../../src/testing/hostile-server.ts'
import { BlackHole } from '../../test/servers/black-hole.ts'
import type { Report, Task } from './child.ts'
import { type Client, psqlArguments, type Target } from './clients.ts'
import type { Host, Place } from './places.ts'
import { type SilentResolver, UNRESOLVABLE } from './silent-resolver.ts'
import { CAP_MS, EXIT_MS, type Observation } from './verdict.ts'

/** How long after the end of a connect its socket is looked for, and its process let go. */
const LOOK_MS = 400
const HOLD_MS = 500
const TEXT_LENGTH_MAX = 10_000

type Seen = Observation | { readonly skipped: string }

export async function observe(place: Place, client: Client, resolver: SilentResolver | null): Promise<Seen> {
  const reason = reasonToSkip(place, client, resolver)
  if (reason !== null) return { skipped: reason }
  const ends: End[] = []
  try {
    for (const host of place.hosts) ends.push(await open(host))
    return await observeAt(ends, place, client, resolver)
  } finally {
    for (const end of ends) await end[Symbol.asyncDispose]()
  }
}

function observeAt(
  ends: readonly End[],
  { hosts, tls = false, readWrite = false, iterationsMax = null, block = null }: Place,
  { id, deadlineMs }: Client,
  resolver: SilentResolver | null,
): Promise<Observation> {
  const target: Target = {
    hosts: ends.map(({ host, port }) => ({ host, port })),
    user: 'alice',
    password: PASSWORD,
    database: 'app',
    tls,
    readWrite,
    iterationsMax,
  }
  const isLookup = hosts.includes('unresolvable')
  const wrap = (command: readonly string[]) => (isLookup && resolver !== null ? resolver.wrap(command) : command)
  if (id === 'libpq') return observePsql(wrap(['psql', ...psqlArguments(target, deadlineMs)]))
  const task: Task = { client: id, target, deadlineMs, block, holdMs: HOLD_MS }
  const command = [process.execPath, '--import', 'tsx', join(import.meta.dirname, 'child.ts'), JSON.stringify(task)]
  return observeChild(wrap(command), () => (isLookup ? null : ends.every((end) => end.isDeserted())))
}

function reasonToSkip(
  { hosts, readWrite = false, block = null }: Place,
  client: Client,
  resolver: SilentResolver | null,
): string | null {
  if (hosts.length > 1 && !client.connectsToSeveralHosts) return 'n/a: knows one host'
  if (readWrite && !client.knowsTargetSessionAttrs) return 'n/a: no target_session_attrs'
  if (block && client.id === 'libpq') return 'n/a: no event loop'
  if (hosts.includes('unresolvable') && resolver === null) return 'not measured here: needs root'
  if (hosts.includes('black hole') && process.platform !== 'linux') return 'not measured here: needs Linux'
  return null
}

interface End extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Whether no client holds a socket here. */
  isDeserted(): boolean
}

async function open(host: Host): Promise<End> {
  if (host === 'unresolvable') {
    return { host: UNRESOLVABLE, port: 5432, isDeserted: () => true, [Symbol.asyncDispose]: async () => {} }
  }
  if (host === 'black hole') {
    const hole = await BlackHole.open()
    const dispose = () => hole[Symbol.asyncDispose]()
    return { host: hole.host, port: hole.port, isDeserted: () => hole.isDeserted, [Symbol.asyncDispose]: dispose }
  }
  const server = await HostileServer.listen(host)
  return {
    host: server.host,
    port: server.port,
    isDeserted: () => server.visits.every(({ isClosed }) => isClosed),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function observeChild(
  [program = '', ...rest]: readonly string[],
  look: () => boolean | null,
): Promise<Observation> {
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = exitOf(child)
  const errors = textOf(child.stderr)
  let end: Observation['end'] = null
  let calledMs = Number.NaN
  const settled = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const report: Report = JSON.parse(line)
      if (report.at === 'call') {
        calledMs = performance.now()
        void sleep(CAP_MS).then(resolve)
      } else {
        end = report
        resolve()
      }
    })
  })
  try {
    await Promise.race([settled, exited])
    if (end !== null) {
      await sleep(LOOK_MS)
      const isSocketGone = look()
      const exits = await Promise.race([exited.then(() => true), sleep(HOLD_MS - LOOK_MS + EXIT_MS).then(() => false)])
      return { end, isSocketGone, exits }
    }
    if (child.exitCode === null && child.signalCode === null) return { end, isSocketGone: false, exits: false }
    const text =
      errors()
        .trim()
        .split('\n')
        .find((line) => /error/i.test(line)) ?? `exit code ${child.exitCode}`
    return { end: { how: 'crashed', tookMs: performance.now() - calledMs, text }, isSocketGone: null, exits: true }
  } finally {
    child.kill('SIGKILL')
    await exited
  }
}

/** psql lives as long as its connect, and its socket with it: that both are gone says nothing. */
async function observePsql([program = '', ...rest]: readonly string[]): Promise<Observation> {
  const environment = { PATH: process.env['PATH'], HOME: '/nonexistent', LC_ALL: 'C' }
  const startedMs = performance.now()
  const child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'pipe'], env: environment })
  const exited = exitOf(child)
  const errors = textOf(child.stderr)
  try {
    const code = await Promise.race([exited, sleep(CAP_MS).then(() => null)])
    const tookMs = performance.now() - startedMs
    const unseen = { isSocketGone: null, exits: null }
    if (code === null) return { end: null, ...unseen }
    // Behind the notices, if there were any.
    const text = errors()
      .slice(Math.max(0, errors().indexOf('psql: error')))
      .trim()
    return { end: { how: code === 0 ? 'connected' : 'rejected', tookMs, text }, ...unseen }
  } finally {
    child.kill('SIGKILL')
    await exited
  }
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? -1))
  })
}

/** What a stream says; its end, if it says more than anybody reads. */
function textOf(stream: NodeJS.ReadableStream): () => string {
  let text = ''
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-TEXT_LENGTH_MAX)
  })
  return () => text
}
