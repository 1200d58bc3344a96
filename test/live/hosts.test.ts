/**
 * Several hosts, one of them a standby: who is asked, who is passed over, who lets us in; and nothing stays at those that were
 * passed over.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connect, HandshakeError, Session } from '../../src/index.ts'
import { HostileServer } from '../../src/testing/index.ts'
import { Listener } from '../net/listener.ts'
import { expectNoMoreThan, openResources } from '../net/resources.ts'
import { BlackHole } from '../servers/black-hole.ts'
import { findObstacle, type Replication, startReplication } from '../servers/replication.ts'
import { startServer, type TestServer } from '../servers/server.ts'
import { StrippingProxy } from '../servers/stripping-proxy.ts'
import { handshakeFailureOf } from './expect-failure.ts'

interface Place {
  readonly host: string
  readonly port: number
}

const APPLICATION = 'pg-deadline hosts'
const ROLES = ["create role app login password 'app'", "create role odd login password 'odd'"]
/** What a server does not report that is old, or behind a pooler that does not know it. */
const WITHHELD = ['in_hot_standby', 'default_transaction_read_only']

let obstacle: string | null = null
let replication: Replication
let primary: TestServer
let standby: TestServer
/** No standby, and yet read-only: default_transaction_read_only. The role odd has another password here. */
let readOnly: TestServer

beforeAll(async () => {
  obstacle = await findObstacle()
  if (obstacle !== null) return
  replication = await startReplication({ primary: { setup: [...ROLES, 'create database only_here'] } })
  ;({ primary, standby } = replication)
  const settings = { default_transaction_read_only: 'on' }
  const setup = ['set default_transaction_read_only = off', ...ROLES, "alter role odd password 'other'"]
  readOnly = await startServer({ settings, setup })
})

afterAll(async () => {
  await replication?.stop()
  await readOnly?.stop()
})

beforeEach(({ skip }) => {
  if (obstacle !== null) skip(obstacle)
})

function urlOf(
  places: readonly Place[],
  parameters: Readonly<Record<string, string>> = {},
  { user = 'app', dbname = 'postgres' } = {},
): string {
  const hosts = places.map(({ host, port }) => `${host}:${port}`).join(',')
  const query = new URLSearchParams({ sslmode: 'disable', application_name: APPLICATION, ...parameters })
  return `postgres://${user}:${user}@${hosts}/${dbname}?${query.toString().replaceAll('+', '%20')}`
}

function shown({ host, port }: Place): string {
  return `${host}:${port}`
}

/** Where we are, by the server's own account. */
async function whereabouts(session: Session): Promise<{ recovery: boolean; port: number }> {
  const [result] = await session.query('select pg_is_in_recovery() as recovery, inet_server_port() as port')
  const [row] = result?.objects() ?? []
  return { recovery: row?.['recovery'] === 't', port: Number(row?.['port']) }
}

/** The state in which each attempt ended, in order. */
function endsOf({ timeline }: HandshakeError | Session): string[] {
  const ends: string[] = []
  for (const { attempt, state } of timeline) ends[attempt] = state
  return ends
}

async function expectNoBackends(...servers: TestServer[]): Promise<void> {
  for (const server of servers) {
    const count = async () => {
      const [row] = await server.sql('select count(*)::int as n from pg_stat_activity where application_name = $1', [
        APPLICATION,
      ])
      return Number(row?.['n'])
    }
    await expect.poll(count, { timeout: 1_000, interval: 10 }).toBe(0)
  }
}

type Wanted = readonly [attributes: string, who: 'the first' | 'the primary' | 'the standby']

const WANTED: readonly Wanted[] = [
  ['any', 'the first'],
  ['read-write', 'the primary'],
  ['read-only', 'the standby'],
  ['primary', 'the primary'],
  ['standby', 'the standby'],
  ['prefer-standby', 'the standby'],
]

/** Of a primary and a standby, in either order, the one that is wanted lets us in. */
async function expectChoice(
  wanted: Wanted,
  [ofPrimary, ofStandby]: readonly [Place, Place],
  hasToBeAsked: boolean,
): Promise<void> {
  const [attributes, who] = wanted
  for (const places of [
    [ofPrimary, ofStandby],
    [ofStandby, ofPrimary],
  ]) {
    const standbyIsFirst = places[0] === ofStandby
    const landsOnStandby = who === 'the first' ? standbyIsFirst : who === 'the standby'
    await using session = await connect(urlOf(places, { target_session_attrs: attributes }))
    expect(await whereabouts(session)).toMatchObject({ recovery: landsOnStandby })
    expect(endsOf(session)).toEqual(landsOnStandby === standbyIsFirst ? ['Ready'] : ['CheckingSession', 'Ready'])
    const asked = session.timeline.some(({ state }) => state === 'AwaitingSessionCheck')
    expect(asked).toBe(hasToBeAsked && attributes !== 'any')
  }
}

describe('a primary and a standby', () => {
  it.each(WANTED)('that say what they are: %s is %s', async (...wanted) => {
    await expectChoice(wanted, [primary, standby], false)
    await expectNoBackends(primary, standby)
  })

  it.each(WANTED)('that do not say what they are, and are asked: %s is %s', async (...wanted) => {
    await using ofPrimary = await StrippingProxy.listen(primary, WITHHELD)
    await using ofStandby = await StrippingProxy.listen(standby, WITHHELD)
    await expectChoice(wanted, [ofPrimary, ofStandby], true)
    await expectNoBackends(primary, standby)
  })
})

describe('a primary and a standby of PostgreSQL 13, the last that does not say what it is', () => {
  let older: Replication
  let unavailable: string | null = null

  beforeAll(async () => {
    // Another major than the one that npm installed: from a cache, or from npm.
    unavailable = await findObstacle({ version: '13' }).catch(String)
    if (unavailable === null) older = await startReplication({ version: '13', primary: { setup: ROLES } })
  })

  afterAll(() => older?.stop())

  beforeEach(({ skip }) => {
    if (unavailable !== null) skip(unavailable)
  })

  it.each(WANTED)('%s is %s', async (...wanted) => {
    await expectChoice(wanted, [older.primary, older.standby], true)
    await expectNoBackends(older.primary, older.standby)
  })
})

describe('a server that is read-only and no standby', () => {
  it.each([
    ['says so', []],
    ['does not say so', WITHHELD],
  ])('%s: it is read-only, and primary', async (_name, withheld) => {
    await using ofPrimary = await StrippingProxy.listen(primary, withheld)
    await using ofReadOnly = await StrippingProxy.listen(readOnly, withheld)
    for (const [attributes, places, target] of [
      ['read-only', [ofPrimary, ofReadOnly], readOnly],
      ['read-write', [ofReadOnly, ofPrimary], primary],
      ['primary', [ofReadOnly, ofPrimary], readOnly],
    ] as const) {
      await using session = await connect(urlOf(places, { target_session_attrs: attributes }))
      expect(await whereabouts(session)).toEqual({ recovery: false, port: target.port })
    }
  })
})

describe('nobody suits', () => {
  it.each([
    ['standby', () => [primary, readOnly]],
    ['read-write', () => [standby, readOnly]],
    ['read-only', () => [primary, primary]],
    ['primary', () => [standby]],
  ] as const)('%s: each host has an attempt of its own, and nothing stays anywhere', async (attributes, choose) => {
    const places = choose()
    const before = openResources()
    const error = await handshakeFailureOf(connect(urlOf(places, { target_session_attrs: attributes })))
    const failure = { kind: 'incompatible', what: 'target_session_attrs', supported: [attributes] }
    expect(error).toMatchObject({ name: 'HandshakeError', phase: 'CheckingSession', failure })
    expect(error.attempts).toMatchObject(
      places.map((place) => ({ phase: 'CheckingSession', failure, endpoint: shown(place) })),
    )
    for (const { sliceMs } of error.attempts) expect(sliceMs).toBeGreaterThan(0)
    expect(endsOf(error)).toEqual(places.map(() => 'CheckingSession'))
    await expectNoMoreThan(before)
    await expectNoBackends(...places)
  })

  it('prefer-standby then takes whom it can get, in a second pass over the hosts', async () => {
    const closed = { host: '127.0.0.1', port: await Listener.closedPort() }
    for (const [places, ends, port] of [
      [[closed, primary], ['Dialing', 'CheckingSession', 'Dialing', 'Ready'], primary.port],
      [[readOnly, primary], ['CheckingSession', 'CheckingSession', 'Ready'], readOnly.port],
    ] as const) {
      await using session = await connect(urlOf(places, { target_session_attrs: 'prefer-standby' }))
      expect(endsOf(session)).toEqual(ends)
      expect(await whereabouts(session)).toEqual({ recovery: false, port })
    }
    await expectNoBackends(primary, readOnly)
  })
})

describe('the first host', () => {
  /** The second lets us in, after the first has ended in `phase`. */
  async function expectSecond(first: Place, phase: string, timeoutMs = 10_000): Promise<Session['timeline']> {
    await using session = await connect(urlOf([first, primary]), { timeoutMs })
    expect(endsOf(session)).toEqual([phase, 'Ready'])
    expect(await whereabouts(session)).toEqual({ recovery: false, port: primary.port })
    return session.timeline
  }

  it('is not there: the second is tried', async () => {
    await expectSecond({ host: '127.0.0.1', port: await Listener.closedPort() }, 'Dialing')
  })

  it('is a black hole: it has its share of the deadline, and the second is there in time', async () => {
    await using hole = await BlackHole.open()
    const timeline = await expectSecond(hole, 'Dialing', 2_000)
    const swallowed = timeline.find(({ attempt, state }) => attempt === 0 && state === 'Dialing')
    expect(swallowed?.sliceMs).toBeLessThanOrEqual(1_000)
    expect(swallowed?.leftMs).toBeGreaterThanOrEqual(900)
    expect(timeline.at(-1)?.leftMs).toBeLessThan(2_000)
  })

  it('is a black hole, and so is the second: the deadline holds', async () => {
    await using hole = await BlackHole.open()
    const error = await handshakeFailureOf(connect(urlOf([hole, hole]), { timeoutMs: 300 }))
    expect(error).toMatchObject({
      name: 'TimeoutError',
      phase: 'Dialing',
      failure: { kind: 'deadline', timeoutMs: 300 },
    })
    expect(endsOf(error)).toEqual(['Dialing', 'Dialing'])
    expect(error.timeline.at(-1)?.leftMs).toBeLessThan(1_000)
  })

  it('is starting up, 57P03: the second is tried', async () => {
    await using first = await HostileServer.listen(async (peer) => {
      await peer.expectStartup()
      await peer.send({
        type: 'ErrorResponse',
        fields: [
          { code: 'S', value: 'FATAL' },
          { code: 'C', value: '57P03' },
          { code: 'M', value: 'the database system is starting up' },
        ],
      })
    })
    await expectSecond(first, 'AwaitingAuthentication')
    await first.settled()
    expect(first.visits).toMatchObject([{ isClosed: true, defect: null }])
  })

  it('has no room, 53300: the second is tried', async () => {
    await using full = await startServer({
      settings: { max_connections: '5', superuser_reserved_connections: '3' },
      setup: ROLES,
    })
    const held: Session[] = []
    try {
      const taking = async () => {
        for (let count = 0; count < 5; count += 1) held.push(await connect(urlOf([full])))
      }
      const error = await handshakeFailureOf(taking())
      expect(error).toMatchObject({ phase: 'AwaitingReady', failure: { kind: 'refused', sqlstate: '53300' } })
      expect(held.length).toBeGreaterThan(0)
      await expectSecond(full, 'AwaitingReady')
    } finally {
      for (const session of held) await session.close()
    }
    await using session = await connect(urlOf([full, primary]))
    expect(await whereabouts(session)).toMatchObject({ port: full.port })
  })

  it.each([
    ['does not take our password, 28P01', 'odd', 'postgres', '28P01', 'AwaitingSaslOutcome'],
    ['does not have our database, 3D000', 'app', 'only_here', '3D000', 'AwaitingReady'],
  ] as const)(
    '%s: the second is not tried, though it would let us in',
    async (_name, user, dbname, sqlstate, phase) => {
      const failure = { kind: 'refused', sqlstate }
      const error = await handshakeFailureOf(connect(urlOf([readOnly, primary], {}, { user, dbname })))
      expect(error).toMatchObject({ phase, failure })
      expect(error.attempts).toMatchObject([{ phase, failure, endpoint: shown(readOnly) }])
      expect(endsOf(error)).toEqual([phase])

      await using session = await connect(urlOf([primary], {}, { user, dbname }))
      expect(await whereabouts(session)).toMatchObject({ port: primary.port })
    },
  )
})

describe('load_balance_hosts', () => {
  async function portsOf(connects: number, loadBalanceHosts: string): Promise<Set<number>> {
    const ports = new Set<number>()
    for (let count = 0; count < connects; count += 1) {
      await using session = await connect(urlOf([primary, readOnly], { load_balance_hosts: loadBalanceHosts }))
      ports.add((await whereabouts(session)).port)
    }
    return ports
  }

  it('random: forty connects meet both servers', async () => {
    expect([...(await portsOf(40, 'random'))].sort()).toEqual([primary.port, readOnly.port].sort())
  })

  it('disable: all of them meet the first', async () => {
    expect([...(await portsOf(10, 'disable'))]).toEqual([primary.port])
  })
})

describe('hostaddr', () => {
  it('is dialed in place of a name that nobody knows', async () => {
    const place = { host: 'no-such-name.invalid', port: primary.port }
    await using session = await connect(urlOf([place], { hostaddr: '127.0.0.1' }))
    expect(await whereabouts(session)).toEqual({ recovery: false, port: primary.port })
  })

  it('is each host’s own', async () => {
    const places = [
      { host: 'no-such-name.invalid', port: await Listener.closedPort() },
      { host: 'nor-this-one.invalid', port: primary.port },
    ]
    await using session = await connect(urlOf(places, { hostaddr: '127.0.0.1,127.0.0.1' }))
    expect(endsOf(session)).toEqual(['Dialing', 'Ready'])
    expect(await whereabouts(session)).toEqual({ recovery: false, port: primary.port })
  })
})

describe('sixty connects over two hosts, each ended at a moment of its own', () => {
  it('leave nothing here, and no backend at either', async () => {
    const url = urlOf([standby, primary], { target_session_attrs: 'primary' })
    const durations: number[] = []
    for (let count = 0; count < 11; count += 1) {
      await using session = await connect(url)
      durations.push(session.timeline.at(-1)?.leftMs ?? 0)
    }
    const medianMs = durations.sort((a, b) => a - b)[5] ?? 0
    await expectNoBackends(primary, standby)
    const before = openResources()
    const ends = new Set<string>()
    for (let count = 0; count < 60; count += 1) {
      const outcome = await connect(url, { timeoutMs: (medianMs * 1.3 * (count + 1)) / 60 }).catch(
        (error: unknown) => error,
      )
      if (outcome instanceof Session) await outcome.close()
      else if (!(outcome instanceof HandshakeError)) throw outcome
      if (outcome instanceof HandshakeError) ends.add(`${endsOf(outcome).length} ${outcome.phase}`)
    }
    await expectNoMoreThan(before)
    await expectNoBackends(primary, standby)
    // Otherwise nothing was tried: they ended in several states.
    expect(ends.size).toBeGreaterThan(1)
  })
})
