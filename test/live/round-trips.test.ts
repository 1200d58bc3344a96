/**
 * Round trips, counted on the path and not timed: what a connect costs between an open connection and Ready, and the first row,
 * with the default settings and with everything that saves one. The TCP handshake is one more.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectWith } from '../../src/connect.ts'
import { type ConnectTarget, connect, type FirstQuery } from '../../src/index.ts'
import type { Known, KnownServers } from '../../src/known-servers.ts'
import { monotonicClock } from '../../src/net/deadline.ts'
import { dial } from '../../src/net/dial.ts'
import { deriveKeys } from '../../src/net/kdf.ts'
import { resolveHost } from '../../src/net/resolve.ts'
import { LatencyProxy } from '../../src/testing/index.ts'
import { pathOf, read } from '../certificates/index.ts'
import { PGBOUNCER } from '../servers/pgbouncer.ts'
import { type PgliteServer, startPglite } from '../servers/pglite.ts'
import { PGPOOL } from '../servers/pgpool.ts'
import { findPoolerObstacle, type Pooler, startPooler } from '../servers/pooler.ts'
import { handshakeFailureOf } from './expect-failure.ts'
import { TlsServer } from './tls-server.ts'

const ROLE = 'hasty'
const PASSWORD = 'no time to lose'
/** Whom poolers let in without a password. */
const TRUSTED = 'trusted'
const SETUP = [ROLE, TRUSTED].map((role) => `create role ${role} login password '${PASSWORD}'`)

interface Place {
  readonly host: string
  readonly port: number
}

interface Counted {
  /** Round trips until Ready, and until the rows of a query that was asked for as early as can be. */
  readonly ready: number
  readonly row: number
}

function at({ host, port }: Place) {
  return { host, port, user: ROLE, password: PASSWORD, dbname: 'postgres' }
}

/** Connect over a path that is slow enough for flights to be told apart, and count. */
async function count(place: Place, target: ConnectTarget, firstQuery?: FirstQuery): Promise<Counted> {
  await using proxy = await LatencyProxy.listen(place, { roundTripMs: 20, jitterMs: 4, seed: 42 })
  const options = { timeoutMs: 10_000, ...(firstQuery && { firstQuery }) }
  const session = await connect({ ...at(proxy), ...target }, options)
  const trips = () => proxy.connections[0]?.roundTrips ?? Number.NaN
  const ready = trips()
  const [result] = await (session.firstResult ?? session.query('select 42'))
  expect(result?.rows).toEqual([['42']])
  expect(session.attempts).toEqual([])
  const row = trips()
  // PGlite does not close the connection of who takes leave.
  await session.close({ timeoutMs: 1_000 })
  return { ready, row }
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
    const target = { ...at(proxy), ...VERIFIED, rememberServers: true }
    for (const roundTrips of [5, 4]) {
      await using session = await connect(target, { timeoutMs: 10_000 })
      expect(session.attempts).toEqual([])
      expect(proxy.connections.at(-1)?.roundTrips).toBe(roundTrips)
    }
  })
})

/** With a pooler TLS ends there: nothing can be bound to the server's certificate, and none of the two speaks direct TLS. */
const POOLED_ROWS: typeof ROWS = [
  ['plain', PLAIN, undefined, { ready: 3, row: 4 }],
  ['plain, SCRAM alone', { ...PLAIN, ...SCRAM }, undefined, { ready: 2, row: 3 }],
  ['plain, SCRAM alone, a first query', { ...PLAIN, ...SCRAM }, ANYBODY, { ready: 2, row: 2 }],
  ['TLS', VERIFIED, undefined, { ready: 5, row: 6 }],
  ['TLS, SCRAM alone, unbound, a first query', { ...VERIFIED, ...UNBOUND }, QUERY, { ready: 4, row: 4 }],
]

describe.each([PGBOUNCER, PGPOOL])('$name', (kind) => {
  let server: TlsServer | null = null
  let pooler: Pooler | null = null
  let unavailable: string | null = null

  beforeAll(async () => {
    unavailable = await findPoolerObstacle(kind)
    if (unavailable !== null) return
    server = await TlsServer.start({ setup: SETUP })
    pooler = await startPooler(kind, {
      server: server.server,
      passwords: { [ROLE]: PASSWORD, [TRUSTED]: PASSWORD },
      hba: [`host all ${TRUSTED} 127.0.0.1/32 trust`, `host all ${ROLE} 127.0.0.1/32 scram-sha-256`],
      certificate: { crt: read('server.crt'), key: read('server.key') },
    })
  })

  afterAll(async () => {
    await pooler?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  it('copes with SCRAM that begins unasked, and with a first query', async ({ skip }) => {
    if (pooler === null) return skip(unavailable ?? '')
    const counted: Record<string, Counted> = {}
    for (const [name, target, query] of POOLED_ROWS) counted[name] = await count(pooler, target, query)
    expect(counted).toEqual(Object.fromEntries(POOLED_ROWS.map(([name, , , expected]) => [name, expected])))
  })

  it('is remembered: in plaintext the second connect saves a round trip', async ({ skip }) => {
    if (pooler === null) return skip(unavailable ?? '')
    await using proxy = await LatencyProxy.listen(pooler, { roundTripMs: 10 })
    for (const roundTrips of [3, 2]) {
      await using session = await connect({ ...at(proxy), ...PLAIN, rememberServers: true }, { timeoutMs: 10_000 })
      expect(session.attempts).toEqual([])
      expect(proxy.connections.at(-1)?.roundTrips).toBe(roundTrips)
    }
  })

  it('is remembered wrongly: the second attempt does not guess', async ({ skip }) => {
    if (pooler === null) return skip(unavailable ?? '')
    let known: Known | null = 'SCRAM-SHA-256'
    const knownServers: KnownServers = { recall: () => known, remember: (_, learnt) => (known = learnt) }
    const runtime = { clock: monotonicClock, resolveHost, dial, deriveKeys, randomBytes, knownServers }
    const target = { ...at(pooler), ...PLAIN, user: TRUSTED, rememberServers: true }
    await using session = await connectWith(runtime, target, { timeoutMs: 10_000 })
    expect(session.attempts).toMatchObject([{ phase: 'AwaitingSaslOffer', failure: { kind: 'incompatible' } }])
    expect(session.authenticationMethod).toBe('none')
  })

  it('refuses protocol 3.2, and we say what that may be', async ({ skip }) => {
    if (pooler === null) return skip(unavailable ?? '')
    const refusal = await handshakeFailureOf(connect({ ...at(pooler), ...PLAIN, maxProtocolVersion: '3.2' }))
    expect(refusal.failure.kind).toBe('refused')
    expect(refusal.message).toContain('max_protocol_version=3.0')
    await using session = await connect({ ...at(pooler), ...PLAIN })
    expect(session.protocolVersion).toBe('3.0')
  })

  it('does not bind, and does not speak direct TLS: both are errors, in the state they are found in', async ({
    skip,
  }) => {
    if (pooler === null) return skip(unavailable ?? '')
    const unbound = await handshakeFailureOf(connect({ ...at(pooler), ...VERIFIED, ...BOUND }))
    expect(unbound).toMatchObject({ phase: 'AwaitingSaslOffer', failure: { kind: 'policy' } })
    const direct = await handshakeFailureOf(connect({ ...at(pooler), ...DIRECT }))
    expect(direct).toMatchObject({ phase: 'SecuringTransport', failure: { kind: 'lost' } })
  })
})

describe('PGlite', () => {
  let pglite: PgliteServer

  beforeAll(async () => {
    pglite = await startPglite()
    // It initializes itself in WebAssembly, which takes long on a busy machine.
  }, 200_000)

  afterAll(() => pglite?.stop())

  it('lets everybody in: one round trip, and a first query waits for it', async () => {
    const nobody = { user: pglite.user }
    expect(await count(pglite, { ...PLAIN, ...nobody })).toEqual({ ready: 1, row: 2 })
    expect(await count(pglite, { ...PLAIN, ...nobody }, ANYBODY)).toEqual({ ready: 1, row: 2 })
  })

  it('is refused by who requires SCRAM, whether or not it begins early', async () => {
    for (const [earlySasl, phase] of [
      [false, 'AwaitingAuthentication'],
      // The last one here: it does not get over a message that it has not asked for.
      [true, 'AwaitingSaslOffer'],
    ] as const) {
      const target = { ...at(pglite), ...PLAIN, ...SCRAM, user: pglite.user, earlySasl }
      const error = await handshakeFailureOf(connect(target, { timeoutMs: 10_000 }))
      expect(error).toMatchObject({ phase, failure: { kind: 'policy' } })
    }
  })
})
