/**
 * Cancel requests, held against real servers: the query that runs ends, the session goes on, and the request takes the way that
 * the session took, to the same server and in the same TLS.
 */
import { randomBytes } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectWith } from '../../src/connect.ts'
import { type ConnectTarget, connect, type Session } from '../../src/index.ts'
import { createKnownServers } from '../../src/known-servers.ts'
import { monotonicClock } from '../../src/net/deadline.ts'
import { dial } from '../../src/net/dial.ts'
import { deriveKeys } from '../../src/net/kdf.ts'
import { pathOf } from '../certificates/index.ts'
import { Listener } from '../net/listener.ts'
import { expectNoMoreThan, openResources } from '../net/resources.ts'
import { BlackHole } from '../servers/black-hole.ts'
import { PGBOUNCER } from '../servers/pgbouncer.ts'
import { PGPOOL } from '../servers/pgpool.ts'
import { findPoolerObstacle, startPooler } from '../servers/pooler.ts'
import { Relay } from '../servers/relay.ts'
import { findObstacle, type Replication, startReplication } from '../servers/replication.ts'
import { startServer, type TestServer } from '../servers/server.ts'
import { handshakeFailureOf, sessionFailureOf } from './expect-failure.ts'
import { TlsServer } from './tls-server.ts'

const SETUP = ["create role app login password 'app'"]
const LOGIN = { user: 'app', password: 'app', dbname: 'postgres' } as const
const IN_TLS = { sslmode: 'verify-full', sslrootcert: pathOf('ca.crt') } as const

/** How long the server would sleep, and in how much less it has to be awake. */
const ASLEEP = 'select pg_sleep(60)'
const AWAKE_MS_MAX = 2_000

let live: TlsServer
let server: TestServer

beforeAll(async () => {
  live = await TlsServer.start({ setup: SETUP })
  server = live.server
})

afterAll(() => live?.[Symbol.asyncDispose]())

interface Place {
  readonly host: string
  readonly port: number
}

function plain({ host, port }: Place, changes: ConnectTarget = {}): ConnectTarget {
  return { ...LOGIN, host, port, sslmode: 'disable', ...changes }
}

/** How many sleep there, as somebody else sees it. */
async function countAsleep(at: TestServer): Promise<number> {
  const [row] = await at.sql("select count(*)::int as n from pg_stat_activity where state = 'active' and query = $1", [
    ASLEEP,
  ])
  return Number(row?.['n'])
}

async function expectAnswer(session: Session): Promise<void> {
  const [result] = await session.query('select 40 + 2 as answer', { timeoutMs: 5_000 })
  expect(result?.objects()).toEqual([{ answer: '42' }])
}

/** The query that sleeps there ends soon, with 57014, and the session goes on. */
async function expectCancelled(session: Session, at: TestServer): Promise<void> {
  const sleeping = sessionFailureOf(session.query(ASLEEP))
  await expect.poll(() => countAsleep(at), { timeout: 5_000, interval: 5 }).toBe(1)
  const beganMs = performance.now()
  await session.cancel()
  const { sqlstate, failure } = await sleeping
  expect(performance.now() - beganMs).toBeLessThan(AWAKE_MS_MAX)
  expect({ sqlstate, kind: failure.kind }).toEqual({ sqlstate: '57014', kind: 'refused' })
  expect(await countAsleep(at)).toBe(0)
  await expectAnswer(session)
}

/** Int32(16) or more, Int32(80877102), Int32(process id), the key: #PROTOCOL-MESSAGE-FORMATS-CANCELREQUEST. */
function cancelRequestOf({ backendKeyData }: Session): string {
  const { processId, secretKey } = backendKeyData ?? { processId: 0, secretKey: Buffer.alloc(0) }
  const int32 = (value: number) => value.toString(16).padStart(8, '0')
  return `${int32(12 + secretKey.length)}04d2162e${int32(processId)}${Buffer.from(secretKey).toString('hex')}`
}

describe('a query that sleeps', () => {
  it.each([
    ['3.0', 4],
    ['3.2', 32],
  ] as const)('ends over TCP, by the whole key of protocol %s', async (version, keyBytes) => {
    await using relay = await Relay.listen(server)
    await using session = await connect(plain(relay, { maxProtocolVersion: version }))
    expect(session.backendKeyData?.secretKey).toHaveLength(keyBytes)
    await expectCancelled(session, server)
    expect(relay.sent).toHaveLength(2)
    expect(relay.sent[1]?.toString('hex')).toBe(cancelRequestOf(session))
  })

  it('ends over the Unix-domain socket', async ({ skip }) => {
    const { socketDirectory, port } = server
    if (socketDirectory === null) return skip('this server has no socket that we can reach')
    await using session = await connect({ ...LOGIN, host: socketDirectory, port })
    await expectCancelled(session, server)
  })

  it.each([
    // Int32(8), Int32(80877103): SSLRequest; then the first record of TLS, a handshake (22).
    ['postgres', /^0000000804d2162f16/, 'SSLRequest accepted'],
    ['direct', /^16/, 'direct SSL connection accepted'],
  ] as const)(
    'ends over TLS, and the key leaves in TLS (sslnegotiation=%s)',
    async (sslnegotiation, begins, accepted) => {
      await using relay = await Relay.listen(server)
      await live.stories()
      await live.heed()
      let secret: string
      {
        await using session = await connect(plain(relay, { ...IN_TLS, sslnegotiation }))
        await expectCancelled(session, server)
        secret = cancelRequestOf(session)
      }
      expect(relay.sent).toHaveLength(2)
      const sent = relay.sent[1]?.toString('hex')
      expect(sent).toMatch(begins)
      expect(sent).not.toContain(secret.slice(8, 16))
      // By the server's own account: of who asks to cancel it says no more than that TLS was accepted.
      const stories = await live.stories()
      expect(stories).toHaveLength(2)
      expect(stories.filter((story) => story.length === 1)).toEqual([[expect.stringContaining(accepted)]])
    },
  )

  it('ends, and the one behind it in the line is answered', async () => {
    await using session = await connect(plain(server))
    const sleeping = sessionFailureOf(session.query(ASLEEP))
    const behind = session.query('select 1 as one')
    await expect.poll(() => countAsleep(server), { interval: 5 }).toBe(1)
    await session.cancel()
    expect((await sleeping).sqlstate).toBe('57014')
    expect((await behind)[0]?.objects()).toEqual([{ one: '1' }])
  })

  it('of another session sleeps on', async () => {
    await using one = await connect(plain(server))
    await using other = await connect(plain(server))
    const asleep = sessionFailureOf(other.query(ASLEEP))
    await expect.poll(() => countAsleep(server), { interval: 5 }).toBe(1)
    await one.cancel()
    await expectAnswer(one)
    expect(await countAsleep(server)).toBe(1)
    await other.cancel()
    expect((await asleep).sqlstate).toBe('57014')
  })
})

describe('PostgreSQL 15', () => {
  let older: TlsServer | null = null
  let unavailable: string | null = null

  beforeAll(async () => {
    // Another major than the one that npm installed: from a cache, or from npm.
    older = await TlsServer.start({ version: '15', setup: SETUP }).catch((error: unknown) => {
      unavailable = String(error)
      return null
    })
  })

  afterAll(() => older?.[Symbol.asyncDispose]())

  beforeEach(({ skip }) => {
    if (unavailable !== null) skip(unavailable)
  })

  it.each([
    ['plaintext', {}, '3.0'],
    // It knows 3.0 only, and its key is that of 3.0, though 3.2 was asked for.
    ['plaintext, asked for 3.2', { maxProtocolVersion: '3.2' }, '3.0'],
    ['TLS', IN_TLS, '3.0'],
  ] as const)('cancels in %s', async (_name, changes, version) => {
    await using session = await connect(plain(olderServer(), changes))
    expect(session.protocolVersion).toBe(version)
    await expectCancelled(session, olderServer())
  })

  function olderServer(): TestServer {
    if (older === null) throw new Error('PostgreSQL 15 has not been started')
    return older.server
  }
})

describe('the second host of a list', () => {
  let obstacle: string | null = null
  let replication: Replication

  beforeAll(async () => {
    obstacle = await findObstacle()
    if (obstacle === null) replication = await startReplication({ primary: { setup: SETUP } })
  })

  afterAll(() => replication?.stop())

  function list(places: readonly Place[], changes: ConnectTarget = {}): ConnectTarget {
    const host = places.map((place) => place.host).join(',')
    const port = places.map((place) => place.port).join(',')
    return { ...LOGIN, host, port, sslmode: 'disable', ...changes }
  }

  it('is asked, at once, though the first is a black hole', async () => {
    await using hole = await BlackHole.open()
    await using session = await connect(list([hole, server]), { timeoutMs: 1_000 })
    expect(session.attempts).toMatchObject([{ phase: 'Dialing', failure: { kind: 'deadline' } }])
    await expectCancelled(session, server)
  })

  it('is asked though the first is closed, and is there again by then', async () => {
    const port = await Listener.closedPort()
    await using session = await connect(list([{ host: '127.0.0.1', port }, server]))
    expect(session.attempts).toMatchObject([{ phase: 'Dialing', failure: { kind: 'lost', code: 'ECONNREFUSED' } }])
    await using returned = await Listener.tcp('127.0.0.1', port)
    await expectCancelled(session, server)
    expect(returned.connections).toBe(0)
  })

  it('is asked though the first is up: a standby, where a primary was wanted', async ({ skip }) => {
    if (obstacle !== null) return skip(obstacle)
    const { primary, standby } = replication
    await using toStandby = await Relay.listen(standby)
    await using toPrimary = await Relay.listen(primary)
    await using session = await connect(list([toStandby, toPrimary], { targetSessionAttrs: 'primary' }))
    expect(session.attempts).toMatchObject([{ phase: 'CheckingSession' }])
    await expectCancelled(session, primary)
    expect([toStandby.sent.length, toPrimary.sent.length]).toEqual([1, 2])
  })
})

describe('a name with several addresses', () => {
  // A name that only the resolver below knows, and a certificate that has this name and no address.
  const NAME = 'other.example'

  beforeAll(() => live.show('wrong-host'))
  afterAll(() => live.show('server'))

  it.each([
    ['plaintext', { sslmode: 'disable' }],
    ['TLS, whose certificate has the name', IN_TLS],
  ] as const)('is not looked up again: the address that answered is asked (%s)', async (_name, changes) => {
    await using relay = await Relay.listen(server)
    let lookups = 0
    const resolveHost = async () => {
      lookups += 1
      return ['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }))
    }
    const runtime = {
      clock: monotonicClock,
      resolveHost,
      dial,
      deriveKeys,
      randomBytes,
      knownServers: createKnownServers(),
    }
    const target = { ...LOGIN, host: NAME, port: relay.port, ...changes }
    await using session = await connectWith(runtime, target, {})
    // The first address, which was refused, has somebody by now, who would swallow the request.
    await using other = await Listener.tcp('127.0.0.2', relay.port)
    await expectCancelled(session, server)
    expect({ lookups, connections: relay.sent.length }).toEqual({ lookups: 1, connections: 2 })
    expect(other.connections).toBe(0)
  })
})

describe('where there is nothing to cancel', () => {
  it('an idle session is not disturbed, however often it is asked', async () => {
    await using session = await connect(plain(server))
    for (let count = 0; count < 30; count += 1) {
      await session.cancel()
      await expectAnswer(session)
    }
    expect(session.phase).toBe('Idle')
    expect(session.notices).toEqual([])
  })

  it('a closed session is none that the server knows, and others are not disturbed', async () => {
    await using other = await connect(plain(server))
    const session = await connect(plain(server))
    const { processId } = session.backendKeyData ?? {}
    await session.close()
    const gone = async () => (await server.sql('select from pg_stat_activity where pid = $1', [processId])).length
    await expect.poll(gone, { interval: 5 }).toBe(0)
    const before = (await server.log()).length
    await session.cancel()
    await expectAnswer(other)
    expect((await server.log()).slice(before)).toContain(`PID ${processId} in cancel request did not match any process`)
  })

  it('a server that is gone refuses the connection, in Dialing', async () => {
    await using relay = await Relay.listen(server)
    await using session = await connect(plain(relay))
    relay.refuse()
    const error = await handshakeFailureOf(session.cancel())
    expect(error).toMatchObject({
      name: 'HandshakeError',
      phase: 'Dialing',
      failure: { kind: 'lost', code: 'ECONNREFUSED' },
    })
    await expectAnswer(session)
  })
})

describe('a cancel that is cut short', () => {
  it.each([
    ['in plaintext, the server is waited for', { sslmode: 'disable' }, 'AwaitingCancelClose'],
    ['in TLS, its answer to SSLRequest', IN_TLS, 'AwaitingTlsReply'],
    ['in direct TLS, the handshake', { ...IN_TLS, sslnegotiation: 'direct' }, 'SecuringTransport'],
  ] as const)('names the state: %s', async (_name, changes, phase) => {
    await using relay = await Relay.listen(server)
    await using session = await connect(plain(relay, changes))
    await expectAnswer(session)
    relay.isSilent = true
    const before = openResources()
    const timedOut = await handshakeFailureOf(session.cancel({ timeoutMs: 150 }))
    expect(timedOut).toMatchObject({ name: 'TimeoutError', phase, failure: { kind: 'deadline', timeoutMs: 150 } })
    expect(timedOut.timeline.at(-1)?.leftMs).toBeLessThan(1_000)

    const caller = new AbortController()
    const reason = new Error('the user went away')
    setTimeout(() => caller.abort(reason), 50)
    const aborted = await handshakeFailureOf(session.cancel({ signal: caller.signal }))
    expect(aborted).toMatchObject({ name: 'AbortError', phase, failure: { kind: 'aborted' } })
    expect(aborted.cause).toBe(reason)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    await expectNoMoreThan(before)
    await expectAnswer(session)
  })

  it('names Dialing, where the way to the server has become a black hole', async () => {
    await using hole = await BlackHole.before(server)
    const session = await connect(plain(hole))
    await expectAnswer(session)
    await hole.swallow()
    const before = openResources()
    const error = await handshakeFailureOf(session.cancel({ timeoutMs: 150 }))
    expect(error).toMatchObject({
      name: 'TimeoutError',
      phase: 'Dialing',
      failure: { kind: 'deadline', timeoutMs: 150 },
    })
    expect(error.timeline.at(-1)?.leftMs).toBeLessThan(1_000)
    await expectNoMoreThan(before)
    await session.close({ timeoutMs: 0 })
  })

  it('dials nobody if its signal was aborted before', async () => {
    await using relay = await Relay.listen(server)
    await using session = await connect(plain(relay))
    const reason = new Error('the user went away')
    const error = await handshakeFailureOf(session.cancel({ signal: AbortSignal.abort(reason) }))
    expect(error).toMatchObject({ name: 'AbortError', phase: 'Disconnected', failure: { kind: 'aborted' } })
    expect(error.cause).toBe(reason)
    await expectAnswer(session)
    expect(relay.sent).toHaveLength(1)
  })
})

it('fifty cancels, each of a query of its own, leave nothing here and no backend there', async () => {
  await using session = await connect(plain(server))
  const before = openResources()
  for (let count = 0; count < 50; count += 1) {
    let isAsleep = true
    const sleeping = sessionFailureOf(session.query(ASLEEP)).finally(() => {
      isAsleep = false
    })
    // A request may overtake its query, which then sleeps on.
    while (isAsleep) await session.cancel()
    expect((await sleeping).sqlstate).toBe('57014')
  }
  await expectAnswer(session)
  await expectNoMoreThan(before)
  const others = async () => {
    const [row] = await server.sql(
      "select count(*)::int as n from pg_stat_activity where backend_type = 'client backend' and pid <> all($1::int[])",
      [[session.backendKeyData?.processId]],
    )
    return Number(row?.['n'])
  }
  // The fixture's own is the one that asks.
  await expect.poll(others, { interval: 5 }).toBe(1)
})

describe.each([PGBOUNCER, PGPOOL])('$name', (kind) => {
  it('carries the request on to the server that works for us', async ({ skip }) => {
    const obstacle = await findPoolerObstacle(kind)
    if (obstacle !== null) return skip(obstacle)
    const direct = await startServer({ setup: SETUP })
    try {
      await using pooler = await startPooler(kind, { server: direct, passwords: { app: 'app' } })
      await using session = await connect(plain(pooler))
      expect(session.parameters.get('server_version')).toBe(direct.version)
      await expectCancelled(session, direct)
      await expectCancelled(session, direct)
    } finally {
      await direct.stop()
    }
  })
})
