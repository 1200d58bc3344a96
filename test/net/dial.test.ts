import { getEventListeners } from 'node:events'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deadline } from '../../src/net/deadline.ts'
import { dial as dialDestination, race } from '../../src/net/dial.ts'
import { type Endpoint, isIpAddress } from '../../src/net/endpoint.ts'
import { type Address, resolveHost } from '../../src/net/resolve.ts'
import { openSocket } from '../../src/net/socket.ts'
import { type Transport, TransportError } from '../../src/net/transport.ts'
import { BlackHole } from '../servers/black-hole.ts'
import { NO_PROBES, receive } from '../support/transport.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { Listener } from './listener.ts'
import { expectNoMoreThan, openResources, turn, untilTrue } from './resources.ts'

// The sockets are real, and so are the names, but where a test needs a name with several addresses.
vi.mock('../../src/net/resolve.ts', async (original) => {
  const { resolveHost } = await original<typeof import('../../src/net/resolve.ts')>()
  return { resolveHost: vi.fn(resolveHost) }
})

const REASON = new Error('enough')
let caller: AbortController
let deadline: Deadline
let before: string[]

beforeEach(() => {
  caller = new AbortController()
  deadline = new Deadline({ signal: caller.signal })
  before = openResources()
})

/** After every test of this file: no socket, no request to the system, no listener. */
afterEach(async () => {
  expect(getEventListeners(deadline.signal, 'abort')).toEqual([])
  deadline[Symbol.dispose]()
  expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  await expectNoMoreThan(before)
})

function tcp(port: number, host = '127.0.0.1'): Endpoint {
  return { transport: 'tcp', host, address: null, port }
}

/** What the driver does in two states: look the host up, and dial. */
async function dial(endpoint: Endpoint, under: Deadline): Promise<Transport> {
  const needsLookup = endpoint.transport === 'tcp' && !isIpAddress(endpoint.address ?? endpoint.host)
  const addresses = needsLookup ? await resolveHost(endpoint.host, under.signal) : null
  return dialDestination({ endpoint, addresses, keepalives: { enabled: true, idleMs: null } }, under)
}

function failureOf(dialing: Promise<unknown>): Promise<unknown> {
  return dialing.then(
    () => new Error('the dial succeeded'),
    (error: unknown) => error,
  )
}

describe('an endpoint', () => {
  it.each(['127.0.0.1', 'localhost'])('on TCP at %s is dialed', async (host) => {
    await using listener = await Listener.tcp()
    const transport = await dial(tcp(listener.port, host), deadline)
    expect(getEventListeners(deadline.signal, 'abort')).toEqual([])
    const peer = await listener.accept()
    peer.write('hello')
    await expect(receive(transport)).resolves.toEqual(Buffer.from('hello'))
    transport.destroy()
    peer.resume()
    await untilTrue(() => listener.connections === 0, 'the peer has seen the end')
  })

  it('in the file system is dialed', async () => {
    await using listener = await Listener.unix()
    const transport = await dial({ transport: 'unix', path: listener.path }, deadline)
    const peer = await listener.accept()
    peer.write('hello')
    await expect(receive(transport)).resolves.toEqual(Buffer.from('hello'))
    transport.destroy()
  })

  it('whose address is given is dialed there, and its name is not looked up', async () => {
    await using listener = await Listener.tcp()
    vi.mocked(resolveHost).mockClear()
    const endpoint = { ...tcp(listener.port, 'db.invalid'), address: '127.0.0.1' }
    const transport = await dial(endpoint, deadline)
    expect(transport.remote).toEqual({ address: '127.0.0.1', port: listener.port })
    expect(vi.mocked(resolveHost)).not.toHaveBeenCalled()
    await listener.accept()
    transport.destroy()
  })

  it('is known to the transport as it was dialed, so that it can be dialed again', async () => {
    await using file = await Listener.unix()
    const unix = await dial({ transport: 'unix', path: file.path }, deadline)
    expect(unix.remote).toEqual({ path: file.path })
    await using listener = await Listener.tcp()
    const byName = await dial(tcp(listener.port, 'localhost'), deadline)
    expect(byName.remote).toEqual({ address: '127.0.0.1', port: listener.port })
    for (const transport of [unix, byName]) transport.destroy()
    for (const peer of [await file.accept(), await listener.accept()]) peer.destroy()
  })

  it('on which nobody listens refuses: ECONNREFUSED', async () => {
    const port = await Listener.closedPort()
    const error = await failureOf(dial(tcp(port), deadline))
    expect(error).toBeInstanceOf(TransportError)
    expect(error).toMatchObject({ code: 'ECONNREFUSED', message: `connect ECONNREFUSED 127.0.0.1:${port}` })
  })

  it('that is no file is not there: ENOENT', async () => {
    await using listener = await Listener.unix()
    const path = join(listener.path, '..', '.s.PGSQL.5432')
    const error = await failureOf(dial({ transport: 'unix', path }, deadline))
    expect(error).toMatchObject({ name: 'TransportError', code: 'ENOENT', message: `connect ENOENT ${path}` })
  })
})

describe('the addresses of a name', () => {
  it('are tried in order: that nobody listens on the first does not matter', async () => {
    await using listener = await Listener.tcp()
    vi.mocked(resolveHost).mockResolvedValueOnce([
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ])
    const transport = await dial(tcp(listener.port, 'db.example'), deadline)
    expect(getEventListeners(deadline.signal, 'abort')).toEqual([])
    await listener.accept()
    transport.destroy()
  })

  it('are tried one after the other: the second is left alone if the first answers', async () => {
    await using listener = await Listener.tcp()
    vi.mocked(resolveHost).mockResolvedValueOnce([
      { address: '127.0.0.1', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ])
    const transport = await dial(tcp(listener.port, 'db.example'), deadline)
    await listener.accept()
    await turn()
    expect(listener.connections).toBe(1)
    transport.destroy()
  })

  it('that all fail are all named', async () => {
    const port = await Listener.closedPort()
    vi.mocked(resolveHost).mockResolvedValueOnce([
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ])
    const error = await failureOf(dial(tcp(port, 'db.example'), deadline))
    expect(error).toMatchObject({ name: 'TransportError', code: 'ECONNREFUSED' })
    // Where there is no IPv6 the second one cannot even be tried, and says so.
    expect((error as Error).message).toMatch(/^connect ECONNREFUSED 127\.0\.0\.1:\d+; connect E[A-Z]+ ::1:\d+/)
    expect((error as Error).cause).toBeInstanceOf(AggregateError)
    expect(((error as Error).cause as AggregateError).errors).toMatchObject([
      { message: `connect ECONNREFUSED 127.0.0.1:${port}` },
      {},
    ])
  })

  it('are not tried any more once the signal is aborted', async () => {
    await using listener = await Listener.tcp()
    const port = await Listener.closedPort()
    vi.mocked(resolveHost).mockResolvedValueOnce([
      { address: '127.0.0.1', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ])
    const dialing = failureOf(dial(tcp(port, 'db.example'), deadline))
    await Promise.resolve()
    caller.abort(REASON)
    await expect(dialing).resolves.toBe(REASON)
    expect(listener.connections).toBe(0)
  })

  it('of which there are none do not exist', async () => {
    vi.mocked(resolveHost).mockResolvedValueOnce([])
    const error = await failureOf(dial(tcp(5432, 'db.example'), deadline))
    expect(error).toMatchObject({ name: 'TransportError', code: 'ENOTFOUND' })
  })
})

describe('a black hole', () => {
  it.skipIf(process.platform !== 'linux')('does not hide the server behind it, and its socket is let go', async () => {
    const hole = await blackHole()
    await using listener = await Listener.tcp('127.0.0.2', hole.port)
    const listening = openResources()
    const clock = new VirtualClock()
    using limit = new Deadline({ timeoutMs: 1_000, clock, signal: caller.signal })
    const racing = race(ipv4('127.0.0.1', '127.0.0.2'), hole.port, KEEP_ALIVE, limit)
    await turn()
    clock.advance(249)
    for (let turns = 0; turns < 20; turns += 1) await turn()
    expect(listener.connections).toBe(0)
    clock.advance(1)
    const transport = await racing
    expect(transport.remote).toEqual({ address: '127.0.0.2', port: hole.port })
    const peer = await listener.accept()
    transport.destroy()
    peer.destroy()
    await expectNoMoreThan(listening)
    await hole.end()
  })

  it('a hundred times ends on time, and no socket is left', async () => {
    const hole = await blackHole()
    const clock = new VirtualClock()
    using limit = new Deadline({ timeoutMs: 20_000, clock, signal: caller.signal })
    const all = Array.from({ length: 100 }, () => '127.0.0.1')
    const racing = failureOf(race(ipv4(...all), hole.port, KEEP_ALIVE, limit))
    let most = 0
    for (let ms = 0; ms < 20_000; ms += 250) {
      await turn()
      most = Math.max(most, openResources().filter((name) => name === 'TCPSocketWrap').length)
      clock.advance(250)
    }
    await expect(racing).resolves.toBe(limit.signal.reason)
    expect(limit.expired).toBe(true)
    // Those of the race, one that was closed in this very turn, and those that fill the queue.
    expect(most).toBeLessThanOrEqual(8 + 1 + hole.sockets)
    await expectNoMoreThan(hole.resources)
    await hole.end()
  })
})

describe('an abort', () => {
  it('before the dial: nobody is dialed', async () => {
    await using listener = await Listener.tcp()
    using over = new Deadline({ signal: AbortSignal.abort(REASON) })
    await expect(failureOf(dial(tcp(listener.port), over))).resolves.toBe(REASON)
    await expect(failureOf(dial({ transport: 'unix', path: '/' }, over))).resolves.toBe(REASON)
    await expect(failureOf(openSocket({ host: '127.0.0.1', port: listener.port }, NO_PROBES, over))).resolves.toBe(
      REASON,
    )
    await turn()
    expect(listener.connections).toBe(0)
  })

  it('while the name is looked up ends the dial, and no socket is opened', async () => {
    await using listener = await Listener.tcp()
    const dialing = failureOf(dial(tcp(listener.port, 'localhost'), deadline))
    caller.abort(REASON)
    await expect(Promise.race([dialing, turn()])).resolves.toBe(REASON)
    await turn()
    expect(listener.connections).toBe(0)
  })

  it.each(['tcp', 'unix'] as const)('in the tick in which the socket is opened ends it (%s)', async (kind) => {
    await using listener = await Listener[kind]()
    const where = kind === 'tcp' ? { host: '127.0.0.1', port: listener.port } : { path: listener.path }
    const listening = openResources()
    const opening = failureOf(openSocket(where, NO_PROBES, deadline))
    caller.abort(REASON)
    await expect(Promise.race([opening, turn()])).resolves.toBe(REASON)
    // If the other end has seen anything of it, then also its end.
    void listener.accept().then((peer) => peer.resume())
    await expectNoMoreThan(listening)
    for (let turns = 0; turns < 20; turns += 1) await turn()
    expect(listener.connections).toBe(0)
  })

  it('while nobody accepts ends the wait at once', async () => {
    const hole = await blackHole()
    let settled = false
    const dialing = failureOf(dial(tcp(hole.port), deadline))
    void dialing.then(() => {
      settled = true
    })
    for (let turns = 0; turns < 20; turns += 1) await turn()
    expect(settled).toBe(false)
    caller.abort(REASON)
    await expect(Promise.race([dialing, turn()])).resolves.toBe(REASON)
    await expectNoMoreThan(hole.resources)
    await hole.end()
  })

  it('in the tick in which the connection fails is the end, and the error disturbs nobody', async () => {
    // Connecting to the broadcast address fails within connect(2): Node reports it in a later callback of this tick.
    const opening = failureOf(openSocket({ host: '255.255.255.255', port: 1 }, NO_PROBES, deadline))
    process.nextTick(() => caller.abort(REASON))
    await expect(opening).resolves.toBe(REASON)
    const port = await Listener.closedPort()
    const refused = failureOf(openSocket({ host: '127.0.0.1', port }, NO_PROBES, deadline))
    await expect(refused).resolves.toBe(REASON)
  })

  it('after the dial does not concern it', async () => {
    await using listener = await Listener.tcp()
    const transport = await dial(tcp(listener.port), deadline)
    caller.abort(REASON)
    const peer = await listener.accept()
    peer.write('still here')
    await expect(receive(transport)).resolves.toEqual(Buffer.from('still here'))
    transport.destroy()
  })
})

const KEEP_ALIVE = { keepAlive: true, keepAliveIdleMs: 0 }

function ipv4(...addresses: string[]): Address[] {
  return addresses.map((address) => ({ address, family: 4 }))
}

/** With what was open before anybody dialed it, and how many of that fill its queue. */
async function blackHole() {
  const sockets = openResources().filter((name) => name === 'TCPSocketWrap').length
  const hole = await BlackHole.open()
  const resources = openResources()
  return {
    port: hole.port,
    sockets: resources.filter((name) => name === 'TCPSocketWrap').length - sockets,
    resources,
    end: () => hole[Symbol.asyncDispose](),
  }
}
