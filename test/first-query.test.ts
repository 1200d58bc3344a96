/** A query that is given to connect(): when it leaves early, what becomes of it, and that nobody runs it twice. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { Runtime } from '../src/attempt.ts'
import { HandshakeError, SessionError } from '../src/state/errors.ts'
import type { TlsFacts } from '../src/state/handshake/states.ts'
import type { ConnectOptions, FirstQuery } from '../src/wait-options.ts'
import { pathOf } from './certificates/index.ts'
import { lawful, type Profile, ScriptedServer } from './support/scripted-server.ts'
import { settle, type VirtualClock } from './support/virtual-clock.ts'
import { type World, worldOf } from './support/world.ts'

const PLAIN = 'postgres://alice:secret@db.example/app?sslmode=disable'
const IN_TLS = 'postgres://alice:secret@db.example/app?channel_binding=disable'
const VERIFIED = `${IN_TLS}&sslmode=verify-full&sslrootcert=system`
const AUTHORITY = encodeURIComponent(pathOf('ca.crt'))
const TLS: TlsFacts = {
  ...{ version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', alpnProtocol: null },
  ...{ serverCertificate: null, rejection: null },
}

interface Place extends World {
  readonly server: ScriptedServer
  /** The client's messages, write by write. */
  readonly flights: string[][]
}

function placeOf(profile: Profile = {}): Place {
  const server = lawful({ tlsReply: 'S', ...profile }).onTls(async () => TLS)
  const flights: string[][] = []
  const dial: Runtime['dial'] = async (destination, deadline) => {
    const transport = await server.dial(destination, deadline)
    const write = (bytes: Buffer) => {
      const before = server.names.length
      transport.write(bytes)
      flights.push(server.names.slice(before))
    }
    return { ...transport, write }
  }
  return { ...worldOf(server, { dial }), server, flights }
}

const asking = (changes: Partial<FirstQuery> = {}, options: ConnectOptions = {}): ConnectOptions => ({
  ...options,
  firstQuery: { text: 'select 1', ...changes },
})

async function errorOf(promise: Promise<unknown> | null | undefined): Promise<HandshakeError | SessionError> {
  const error = await promise?.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  )
  if (error instanceof HandshakeError || error instanceof SessionError) return error
  throw error
}

describe('a first query', () => {
  it.each([
    ['in verified TLS leaves early', VERIFIED, {}, true],
    ['in plaintext waits', PLAIN, {}, false],
    ['in TLS that proves nothing waits', `${IN_TLS}&sslmode=require`, {}, false],
    ['in TLS that proves no name waits', `${IN_TLS}&sslmode=verify-ca&sslrootcert=${AUTHORITY}`, {}, false],
    ['on a Unix-domain socket waits', VERIFIED.replace('db.example', '%2Ftmp'), {}, false],
    ['that anybody may read leaves early in plaintext', PLAIN, { allowUnverified: true }, true],
    ['that not everybody may read waits', PLAIN, { allowUnverified: false }, false],
  ])('%s', async (_what, target, changes, isEarly) => {
    const { connect, flights, server } = placeOf()
    const session = await connect(asking(changes), target)
    await expect(session.firstResult).resolves.toMatchObject([{ commandTag: 'select 1' }])
    expect(flights.slice(-2)).toEqual(
      isEarly ? [['SASLInitialResponse'], ['SASLResponse', 'Query']] : [['SASLResponse'], ['Query']],
    )
    expect(server.names.filter((name) => name === 'Query')).toHaveLength(1)
    expect(session.phase).toBe('Idle')
    await expect(session.query('select 2')).resolves.toMatchObject([{ commandTag: 'select 2' }])
    await session.close()
  })

  it('leaves in two flights where SCRAM begins unasked', async () => {
    const { connect, flights } = placeOf()
    const session = await connect(asking({ allowUnverified: true }), `${PLAIN}&require_auth=scram-sha-256`)
    await session.firstResult
    expect(flights).toEqual([
      ['StartupMessage', 'SASLInitialResponse'],
      ['SASLResponse', 'Query'],
    ])
    await session.close()
  })

  it.each(['trust', 'md5', 'password'] as const)('waits where the server asks for no SCRAM but %s', async (method) => {
    const { connect, flights } = placeOf({ method })
    const session = await connect(asking({ allowUnverified: true }), `${PLAIN}&allow_cleartext_password=true`)
    await expect(session.firstResult).resolves.toHaveLength(1)
    expect(flights.at(-1)).toEqual(['Query'])
    await session.close()
  })

  it('is served before the queries that are asked for later', async () => {
    const { connect, server } = placeOf()
    const session = await connect(asking({ allowUnverified: true }), PLAIN)
    const second = session.query('select 2')
    await Promise.all([session.firstResult, second])
    expect(server.received.flatMap((message) => (message.type === 'Query' ? [message.query] : []))).toEqual([
      'select 1',
      'select 2',
    ])
    await session.close()
  })

  it('that was not given has no result', async () => {
    const session = await placeOf().connect({}, PLAIN)
    expect(session.firstResult).toBeNull()
    await session.close()
  })
})

describe('the result of a first query', () => {
  it('is a SessionError if the server refuses, and the session goes on', async () => {
    const refusal = { code: 'C' as const, value: '22012' }
    const failing = lawful({
      behind: [
        { type: 'ErrorResponse', fields: [refusal] },
        { type: 'ReadyForQuery', status: 'I' },
      ],
    })
    const world = worldOf(failing)
    // What stands behind ReadyForQuery answers the query that has left before it.
    const early = await world.connect(asking({ allowUnverified: true }), PLAIN)
    expect(await errorOf(early.firstResult)).toMatchObject({ sqlstate: '22012', phase: 'AwaitingResponse' })
    await early.close()
  })

  it.each([true, false])(
    'is a TimeoutError at its own deadline, which counts from the session on (early: %s)',
    async (allowUnverified) => {
      const { connect, clock, server } = silentOnQuery()
      const session = await connect(asking({ allowUnverified, timeoutMs: 100 }), PLAIN)
      const failing = errorOf(session.firstResult)
      clock.advance(99)
      await settle()
      expect(session.phase).toBe('AwaitingResponse')
      clock.advance(1)
      expect(await failing).toMatchObject({ name: 'TimeoutError', failure: { kind: 'deadline', timeoutMs: 100 } })
      expect([session.phase, server.destroyed, clock.activeTimers]).toEqual(['Failed', true, 0])
    },
  )

  it('is an AbortError if its signal is aborted while it runs', async () => {
    const controller = new AbortController()
    const { connect, server } = silentOnQuery()
    const session = await connect(asking({ allowUnverified: true, signal: controller.signal }), PLAIN)
    controller.abort(new Error('enough'))
    expect(await errorOf(session.firstResult)).toMatchObject({ name: 'AbortError', cause: new Error('enough') })
    expect(server.destroyed).toBe(true)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it('is an AbortError if its signal is aborted beforehand; then nothing has left, and the session is there', async () => {
    const { connect, server } = placeOf()
    const signal = AbortSignal.abort(new Error('never mind'))
    const session = await connect(asking({ allowUnverified: true, signal }), PLAIN)
    expect(await errorOf(session.firstResult)).toMatchObject({ name: 'AbortError' })
    expect(server.names).not.toContain('Query')
    expect(session.phase).toBe('Idle')
    await session.close()
  })

  it('ends with the session if its signal is aborted while the connect is under way and it has left', async () => {
    const controller = new AbortController()
    const { connect, server } = silentOnQuery('ReadyForQuery')
    const connecting = connect(asking({ allowUnverified: true, signal: controller.signal }), PLAIN)
    await settle()
    expect(server.names).toContain('Query')
    controller.abort()
    server.send({ type: 'ReadyForQuery', status: 'I' })
    const session = await connecting
    expect(await errorOf(session.firstResult)).toMatchObject({ name: 'AbortError' })
    expect([session.phase, server.destroyed]).toEqual(['Failed', true])
  })

  it('that nobody looks at is no unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const listen = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', listen)
    try {
      const { connect, clock } = silentOnQuery()
      await connect(asking({ allowUnverified: true, timeoutMs: 1 }), PLAIN)
      clock.advance(2)
      await settle()
      await settle()
      expect(unhandled).toEqual([])
    } finally {
      process.off('unhandledRejection', listen)
    }
  })
})

/** Lets in with SCRAM, and says nothing to a query. */
function silentOnQuery(
  silentAt: 'CommandComplete' | 'ReadyForQuery' = 'CommandComplete',
): World & { server: ScriptedServer; clock: VirtualClock } {
  const server = lawful({ silentAt })
  return { ...worldOf(server), server }
}

describe('a connect with a first query', () => {
  it('that fails leaves nothing of either', async () => {
    const controller = new AbortController()
    const { connect, clock, server } = silentOnQuery('ReadyForQuery')
    const failing = errorOf(
      connect(asking({ allowUnverified: true, timeoutMs: 50, signal: controller.signal }, { timeoutMs: 1_000 }), PLAIN),
    )
    await settle()
    for (let step = 0; step < 10; step += 1) {
      clock.advance(100)
      await settle()
    }
    expect(await failing).toMatchObject({ phase: 'AwaitingReady', failure: { kind: 'deadline', timeoutMs: 1_000 } })
    expect([server.destroyed, clock.activeTimers]).toEqual([true, 0])
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it('that is refused tells why, though a query stands behind the proof', async () => {
    const { connect } = placeOf({ password: 'another' })
    expect(await errorOf(connect(asking({ allowUnverified: true }), PLAIN))).toMatchObject({
      phase: 'AwaitingSaslOutcome',
      failure: { kind: 'refused', sqlstate: '28P01' },
    })
  })

  const TWO = 'postgres://alice:secret@one.example,two.example/app?sslmode=disable'
  const breakingAt = async (options: ConnectOptions) => {
    const server = lawful({ silentAt: 'AuthenticationSASLFinal' })
    const failing = errorOf(worldOf(server).connect(options, TWO))
    await settle()
    server.end('ECONNRESET')
    return { error: await failing, server }
  }

  it('goes to no other host once the query has left: it may have run', async () => {
    const { error, server } = await breakingAt(asking({ allowUnverified: true }))
    expect(error).toMatchObject({ phase: 'AwaitingSaslOutcome', failure: { kind: 'lost' }, attempts: { length: 1 } })
    expect(server.dialed).toBe(1)
  })

  it('goes to another host as long as it has not', async () => {
    const { error, server } = await breakingAt(asking())
    expect(error).toMatchObject({ attempts: { length: 2 } })
    expect(server.dialed).toBe(2)
  })

  it('is not what asks a server what it is: behind that question the next host is tried', async () => {
    const server = new ScriptedServer((self, { type }) => {
      if (type === 'StartupMessage') self.send({ type: 'AuthenticationOk' }, { type: 'ReadyForQuery', status: 'I' })
      if (type === 'Query') self.end('ECONNRESET')
    })
    const error = await errorOf(worldOf(server).connect({}, `${TWO}&target_session_attrs=primary`))
    expect(error).toMatchObject({ failure: { kind: 'lost' }, attempts: [{ phase: 'AwaitingSessionCheck' }, {}] })
  })

  it.each(['read-write', 'primary', 'prefer-standby'])(
    'is refused with target_session_attrs=%s, before anybody is dialed',
    async (wanted) => {
      const { connect, server } = placeOf()
      const error = await errorOf(connect(asking(), `${PLAIN}&target_session_attrs=${wanted}`))
      expect(error.failure).toMatchObject({ kind: 'config', parameter: 'firstQuery' })
      expect(server.dialed).toBe(0)
    },
  )

  it.each([
    ['firstQuery', null],
    ['firstQuery', 'select 1'],
    ['firstQuery.text', {}],
    ['firstQuery.text', { text: 1 }],
    ['firstQuery.text', { text: 'select \0' }],
    ['firstQuery.text', { text: 'select \ud800' }],
    ['firstQuery.allowUnverified', { text: 'select 1', allowUnverified: 'yes' }],
    ['firstQuery.timeoutMs', { text: 'select 1', timeoutMs: 'soon' }],
    ['firstQuery.signal', { text: 'select 1', signal: {} }],
    ['firstQuery.query', { text: 'select 1', query: 'select 2' }],
  ])('of the wrong kind is a config failure of %s: %j', async (parameter, firstQuery) => {
    const { connect, server } = placeOf()
    const error = await errorOf(connect({ firstQuery } as never, PLAIN))
    expect(error.failure).toMatchObject({ kind: 'config', parameter })
    expect(server.dialed).toBe(0)
  })
})
