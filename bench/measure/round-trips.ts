/** Connect to first row over a slow path: how many round trips, and how long? Counted on the path by the proxy. */
import { spawn } from 'node:child_process'
import { LatencyProxy } from '../../src/testing/latency-proxy.ts'
import type { ClientId, Target } from '../clients/target.ts'
import type { RoundTripsData } from '../results.ts'
import { Worker } from './worker.ts'
import { openServer, Stack, targetOf, type World } from './world.ts'

const ROUND_TRIP_MS = 50
const PLAIN: readonly ClientId[] = ['pg-deadline', 'pg-deadline, fast', 'pg', 'postgres.js']
const TLS: readonly ClientId[] = [...PLAIN, 'pg, direct', 'postgres.js, direct']

interface Contestant extends AsyncDisposable {
  readonly client: ClientId | 'libpq'
  readonly tls: boolean
  readonly connect: () => Promise<{ readonly tookMs: number; readonly roundTrips: number }>
}

export async function measureRoundTrips({ quick, tell }: World, psql: string | null): Promise<RoundTripsData> {
  const rounds = quick ? 3 : 40
  await using server = await openServer()
  await using all = new Stack()
  const contestants: Contestant[] = []
  for (const tls of [false, true]) {
    for (const client of tls ? TLS : PLAIN) contestants.push(all.use(await openClient(server, client, tls)))
    if (psql !== null) contestants.push(all.use(await openPsql(server, tls)))
  }
  const rows = contestants.map(({ client, tls }) => ({
    client,
    tls,
    tookMs: [] as number[],
    roundTrips: new Set<number>(),
  }))
  // The first of each compiles, and derives keys.
  for (let round = -2; round < rounds; round++) {
    tell(round + 2, rounds + 2, 'rounds')
    for (const [index, { connect }] of contestants.entries()) {
      const { tookMs, roundTrips } = await connect()
      if (round < 0) continue
      rows[index]?.tookMs.push(tookMs)
      rows[index]?.roundTrips.add(roundTrips)
    }
  }
  return {
    roundTripMs: ROUND_TRIP_MS,
    rounds,
    rows: rows.map((row) => ({ ...row, roundTrips: theOne(row.roundTrips) })),
  }
}

/** Whoever takes now more and now less is not counted right, or has lost a connection. */
function theOne(counts: ReadonlySet<number>): number {
  if (counts.size !== 1) throw new Error(`a client took ${[...counts].join(', ')} round trips in turn`)
  return Math.max(...counts)
}

async function openClient(
  server: { readonly host: string; readonly port: number },
  client: ClientId,
  tls: boolean,
): Promise<Contestant> {
  const proxy = await LatencyProxy.listen({ host: server.host, port: server.port }, { roundTripMs: ROUND_TRIP_MS })
  const worker = new Worker({ client, target: targetOf(proxy, tls) })
  return {
    client,
    tls,
    connect: async () => {
      const { tookMs } = await worker.ask({ do: 'open' })
      const roundTrips = proxy.connections.at(-1)?.roundTrips ?? Number.NaN
      await worker.ask({ do: 'close' })
      return { tookMs, roundTrips }
    },
    [Symbol.asyncDispose]: async () => {
      await worker[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
    },
  }
}

/** libpq by way of psql. The start of a process is in its times, which are therefore no figures of libpq's. */
async function openPsql(server: { readonly host: string; readonly port: number }, tls: boolean): Promise<Contestant> {
  const proxy = await LatencyProxy.listen({ host: server.host, port: server.port }, { roundTripMs: ROUND_TRIP_MS })
  const target = targetOf(proxy, tls)
  return {
    client: 'libpq',
    tls,
    connect: () => runPsql(target, () => proxy.connections.at(-1)?.roundTrips ?? Number.NaN),
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  }
}

function runPsql(
  { host, port, user, password, database, tls }: Target,
  count: () => number,
): Promise<{ readonly tookMs: number; readonly roundTrips: number }> {
  const parameters =
    tls === null ? 'sslmode=disable' : `sslmode=verify-full&sslrootcert=${encodeURIComponent(tls.caFile)}`
  // It would be tried first where there are Kerberos credentials.
  const url = `postgres://${user}@${host}:${port}/${database}?${parameters}&gssencmode=disable`
  const environment = { PATH: process.env['PATH'], HOME: '/nonexistent', LC_ALL: 'C', PGPASSWORD: password }
  const startedMs = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn('psql', ['-X', '-w', '-A', '-t', '-c', 'select 1', url], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: environment,
    })
    let row: { tookMs: number; roundTrips: number } | null = null
    child.stdout.once('data', () => {
      row = { tookMs: performance.now() - startedMs, roundTrips: count() }
    })
    child.once('error', reject)
    child.once('close', () => (row === null ? reject(new Error('psql could not connect')) : resolve(row)))
  })
}
