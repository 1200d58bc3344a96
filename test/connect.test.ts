import { getEventListeners } from 'node:events'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Runtime } from '../src/attempt.ts'
import type { ConnectTarget } from '../src/config/target.ts'
import { DEFAULT_TIMEOUT_MS } from '../src/plan.ts'
import type { BackendMessage } from '../src/protocol/backend.ts'
import { HandshakeError } from '../src/state/errors.ts'
import { AWAITED, type StateName } from '../src/state/handshake/table.ts'
import { encodeBackend, lawful, type Profile, ScriptedServer } from './support/scripted-server.ts'
import { settle } from './support/virtual-clock.ts'
import { type World, worldOf } from './support/world.ts'

const TARGET = 'postgres://alice:secret@db.example/app'
const OBJECT = { host: 'db.example', user: 'alice', dbname: 'app', sslmode: 'disable' } as const

/** For every state that waits: a world in which the connect stays in it for ever. */
const STUCK: Readonly<Record<string, () => { server: ScriptedServer; world: World }>> = {
  ResolvingHost: () => stuck({}, { resolveHost: (_host, signal) => orAbort(signal) }),
  Dialing: () => stuck({}, { dial: neverDialing }),
  AwaitingTlsReply: () => stuck({ tlsReply: '' }, {}, `${TARGET}?sslmode=require`),
  SecuringTransport: () => stuck({ tlsReply: 'S' }, {}, `${TARGET}?sslmode=require`),
  AwaitingAuthentication: () => stuck({ silentAt: 'AuthenticationSASL' }),
  AwaitingSaslOffer: () =>
    stuck({ silentAt: 'AuthenticationSASL' }, {}, `${TARGET}?sslmode=disable&require_auth=scram-sha-256`),
  AwaitingPassword: () =>
    stuck({ method: 'password' }, {}, { ...OBJECT, password: neverFetched, allowCleartextPassword: true }),
  AwaitingSaslChallenge: () => stuck({ silentAt: 'AuthenticationSASLContinue' }),
  AwaitingSaslPassword: () => stuck({}, {}, { ...OBJECT, password: neverFetched }),
  DerivingSaslKey: () => stuck({}, { deriveKeys: (_input, signal) => orAbort(signal) }),
  AwaitingSaslOutcome: () => stuck({ silentAt: 'AuthenticationSASLFinal' }),
  AwaitingVerdict: () => stuck({ silentAt: 'AuthenticationOk' }),
  AwaitingReady: () => stuck({ silentAt: 'ReadyForQuery' }),
  AwaitingSessionCheck: () =>
    stuck({ silentAt: 'CommandComplete' }, {}, { ...OBJECT, password: 'secret', targetSessionAttrs: 'primary' }),
}

function stuck(profile: Profile, changes: Partial<Runtime> = {}, target?: string | ConnectTarget) {
  const server = lawful(profile)
  const world = worldOf(server, changes)
  return {
    server,
    world: target === undefined ? world : { ...world, connect: (options = {}) => world.connect(options, target) },
  }
}

const neverFetched = () => new Promise<string>(() => {})
const neverDialing: Runtime['dial'] = (_destination, { signal }) => orAbort(signal)

function orAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}

async function failureOf(connecting: Promise<unknown>): Promise<HandshakeError> {
  const error = await connecting.then(
    () => new Error('the connect succeeded'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof HandshakeError)) throw error
  return error
}

describe('every state that waits', () => {
  it('is covered here', () => {
    const waiting = Object.entries(AWAITED).flatMap(([name, awaited]) => (awaited === null ? [] : [name]))
    // A cancel request has tests of its own.
    expect([...Object.keys(STUCK), 'AwaitingCancelClose']).toEqual(waiting)
  })

  it.each(Object.keys(STUCK))('%s: the deadline ends it on time, in that phase, with nothing left', async (phase) => {
    const { server, world } = (STUCK[phase] as (typeof STUCK)[string])()
    const caller = new AbortController()
    let settled = false
    const connecting = world.connect({ timeoutMs: 3_000, signal: caller.signal })
    connecting
      .catch(() => {})
      .finally(() => {
        settled = true
      })

    await settle()
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1)
    world.clock.advance(2_999)
    await settle()
    expect(settled).toBe(false)
    world.clock.advance(1)

    const error = await failureOf(connecting)
    expect(error).toMatchObject({ name: 'TimeoutError', phase, failure: { kind: 'deadline', timeoutMs: 3_000 } })
    expect(error.message).toContain(`3000 ms passed in ${phase}, waiting for ${AWAITED[phase as StateName]}`)
    expect(error.timeline.at(-1)).toMatchObject({ state: phase, leftMs: 3_000, awaited: AWAITED[phase as StateName] })
    expectNothingLeft(server, world, caller.signal)
    expect(world.clock.timersMax).toBe(1)
  })

  it.each(Object.keys(STUCK))('%s: the caller ends it at once, in that phase, with nothing left', async (phase) => {
    const { server, world } = (STUCK[phase] as (typeof STUCK)[string])()
    const caller = new AbortController()
    const connecting = world.connect({ timeoutMs: 3_000, signal: caller.signal })
    await settle()
    const reason = new Error('the user went away')
    caller.abort(reason)

    const error = await failureOf(connecting)
    expect(error).toMatchObject({ name: 'AbortError', phase, failure: { kind: 'aborted' } })
    expect(error.cause).toBe(reason)
    expect(error.message).toContain(`aborted in ${phase}`)
    expectNothingLeft(server, world, caller.signal)
  })

  it.each(Object.keys(STUCK).slice(2))('%s: an end of the connection is named, and nothing is left', async (phase) => {
    // Nobody listens while something of our own is waited for: the end is met in the next state.
    if (['SecuringTransport', 'DerivingSaslKey'].includes(phase)) return
    for (const code of ['FIN', 'ECONNRESET'] as const) {
      const { server, world } = (STUCK[phase] as (typeof STUCK)[string])()
      const caller = new AbortController()
      const connecting = world.connect({ signal: caller.signal })
      await settle()
      server.end(code)
      const error = await failureOf(connecting)
      expect(error).toMatchObject({ name: 'HandshakeError', phase, failure: { kind: 'lost', code } })
      expectNothingLeft(server, world, caller.signal)
    }
  })
})

function expectNothingLeft(server: ScriptedServer, world: World, signal: AbortSignal): void {
  expect(server.destroyed).toBe(server.dialed > 0)
  expect(world.clock.activeTimers).toBe(0)
  expect(getEventListeners(signal, 'abort')).toEqual([])
}

describe('a connect', () => {
  it.each(['trust', 'password', 'md5', 'scram-sha-256'] as const)('succeeds with %s', async (method) => {
    const server = lawful({ method })
    const world = worldOf(server)
    const caller = new AbortController()
    const session = await world.connect({ signal: caller.signal })
    expect(session.authenticationMethod).toBe(method === 'trust' ? 'none' : method)
    expect(session.protocolVersion).toBe('3.0')
    expect(session.backendKeyData?.processId).toBe(4711)
    expect(session.backendKeyData?.secretKey).toEqual(new Uint8Array([1, 2, 3, 4]))
    expect([...session.parameters]).toEqual([
      ['server_version', '18.4'],
      ['TimeZone', 'Europe/Zürich'],
    ])
    expect(world.clock.activeTimers).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(server.destroyed).toBe(false)
    expect(server.names.filter((name) => name === 'StartupMessage')).toHaveLength(1)
    await session.close()
    expect(server.destroyed).toBe(true)
  })

  it('tells state by state what happened', async () => {
    const session = await worldOf(lawful()).connect()
    const story = session.timeline.map(({ state, messages }) => [
      state,
      ...messages.map(({ direction, name, count }) => `${direction} ${name} ×${count}`),
    ])
    expect(story).toEqual([
      ['Disconnected'],
      ['ResolvingHost'],
      ['Dialing'],
      ['Connected'],
      ['AwaitingAuthentication', 'sent StartupMessage ×1', 'received AuthenticationSASL ×1'],
      ['AwaitingSaslChallenge', 'sent SASLInitialResponse ×1', 'received AuthenticationSASLContinue ×1'],
      ['AwaitingSaslPassword'],
      ['DerivingSaslKey'],
      ['AwaitingSaslOutcome', 'sent SASLResponse ×1', 'received AuthenticationSASLFinal ×1'],
      ['AwaitingVerdict', 'received AuthenticationOk ×1'],
      ['AwaitingReady', 'received ParameterStatus ×2', 'received BackendKeyData ×1', 'received ReadyForQuery ×1'],
      ['CheckingSession'],
      ['Ready'],
    ])
  })

  it('has told its story once the session is there: what is asked then is not of it', async () => {
    const session = await worldOf(lawful()).connect()
    const told = structuredClone(session.timeline)
    await session.query('select 1')
    await session.close()
    expect(session.timeline).toEqual(told)
  })

  it('progress does not extend the deadline: a server that drips is cut off on time', async () => {
    const server = new ScriptedServer(() => {})
    const world = worldOf(server)
    const connecting = world.connect({ timeoutMs: 1_000 })
    const flood = encodeBackend({ type: 'AuthenticationOk' })
    await settle()
    server.sendBytes(flood)
    const drop: BackendMessage = { type: 'ParameterStatus', name: 'a', value: 'b' }
    for (let elapsed = 0; elapsed < 1_000; elapsed += 100) {
      server.send(drop)
      await settle()
      world.clock.advance(100)
    }
    await expect(failureOf(connecting)).resolves.toMatchObject({ name: 'TimeoutError', phase: 'AwaitingReady' })
  })

  it('what arrives in the tick of the deadline logs nobody in', async () => {
    const server = lawful({ silentAt: 'ReadyForQuery' })
    const world = worldOf(server)
    const connecting = world.connect({ timeoutMs: 1_000 })
    await settle()
    server.send({ type: 'ReadyForQuery', status: 'I' })
    world.clock.advance(1_000)
    await expect(failureOf(connecting)).resolves.toMatchObject({ name: 'TimeoutError', phase: 'AwaitingReady' })
    expect(server.destroyed).toBe(true)
  })

  it('an abort after ReadyForQuery does not concern the connect', async () => {
    const server = lawful()
    const caller = new AbortController()
    const session = await worldOf(server).connect({ signal: caller.signal })
    caller.abort()
    await settle()
    await expect(session.query('one')).resolves.toMatchObject([{ commandTag: 'one' }])
  })

  it.each([0, -1, Number.NEGATIVE_INFINITY])(
    'a deadline of %s is over before it began: nobody is dialed',
    async (timeoutMs) => {
      const server = lawful()
      const world = worldOf(server)
      await expect(failureOf(world.connect({ timeoutMs }))).resolves.toMatchObject({
        name: 'TimeoutError',
        phase: 'Disconnected',
        failure: { kind: 'deadline', timeoutMs },
      })
      expect(server.dialed).toBe(0)
      expect(world.clock.timersMax).toBe(0)
    },
  )

  it('a signal that is aborted already ends it before anybody is dialed', async () => {
    const server = lawful()
    const reason = { not: 'even an error' }
    const error = await failureOf(worldOf(server).connect({ signal: AbortSignal.abort(reason) }))
    expect(error).toMatchObject({ name: 'AbortError', phase: 'Disconnected' })
    expect(error.cause).toBe(reason)
    expect(server.dialed).toBe(0)
  })

  it('waits for ever only if it is told to', async () => {
    const { world } = stuck({ silentAt: 'AuthenticationSASL' })
    const caller = new AbortController()
    const connecting = world.connect({ timeoutMs: Number.POSITIVE_INFINITY, signal: caller.signal })
    await settle()
    expect(world.clock.activeTimers).toBe(0)
    world.clock.advance(2 ** 33)
    caller.abort()
    await expect(failureOf(connecting)).resolves.toMatchObject({ name: 'AbortError' })
  })

  it.each([
    ['no limit given', {}, '', DEFAULT_TIMEOUT_MS],
    ['connect_timeout', {}, '?connect_timeout=4', 4_000],
    ['both, timeoutMs shorter', { timeoutMs: 1_500 }, '?connect_timeout=4', 1_500],
    ['both, connect_timeout shorter', { timeoutMs: 9_000 }, '?connect_timeout=4', 4_000],
    ['connect_timeout=0 and timeoutMs', { timeoutMs: 9_000 }, '?connect_timeout=0', 9_000],
  ])('%s', async (_name, options, parameters, expectedMs) => {
    const { world } = stuck({ silentAt: 'AuthenticationSASL' })
    const connecting = world.connect(options, `postgres://alice:secret@db.example/app${parameters}`)
    await settle()
    world.clock.advance(expectedMs)
    await expect(failureOf(connecting)).resolves.toMatchObject({
      name: 'TimeoutError',
      failure: { timeoutMs: expectedMs },
    })
  })

  it.each([
    ['timeoutMs', { timeoutMs: Number.NaN }],
    ['timeoutMs', { timeoutMs: '3000' as never }],
    ['signal', { signal: {} as never }],
    ['timeout', { timeout: 5 } as never],
    ['options', null as never],
  ])('a %s that is unusable is a config failure', async (parameter, options) => {
    const server = lawful()
    await expect(failureOf(worldOf(server).connect(options))).resolves.toMatchObject({
      phase: 'Disconnected',
      failure: { kind: 'config', parameter },
    })
    expect(server.dialed).toBe(0)
  })

  it('a target that cannot be read is a config failure, by rejection', async () => {
    await expect(failureOf(worldOf(lawful()).connect({}, 'mysql://x'))).resolves.toMatchObject({
      phase: 'Disconnected',
      failure: { kind: 'config' },
    })
  })

  it('parameters that are too much for one StartupMessage are a config failure', async () => {
    const server = lawful()
    const target = `postgres://alice@db.example/app?sslmode=disable&options=${'x'.repeat(10_000)}`
    await expect(failureOf(worldOf(server).connect({}, target))).resolves.toMatchObject({
      failure: { kind: 'config', parameter: 'StartupMessage', problem: expect.stringContaining('10000') },
    })
    expect(server.received).toEqual([])
    expect(server.destroyed).toBe(true)
  })

  it('a wrong password is refused in AwaitingSaslOutcome, and shows in nothing', async () => {
    const error = await failureOf(worldOf(lawful({ password: 'another' })).connect())
    expect(error).toMatchObject({ phase: 'AwaitingSaslOutcome', failure: { kind: 'refused', sqlstate: '28P01' } })
    expect(`${inspect(error, { depth: 10 })} ${JSON.stringify(error)} ${error.stack}`).not.toContain('secret')
  })

  it('a defect of ours is not dressed up as a failure of the connection, and leaves nothing either', async () => {
    const defect = new TypeError('a defect')
    const server = lawful()
    const world = worldOf(server, { deriveKeys: () => Promise.reject(defect) })
    const caller = new AbortController()
    await expect(world.connect({ signal: caller.signal })).rejects.toBe(defect)
    expectNothingLeft(server, world, caller.signal)
  })

  it('unlawful bytes end it at once, without the timer', async () => {
    for (const [bytes, failure] of [
      [Buffer.from('HTTP/1.1 400 Bad Request\r\n'), { kind: 'malformed', problem: expect.stringContaining('HTTP') }],
      [Buffer.from('R\0\0\0\x03'), { kind: 'malformed', field: 'length' }],
      [Buffer.from('R\x7f\0\0\0'), { kind: 'limit' }],
      [encodeBackend({ type: 'DataRow', values: [] }), { kind: 'misbehaved', received: 'DataRow' }],
    ] as const) {
      const server = new ScriptedServer((self) => self.sendBytes(bytes))
      const world = worldOf(server)
      const error = await failureOf(world.connect())
      expect(error).toMatchObject({ phase: 'AwaitingAuthentication', failure })
      expect(server.destroyed).toBe(true)
      expect(world.clock.activeTimers).toBe(0)
    }
  })

  it('a thousand at once on one signal: one listener each, no warning, none left', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    const caller = new AbortController()
    const connecting = Array.from({ length: 1_000 }, () => {
      const { world } = stuck({ silentAt: 'AuthenticationSASL' })
      return failureOf(world.connect({ signal: caller.signal }))
    })
    await settle()
    caller.abort()
    for (const error of await Promise.all(connecting)) expect(error.name).toBe('AbortError')
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    await settle()
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })
})

describe('segments', () => {
  const behind: BackendMessage[] = [
    { type: 'ParameterStatus', name: 'TimeZone', value: 'UTC' },
    { type: 'NoticeResponse', fields: [{ code: 'M', value: 'behind ReadyForQuery' }] },
  ]

  async function story(segment: (flight: Buffer) => Buffer[], method: Profile['method']) {
    const session = await worldOf(lawful({ segment, behind, method: method ?? 'trust' })).connect()
    await settle()
    return {
      parameters: [...session.parameters],
      key: [session.backendKeyData?.processId, ...(session.backendKeyData?.secretKey ?? [])],
      notices: session.notices.map(({ message }) => message),
      timeline: session.timeline.map(({ state, messages, bytesReceived }) => [state, messages.length, bytesReceived]),
      result: await session.query('one'),
    }
  }

  it.each(['trust', 'scram-sha-256'] as const)(
    'any segmentation gives the same session (%s), nothing behind ReadyForQuery is lost',
    async (method) => {
      const whole = await story((flight) => [flight], method)
      expect(whole.parameters).toContainEqual(['TimeZone', 'UTC'])
      expect(whole.notices).toEqual(['behind ReadyForQuery'])

      const bytewise = await story((flight) => [...flight].map((byte) => Buffer.from([byte])), method)
      expect(strip(bytewise)).toEqual(strip(whole))

      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(400), { maxLength: 12 }), async (cuts) => {
          const at = [...new Set(cuts)].sort((a, b) => a - b)
          const segmented = await story((flight) => {
            const edges = [0, ...at.filter((cut) => cut > 0 && cut < flight.length), flight.length]
            return edges.slice(1).map((end, index) => flight.subarray(edges[index], end))
          }, method)
          expect(strip(segmented)).toEqual(strip(whole))
        }),
        { numRuns: 60 },
      )
    },
  )

  /** Functions are never equal; everything else must be. */
  function strip(value: unknown): unknown {
    return JSON.parse(JSON.stringify(value))
  }
})
