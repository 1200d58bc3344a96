/**
 * Round trips, counted on the path and not timed: what a connect costs between an open connection and Ready, and the first row,
 * with the default settings and with everything that saves one. The TCP handshake is one more.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectTarget, connect, type FirstQuery } from '../../src/index.ts'
import { LatencyProxy } from '../../src/testing/index.ts'
import { pathOf } from '../certificates/index.ts'
import { PGBOUNCER } from '../servers/pgbouncer.ts'
import { findPoolerObstacle, type Pooler, startPooler } from '../servers/pooler.ts'
import { TlsServer } from './tls-server.ts'

const ROLE = 'hasty'
const PASSWORD = 'no time to lose'
const SETUP = [`create role ${ROLE} login password '${PASSWORD}'`]

interface Counted {
  /** Round trips until Ready, and until the rows of a query that was asked for as early as can be. */
  readonly ready: number
  readonly row: number
}

/** Connect over a path that is slow enough for flights to be told apart, and count. */
async function count(
  place: { readonly host: string; readonly port: number },
  target: ConnectTarget,
  firstQuery?: FirstQuery,
): Promise<Counted> {
  await using proxy = await LatencyProxy.listen(place, { roundTripMs: 20, jitterMs: 4, seed: 42 })
  const { host, port } = proxy
  const parties = { host, port, user: ROLE, password: PASSWORD, dbname: 'postgres' }
  const options = { timeoutMs: 10_000, ...(firstQuery && { firstQuery }) }
  await using session = await connect({ ...parties, ...target }, options)
  const trips = () => proxy.connections[0]?.roundTrips ?? Number.NaN
  const ready = trips()
  const [result] = await (session.firstResult ?? session.query('select 42'))
  expect(result?.rows).toEqual([['42']])
  expect(session.attempts).toEqual([])
  return { ready, row: trips() }
}

const PLAIN: ConnectTarget = { sslmode: 'disable' }
const VERIFIED: ConnectTarget = { sslmode: 'verify-full', sslrootcert: pathOf('ca.crt') }
const DIRECT: ConnectTarget = { ...VERIFIED, sslnegotiation: 'direct' }
const SCRAM: ConnectTarget = { requireAuth: 'scram-sha-256' }
const UNBOUND: ConnectTarget = { ...SCRAM, channelBinding: 'disable' }
const BOUND: ConnectTarget = { ...SCRAM, channelBinding: 'require' }
const QUERY: FirstQuery = { text: 'select 42' }
const ANYBODY: FirstQuery = { ...QUERY, allowUnverified: true }

/** As libpq would do it; then what each choice of the user saves. */
const ROWS: readonly (readonly [name: string, ConnectTarget, FirstQuery | undefined, Counted])[] = [
  ['plain', PLAIN, undefined, { ready: 3, row: 4 }],
  ['plain, a first query that waits', PLAIN, QUERY, { ready: 3, row: 4 }],
  ['plain, SCRAM alone', { ...PLAIN, ...SCRAM }, undefined, { ready: 2, row: 3 }],
  ['plain, SCRAM alone, a first query', { ...PLAIN, ...SCRAM }, ANYBODY, { ready: 2, row: 2 }],
  ['plain, SCRAM alone but not early', { ...PLAIN, ...SCRAM, earlySasl: false }, undefined, { ready: 3, row: 4 }],
  ['TLS', VERIFIED, undefined, { ready: 5, row: 6 }],
  ['TLS, SCRAM alone, bound', { ...VERIFIED, ...BOUND }, QUERY, { ready: 4, row: 4 }],
]

const DIRECT_ROWS: typeof ROWS = [
  ['direct TLS', DIRECT, undefined, { ready: 4, row: 5 }],
  ['direct TLS, SCRAM alone, bound', { ...DIRECT, ...BOUND }, undefined, { ready: 3, row: 4 }],
  ['direct TLS, SCRAM alone, bound, a first query', { ...DIRECT, ...BOUND }, QUERY, { ready: 3, row: 3 }],
  ['direct TLS, SCRAM alone, unbound, a first query', { ...DIRECT, ...UNBOUND }, QUERY, { ready: 3, row: 3 }],
]

describe.each(['14', '15', '16', '17', '18'])('PostgreSQL %s', (version) => {
  let server: TlsServer | null = null
  let unavailable = ''

  beforeAll(async () => {
    server = await TlsServer.start({ version, setup: SETUP }).catch((error: unknown) => {
      unavailable = String(error)
      return null
    })
  })

  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
  })

  it('takes as many round trips as it must, and no more', async ({ skip }) => {
    if (server === null) return skip(unavailable)
    // sslnegotiation=direct: 17 and later.
    const rows = Number(version) >= 17 ? [...ROWS, ...DIRECT_ROWS] : ROWS
    const counted: Record<string, Counted> = {}
    for (const [name, target, query] of rows) counted[name] = await count(server.server, target, query)
    expect(counted).toEqual(Object.fromEntries(rows.map(([name, , , expected]) => [name, expected])))
  })

  it('is remembered: the second connect saves what the first one has learnt', async ({ skip }) => {
    if (server === null) return skip(unavailable)
    // Another port is another server: both connects take the same path.
    await using proxy = await LatencyProxy.listen(server.server, { roundTripMs: 10 })
    const { host, port } = proxy
    const target = {
      host,
      port,
      user: ROLE,
      password: PASSWORD,
      dbname: 'postgres',
      rememberServers: true,
      ...VERIFIED,
    }
    for (const roundTrips of [5, 4]) {
      await using session = await connect(target, { timeoutMs: 10_000 })
      expect(session.attempts).toEqual([])
      expect(proxy.connections.at(-1)?.roundTrips).toBe(roundTrips)
    }
  })
})

describe('PgBouncer', () => {
  let server: TlsServer | null = null
  let pooler: Pooler | null = null
  let unavailable: string | null = null

  beforeAll(async () => {
    unavailable = await findPoolerObstacle(PGBOUNCER)
    if (unavailable !== null) return
    server = await TlsServer.start({ setup: SETUP })
    pooler = await startPooler(PGBOUNCER, { server: server.server, passwords: { [ROLE]: PASSWORD } })
    // The first connection behind it costs what the next ones need not.
    await (
      await connect({
        host: pooler.host,
        port: pooler.port,
        user: ROLE,
        password: PASSWORD,
        dbname: 'postgres',
        ...PLAIN,
      })
    ).close()
  })

  afterAll(async () => {
    await pooler?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  it('copes with SCRAM that begins unasked, and with a first query', async ({ skip }) => {
    if (pooler === null) return skip(unavailable ?? '')
    expect(await count(pooler, PLAIN)).toEqual({ ready: 3, row: 4 })
    expect(await count(pooler, { ...PLAIN, ...SCRAM })).toEqual({ ready: 2, row: 3 })
    expect(await count(pooler, { ...PLAIN, ...SCRAM }, ANYBODY)).toEqual({ ready: 2, row: 2 })
  })
})
