/** One URI and one server, for us, pg, postgres.js and libpq (through psql): they must come to the same end. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import fc from 'fast-check'
import { connect, HandshakeError } from '../../src/index.ts'
import { pathOf } from '../certificates/index.ts'
import { DIFFERENCES, type Difference, type Ending, type Errand, PEERS, type Peer } from './differences.ts'
import { type FuzzServer, METHODS, PASSWORD, ROLES } from './fuzz-server.ts'
import { type FuzzOptions, fuzzInLanes } from './seed.ts'

/** The part of the peers that is used here; they bring no types of their own. */
interface PgClient {
  connect(): Promise<void>
  end(): Promise<void>
  on(event: 'error', listener: () => void): void
}
interface PostgresSql {
  unsafe(text: string): PromiseLike<unknown>
  end(options: { timeout: number }): Promise<void>
}

const require = createRequire(import.meta.url)
const { Client } = require('pg') as { Client: new (options: { connectionString: string }) => PgClient }
const postgres = require('postgres') as (url: string, options: Record<string, unknown>) => PostgresSql

const TIMEOUT_MS = 10_000

export interface Servers {
  readonly 'with TLS': FuzzServer
  readonly 'without TLS': FuzzServer
}

const arbitraryErrand: fc.Arbitrary<Errand> = fc.record({
  method: fc.constantFrom(...METHODS),
  password: fc.constantFrom('right', 'right', 'wrong', 'none'),
  database: fc.constantFrom('postgres', 'postgres', 'nowhere'),
  sslmode: fc.constantFrom('disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'),
  authority: fc.constantFrom('ours', 'another'),
  host: fc.constantFrom('localhost', '127.0.0.1'),
  server: fc.constantFrom('with TLS', 'without TLS'),
})

/** Null if libpq can be asked, else why not. */
export const PSQL_MISSING: string | null = findPsql() === null ? 'psql is not in PATH: libpq is not asked' : null

/** Compares `runs` errands; throws for the first difference that is not listed. Returns how often each ending of ours came. */
export async function fuzzDifferences(servers: Servers, options: FuzzOptions): Promise<Map<string, number>> {
  const endings = new Map<string, number>()
  // One at a time: the server's log tells what libpq does not.
  await fuzzInLanes(options, 1, arbitraryErrand, async (errand) => {
    const { ours, theirs } = await compare(servers[errand.server], errand)
    for (const [peer, ending] of theirs) {
      if (ending !== ours && findListed(peer, errand, ours, ending) === undefined) {
        throw new Error(`we: ${ours}; ${peer}: ${ending}; and no such difference is listed`)
      }
    }
    endings.set(ours, (endings.get(ours) ?? 0) + 1)
  })
  return endings
}

/** How all of them end. */
export async function compare(
  server: FuzzServer,
  errand: Errand,
): Promise<{ ours: Ending; theirs: ReadonlyMap<Peer, Ending> }> {
  const url = urlOf(server, errand)
  const theirs = new Map<Peer, Ending>()
  for (const peer of PEERS) {
    if (peer === 'libpq' && PSQL_MISSING !== null) continue
    theirs.set(peer, await ask(peer, server, url))
  }
  return { ours: await askOurs(url), theirs }
}

/** The reviewed difference that this one is. */
export function findListed(peer: Peer, errand: Errand, ours: Ending, theirs: Ending): Difference | undefined {
  return DIFFERENCES.find(
    (one) => one.peer === peer && one.when(errand) && matches(one.ours, ours) && matches(one.theirs, theirs),
  )
}

function matches(patterns: readonly (Ending | RegExp)[], ending: Ending): boolean {
  return patterns.some((one) => (typeof one === 'string' ? one === ending : one.test(ending)))
}

function urlOf({ server }: FuzzServer, errand: Errand): string {
  const secret = { right: `:${encodeURIComponent(PASSWORD)}`, wrong: ':wrong', none: '' }[errand.password]
  const database = errand.database === 'postgres' ? 'postgres' : 'nowhere'
  const authority = pathOf(errand.authority === 'ours' ? 'ca.crt' : 'other-ca.crt')
  const files = errand.sslmode === 'disable' ? '' : `&sslrootcert=${encodeURIComponent(authority)}`
  return `postgres://${ROLES[errand.method]}${secret}@${errand.host}:${server.port}/${database}?sslmode=${errand.sslmode}${files}`
}

async function askOurs(url: string): Promise<Ending> {
  try {
    const session = await connect(url, { timeoutMs: TIMEOUT_MS })
    await session.close()
    return 'connected'
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    const { failure, phase } = error
    if (failure.kind === 'refused') return `refused ${failure.sqlstate}`
    if (failure.kind === 'unproven' || phase === 'SecuringTransport') return 'tls'
    if (failure.kind === 'policy') return phase === 'AwaitingTlsReply' ? 'tls' : 'policy'
    if (failure.kind === 'config') return 'config'
    if (failure.kind === 'lost') return 'lost'
    throw error
  }
}

async function ask(peer: Peer, server: FuzzServer, url: string): Promise<Ending> {
  switch (peer) {
    case 'pg':
      return askPg(url)
    case 'postgres.js':
      return askPostgres(url)
    case 'libpq':
      return askLibpq(server, url)
  }
}

async function askPg(url: string): Promise<Ending> {
  let client: PgClient | null = null
  try {
    client = new Client({ connectionString: url })
    client.on('error', () => {})
    await client.connect()
    return 'connected'
  } catch (error) {
    return endingOfPeer(error)
  } finally {
    await client?.end().catch(() => {})
  }
}

async function askPostgres(url: string): Promise<Ending> {
  const sql = postgres(url, { max: 1, connect_timeout: TIMEOUT_MS / 1_000, onnotice: () => {}, fetch_types: false })
  try {
    await sql.unsafe('select 1')
    return 'connected'
  } catch (error) {
    return endingOfPeer(error)
  } finally {
    await sql.end({ timeout: 1 }).catch(() => {})
  }
}

/** Of an error of pg or of postgres.js, by its code and its words. */
function endingOfPeer(error: unknown): Ending {
  const { code = '', message = '', severity, severity_local } = error as Record<string, string | undefined>
  if (severity !== undefined || severity_local !== undefined) return `refused ${code}`
  const text = `${code} ${message}`
  if (/certificate|CERT|SSL|TLS|altnames|self.signed/i.test(text)) return 'tls'
  if (/password|SASL/i.test(text)) return 'config'
  if (/ECONN|terminated|CONNECTION_/.test(text)) return 'lost'
  throw error
}

/** libpq keeps the SQLSTATE to itself; the server writes it down. */
async function askLibpq({ server }: FuzzServer, url: string): Promise<Ending> {
  const heard = (await server.log()).length
  const complaint = await new Promise<string | null>((resolve) => {
    const environment = { PATH: process.env['PATH'], HOME: '/nonexistent', PGCONNECT_TIMEOUT: '10', LC_ALL: 'C' }
    execFile(
      'psql',
      ['--no-password', '--no-psqlrc', '-c', 'select 1', url],
      { env: environment },
      (error, _, stderr) => resolve(error === null ? null : stderr),
    )
  })
  if (complaint === null) return 'connected'
  // sslmode prefer and allow may make two attempts: the last one counts, with us as well.
  const last =
    complaint
      .trim()
      .split(/\n(?=connection to server|psql: )/)
      .at(-1) ?? ''
  if (/FATAL:/.test(last)) {
    const states = [...(await server.log()).slice(heard).matchAll(/^\d+ (\w{5}) FATAL:/gm)].map(([, state]) => state)
    return `refused ${states.at(-1)}`
  }
  if (/no password supplied/.test(last)) return 'config'
  if (/SSL|certificate/.test(last)) return 'tls'
  throw new Error(complaint)
}

function findPsql(): string | null {
  const places = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, 'psql'))
  return places.find((place) => existsSync(place)) ?? null
}
