import { spawn } from 'node:child_process'
import { getEventListeners, once } from 'node:events'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest'
import { dial } from '../../src/net/dial.ts'
import { type Endpoint, isIpAddress } from '../../src/net/endpoint.ts'
import { resolveHost } from '../../src/net/resolve.ts'
import { openSocket } from '../../src/net/socket.ts'
import { TransportError } from '../../src/net/transport.ts'
import { Listener } from './listener.ts'
import { expectNoMoreThan, openResources, turn, untilTrue } from './resources.ts'

// The sockets are real, and so are the names, but where a test needs a name with several addresses.
vi.mock('../../src/net/resolve.ts', async (original) => {
  const { resolveHost } = await original<typeof import('../../src/net/resolve.ts')>()
  return { resolveHost: vi.fn(resolveHost) }
})

const REASON = new Error('enough')
let caller: AbortController
let before: string[]

beforeEach(() => {
  caller = new AbortController()
  before = openResources()
})

/** After every test of this file: no socket, no request to the system, no listener. */
afterEach(async () => {
  expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  await expectNoMoreThan(before)
})

function tcp(port: number, host = '127.0.0.1'): Endpoint {
  return { transport: 'tcp', host, address: null, port }
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
    const transport = await dial(tcp(listener.port, host), caller.signal)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    const peer = await listener.accept()
    peer.write('hello')
    await expect(transport.read(caller.signal)).resolves.toEqual(Buffer.from('hello'))
    transport.destroy()
    peer.resume()
    await untilTrue(() => listener.connections === 0, 'the peer has seen the end')
  })

  it('with an address is dialed there, and its name is not looked up', async () => {
    await using listener = await Listener.tcp()
    vi.mocked(resolveHost).mockClear()
    const endpoint = { transport: 'tcp', host: 'db.invalid', address: '127.0.0.1', port: listener.port } as const
    const transport = await dial(endpoint, caller.signal)
    await listener.accept()
    transport.destroy()
    expect(vi.mocked(resolveHost).mock.calls).not.toContainEqual(['db.invalid', caller.signal])
  })

  it('in the file system is dialed', async () => {
    await using listener = await Listener.unix()
    const transport = await dial({ transport: 'unix', path: listener.path }, caller.signal)
    const peer = await listener.accept()
    peer.write('hello')
    await expect(transport.read(caller.signal)).resolves.toEqual(Buffer.from('hello'))
    transport.destroy()
  })

  it('on which nobody listens refuses: ECONNREFUSED', async () => {
    const port = await Listener.closedPort()
    const error = await failureOf(dial(tcp(port), caller.signal))
    expect(error).toBeInstanceOf(TransportError)
    expect(error).toMatchObject({ code: 'ECONNREFUSED', message: `connect ECONNREFUSED 127.0.0.1:${port}` })
  })

  it('that is no file is not there: ENOENT', async () => {
    await using listener = await Listener.unix()
    const path = join(listener.path, '..', '.s.PGSQL.5432')
    const error = await failureOf(dial({ transport: 'unix', path }, caller.signal))
    expect(error).toMatchObject({ name: 'TransportError', code: 'ENOENT', message: `connect ENOENT ${path}` })
  })
})

test.each([
  ['127.0.0.1', true],
  ['::1', true],
  ['fe80::1%eth0', true],
  ['[::1]', false],
  ['127.1', false],
  ['localhost', false],
  ['', false],
])('whether %j is an address: %s', (text, expected) => {
  expect(isIpAddress(text)).toBe(expected)
})

describe('the addresses of a name', () => {
  it('are tried in order: that nobody listens on the first does not matter', async () => {
    await using listener = await Listener.tcp()
    vi.mocked(resolveHost).mockResolvedValueOnce([
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ])
    const transport = await dial(tcp(listener.port, 'db.example'), caller.signal)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    await listener.accept()
    transport.destroy()
  })

  it('are tried one after the other: the second is left alone if the first answers', async () => {
    await using listener = await Listener.tcp()
    vi.mocked(resolveHost).mockResolvedValueOnce([
      { address: '127.0.0.1', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ])
    const transport = await dial(tcp(listener.port, 'db.example'), caller.signal)
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
    const error = await failureOf(dial(tcp(port, 'db.example'), caller.signal))
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
    const dialing = failureOf(dial(tcp(port, 'db.example'), caller.signal))
    await Promise.resolve()
    caller.abort(REASON)
    await expect(dialing).resolves.toBe(REASON)
    expect(listener.connections).toBe(0)
  })

  it('of which there are none do not exist', async () => {
    vi.mocked(resolveHost).mockResolvedValueOnce([])
    const error = await failureOf(dial(tcp(5432, 'db.example'), caller.signal))
    expect(error).toMatchObject({ name: 'TransportError', code: 'ENOTFOUND' })
  })
})

describe('an abort', () => {
  it('before the dial: nobody is dialed', async () => {
    await using listener = await Listener.tcp()
    await expect(failureOf(dial(tcp(listener.port), AbortSignal.abort(REASON)))).resolves.toBe(REASON)
    await expect(failureOf(dial({ transport: 'unix', path: '/' }, AbortSignal.abort(REASON)))).resolves.toBe(REASON)
    await expect(
      failureOf(openSocket({ host: '127.0.0.1', port: listener.port }, AbortSignal.abort(REASON))),
    ).resolves.toBe(REASON)
    await turn()
    expect(listener.connections).toBe(0)
  })

  it('while the name is looked up ends the dial, and no socket is opened', async () => {
    await using listener = await Listener.tcp()
    const dialing = failureOf(dial(tcp(listener.port, 'localhost'), caller.signal))
    caller.abort(REASON)
    await expect(Promise.race([dialing, turn()])).resolves.toBe(REASON)
    await turn()
    expect(listener.connections).toBe(0)
  })

  it.each(['tcp', 'unix'] as const)('in the tick in which the socket is opened ends it (%s)', async (kind) => {
    await using listener = await Listener[kind]()
    const where = kind === 'tcp' ? { host: '127.0.0.1', port: listener.port } : { path: listener.path }
    const listening = openResources()
    const opening = failureOf(openSocket(where, caller.signal))
    caller.abort(REASON)
    await expect(Promise.race([opening, turn()])).resolves.toBe(REASON)
    // If the other end has seen anything of it, then also its end.
    void listener.accept().then((peer) => peer.resume())
    await expectNoMoreThan(listening)
    for (let turns = 0; turns < 20; turns += 1) await turn()
    expect(listener.connections).toBe(0)
  })

  it('while nobody accepts ends the wait at once', async () => {
    const listening = await neverAccepting()
    // The queue of the listening socket holds one or two connections; whoever comes after them waits for a SYN+ACK.
    const fillers = Array.from({ length: 4 }, () => dial(tcp(listening.port), caller.signal).catch(() => null))
    let settled = false
    const dialing = failureOf(dial(tcp(listening.port), caller.signal))
    void dialing.then(() => {
      settled = true
    })
    for (let turns = 0; turns < 20; turns += 1) await turn()
    expect(settled).toBe(false)
    caller.abort(REASON)
    await expect(Promise.race([dialing, turn()])).resolves.toBe(REASON)
    for (const filler of fillers) (await filler)?.destroy()
    await expectNoMoreThan(listening.resources)
    await listening.end()
  })

  it('in the tick in which the connection fails is the end, and the error disturbs nobody', async () => {
    // Connecting to the broadcast address fails within connect(2): Node reports it in a later callback of this tick.
    const opening = failureOf(openSocket({ host: '255.255.255.255', port: 1 }, caller.signal))
    process.nextTick(() => caller.abort(REASON))
    await expect(opening).resolves.toBe(REASON)
    const port = await Listener.closedPort()
    const refused = failureOf(openSocket({ host: '127.0.0.1', port }, caller.signal))
    await expect(refused).resolves.toBe(REASON)
  })

  it('after the dial does not concern it', async () => {
    await using listener = await Listener.tcp()
    const transport = await dial(tcp(listener.port), caller.signal)
    caller.abort(REASON)
    const peer = await listener.accept()
    peer.write('still here')
    await expect(transport.read(new AbortController().signal)).resolves.toEqual(Buffer.from('still here'))
    transport.destroy()
  })
})

/** A process that listens and then sleeps: the kernel completes connections for it until the queue is full. */
async function neverAccepting(): Promise<{ port: number; resources: string[]; end: () => Promise<void> }> {
  const program = `
    const server = require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`
  const child = spawn(process.execPath, ['--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    port: Number(port),
    resources: openResources(),
    async end() {
      child.kill('SIGKILL')
      await once(child, 'close')
    },
  }
}
