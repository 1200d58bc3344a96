/**
 * The eleven ways in which a deadline leaks elsewhere, each with what would show it here; then what meets in one tick, and a
 * storm. In virtual time; where the real event loop matters: patterns-real.test.ts.
 */
import { pbkdf2Sync } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { promises as files, readFileSync, statSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Runtime } from '../src/attempt.ts'
import type { ConnectTarget } from '../src/config/target.ts'
import { type Connecting, connectWith } from '../src/connect.ts'
import { createKnownServers } from '../src/known-servers.ts'
import type { Clock } from '../src/net/deadline.ts'
import { createRace } from '../src/net/dial.ts'
import { createKeyDerivation, type Pbkdf2 } from '../src/net/kdf.ts'
import { Account } from '../src/net/orphans.ts'
import { createResolver, type Lookup } from '../src/net/resolve.ts'
import { until } from '../src/net/until.ts'
import type { BackendMessage } from '../src/protocol/backend.ts'
import { Session } from '../src/session.ts'
import { HandshakeError } from '../src/state/errors.ts'
import { AWAITED, type StateName } from '../src/state/handshake/table.ts'
import { encodeBackend, lawful, type Profile, ScriptedServer } from './support/scripted-server.ts'
import { settle, type VirtualClock } from './support/virtual-clock.ts'
import { type World, worldOf } from './support/world.ts'

const TARGET = { host: 'db.example', user: 'alice', password: 'secret', dbname: 'app', sslmode: 'disable' } as const
const TRUST: readonly BackendMessage[] = [
  { type: 'AuthenticationOk' },
  { type: 'BackendKeyData', processId: 4711, secretKey: Buffer.from([1, 2, 3, 4]) },
  { type: 'ReadyForQuery', status: 'I' },
]
const NO_ROOM: BackendMessage = {
  type: 'ErrorResponse',
  fields: [
    { code: 'S', value: 'FATAL' },
    { code: 'C', value: '28000' },
    { code: 'M', value: 'no pg_hba.conf entry' },
  ],
}

const silent = () => new ScriptedServer(() => {})

/** A world of several hosts: for every visit of one, the next of its servers. A host without one swallows, as a black hole. */
function hosts(servers: Readonly<Record<string, readonly ScriptedServer[]>>, changes: Partial<Runtime> = {}) {
  const dialed: string[] = []
  const left = new Map(Object.entries(servers).map(([host, list]) => [host, [...list]]))
  const dial: Runtime['dial'] = (destination, deadline) => {
    const { endpoint } = destination
    const named = endpoint.transport === 'tcp' ? endpoint.host : endpoint.path
    // A cancel request goes to the address that every scripted server says it has.
    const host = named === '192.0.2.1' ? 'one' : named
    dialed.push(host)
    return left.get(host)?.shift()?.dial(destination, deadline) ?? until(deadline.signal, () => () => {})
  }
  return { ...worldOf(silent(), { dial, ...changes }), dialed }
}

/** Let time pass, a millisecond at a time, until it has settled: with what, and after how many. */
async function settled(clock: VirtualClock, promise: Promise<unknown>, withinMs = 10_000) {
  const startedMs = clock.now()
  let outcome: unknown
  let isSettled = false
  const settling = promise.then(
    (value) => {
      outcome = value
      isSettled = true
    },
    (error: unknown) => {
      outcome = error
      isSettled = true
    },
  )
  await settle()
  while (!isSettled && clock.now() - startedMs < withinMs) {
    clock.advance(1)
    await settle()
  }
  if (!isSettled) throw new Error(`not settled after ${withinMs} ms`)
  await settling
  return { outcome, atMs: clock.now() - startedMs }
}

async function failureOf(connecting: Promise<unknown>): Promise<HandshakeError> {
  const error = await connecting.catch((reason: unknown) => reason)
  if (!(error instanceof HandshakeError)) throw new Error('expected a HandshakeError', { cause: error })
  return error
}

function expectDeadline(outcome: unknown, timeoutMs: number, phase: StateName): HandshakeError {
  expect(outcome).toMatchObject({ name: 'TimeoutError', phase, failure: { kind: 'deadline', timeoutMs } })
  return outcome as HandshakeError
}

/** Without the threads of libuv: they keep no virtual time. */
const deriveAtOnce = createKeyDerivation({
  pbkdf2: (password, salt, iterations, lengthBytes, digest, done) =>
    queueMicrotask(() => done(null, pbkdf2Sync(password, salt, iterations, lengthBytes, digest))),
})

/** A wait that the clock ends. */
function later(clock: VirtualClock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.setTimer(resolve, delayMs))
}

afterEach(() => vi.restoreAllMocks())

describe('P1: two timers of one length, and two different errors', () => {
  it('connect_timeout and timeoutMs that are equal are one deadline, with one timer and one error', async () => {
    const world = worldOf(silent())
    const caller = new AbortController()
    const connecting = world.connect({ timeoutMs: 1_000, signal: caller.signal }, { ...TARGET, connectTimeout: 1 })
    await settle()
    expect(world.clock.activeTimers).toBe(1)
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1)
    const { outcome, atMs } = await settled(world.clock, connecting)
    const error = expectDeadline(outcome, 1_000, 'AwaitingAuthentication')
    expect(atMs).toBe(1_000)
    expect(error.cause).toMatchObject({ name: 'TimeoutError', message: 'the deadline of 1000 ms has passed' })
    expect(error.attempts).toHaveLength(1)
    expect(world.clock.timersMax).toBe(1)
    expect(world.clock.activeTimers).toBe(0)
  })

  it('the slice of the last host is as long as what is left: the failure is the deadline’s', async () => {
    const world = hosts({ one: [silent()], two: [silent()] })
    const { outcome } = await settled(world.clock, world.connect({ timeoutMs: 1_000 }, { ...TARGET, host: 'one,two' }))
    const error = expectDeadline(outcome, 1_000, 'AwaitingAuthentication')
    expect(error.attempts.map(({ failure }) => failure)).toEqual([
      { kind: 'deadline', timeoutMs: 500 },
      { kind: 'deadline', timeoutMs: 1_000 },
    ])
    expect(world.clock.timersMax).toBe(1)
  })
})

describe('P2: a timer that is wound up again per attempt, host or address', () => {
  it('three silent hosts end when one would', async () => {
    const world = hosts({ one: [silent()], two: [silent()], three: [silent()] })
    const target = { ...TARGET, host: 'one,two,three' }
    const { outcome, atMs } = await settled(world.clock, world.connect({ timeoutMs: 1_000 }, target))
    const error = expectDeadline(outcome, 1_000, 'AwaitingAuthentication')
    expect(atMs).toBe(1_000)
    expect(error.attempts.map(({ endpoint }) => endpoint)).toEqual(['one:5432', 'two:5432', 'three:5432'])
  })

  it('the second attempt of sslmode has what the first one left of the same host', async () => {
    const plain = silent()
    const world = hosts({ one: [plain, silent()] })
    const connecting = world.connect({ timeoutMs: 1_000 }, { ...TARGET, host: 'one,two', sslmode: 'allow' })
    world.clock.setTimer(() => plain.send(NO_ROOM), 400)
    const { outcome, atMs } = await settled(world.clock, connecting)
    const error = expectDeadline(outcome, 1_000, 'Dialing')
    expect(atMs).toBe(1_000)
    expect(error.attempts.map(({ endpoint, encryption, sliceMs }) => [endpoint, encryption, sliceMs])).toEqual([
      ['one:5432', 'off', 500],
      ['one:5432', 'required', 500],
      ['two:5432', 'off', 500],
    ])
    const ends = [0, 1, 2].map((index) => error.timeline.findLast(({ attempt }) => attempt === index)?.leftMs)
    expect(ends).toEqual([400, 500, 1_000])
  })

  it('the addresses of a name share its time', async () => {
    const opened: unknown[] = []
    const race = createRace((options, _keeping, { signal }) => {
      opened.push('host' in options && options.host)
      return until(signal, () => () => {})
    })
    const addresses = [1, 2, 3].map((last) => ({ address: `192.0.2.${last}`, family: 4 }))
    const world = worldOf(silent(), {
      resolveHost: async () => addresses,
      dial: (destination, deadline) =>
        race(destination.addresses ?? [], 5432, { keepAlive: true, keepAliveIdleMs: 0 }, deadline),
    })
    const { outcome, atMs } = await settled(world.clock, world.connect({ timeoutMs: 1_000 }))
    expectDeadline(outcome, 1_000, 'Dialing')
    expect(atMs).toBe(1_000)
    expect(opened).toEqual(addresses.map(({ address }) => address))
    expect(world.clock.timersMax).toBe(1)
  })
})

describe('P3: a timer that is wound up again per read: a server that drips outlives it', () => {
  const notice: BackendMessage = { type: 'NoticeResponse', fields: [{ code: 'M', value: 'patience' }] }
  const bytes = [...encodeBackend({ type: 'NoticeResponse', fields: [{ code: 'M', value: 'x'.repeat(2_000) }] })]
  const dripOf = {
    'byte by byte': (server: ScriptedServer, index: number) => server.sendBytes(Buffer.of(bytes[index] as number)),
    'message by message': (server: ScriptedServer) => server.send(notice),
  }
  const silentAt: Partial<Record<StateName, Profile['silentAt']>> = {
    AwaitingAuthentication: 'AuthenticationSASL',
    AwaitingSaslChallenge: 'AuthenticationSASLContinue',
    AwaitingSaslOutcome: 'AuthenticationSASLFinal',
    AwaitingVerdict: 'AuthenticationOk',
    AwaitingReady: 'ReadyForQuery',
    AwaitingSessionCheck: 'CommandComplete',
  }

  const cases = Object.keys(silentAt).flatMap((phase) => Object.keys(dripOf).map((how) => [phase, how]))
  it.each(cases as [StateName, keyof typeof dripOf][])('%s, %s', async (phase, how) => {
    const server = lawful({ silentAt: silentAt[phase] as NonNullable<Profile['silentAt']> })
    const world = worldOf(server)
    const targetSessionAttrs = phase === 'AwaitingSessionCheck' ? 'primary' : 'any'
    const connecting = world.connect({ timeoutMs: 1_000 }, { ...TARGET, targetSessionAttrs })
    let dripped = 0
    const drip = () => {
      dripOf[how](server, dripped)
      dripped += 1
      world.clock.setTimer(drip, 20)
    }
    world.clock.setTimer(drip, 20)
    const { outcome, atMs } = await settled(world.clock, connecting, 2_000)
    expectDeadline(outcome, 1_000, phase)
    expect(atMs).toBe(1_000)
    expect(dripped).toBeGreaterThanOrEqual(49)
    expect(server.destroyed).toBe(true)
  })

  it('AwaitingCancelClose, byte by byte', async () => {
    const target = silent()
    const world = hosts({ one: [lawful(), target] })
    const session = await world.connect({}, { ...TARGET, host: 'one' })
    const cancelling = session.cancel({ timeoutMs: 300 })
    let dripped = 0
    const drip = () => {
      dripOf['byte by byte'](target, dripped)
      dripped += 1
      world.clock.setTimer(drip, 20)
    }
    world.clock.setTimer(drip, 20)
    const { outcome, atMs } = await settled(world.clock, cancelling, 1_000)
    expectDeadline(outcome, 300, 'AwaitingCancelClose')
    expect(atMs).toBe(300)
  })
})

describe('P4: a phase that the deadline does not cover', () => {
  const STEP_MS = 50
  const column = { tableOid: 0, attributeNumber: 0, typeOid: 16, typeSize: 1, typeModifier: -1, format: 0 }
  const ANSWER: readonly BackendMessage[] = [
    { type: 'RowDescription', columns: [{ name: 'pg_is_in_recovery', ...column }] },
    { type: 'DataRow', values: [Buffer.from('f')] },
  ]

  /** A connect in which every wait takes 50 ms: files, name lookup, dial, TLS, every message, password, key, session check. */
  function journey(method: 'password' | 'scram-sha-256', timeoutMs: number) {
    const server = lawful({ method, tlsReply: 'S', segment: messagesOf })
    const world: World = worldOf(server, {
      resolveHost: async (_host, signal) => {
        await step(signal)
        return [{ address: '192.0.2.1', family: 4 }]
      },
      dial: async (destination, deadline) => {
        await step(deadline.signal)
        return server.dial(destination, deadline)
      },
      deriveKeys: async (input, signal) => {
        await step(signal)
        return deriveAtOnce(input, signal)
      },
    })
    const { clock } = world
    let freeAtMs = 0
    const send = server.sendBytes.bind(server)
    server.sendBytes = (bytes) => {
      // The scripted server has no rows: the answer to pg_is_in_recovery() comes before its CommandComplete.
      if (bytes[0] === 0x43) for (const message of ANSWER) server.sendBytes(encodeBackend(message))
      freeAtMs = Math.max(freeAtMs, clock.now()) + STEP_MS
      clock.setTimer(() => send(bytes), freeAtMs - clock.now())
    }
    server.onTls(async (signal) => {
      await step(signal)
      return { version: 'TLSv1.3', cipher: 'x', alpnProtocol: 'postgresql', serverCertificate: null, rejection: null }
    })
    // A file system that is slow, and that looks at no signal.
    vi.spyOn(files, 'stat').mockImplementation((async (path: string) => {
      await later(clock, STEP_MS)
      return statSync(path, { bigint: true })
    }) as never)
    vi.spyOn(files, 'readFile').mockImplementation(async (path) => readFileSync(path as string))
    const connecting = world.connect(
      { timeoutMs },
      {
        ...TARGET,
        sslmode: 'require',
        sslrootcert: new URL('./certificates/ca.crt', import.meta.url).pathname,
        allowCleartextPassword: true,
        targetSessionAttrs: 'primary',
        // It is asked for early, and must be slower than what is done meanwhile.
        password: () => later(clock, 12 * STEP_MS).then(() => 'secret'),
      },
    )
    return { clock, server, connecting }

    function step(signal: AbortSignal): Promise<void> {
      return until(signal, (resolve) => clock.setTimer(resolve, STEP_MS))
    }
  }

  /** One segment for every message. */
  function messagesOf(flight: Buffer): Buffer[] {
    if (flight.length === 0) return []
    const end = 1 + flight.readInt32BE(1)
    return [flight.subarray(0, end), ...messagesOf(flight.subarray(end))]
  }

  it.each(['password', 'scram-sha-256'] as const)('ends each one of them on time and names it (%s)', async (method) => {
    const whole = journey(method, 60_000)
    const { outcome: session } = await settled(whole.clock, whole.connecting)
    if (!(session instanceof Session)) throw session
    const waits = session.timeline.filter(({ enteredMs, leftMs }) => leftMs > enteredMs)
    const names = waits.map(({ state }) => state)
    const others = method === 'password' ? /Sasl|CancelClose/ : /AwaitingPassword|SaslOffer|CancelClose/
    const waiting = (Object.keys(AWAITED) as StateName[]).filter((name) => AWAITED[name] !== null && !others.test(name))
    expect(names).toEqual(['Disconnected', ...waiting])

    for (const { state, enteredMs } of waits) {
      const timeoutMs = enteredMs + STEP_MS / 2
      const { clock, server, connecting } = journey(method, timeoutMs)
      const { outcome, atMs } = await settled(clock, connecting)
      const error = expectDeadline(outcome, timeoutMs, state)
      expect(atMs).toBe(timeoutMs)
      expect(error.timeline.at(-1)).toMatchObject({ state, leftMs: timeoutMs })
      expect(server.destroyed).toBe(server.dialed > 0)
    }
  })
})

describe('P5: only the caller is told, and the work goes on', () => {
  it.each(['the deadline', 'the caller', 'close()'])(
    '%s ends the password function and the connection',
    async (who) => {
      const server = lawful()
      const world = worldOf(server)
      const caller = new AbortController()
      let asked: AbortSignal | undefined
      const password = (signal: AbortSignal) => {
        asked = signal
        return new Promise<string>(() => {})
      }
      const connecting = world.connect({ timeoutMs: 1_000, signal: caller.signal }, { ...TARGET, password })
      await settle()
      expect(asked?.aborted).toBe(false)
      if (who === 'the deadline') world.clock.advance(1_000)
      else if (who === 'the caller') caller.abort('enough')
      else void connecting.close()
      const error = await failureOf(connecting)
      expect(error.phase).toBe('AwaitingSaslPassword')
      expect(asked?.aborted).toBe(true)
      expect(asked?.reason).toBe(error.cause)
      expect(server.destroyed).toBe(true)
      expect(world.clock.activeTimers).toBe(0)
    },
  )

  it('what cannot be stopped is accounted for until it ends', async () => {
    const [lookups, derivations] = [new Account(), new Account()]
    const pending: (() => void)[] = []
    const lookup: Lookup = (_host, _options, done) =>
      pending.push(() => done(null, [{ address: '192.0.2.1', family: 4 }]))
    const pbkdf2: Pbkdf2 = (_password, _salt, _iterations, _length, _digest, done) =>
      pending.push(() => done(null, new Uint8Array(32)))

    const looking = worldOf(lawful(), { resolveHost: createResolver({ account: lookups, lookup }) })
    const deriving = worldOf(lawful(), { deriveKeys: createKeyDerivation({ account: derivations, pbkdf2 }) })
    for (const { clock, connect } of [looking, deriving]) {
      const connecting = connect({ timeoutMs: 1_000 })
      await settle()
      expect([lookups.orphaned, derivations.orphaned]).toEqual(clock === looking.clock ? [0, 0] : [1, 0])
      clock.advance(1_000)
      await failureOf(connecting)
    }
    expect([lookups.orphaned, derivations.orphaned]).toEqual([1, 1])
    for (const end of pending) end()
    expect([lookups.running, derivations.running]).toEqual([0, 0])
  })

  it('a connection that is made in the tick of the deadline is destroyed', async () => {
    const server = lawful()
    const world: World = worldOf(server, {
      dial: async (destination, deadline) => {
        const transport = await server.dial(destination, deadline)
        // It is open; and before the driver can take it, the time is up.
        queueMicrotask(() => world.clock.advance(1_000))
        return transport
      },
    })
    expectDeadline(await failureOf(world.connect({ timeoutMs: 1_000 })), 1_000, 'Dialing')
    expect(server.destroyed).toBe(true)
    expect(server.received).toEqual([])
  })
})

describe('P6: a wall clock that jumps', () => {
  it.each([
    ['forth', 5 * 3_600_000],
    ['back', -5 * 3_600_000],
  ])('%s by five hours changes neither deadline nor timeline', async (_direction, jumpMs) => {
    const world = hosts({ one: [silent()], two: [silent()] })
    const connecting = world.connect({ timeoutMs: 1_000 }, { ...TARGET, host: 'one,two' })
    const wallClock = vi.spyOn(Date, 'now')
    world.clock.setTimer(() => wallClock.mockReturnValue(1_800_000_000_000 + jumpMs), 250)
    const { outcome, atMs } = await settled(world.clock, connecting)
    const error = expectDeadline(outcome, 1_000, 'AwaitingAuthentication')
    expect(atMs).toBe(1_000)
    expect(error.timeline.at(-1)?.leftMs).toBe(1_000)
    expect(wallClock).not.toHaveBeenCalled()
  })
})

describe('P7: an expired deadline that is used again for the next attempt', () => {
  it('when the whole time is gone, no other host is visited', async () => {
    const world = hosts({ one: [silent()], two: [lawful()] })
    const connecting = world.connect({ timeoutMs: 1_000 }, { ...TARGET, host: 'one,two' })
    await settle()
    world.clock.block(1_200)
    const { outcome } = await settled(world.clock, connecting)
    const error = expectDeadline(outcome, 1_000, 'AwaitingAuthentication')
    expect(error.attempts).toHaveLength(1)
    expect(world.dialed).toEqual(['one'])
  })

  it.each([
    ['another host', 'one,two', 'disable'],
    ['the other kind of connection', 'one', 'allow'],
  ] as const)(
    'nor %s, if the attempt before fails when its time is gone and nobody knows yet',
    async (_, host, sslmode) => {
      const one = silent()
      const world = hosts({ one: [one, lawful()], two: [lawful()] })
      const connecting = world.connect({ timeoutMs: 1_000 }, { ...TARGET, host, sslmode })
      await settle()
      world.clock.block(1_200)
      if (sslmode === 'allow') one.send(NO_ROOM)
      else one.end('ECONNRESET')
      // No timer has been called yet: what came first is told, and it was the last attempt.
      const error = await failureOf(connecting)
      expect(world.dialed).toEqual(['one'])
      expect(error.attempts.map(({ failure }) => failure.kind)).toEqual([sslmode === 'allow' ? 'refused' : 'lost'])
      expect(error.failure).toBe(error.attempts[0]?.failure)
      expect(world.clock.activeTimers).toBe(0)
    },
  )

  it('a host that has used up its slice does not end the request for the password, which the next one needs', async () => {
    const world = hosts({ two: [lawful()] })
    let asked: AbortSignal | undefined
    const password = (signal: AbortSignal) => {
      asked = signal
      return until<string>(signal, (resolve) => world.clock.setTimer(() => resolve('secret'), 700))
    }
    const connecting = world.connect({ timeoutMs: 1_000 }, { ...TARGET, host: 'one,two', password })
    await settle()
    world.clock.advance(600)
    await settle()
    expect(world.dialed).toEqual(['one', 'two'])
    expect(asked?.aborted).toBe(false)
    const { outcome, atMs } = await settled(world.clock, connecting)
    expect(outcome).toBeInstanceOf(Session)
    expect(atMs).toBe(100)
  })

  it('a connect after one that has expired has all of its own time, and what both wait for is not taken from it', async () => {
    const pending: (() => void)[] = []
    const resolveHost = createResolver({
      lookup: (_host, _options, done) => pending.push(() => done(null, [{ address: '192.0.2.1', family: 4 }])),
    })
    const deriveKeys = createKeyDerivation({
      pbkdf2: (password, salt, iterations, lengthBytes, digest, done) =>
        pending.push(() => done(null, pbkdf2Sync(password, salt, iterations, lengthBytes, digest))),
    })
    const world = hosts({ one: [lawful(), lawful()] }, { resolveHost, deriveKeys })
    const target = { ...TARGET, host: 'one' }
    const first = world.connect({ timeoutMs: 300 }, target)
    world.clock.advance(200)
    const second = world.connect({ timeoutMs: 1_000 }, target)
    expectDeadline((await settled(world.clock, first)).outcome, 300, 'ResolvingHost')
    expect(pending).toHaveLength(1)
    world.clock.advance(500)
    pending.shift()?.()
    await settle()
    // For the key of the second one waits a third one, too, and not for as long.
    const third = world.connect({ timeoutMs: 200 }, target)
    await settle()
    pending.pop()?.()
    expectDeadline((await settled(world.clock, third)).outcome, 200, 'DerivingSaslKey')
    expect(pending).toHaveLength(1)
    pending.shift()?.()
    await expect(second).resolves.toBeInstanceOf(Session)
  })
})

describe('P8: cancel and clean-up outside of any deadline', () => {
  const open = async () => {
    const server = new ScriptedServer((self, { type }) => {
      if (type === 'StartupMessage') self.send(...TRUST)
    })
    const canceller = silent()
    const world = hosts({ one: [server, canceller] })
    const session = await world.connect({}, { ...TARGET, host: 'one' })
    return { ...world, session, server, canceller }
  }

  it.each([
    [{ timeoutMs: 300 }, 300],
    [{}, 5_000],
  ])('close(%o) ends in front of a server that never closes', async (options, expectedMs) => {
    const { clock, session, server } = await open()
    const { atMs } = await settled(clock, session.close(options))
    expect(server.names).toEqual(['StartupMessage', 'Terminate'])
    expect(atMs).toBe(expectedMs)
    expect(server.destroyed).toBe(true)
    expect(clock.activeTimers).toBe(0)
  })

  it.each([
    [{ timeoutMs: 300 }, 300],
    [{}, 5_000],
  ])('cancel(%o) ends in front of a server that never closes', async (options, expectedMs) => {
    const { clock, session, canceller } = await open()
    const { outcome, atMs } = await settled(clock, session.cancel(options))
    expectDeadline(outcome, expectedMs, 'AwaitingCancelClose')
    expect(canceller.names).toEqual(['CancelRequest'])
    expect(atMs).toBe(expectedMs)
    expect(canceller.destroyed).toBe(true)
    expect(clock.activeTimers).toBe(0)
  })

  it('each takes a signal of its own, and is not ended by that of the connect', async () => {
    const { clock, session, server, canceller } = await open()
    const [forCancel, forClose] = [new AbortController(), new AbortController()]
    const cancelling = session.cancel({ signal: forCancel.signal })
    await settle()
    forCancel.abort('enough')
    expect(await failureOf(cancelling)).toMatchObject({ name: 'AbortError', phase: 'AwaitingCancelClose' })
    expect(canceller.destroyed).toBe(true)
    expect(server.destroyed).toBe(false)
    const closing = session.close({ signal: forClose.signal })
    await settle()
    forClose.abort('enough')
    await closing
    expect(server.destroyed).toBe(true)
    expect(clock.activeTimers).toBe(0)
    for (const { signal } of [forCancel, forClose]) expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('cancel() tells of an event loop that was blocked, too', async () => {
    const { clock, session } = await open()
    const cancelling = session.cancel({ timeoutMs: 1_000 })
    await settle()
    clock.block(400)
    const { outcome } = await settled(clock, cancelling)
    expect(outcome).toMatchObject({ name: 'TimeoutError', loopLagMs: 350 })
  })
})

describe('P9: a starved event loop that is taken for a silent server', () => {
  function start(server: ScriptedServer, timeoutMs = 1_000) {
    const world = worldOf(server)
    return { clock: world.clock, connecting: world.connect({ timeoutMs }) }
  }

  /** The first timer is due at 50 ms: the heartbeat. */
  async function blocked(server: ScriptedServer) {
    const { clock, connecting } = start(server)
    await settle()
    clock.block(1_300)
    // The timer is called, late: now comes the poll.
    clock.advance(0)
    return { clock, connecting }
  }

  it('an answer that was there when the loop was free again counts, though the deadline is past', async () => {
    const server = silent()
    const { clock, connecting } = await blocked(server)
    server.send(...TRUST)
    const session = await connecting
    expect(session.phase).toBe('Idle')
    expect(session.timeline.find(({ state }) => state === 'AwaitingAuthentication')?.loopLagMs).toBe(1_250)
    expect(clock.activeTimers).toBe(0)
  })

  it('if there was none it is over, and the error says whose fault it may be', async () => {
    const { clock, connecting } = await blocked(silent())
    clock.advance(0)
    const error = expectDeadline(await failureOf(connecting), 1_000, 'AwaitingAuthentication')
    expect(error.loopLagMs).toBe(1_250)
    expect(error.message).toContain('our own event loop was blocked for 1250 ms')
    expect(error.timeline.map(({ state, loopLagMs }) => [state, loopLagMs])).toEqual([
      ['Disconnected', 0],
      ['ResolvingHost', 0],
      ['Dialing', 0],
      ['Connected', 0],
      ['AwaitingAuthentication', 1_250],
    ])
  })

  it('it is no way past the deadline: who needs another round trip is cut off', async () => {
    const server = lawful({ silentAt: 'AuthenticationSASL' })
    const { clock, connecting } = await blocked(server)
    server.send({ type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] })
    await settle()
    clock.advance(0)
    const error = expectDeadline(await failureOf(connecting), 1_000, 'AwaitingSaslChallenge')
    expect(error.timeline.slice(-2).map(({ state, loopLagMs }) => [state, loopLagMs])).toEqual([
      ['AwaitingAuthentication', 1_250],
      ['AwaitingSaslChallenge', 0],
    ])
  })

  it('a block is told of the state in which it was, though the timer is called in the next one', async () => {
    const server = silent()
    const { clock, connecting } = start(server)
    await settle()
    // In the poll: somebody else's callback takes 300 ms, and then comes ours.
    clock.block(300)
    server.send({ type: 'AuthenticationOk' })
    await settle()
    clock.advance(0)
    clock.advance(0)
    await settle()
    clock.advance(1_000)
    const error = expectDeadline(await failureOf(connecting), 1_000, 'AwaitingReady')
    expect(error.timeline.slice(-2).map(({ state, loopLagMs }) => [state, loopLagMs])).toEqual([
      ['AwaitingAuthentication', 250],
      ['AwaitingReady', 0],
    ])
  })

  it('a block right after the call: nothing has begun, nothing begins, and the deadline is the caller’s', async () => {
    const server = lawful()
    const { clock, connecting } = start(server)
    clock.block(1_300)
    const error = expectDeadline(await failureOf(connecting), 1_000, 'Disconnected')
    expect(error.loopLagMs).toBe(1_250)
    expect(error.message).toContain('our own event loop was blocked for 1250 ms')
    expect(server.dialed).toBe(0)
    expect(clock.activeTimers).toBe(0)
  })

  it('a block that ends before the deadline costs its time, and no more', async () => {
    const server = silent()
    const { clock, connecting } = start(server)
    await settle()
    clock.block(900)
    clock.advance(0)
    clock.advance(0)
    const { outcome, atMs } = await settled(clock, connecting)
    expectDeadline(outcome, 1_000, 'AwaitingAuthentication')
    expect(atMs).toBe(100)
  })
})

describe('P10: rounding and minimums', () => {
  it.each([
    ['timeoutMs 1', { timeoutMs: 1 }, {}, 1],
    ['timeoutMs 7', { timeoutMs: 7 }, {}, 7],
    ['timeoutMs 1500', { timeoutMs: 1_500 }, {}, 1_500],
    ['connect_timeout=1', {}, { connectTimeout: 1 }, 1_000],
    ['connect_timeout=1.5', {}, { connectTimeout: 1.5 }, 1_500],
    ['timeoutMs 7, connect_timeout=1', { timeoutMs: 7 }, { connectTimeout: 1 }, 7],
  ])('%s is that long', async (_name, options, parameters, expectedMs) => {
    const world = worldOf(silent())
    const { outcome, atMs } = await settled(world.clock, world.connect(options, { ...TARGET, ...parameters }))
    const error = expectDeadline(outcome, expectedMs, 'AwaitingAuthentication')
    expect(atMs).toBe(expectedMs)
    expect(error.timeline.at(-1)?.leftMs).toBe(expectedMs)
  })
})

describe('P11: one deadline without slices: the first black hole eats all', () => {
  it('behind two black holes the third host is reached, and in time', async () => {
    const world = hosts({ three: [lawful()] })
    const connecting = world.connect({ timeoutMs: 900 }, { ...TARGET, host: 'one,two,three' })
    const { outcome, atMs } = await settled(world.clock, connecting)
    if (!(outcome instanceof Session)) throw outcome
    expect(atMs).toBe(600)
    expect(world.dialed).toEqual(['one', 'two', 'three'])
    expect(outcome.attempts.map(({ phase, failure }) => [phase, failure])).toEqual([
      ['Dialing', { kind: 'deadline', timeoutMs: 300 }],
      ['Dialing', { kind: 'deadline', timeoutMs: 300 }],
    ])
    expect(world.clock.timersMax).toBe(1)
    expect(world.clock.activeTimers).toBe(0)
  })

  it('what a host does not use is there for the others', async () => {
    const refusing = silent()
    refusing.end('ECONNRESET')
    const world = hosts({ one: [refusing], three: [lawful()] })
    const connecting = world.connect({ timeoutMs: 900 }, { ...TARGET, host: 'one,two,three' })
    const { outcome, atMs } = await settled(world.clock, connecting)
    expect(outcome).toBeInstanceOf(Session)
    expect(atMs).toBe(450)
  })
})

describe('ties', () => {
  /** Whatever comes of it: settled as what it is, and nothing left but what belongs to the session. */
  async function expectWhole(connecting: Connecting, server: ScriptedServer, signal: AbortSignal, reason: unknown) {
    const outcome = await connecting.catch((error: unknown) => error)
    await settle()
    expect(getEventListeners(signal, 'abort')).toEqual([])
    if (outcome instanceof Session) {
      expect(server.destroyed).toBe(false)
      expect(outcome.phase).toBe('Idle')
      return 'session'
    }
    expect(outcome).toMatchObject({ name: 'AbortError', failure: { kind: 'aborted' } })
    expect((outcome as HandshakeError).cause).toBe(reason)
    expect(server.destroyed).toBe(server.dialed > 0)
    return 'abort'
  }

  /** Aborted for so long, and a session ever after. */
  function expectTurn(outcomes: readonly string[], least: number): void {
    const turn = outcomes.indexOf('session')
    expect(turn).toBeGreaterThanOrEqual(least)
    expect(outcomes.map((outcome, index) => outcome === (index < turn ? 'abort' : 'session'))).not.toContain(false)
  }

  it.each(['the answer', 'the abort'])('success and abort in one tick, %s first: the abort counts', async (first) => {
    const server = silent()
    const world = worldOf(server)
    const caller = new AbortController()
    const connecting = world.connect({ signal: caller.signal })
    await settle()
    if (first === 'the answer') server.send(...TRUST)
    caller.abort('enough')
    if (first === 'the abort') server.send(...TRUST)
    expect(await expectWhole(connecting, server, caller.signal, 'enough')).toBe('abort')
    expect(world.clock.activeTimers).toBe(0)
  })

  it('an abort at any microtask after the answer: until Ready it counts, and from then on it does not', async () => {
    const outcomes: string[] = []
    for (let count = 0; count < 60; count += 1) {
      const server = silent()
      const world = worldOf(server)
      const caller = new AbortController()
      const connecting = world.connect({ signal: caller.signal })
      await settle()
      server.send(...TRUST)
      for (let waited = 0; waited < count; waited += 1) await null
      caller.abort('enough')
      outcomes.push(await expectWhole(connecting, server, caller.signal, 'enough'))
      expect(world.clock.activeTimers).toBe(0)
    }
    expectTurn(outcomes, 1)
  })

  it.each([
    ['the abort', { name: 'AbortError', failure: { kind: 'aborted' }, cause: 'enough' }],
    ['the expiry', { name: 'TimeoutError', failure: { kind: 'deadline', timeoutMs: 1_000 } }],
  ])('abort and expiry in one tick: %s, which came first, counts', async (first, expected) => {
    const server = silent()
    const world = worldOf(server)
    const caller = new AbortController()
    const abort = () => caller.abort('enough')
    if (first === 'the abort') world.clock.setTimer(abort, 1_000)
    const connecting = world.connect({ timeoutMs: 1_000, signal: caller.signal })
    await settle()
    world.clock.advance(999)
    if (first === 'the expiry') world.clock.setTimer(abort, 1)
    world.clock.advance(1)
    expect(await failureOf(connecting)).toMatchObject(expected)
    expect(server.destroyed).toBe(true)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it.each(['before it', 'in it'])(
    'an abort in the poll after a late timer, %s the answer: nobody is logged in',
    async (when) => {
      const server = silent()
      const world = worldOf(server)
      const caller = new AbortController()
      const connecting = world.connect({ timeoutMs: 1_000, signal: caller.signal })
      await settle()
      world.clock.block(1_300)
      world.clock.advance(0)
      if (when === 'in it') server.send(...TRUST)
      caller.abort('enough')
      server.send(...TRUST)
      world.clock.advance(0)
      expect(await expectWhole(connecting, server, caller.signal, 'enough')).toBe('abort')
    },
  )

  it('an ErrorResponse and a reset in one segment: what the server said is told', async () => {
    const server = silent()
    const connecting = worldOf(server).connect()
    await settle()
    server.send(NO_ROOM)
    server.end('ECONNRESET')
    expect(await failureOf(connecting)).toMatchObject({ failure: { kind: 'refused', sqlstate: '28000' } })
  })

  it('the first of two failures in one segment is told', async () => {
    const server = silent()
    const connecting = worldOf(server).connect()
    await settle()
    server.send(NO_ROOM, { type: 'DataRow', values: [] })
    expect(await failureOf(connecting)).toMatchObject({ failure: { kind: 'refused', sqlstate: '28000' } })
  })

  const CALLBACKS: Readonly<Record<string, (abort: () => void) => [ScriptedServer, Partial<Runtime>, ConnectTarget?]>> =
    {
      'the password function': (abort) => [
        lawful(),
        {},
        {
          ...TARGET,
          password: async () => {
            abort()
            return 'secret'
          },
        },
      ],
      'a password function that then throws': (abort) => [
        lawful(),
        {},
        {
          ...TARGET,
          password: () => {
            abort()
            throw new TypeError('stopped')
          },
        },
      ],
      'the name lookup': (abort) => [
        lawful(),
        {
          resolveHost: async () => {
            abort()
            return [{ address: '192.0.2.1', family: 4 }]
          },
        },
      ],
      'the dial': (abort) => {
        const server = lawful()
        return [
          server,
          {
            dial: async (destination, deadline) => {
              const transport = await server.dial(destination, deadline)
              abort()
              return transport
            },
          },
        ]
      },
      'the key derivation': (abort) => [
        lawful(),
        {
          deriveKeys: async (input, signal) => {
            const keys = await deriveAtOnce(input, signal)
            abort()
            return keys
          },
        },
      ],
      'our write': (abort) => [
        new ScriptedServer((self) => {
          self.send(...TRUST)
          abort()
        }),
        {},
      ],
      'the choice of a nonce': (abort) => [
        lawful(),
        {
          randomBytes: (lengthBytes) => {
            abort()
            return Buffer.alloc(lengthBytes, 42)
          },
        },
      ],
    }

  it.each(Object.keys(CALLBACKS))('an abort from within %s counts', async (name) => {
    const caller = new AbortController()
    const [server, changes, target] = (CALLBACKS[name] as (typeof CALLBACKS)[string])(() => caller.abort('enough'))
    const world = worldOf(server, changes)
    const connecting = world.connect({ signal: caller.signal }, target ?? TARGET)
    expect(await expectWhole(connecting, server, caller.signal, 'enough')).toBe('abort')
    expect(world.clock.activeTimers).toBe(0)
  })

  it('an abort from within the clock, at whichever reading of it', async () => {
    const outcomes: string[] = []
    for (let isReached = true; isReached; ) {
      isReached = false
      const server = lawful()
      const caller = new AbortController()
      const { clock } = worldOf(server)
      let readings = 0
      const aborting: Clock = {
        now() {
          readings += 1
          if (readings === outcomes.length + 1) {
            isReached = true
            caller.abort('enough')
          }
          return clock.now()
        },
        setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs),
        afterPoll: (callback) => clock.afterPoll(callback),
      }
      const connecting = worldOf(server, { clock: aborting }).connect({ signal: caller.signal }, TARGET)
      outcomes.push(await expectWhole(connecting, server, caller.signal, 'enough'))
      expect(clock.activeTimers).toBe(0)
    }
    expectTurn(outcomes, 20)
  })

  it('aborted twice, and closed as well: the first reason counts, even if it is null', async () => {
    for (const reason of ['first', null]) {
      const server = silent()
      const caller = new AbortController()
      const connecting = worldOf(server).connect({ signal: caller.signal })
      await settle()
      caller.abort(reason)
      caller.abort('second')
      const closing = connecting.close()
      expect(await expectWhole(connecting, server, caller.signal, reason)).toBe('abort')
      await closing
    }
  })
})

// Ten thousand heaps of objects keep the garbage collector busy.
describe('a storm', { timeout: 120_000 }, () => {
  it('of ten thousand on one signal: one listener, one timer each, all end with the abort', async () => {
    const caller = new AbortController()
    const { clock } = worldOf(silent())
    const servers = Array.from({ length: 10_000 }, silent)
    const connecting = servers.map((server) => {
      const runtime: Runtime = {
        clock,
        resolveHost: async () => [{ address: '192.0.2.1', family: 4 }],
        dial: server.dial,
        deriveKeys: () => Promise.reject(new TypeError('nobody asks for a key')),
        randomBytes: (lengthBytes) => Buffer.alloc(lengthBytes, 42),
        knownServers: createKnownServers(),
      }
      return connectWith(runtime, TARGET, { signal: caller.signal }).catch(({ name }: Error) => name)
    })
    await settle()
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1)
    expect(clock.activeTimers).toBe(10_000)
    caller.abort('enough')
    expect(new Set(await Promise.all(connecting))).toEqual(new Set(['AbortError']))
    expect(servers.every(({ destroyed }) => destroyed)).toBe(true)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(clock.activeTimers).toBe(0)
  })
})
