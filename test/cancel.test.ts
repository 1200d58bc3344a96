/** CancelRequest: to the address that the session has, in the same TLS or not at all, under a deadline of its own. */
import { getEventListeners } from 'node:events'
import { inspect } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import type { Runtime } from '../src/attempt.ts'
import type { ConnectTarget } from '../src/config/target.ts'
import type { Destination } from '../src/net/dial.ts'
import type { Remote, TlsOptions, Transport } from '../src/net/transport.ts'
import { until } from '../src/net/until.ts'
import type { BackendMessage } from '../src/protocol/backend.ts'
import { AWAITED, type StateName } from '../src/state/handshake/table.ts'
import { failureOf } from './hostile/failure.ts'
import { TLS } from './state/handshake/examples.ts'
import { ScriptedServer } from './support/scripted-server.ts'
import { settle } from './support/virtual-clock.ts'
import { worldOf } from './support/world.ts'

const KEY_30 = Buffer.from('a1b2c3d4', 'hex')
const KEY_32 = Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex')
const REMOTE: Remote = { address: '192.0.2.7', port: 6432 }
const TARGET = { host: 'db.example', port: 5432, user: 'alice', password: 'hunter2', sslmode: 'disable' } as const

interface Profile {
  readonly key?: Buffer | null
  readonly tls?: boolean
}

/** A server that lets us in, and answers queries when the test says so. */
function host({ key = KEY_30, tls = false }: Profile = {}): ScriptedServer {
  const keyData: readonly BackendMessage[] =
    key === null ? [] : [{ type: 'BackendKeyData', processId: 4711, secretKey: key }]
  return new ScriptedServer((self, { type }) => {
    if (type === 'SSLRequest') self.sendBytes(Buffer.from(tls ? 'S' : 'N'))
    if (type === 'StartupMessage') {
      self.send({ type: 'AuthenticationOk' }, ...keyData, { type: 'ReadyForQuery', status: 'I' })
    }
    if (type === 'Query') {
      self.send({ type: 'CommandComplete', commandTag: 'SELECT 0' }, { type: 'ReadyForQuery', status: 'I' })
    }
    if (type === 'Terminate') self.end()
  }).onTls(async () => TLS)
}

/** Who meets the cancel request: by default a server that reads it and closes. */
function canceller(answer: (self: ScriptedServer) => void = (self) => self.end(), tlsReply = 'S'): ScriptedServer {
  return new ScriptedServer((self, { type }) => {
    if (type === 'SSLRequest' && tlsReply !== '') self.sendBytes(Buffer.from(tlsReply))
    if (type === 'CancelRequest') answer(self)
  }).onTls(async () => TLS)
}

interface Dialed {
  readonly destination: Destination
  /** What was written, transport by transport. */
  readonly bytes: string[]
  /** How TLS was begun, if it was. */
  readonly tls: TlsOptions[]
}

/** A world in which each dial meets the next server, and everything that is written is kept. */
function worldOfDials(servers: readonly (ScriptedServer | Runtime['dial'])[], remote: Remote = REMOTE) {
  const dialed: Dialed[] = []
  const resolveHost = vi.fn(async () => [{ address: '192.0.2.7', family: 4 }])
  const dial: Runtime['dial'] = async (destination, deadline) => {
    const kept: Dialed = { destination, bytes: [], tls: [] }
    const server = servers[dialed.push(kept) - 1]
    if (server === undefined) throw new TypeError('nobody has put a server here')
    if (typeof server === 'function') return server(destination, deadline)
    const transport = await server.dial(destination, deadline)
    return {
      ...transport,
      remote,
      write: (bytes) => {
        kept.bytes.push(bytes.toString('hex'))
        transport.write(bytes)
      },
      startTls: (options, signal) => {
        kept.tls.push(options)
        return transport.startTls(options, signal)
      },
    } satisfies Transport
  }
  const world = worldOf(new ScriptedServer(() => {}), { dial, resolveHost })
  return { ...world, dialed, resolveHost, connect: (target: ConnectTarget = TARGET) => world.connect({}, target) }
}

describe('a cancel request', () => {
  it('goes to the address that the session has, without a lookup, and is 16 bytes under protocol 3.0', async () => {
    const second = canceller()
    const world = worldOfDials([host(), second])
    const session = await world.connect()
    expect(world.resolveHost).toHaveBeenCalledOnce()
    await expect(session.cancel()).resolves.toBeUndefined()
    expect(world.resolveHost).toHaveBeenCalledOnce()
    expect(world.dialed[1]?.destination).toMatchObject({
      endpoint: { transport: 'tcp', host: '192.0.2.7', address: '192.0.2.7', port: 6432 },
      addresses: null,
    })
    expect(world.dialed[1]?.bytes).toEqual([
      [
        '00000010', // length, 16
        '04d2162e', // 1234.5678: CancelRequest
        '00001267', // process 4711
        'a1b2c3d4', // its key
      ].join(''),
    ])
    expect(second.destroyed).toBe(true)
  })

  it('has a key of 32 bytes under protocol 3.2', async () => {
    const world = worldOfDials([host({ key: KEY_32 }), canceller()])
    const session = await world.connect({ ...TARGET, maxProtocolVersion: '3.2' })
    await session.cancel()
    expect(world.dialed[1]?.bytes).toEqual([
      [
        '0000002c', // length, 44
        '04d2162e', // 1234.5678: CancelRequest
        '00001267', // process 4711
        '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', // its key
      ].join(''),
    ])
  })

  it('goes to the same Unix-domain socket, without TLS whatever sslmode says', async () => {
    const path = '/tmp/.s.PGSQL.5432'
    const world = worldOfDials([host(), canceller()], { path })
    const session = await world.connect({ ...TARGET, host: '/tmp', sslmode: 'require' })
    await session.cancel()
    expect(world.dialed[1]?.destination.endpoint).toEqual({ transport: 'unix', path })
    expect(world.dialed[1]?.bytes).toHaveLength(1)
  })

  it('settles once the server has closed, and not before', async () => {
    const second = canceller(() => {})
    const session = await worldOfDials([host(), second]).connect()
    let settled = false
    const cancelling = session.cancel().then(() => {
      settled = true
    })
    await settle()
    expect(second.names).toEqual(['CancelRequest'])
    expect(settled).toBe(false)
    second.end()
    await cancelling
    expect(second.destroyed).toBe(true)
  })

  it('lets the session go on, and leaves nothing', async () => {
    const [first, second, third] = [host(), canceller(), canceller()]
    const world = worldOfDials([first, second, third])
    const session = await world.connect()
    const caller = new AbortController()
    await Promise.all([session.cancel({ signal: caller.signal }), session.cancel({ signal: caller.signal })])
    expect([first.destroyed, second.destroyed, third.destroyed]).toEqual([false, true, true])
    expect(world.clock.activeTimers).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(session.phase).toBe('Idle')
    await expect(session.query('select 1')).resolves.toHaveLength(1)
    await session.close()
  })

  it('asks for no password: not of the server, and not of the function', async () => {
    const password = vi.fn(() => 'hunter2')
    const world = worldOfDials([host(), canceller()])
    const session = await world.connect({ ...TARGET, password })
    expect(password).toHaveBeenCalledOnce()
    await session.cancel()
    expect(password).toHaveBeenCalledOnce()
  })
})

describe('for a cancel request a session', () => {
  it('keeps nothing of what it was let in with: no password, and no function for one', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const connect = async () => {
      const password = () => 'hunter2'
      const session = await worldOfDials([host(), canceller()]).connect({ ...TARGET, password })
      return { session, kept: new WeakRef(password) }
    }
    const { session, kept } = await connect()
    await settle()
    collect()
    expect(kept.deref()).toBeUndefined()
    await session.cancel()
  })
})

describe('TLS', () => {
  const secured = { ...TARGET, sslmode: 'require' } as const

  it('is that of the session: the same name, before the request leaves', async () => {
    const second = canceller()
    const world = worldOfDials([host({ tls: true }), second])
    const session = await world.connect(secured)
    await session.cancel()
    expect(second.names).toEqual(['SSLRequest', 'CancelRequest'])
    expect(world.dialed.map(({ tls }) => tls.map((options) => options.host))).toEqual([['db.example'], ['db.example']])
  })

  it('from the first byte where the session has it so', async () => {
    const second = canceller()
    const world = worldOfDials([host({ tls: true }), second])
    const session = await world.connect({ ...secured, sslnegotiation: 'direct' })
    await session.cancel()
    expect(second.names).toEqual(['CancelRequest'])
    expect(world.dialed[1]?.tls).toHaveLength(1)
  })

  it.each(['require', 'prefer'] as const)(
    'or not at all: under %s the key does not leave in the clear',
    async (mode) => {
      const second = canceller(undefined, 'N')
      const world = worldOfDials([host({ tls: true }), second])
      const session = await world.connect({ ...TARGET, sslmode: mode })
      expect(session.tls).not.toBeNull()
      const error = await failureOf(session.cancel())
      expect(error).toMatchObject({ phase: 'AwaitingTlsReply', failure: { kind: 'policy' } })
      expect(second.names).toEqual(['SSLRequest'])
      expect(world.dialed).toHaveLength(2)
      expect(world.dialed[1]?.bytes.join()).not.toContain(KEY_30.toString('hex'))
      expect(second.destroyed).toBe(true)
    },
  )

  it('is not asked for where the session goes without, as under prefer', async () => {
    const second = canceller()
    const world = worldOfDials([host({ tls: false }), second])
    const session = await world.connect({ ...TARGET, sslmode: 'prefer' })
    expect(session.tls).toBeNull()
    await session.cancel()
    expect(second.names).toEqual(['CancelRequest'])
  })

  it('with somebody else is the end: nothing is sent to who cannot prove himself', async () => {
    const second = canceller().onTls(async () => ({ ...TLS, rejection: 'server certificate (expired)' }))
    const session = await worldOfDials([host({ tls: true }), second]).connect(secured)
    const error = await failureOf(session.cancel())
    expect(error).toMatchObject({ phase: 'SecuringTransport', failure: { kind: 'unproven' } })
    expect(second.names).toEqual(['SSLRequest'])
  })
})

describe('a cancel that fails', () => {
  const never: Runtime['dial'] = (_destination, { signal }) => until<never>(signal, () => () => {})

  /** For every state that waits: who lets the request stay in it. */
  const STUCK: Readonly<Record<string, () => readonly [ScriptedServer | null, ScriptedServer | Runtime['dial']]>> = {
    Dialing: () => [null, never],
    AwaitingTlsReply: () => both(canceller(undefined, '')),
    SecuringTransport: () => both(canceller().onTls((signal) => until(signal, () => () => {}))),
    AwaitingCancelClose: () => both(canceller(() => {})),
  }
  const both = (server: ScriptedServer) => [server, server] as const

  async function stuckIn(phase: string) {
    const [server, second] = (STUCK[phase] as (typeof STUCK)[string])()
    const world = worldOfDials([host({ tls: true }), second])
    const session = await world.connect({ ...TARGET, sslmode: 'require' })
    return { server, world, session }
  }

  it.each(Object.keys(STUCK))('%s: the deadline ends it on time, in that phase', async (phase) => {
    const { server, world, session } = await stuckIn(phase)
    const caller = new AbortController()
    const cancelling = failureOf(session.cancel({ timeoutMs: 500, signal: caller.signal }))
    await settle()
    world.clock.advance(499)
    await settle()
    expect(world.clock.activeTimers).toBe(1)
    world.clock.advance(1)
    const error = await cancelling
    expect(error).toMatchObject({ name: 'TimeoutError', phase, failure: { kind: 'deadline', timeoutMs: 500 } })
    expect(error.message).toBe(`the deadline of 500 ms passed in ${phase}, waiting for ${AWAITED[phase as StateName]}`)
    expect(error.timeline.at(-1)).toMatchObject({ attempt: 0, state: phase, leftMs: 500, sliceMs: 500 })
    expect(error.attempts).toEqual([
      { endpoint: '192.0.2.7:6432', encryption: 'required', sliceMs: 500, phase, failure: error.failure },
    ])
    expect(server?.destroyed ?? true).toBe(true)
    expect(world.clock.activeTimers).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(session.phase).toBe('Idle')
  })

  it.each(Object.keys(STUCK))('%s: the caller ends it at once, with his reason', async (phase) => {
    const { server, world, session } = await stuckIn(phase)
    const caller = new AbortController()
    const cancelling = failureOf(session.cancel({ signal: caller.signal }))
    await settle()
    const reason = new Error('the user went away')
    caller.abort(reason)
    const error = await cancelling
    expect(error).toMatchObject({ name: 'AbortError', phase, failure: { kind: 'aborted' } })
    expect(error.cause).toBe(reason)
    expect(server?.destroyed ?? true).toBe(true)
    expect(world.clock.activeTimers).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(session.phase).toBe('Idle')
  })

  it('has 5 seconds unless it is told otherwise', async () => {
    const { world, session } = await stuckIn('Dialing')
    const cancelling = failureOf(session.cancel())
    await settle()
    world.clock.advance(5_000)
    await expect(cancelling).resolves.toMatchObject({ failure: { kind: 'deadline', timeoutMs: 5_000 } })
  })

  it.each([
    ['a deadline that is over', { timeoutMs: 0 }, 'TimeoutError'],
    ['a signal that is aborted', { signal: AbortSignal.abort('before') }, 'AbortError'],
  ])('with %s dials nobody', async (_what, options, name) => {
    const world = worldOfDials([host()])
    const session = await world.connect()
    await expect(failureOf(session.cancel(options))).resolves.toMatchObject({ name, phase: 'Disconnected' })
    expect(world.dialed).toHaveLength(1)
  })

  it('because the connection broke cannot say that the request was read', async () => {
    const second = canceller((self) => self.end('ECONNRESET'))
    const session = await worldOfDials([host(), second]).connect()
    const error = await failureOf(session.cancel())
    expect(error).toMatchObject({ phase: 'AwaitingCancelClose', failure: { kind: 'lost', code: 'ECONNRESET' } })
    expect(error.cause).toMatchObject({ name: 'TransportError' })
    expect(second.destroyed).toBe(true)
    expect(session.phase).toBe('Idle')
  })

  it.each([
    // Z, 5 bytes, I: ReadyForQuery.
    ['data', '5a0000000549', { kind: 'misbehaved', received: 'ReadyForQuery' }],
    // N, 5 bytes: a NoticeResponse without a field.
    ['a notice', '4e0000000500', { kind: 'misbehaved', received: 'NoticeResponse' }],
    // E, 12 bytes, C 53300: an error, from a pooler for instance.
    ['an error', '450000000c4335333330300000', { kind: 'refused', sqlstate: '53300' }],
    ['bytes that are no message', '5a00000003', { kind: 'malformed' }],
  ])('because the server answers it with %s', async (_what, hex, failure) => {
    const second = canceller((self) => self.sendBytes(Buffer.from(hex, 'hex')))
    const session = await worldOfDials([host(), second]).connect()
    const error = await failureOf(session.cancel())
    expect(error).toMatchObject({ phase: 'AwaitingCancelClose', failure })
    expect(second.destroyed).toBe(true)
  })

  it('because the server sent no key says so, and dials nobody', async () => {
    const world = worldOfDials([host({ key: null })])
    const session = await world.connect()
    expect(session.backendKeyData).toBeNull()
    const error = await failureOf(session.cancel())
    expect(error).toMatchObject({ phase: 'Disconnected', failure: { kind: 'incompatible', what: 'cancel request' } })
    expect(error.message).toContain('BackendKeyData')
    expect(error.timeline).toMatchObject([{ attempt: 0, state: 'Disconnected' }])
    expect(world.dialed).toHaveLength(1)
  })

  it.each([
    ['timeoutMs', { timeoutMs: Number.NaN }],
    ['signal', { signal: {} as never }],
    // An option of connect only.
    ['leastMs', { leastMs: 5 } as never],
    ['options', null as never],
  ])('because of a %s that is unusable rejects, and dials nobody', async (parameter, options) => {
    const world = worldOfDials([host()])
    const session = await world.connect()
    await expect(failureOf(session.cancel(options))).resolves.toMatchObject({
      phase: 'Disconnected',
      failure: { kind: 'config', parameter },
    })
    expect(world.dialed).toHaveLength(1)
    expect(world.clock.activeTimers).toBe(0)
  })

  it('because of a defect of ours is not dressed up, and leaves nothing', async () => {
    const defect = new TypeError('a defect')
    const world = worldOfDials([host(), () => Promise.reject(defect)])
    const session = await world.connect()
    await expect(session.cancel()).rejects.toBe(defect)
    expect(world.clock.activeTimers).toBe(0)
  })

  it('shows neither the key nor the password', async () => {
    for (const end of [(self: ScriptedServer) => self.end('ECONNRESET'), () => {}]) {
      const world = worldOfDials([host({ key: KEY_32 }), canceller(end)])
      const session = await world.connect({ ...TARGET, maxProtocolVersion: '3.2' })
      const cancelling = failureOf(session.cancel({ timeoutMs: 500 }))
      await settle()
      world.clock.advance(500)
      const error = await cancelling
      const shown = `${inspect(error, { depth: 10, showHidden: true })} ${JSON.stringify(error)} ${error.stack}`
      for (const secret of [KEY_32.toString('hex'), KEY_32.toString('base64'), '0, 1, 2, 3', '00 01 02', 'hunter2']) {
        expect(shown).not.toContain(secret)
      }
    }
  })
})
