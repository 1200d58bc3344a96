/** Several hosts under one deadline, in a world where each of them is what the test says. */
import { getEventListeners } from 'node:events'
import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import type { ConnectTarget } from '../src/config/target.ts'
import { TransportError } from '../src/net/transport.ts'
import type { BackendMessage } from '../src/protocol/backend.ts'
import type { HandshakeError } from '../src/state/errors.ts'
import type { Timeline } from '../src/state/timeline.ts'
import { failureOf } from './hostile/failure.ts'
import { TLS } from './state/handshake/examples.ts'
import { type HostsWorld, type Place, refusing, worldOfHosts } from './support/hosts.ts'
import { lawful, ScriptedServer } from './support/scripted-server.ts'
import { settle } from './support/virtual-clock.ts'

const TARGET = 'postgres://alice:secret@one,two/app?sslmode=disable'
const OBJECT = { host: 'one,two', user: 'alice', dbname: 'app', sslmode: 'disable' } as const
const HOLE = 'a black hole'

/** A server that lets us in and is what it says of itself. */
function candidate(parameters: Readonly<Record<string, string>>): ScriptedServer {
  const statuses = Object.entries(parameters).map(([name, value]): BackendMessage => {
    return { type: 'ParameterStatus', name, value }
  })
  return new ScriptedServer((self, { type }) => {
    if (type === 'StartupMessage') {
      self.send({ type: 'AuthenticationOk' }, ...statuses, { type: 'ReadyForQuery', status: 'I' })
    }
    if (type === 'Terminate') self.end()
  })
}

const primary = () => candidate({ in_hot_standby: 'off', default_transaction_read_only: 'off' })
const standby = () => candidate({ in_hot_standby: 'on', default_transaction_read_only: 'off' })

/** How each attempt ended. */
function endsOf({ timeline }: { readonly timeline: Timeline }): string[] {
  return timeline.flatMap(({ attempt, state }, index) => {
    return attempt === timeline[index + 1]?.attempt ? [] : [`${attempt} ${state}`]
  })
}

function expectNothingLeft(world: HostsWorld, signal: AbortSignal, ...servers: readonly ScriptedServer[]): void {
  expect(servers.map(({ destroyed }) => destroyed)).toEqual(servers.map(() => true))
  expect(world.dialing()).toBe(0)
  expect(world.clock.activeTimers).toBe(0)
  expect(getEventListeners(signal, 'abort')).toEqual([])
  for (const { slice } of world.visited) expect(getEventListeners(slice.signal, 'abort')).toEqual([])
}

describe('a black hole in front of a good server', () => {
  it('has its share of the deadline, and the server behind it lets us in', async () => {
    const two = lawful()
    const world = worldOfHosts({ one: HOLE, two: [two] })
    const caller = new AbortController()
    const connecting = world.connect({ timeoutMs: 3_000, signal: caller.signal }, TARGET)
    await settle()
    world.clock.advance(1_499)
    await settle()
    expect(world.visited.map(({ place }) => place)).toEqual(['one'])
    world.clock.advance(1)
    const session = await connecting
    expect(world.visited.map(({ place, atMs }) => [place, atMs])).toEqual([
      ['one', 0],
      ['two', 1_500],
    ])
    expect(session.attempts).toEqual([
      {
        endpoint: 'one:5432',
        encryption: 'off',
        sliceMs: 1_500,
        phase: 'Dialing',
        failure: { kind: 'deadline', timeoutMs: 1_500 },
      },
    ])
    expect(endsOf(session)).toEqual(['0 Dialing', '1 Ready'])
    expect(world.clock.timersMax).toBe(1)
    expect(world.clock.activeTimers).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(two.destroyed).toBe(false)
    await session.close()
  })

  it('hands on what it does not use: a host that fails at once leaves its share to the others', async () => {
    const world = worldOfHosts({ one: 'closed', two: HOLE, three: HOLE })
    const connecting = failureOf(world.connect({ timeoutMs: 3_000 }, TARGET.replace('two', 'two,three')))
    await settle()
    world.clock.advance(1_500)
    await settle()
    world.clock.advance(1_500)
    const { attempts } = await connecting
    expect(attempts.map(({ sliceMs }) => sliceMs)).toEqual([1_000, 1_500, 1_500])
    expect(world.visited.map(({ atMs }) => atMs)).toEqual([0, 0, 1_500])
  })

  it('may be the lookup of its name', async () => {
    const pending = (signal: AbortSignal) =>
      new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const world = worldOfHosts(
      { two: [lawful()] },
      {
        resolveHost: async (host, signal) => (host === 'one' ? pending(signal) : [{ address: '192.0.2.2', family: 4 }]),
      },
    )
    const connecting = world.connect({ timeoutMs: 1_000 }, TARGET)
    await settle()
    world.clock.advance(500)
    const session = await connecting
    expect(endsOf(session)).toEqual(['0 ResolvingHost', '1 Ready'])
  })

  it.each([
    ['AuthenticationSASL', 'AwaitingAuthentication'],
    ['AuthenticationSASLFinal', 'AwaitingSaslOutcome'],
    ['ReadyForQuery', 'AwaitingReady'],
  ] as const)('may be a server that falls silent before %s', async (silentAt, phase) => {
    const one = lawful({ silentAt })
    const world = worldOfHosts({ one: [one], two: [lawful()] })
    const connecting = world.connect({ timeoutMs: 1_000 }, TARGET)
    await settle()
    expect(one.destroyed).toBe(false)
    world.clock.advance(500)
    const session = await connecting
    expect(session.attempts).toMatchObject([{ phase, failure: { kind: 'deadline', timeoutMs: 500 } }])
    expect(one.destroyed).toBe(true)
  })
})

describe('the deadline', () => {
  it('is never extended: hosts that drip are cut off on time, all of them together', async () => {
    const drop: BackendMessage = { type: 'ParameterStatus', name: 'a', value: 'b' }
    const servers = [0, 1, 2].map(
      () =>
        new ScriptedServer((self, { type }) => {
          if (type === 'StartupMessage') self.send({ type: 'AuthenticationOk' })
        }),
    )
    const [one, two, three] = servers.map((server) => [server] as const)
    const world = worldOfHosts({ one, two, three } as Record<string, Place>)
    const caller = new AbortController()
    let settledMs: number | null = null
    const connecting = failureOf(
      world.connect({ timeoutMs: 900, signal: caller.signal }, TARGET.replace('two', 'two,three')),
    )
    connecting
      .finally(() => {
        settledMs = world.elapsedMs()
      })
      .catch(() => {})
    await settle()
    while (world.elapsedMs() < 2_000 && settledMs === null) {
      for (const server of servers) if (server.dialed > 0) server.send(drop)
      await settle()
      world.clock.advance(50)
      await settle()
    }
    expect(settledMs).toBe(900)
    const error = await connecting
    expect(world.visited.map(({ atMs }) => atMs)).toEqual([0, 300, 600])
    expect(error).toMatchObject({ name: 'TimeoutError', phase: 'AwaitingReady' })
    expect(error.failure).toEqual({ kind: 'deadline', timeoutMs: 900 })
    expect(world.clock.timersMax).toBe(1)
    expectNothingLeft(world, caller.signal, ...servers)
  })

  it('can pass in the midst of the second host, and is told as the whole one', async () => {
    const two = lawful({ silentAt: 'AuthenticationSASLContinue' })
    const world = worldOfHosts({ one: HOLE, two: [two] })
    const caller = new AbortController()
    const connecting = failureOf(world.connect({ timeoutMs: 3_000, signal: caller.signal }, TARGET))
    await settle()
    world.clock.advance(1_500)
    await settle()
    world.clock.advance(1_499)
    await settle()
    expect(two.destroyed).toBe(false)
    world.clock.advance(1)
    const error = await connecting
    expect(error).toMatchObject({
      name: 'TimeoutError',
      phase: 'AwaitingSaslChallenge',
      failure: { kind: 'deadline', timeoutMs: 3_000 },
    })
    expect(error.attempts).toMatchObject([
      { endpoint: 'one:5432', phase: 'Dialing', sliceMs: 1_500, failure: { kind: 'deadline', timeoutMs: 1_500 } },
      { endpoint: 'two:5432', phase: 'AwaitingSaslChallenge', sliceMs: 1_500, failure: error.failure },
    ])
    expect(error.message).toBe(
      "the deadline of 3000 ms passed in AwaitingSaslChallenge, waiting for the server's SCRAM challenge: nonce, salt and iterations" +
        '; this was on two:5432' +
        '; an attempt before on one:5432: its share of the deadline, 1500 ms, passed in Dialing, waiting for the connection to be opened (TCP, or the Unix-domain socket)',
    )
    expectNothingLeft(world, caller.signal, two)
  })

  it.each(['one', 'two'])('gives way to the caller, who ends it at once while host %s is tried', async (place) => {
    const world = worldOfHosts({ one: place === 'one' ? HOLE : 'closed', two: HOLE })
    const caller = new AbortController()
    const connecting = failureOf(world.connect({ timeoutMs: 3_000, signal: caller.signal }, TARGET))
    await settle()
    const reason = new Error('the user went away')
    caller.abort(reason)
    const error = await connecting
    expect(error).toMatchObject({ name: 'AbortError', phase: 'Dialing', failure: { kind: 'aborted' } })
    expect(error.cause).toBe(reason)
    expect(error.attempts.map(({ endpoint }) => endpoint)).toEqual(
      place === 'one' ? ['one:5432'] : ['one:5432', 'two:5432'],
    )
    expect(world.visited).toHaveLength(error.attempts.length)
    expectNothingLeft(world, caller.signal)
  })

  it('that passes in the tick of a failure leaves no time for the next host: nobody is dialed', async () => {
    for (const [arrives, failure] of [
      ['in time', { kind: 'lost', code: 'ECONNRESET' }],
      ['too late', { kind: 'deadline', timeoutMs: 1_000 }],
    ] as const) {
      const one = lawful({ silentAt: 'AuthenticationSASL' })
      const world = worldOfHosts({ one: [one], two: [lawful()] })
      const caller = new AbortController()
      const connecting = failureOf(world.connect({ timeoutMs: 1_000, signal: caller.signal }, TARGET))
      await settle()
      // Our own event loop was blocked: what has arrived by now is read before the deadline ends it.
      world.clock.block(1_100)
      world.clock.advance(0)
      one.end('ECONNRESET')
      if (arrives === 'in time') await settle()
      world.clock.advance(0)
      const error = await connecting
      expect(error).toMatchObject({ phase: 'AwaitingAuthentication', failure })
      expect(error.attempts).toHaveLength(1)
      expect(world.visited).toHaveLength(1)
      expectNothingLeft(world, caller.signal, one)
    }
  })

  it('of a slice that passes in the tick of a failure ends that host, and the next one is tried', async () => {
    const one = lawful({ silentAt: 'AuthenticationSASL' })
    const world = worldOfHosts({ one: [one], two: [lawful()] })
    const connecting = world.connect({ timeoutMs: 1_000 }, TARGET)
    await settle()
    one.end('ECONNRESET')
    world.clock.advance(500)
    const session = await connecting
    expect(session.attempts).toHaveLength(1)
    expect(endsOf(session)).toEqual(['0 AwaitingAuthentication', '1 Ready'])
  })

  it('of Infinity gives the first host all the time in the world', async () => {
    const world = worldOfHosts({ one: HOLE, two: [lawful()] })
    const caller = new AbortController()
    const options = { timeoutMs: Number.POSITIVE_INFINITY, signal: caller.signal }
    const connecting = failureOf(world.connect(options, TARGET))
    await settle()
    world.clock.advance(2 ** 33)
    await settle()
    expect(world.visited).toHaveLength(1)
    caller.abort()
    const { attempts } = await connecting
    expect(attempts).toMatchObject([{ sliceMs: Number.POSITIVE_INFINITY, failure: { kind: 'aborted' } }])
    expectNothingLeft(world, caller.signal)
  })
})

describe('the next host is tried', () => {
  const GONE = new ScriptedServer(() => {})
  GONE.failWrites(new TransportError('EPIPE', 'write EPIPE'))
  const ended = (code: 'FIN' | 'ECONNRESET') =>
    new ScriptedServer((self, { type }) => {
      if (type === 'StartupMessage') self.end(code)
    })

  it.each<[string, Place, string]>([
    ['nobody listens', 'closed', 'Dialing'],
    ['it closes the connection', [ended('FIN')], 'AwaitingAuthentication'],
    ['its connection breaks', [ended('ECONNRESET')], 'AwaitingAuthentication'],
    ['nothing can be written to it', [GONE], 'AwaitingAuthentication'],
    ['it starts up, 57P03', [refusing('57P03')], 'AwaitingAuthentication'],
    ['it shuts down, 57P01', [refusing('57P01')], 'AwaitingAuthentication'],
    ['it has no room, 53300', [refusing('53300')], 'AwaitingAuthentication'],
    ['it is a standby', [standby()], 'CheckingSession'],
  ])('if %s', async (_what, one, phase) => {
    const world = worldOfHosts({ one, two: [primary()] })
    const caller = new AbortController()
    const session = await world.connect({ signal: caller.signal }, `${TARGET}&target_session_attrs=primary`)
    expect(endsOf(session)).toEqual([`0 ${phase}`, '1 Ready'])
    expect(session.attempts).toMatchObject([{ endpoint: 'one:5432', phase }])
    await session.close()
    expectNothingLeft(world, caller.signal, ...(one === 'closed' ? [] : (one as readonly ScriptedServer[])))
  })

  it('if its name has no address', async () => {
    const resolveHost = async (host: string) => {
      if (host === 'one') throw new TransportError('ENOTFOUND', 'getaddrinfo ENOTFOUND one')
      return [{ address: '192.0.2.2', family: 4 }]
    }
    const session = await worldOfHosts({ two: [lawful()] }, { resolveHost }).connect({}, TARGET)
    expect(session.attempts).toMatchObject([{ phase: 'ResolvingHost', failure: { kind: 'lost', code: 'ENOTFOUND' } }])
  })

  it('if it refuses the question what it is', async () => {
    const one = new ScriptedServer((self, { type }) => {
      if (type === 'StartupMessage') self.send({ type: 'AuthenticationOk' }, { type: 'ReadyForQuery', status: 'I' })
      if (type === 'Query') self.send({ type: 'ErrorResponse', fields: [{ code: 'C', value: '42501' }] })
    })
    const world = worldOfHosts({ one: [one], two: [primary()] })
    const session = await world.connect({}, `${TARGET}&target_session_attrs=primary`)
    expect(endsOf(session)).toEqual(['0 AwaitingSessionCheck', '1 Ready'])
    expect(one.destroyed).toBe(true)
  })
})

describe('the next host is not tried', () => {
  const answering = (bytes: string) =>
    new ScriptedServer((self, { type }) => {
      if (type === 'StartupMessage') self.sendBytes(Buffer.from(bytes.replaceAll(' ', ''), 'hex'))
    })

  it.each<[string, ScriptedServer, string, object]>([
    ['a wrong password, 28P01', lawful({ password: 'another' }), '', { kind: 'refused', sqlstate: '28P01' }],
    ['a database that is not there, 3D000', refusing('3D000'), '', { kind: 'refused', sqlstate: '3D000' }],
    ['a user that may not come in, 28000', refusing('28000'), '', { kind: 'refused', sqlstate: '28000' }],
    [
      'a server that did not prove itself',
      lawful({ tlsReply: 'S' }).onTls(async () => ({ ...TLS, rejection: 'server certificate (expired)' })),
      'require',
      { kind: 'unproven' },
    ],
    ['a server without TLS', lawful({ tlsReply: 'N' }), 'require', { kind: 'policy' }],
    // D, 6 bytes: a DataRow without a column.
    ['a message at the wrong time', answering('44 00000006 0000'), '', { kind: 'misbehaved' }],
    // R, 3 bytes, which no length can be.
    ['bytes that are no message', answering('52 00000003'), '', { kind: 'malformed' }],
    // R, 2 GB.
    ['a message without a measure', answering('52 7fffffff'), '', { kind: 'limit' }],
    // R, 8 bytes, AuthenticationGSS.
    ['a method that we do not have', answering('52 00000008 00000007'), '', { kind: 'incompatible' }],
  ])('after %s', async (_what, one, sslmode, failure) => {
    const two = lawful()
    const world = worldOfHosts({ one: [one], two: [two] })
    const target = sslmode === '' ? TARGET : TARGET.replace('disable', sslmode)
    const caller = new AbortController()
    const error = await failureOf(world.connect({ signal: caller.signal }, target))
    expect(error.failure).toMatchObject(failure)
    expect(error.attempts).toEqual([
      expect.objectContaining({ endpoint: 'one:5432', phase: error.phase, failure: error.failure }),
    ])
    expect(error.message).not.toContain('one:5432')
    expect(world.visited.map(({ place }) => place)).toEqual(['one'])
    expect(two.dialed).toBe(0)
    expectNothingLeft(world, caller.signal, one)
  })

  it('after a defect of our own configuration', async () => {
    const password = () => Promise.reject(new Error('the vault is closed'))
    const world = worldOfHosts({ one: [lawful()], two: [lawful()] })
    const error = await failureOf(world.connect({}, { ...OBJECT, password }))
    expect(error.failure).toMatchObject({ kind: 'config', parameter: 'password' })
    expect(world.visited).toHaveLength(1)
  })

  it('after a defect of ours, which is not dressed up', async () => {
    const defect = new TypeError('a defect')
    const one = lawful()
    const world = worldOfHosts({ one: [one], two: [lawful()] }, { deriveKeys: () => Promise.reject(defect) })
    await expect(world.connect({}, TARGET)).rejects.toBe(defect)
    expect(world.visited).toHaveLength(1)
    expect(one.destroyed).toBe(true)
    expect(world.clock.activeTimers).toBe(0)
  })
})

describe('prefer-standby', () => {
  const target = `${TARGET}&target_session_attrs=prefer-standby`

  it('takes the standby, wherever in the list it is', async () => {
    const world = worldOfHosts({ one: [primary()], two: [standby()] })
    const session = await world.connect({}, target)
    expect(world.visited.map(({ place }) => place)).toEqual(['one', 'two'])
    expect(session.attempts).toMatchObject([
      {
        endpoint: 'one:5432',
        phase: 'CheckingSession',
        failure: { kind: 'incompatible', what: 'target_session_attrs', supported: ['standby'] },
      },
    ])
  })

  it('takes whoever is there in a second pass, on a new connection', async () => {
    const [before, after] = [primary(), primary()]
    const world = worldOfHosts({ one: [before, after], two: [refusing('57P03')] })
    const session = await world.connect({ timeoutMs: 4_000 }, target)
    expect(world.visited.map(({ place }) => place)).toEqual(['one', 'two', 'one'])
    expect([before.destroyed, after.destroyed]).toEqual([true, false])
    expect(session.timeline.at(-1)).toMatchObject({ attempt: 2, state: 'Ready', sliceMs: 2_000 })
    expect(session.attempts.map(({ sliceMs }) => sliceMs)).toEqual([1_000, 1_334])
  })

  it('fails with the last host of the second pass, and has all of them', async () => {
    const world = worldOfHosts({ one: 'closed', two: 'closed' })
    const error = await failureOf(world.connect({}, target))
    expect(error.attempts.map(({ endpoint }) => endpoint)).toEqual(['one:5432', 'two:5432', 'one:5432', 'two:5432'])
    const said = (host: string) =>
      `the connection failed in Dialing: connect ECONNREFUSED ${host} (ECONNREFUSED); nobody listens there: check host and port, and that the server runs`
    expect(error.message).toBe(
      `${said('two')}; this was on two:5432` +
        `; an attempt before on one:5432: ${said('one')}` +
        `; an attempt before on two:5432: ${said('two')}` +
        `; an attempt before on one:5432: ${said('one')}`,
    )
    expect(error.cause).toMatchObject({ name: 'TransportError', code: 'ECONNREFUSED' })
  })
})

describe('load_balance_hosts', () => {
  const ADDRESSES = [1, 2, 3].map((last) => ({ address: `192.0.2.${last}`, family: 4 }))

  /** Draws come from this list, nonces are of zeroes. */
  async function balance(parameter: string, draws: number[]) {
    const randomBytes = vi.fn((lengthBytes: number) => {
      const bytes = Buffer.alloc(lengthBytes)
      if (lengthBytes === 4) bytes.writeUInt32BE(draws.shift() ?? 0)
      return bytes
    })
    const world = worldOfHosts(
      { one: 'closed', two: 'closed', three: 'closed' },
      { randomBytes, resolveHost: async () => ADDRESSES },
    )
    await failureOf(world.connect({}, `${TARGET.replace('two', 'two,three')}${parameter}`))
    const lastOf = (address: string) => Number(address.at(-1))
    return {
      hosts: world.visited.map(({ place }) => place),
      addresses: world.visited.map(({ destination }) => destination.addresses?.map(({ address }) => lastOf(address))),
      drawn: randomBytes.mock.calls.filter(([lengthBytes]) => lengthBytes === 4).length,
    }
  }

  it('random draws the order of the hosts, and of the addresses of each', async () => {
    const draws = [1, 1, 0, /* three */ 2, 1, 0, /* two */ 0, 1, 0 /* one */, 0, 0, 0]
    expect(await balance('&load_balance_hosts=random', draws)).toEqual({
      hosts: ['two', 'three', 'one'],
      addresses: [
        [3, 2, 1],
        [1, 3, 2],
        [1, 2, 3],
      ],
      drawn: 12,
    })
  })

  it.each(['', '&load_balance_hosts=disable'])('%s leaves both as they are, and draws nothing', async (parameter) => {
    expect(await balance(parameter, [1, 1, 1, 1])).toEqual({
      hosts: ['one', 'two', 'three'],
      addresses: [
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
      ],
      drawn: 0,
    })
  })
})

describe('what an attempt knows is its own', () => {
  it('its nonce, its socket, and nothing of the TLS of the host before it', async () => {
    const one = lawful({ tlsReply: 'S', silentAt: 'AuthenticationSASLContinue' }).onTls(async () => TLS)
    const two = lawful({ tlsReply: 'N' })
    let drawn = 0
    const world = worldOfHosts(
      { one: [one], two: [two] },
      { randomBytes: (lengthBytes) => Buffer.alloc(lengthBytes, ++drawn) },
    )
    const connecting = world.connect({ timeoutMs: 1_000 }, TARGET.replace('disable', 'prefer'))
    await settle()
    world.clock.advance(500)
    const session = await connecting
    expect(session.tls).toBeNull()
    const nonces = [one, two].map(({ received }) => {
      const initial = received.find((message) => message.type === 'SASLInitialResponse')
      return Buffer.from(initial?.data ?? []).toString()
    })
    expect(nonces).toEqual(
      [1, 2].map((fill) => `${fill === 1 ? 'y' : 'n'},,n=,r=${Buffer.alloc(18, fill).toString('base64')}`),
    )
    expect(drawn).toBe(2)
    expect(one.destroyed).toBe(true)
    // The second host has been asked whether it speaks TLS, on a connection of its own.
    expect(two.names.slice(0, 2)).toEqual(['SSLRequest', 'StartupMessage'])
  })

  it('but the password’s function is asked once, for all of them', async () => {
    const password = vi.fn(async () => 'secret')
    const one = lawful({ silentAt: 'AuthenticationSASLFinal' })
    const world = worldOfHosts({ one: [one], two: [lawful()] })
    const connecting = world.connect({ timeoutMs: 1_000 }, { ...OBJECT, password })
    await settle()
    world.clock.advance(500)
    const session = await connecting
    expect(session.authenticationMethod).toBe('scram-sha-256')
    expect(password).toHaveBeenCalledOnce()
  })

  it('and is not told to stop when the share of the first host is used up', async () => {
    let give: (password: string) => void = () => {}
    let given: AbortSignal | undefined
    const password = (signal: AbortSignal) => {
      given = signal
      return new Promise<string>((resolve, reject) => {
        give = resolve
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    }
    const world = worldOfHosts({ one: HOLE, two: [lawful()] })
    const connecting = world.connect({ timeoutMs: 1_000 }, { ...OBJECT, password })
    await settle()
    world.clock.advance(500)
    await settle()
    expect(world.visited).toHaveLength(2)
    expect(given?.aborted).toBe(false)
    give('secret')
    await expect(connecting).resolves.toMatchObject({ authenticationMethod: 'scram-sha-256' })
    expect(given?.reason).toMatchObject({ name: 'AbortError' })
  })

  it('but at the deadline itself it is', async () => {
    let given: AbortSignal | undefined
    const password = (signal: AbortSignal) => {
      given = signal
      return new Promise<string>(() => {})
    }
    const world = worldOfHosts({ one: [lawful()], two: [lawful()] })
    const connecting = failureOf(world.connect({ timeoutMs: 1_000 }, { ...OBJECT, password }))
    await settle()
    world.clock.advance(500)
    await settle()
    world.clock.advance(500)
    const error = await connecting
    expect(error.attempts.map(({ phase }) => phase)).toEqual(['AwaitingSaslPassword', 'AwaitingSaslPassword'])
    expect(given?.reason).toMatchObject({ name: 'TimeoutError' })
  })
})

describe('with TLS and without', () => {
  const broken = () =>
    lawful({ tlsReply: 'S' }).onTls(() => Promise.reject(new TransportError('EPROTO', 'wrong version number')))

  it('is one host: both share its slice', async () => {
    const second = lawful({ silentAt: 'AuthenticationSASL' })
    const world = worldOfHosts({ one: [broken(), second], two: [lawful()] })
    const connecting = world.connect({ timeoutMs: 1_000 }, TARGET.replace('disable', 'prefer'))
    await settle()
    expect(second.dialed).toBe(1)
    world.clock.advance(500)
    const session = await connecting
    expect(session.attempts).toMatchObject([
      { endpoint: 'one:5432', encryption: 'preferred', sliceMs: 500, phase: 'SecuringTransport' },
      { endpoint: 'one:5432', encryption: 'off', sliceMs: 500, failure: { kind: 'deadline', timeoutMs: 500 } },
    ])
    expect(world.visited.map(({ atMs, slice }) => [atMs, slice === world.visited[0]?.slice])).toEqual([
      [0, true],
      [0, true],
      [500, false],
    ])
    expect(endsOf(session)).toEqual(['0 SecuringTransport', '1 AwaitingAuthentication', '2 Ready'])
    expect(second.destroyed).toBe(true)
  })

  it('a host without room is not asked a second time in TLS, under allow', async () => {
    for (const sqlstate of ['53300', '57P03']) {
      const world = worldOfHosts({ one: [refusing(sqlstate)], two: [lawful()] })
      const session = await world.connect({}, TARGET.replace('disable', 'allow'))
      expect(world.visited.map(({ place }) => place)).toEqual(['one', 'two'])
      expect(session.attempts).toMatchObject([{ encryption: 'off', failure: { kind: 'refused', sqlstate } }])
    }
  })

  it('of what was tried at several hosts, the message names each', async () => {
    const world = worldOfHosts({ one: [broken(), lawful({ silentAt: 'AuthenticationSASL' })], two: 'closed' })
    const connecting = failureOf(world.connect({ timeoutMs: 1_000 }, TARGET.replace('disable', 'prefer')))
    await settle()
    world.clock.advance(500)
    const { message } = await connecting.then((error: HandshakeError) => error)
    expect(message).toContain('; this was on two:5432; an attempt before on one:5432: the connection failed in Secur')
  })
})

describe('the story', () => {
  it('has the same shape on success and on failure', async () => {
    const places = () => ({ one: HOLE, two: [lawful()] }) as const
    const success = worldOfHosts(places())
    const connecting = success.connect({ timeoutMs: 1_000 }, TARGET)
    await settle()
    success.clock.advance(500)
    const session = await connecting

    const failure = worldOfHosts({ ...places(), two: [lawful({ password: 'another' })] })
    const failing = failureOf(failure.connect({ timeoutMs: 1_000 }, TARGET))
    await settle()
    failure.clock.advance(500)
    const error = await failing

    for (const { timeline } of [session, error]) {
      expect(timeline.map(({ attempt }) => attempt)).toEqual([...timeline.map(({ attempt }) => attempt)].sort())
      expect(new Set(timeline.map(({ sliceMs }) => sliceMs))).toEqual(new Set([500]))
      for (const entry of timeline) {
        expect(Object.keys(entry)).toEqual(Object.keys(session.timeline[0] as object))
      }
      // Without a gap: each state is entered when the one before it is left.
      expect(timeline.slice(1).map(({ enteredMs }) => enteredMs)).toEqual(
        timeline.slice(0, -1).map(({ leftMs }) => leftMs),
      )
    }
    expect(session.attempts).toEqual(error.attempts.slice(0, 1))
    expect(error.attempts).toHaveLength(2)
    expect(`${inspect(error, { depth: 10 })} ${JSON.stringify(error)}`).not.toContain('secret')
  })

  it('of one host has one attempt, and nobody needs to be told which', async () => {
    const error = await failureOf(
      worldOfHosts({ one: 'closed' }).connect({}, { ...OBJECT, host: 'one' } as ConnectTarget),
    )
    expect(error.attempts).toHaveLength(1)
    expect(error.message).toMatch(
      /^the connection failed in Dialing: connect ECONNREFUSED one \(ECONNREFUSED\); nobody listens there/,
    )
    expect(error.message).not.toContain('this was on')
  })
})
