/**
 * What patterns.test.ts says of deadlines, where it hangs on the real event loop, real sockets or a real server. A server that
 * must answer while our own loop is blocked lives in a thread of its own.
 */
import { getEventListeners, once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type ConnectTarget, connect, HandshakeError, Session } from '../src/index.ts'
import { Listener } from './net/listener.ts'
import { expectNoMoreThan, openResources, turn, untilTrue } from './net/resources.ts'
import { startServer, type TestServer } from './servers/server.ts'

const TARGET = { host: '127.0.0.1', user: 'alice', dbname: 'app', sslmode: 'disable' } as const
/** How late a timer may be on a machine that is busy. */
const BUSY_MS = 400

/** The time is taken before the call: a deadline counts from there, and what connect does before it returns takes a while. */
async function outcomeOf(connectNow: () => Promise<unknown>) {
  const startedMs = performance.now()
  const outcome = await connectNow().catch((error: unknown) => error)
  return { outcome, elapsedMs: performance.now() - startedMs }
}

// The first connect of a process reads our own files, which takes longer than these deadlines.
beforeAll(async () => {
  await using listener = await Listener.tcp()
  await connect({ ...TARGET, port: listener.port }, { timeoutMs: 50 }).catch(() => {})
})

afterEach(() => vi.useRealTimers())

describe('P3: a timer that is wound up again per read', () => {
  it('a TLS handshake that drips byte by byte ends on time', async () => {
    await using listener = await Listener.tcp()
    const connecting = outcomeOf(() =>
      connect({ ...TARGET, port: listener.port, sslmode: 'require' }, { timeoutMs: 300 }),
    )
    const peer = await listener.accept()
    peer.resume()
    await once(peer, 'data')
    peer.write('S')
    await once(peer, 'data')
    // The header of a record of type handshake, TLS 1.2, 16,384 bytes long; and then nothing but zeros.
    const record = [0x16, 0x03, 0x03, 0x40, 0x00]
    let dripped = 0
    const dripping = setInterval(() => peer.write(Buffer.of(record[dripped++] ?? 0)), 10)
    const { outcome, elapsedMs } = await connecting
    clearInterval(dripping)
    expect(outcome).toMatchObject({ name: 'TimeoutError', phase: 'SecuringTransport', failure: { timeoutMs: 300 } })
    expect(dripped).toBeGreaterThan(5)
    expect(elapsedMs).toBeLessThan(300 + BUSY_MS)
    await untilTrue(() => listener.connections === 0, 'the connection is closed')
  })
})

describe('P5: only the caller is told, and the work goes on', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({ setup: ["create role app login password 'app'"] })
  })
  afterAll(() => server?.stop())

  /** Of anybody but the one who asks, those included that have not been let in yet. */
  async function countBackends(which = 'true'): Promise<number> {
    const [row] = await server.sql(
      `select count(*)::int as n from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid() and ${which}`,
    )
    return Number(row?.['n'])
  }

  /** It reads only after it has asked; and what it sent us before it answers another query is here before that answer. */
  async function passwordIsAwaited(): Promise<void> {
    await expect.poll(() => countBackends("wait_event = 'ClientRead'"), { interval: 10 }).toBe(1)
    await countBackends()
  }

  it.each(['the deadline', 'the caller'])('%s ends the backend, which waits for a password, as well', async (who) => {
    const { host, port } = server
    await expect.poll(() => countBackends()).toBe(0)
    const before = openResources()
    const caller = new AbortController()
    let asked: AbortSignal | undefined
    const password = (signal: AbortSignal) => {
      asked = signal
      return new Promise<string>(() => {})
    }
    const target = { host, port, user: 'app', dbname: 'postgres', sslmode: 'disable', password } as const
    const options = { timeoutMs: who === 'the deadline' ? 3_000 : 30_000, signal: caller.signal }
    const connecting = outcomeOf(() => connect(target, options))
    await passwordIsAwaited()
    if (who === 'the caller') caller.abort('enough')
    const { outcome } = await connecting
    const name = who === 'the caller' ? 'AbortError' : 'TimeoutError'
    expect(outcome).toMatchObject({ name, phase: 'AwaitingSaslPassword' })
    expect(asked?.aborted).toBe(true)
    await expect.poll(() => countBackends(), { timeout: 1_000, interval: 10 }).toBe(0)
    await expectNoMoreThan(before)
  })
})

describe('P6: a wall clock that jumps', () => {
  it('back and forth by hours, all the while: the deadline is as long as it is', async () => {
    await using listener = await Listener.tcp()
    vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_000 })
    let jumps = 0
    const jumping = setInterval(() => {
      jumps += 1
      vi.setSystemTime(1_800_000_000_000 + (jumps % 2 === 0 ? -5 : 5) * 3_600_000)
    }, 10)
    const { outcome, elapsedMs } = await outcomeOf(() =>
      connect({ ...TARGET, port: listener.port }, { timeoutMs: 150 }),
    )
    clearInterval(jumping)
    expect(outcome).toMatchObject({ name: 'TimeoutError', phase: 'AwaitingAuthentication' })
    expect(elapsedMs).toBeGreaterThanOrEqual(149)
    expect(elapsedMs).toBeLessThan(150 + BUSY_MS)
    expect((outcome as HandshakeError).timeline.at(-1)?.leftMs).toBeGreaterThanOrEqual(150)
    expect((outcome as HandshakeError).timeline.at(-1)?.leftMs).toBeLessThan(150 + BUSY_MS)
    expect(jumps).toBeGreaterThan(1)
  })
})

describe('P9: a starved event loop that is taken for a silent server', () => {
  const TIMEOUT_MS = 150
  const BLOCK_MS = 400
  /** AuthenticationOk: 'R', 8 bytes, 0. */
  const OK = '52 00000008 00000000'
  /** BackendKeyData: 'K', 12 bytes, process 4711, a key of four bytes; ReadyForQuery: 'Z', 5 bytes, 'I'. */
  const READY = '4b 0000000c 00001267 01020304 5a 00000005 49'
  /** AuthenticationCleartextPassword: 'R', 8 bytes, 3. */
  const PASSWORD_PLEASE = '52 00000008 00000003'

  /** Answers the first message when it is told that we are blocked, every later one with READY as fast as it can. */
  const PROGRAM = `
    const { parentPort, workerData: { flags, answer, ready } } = require('node:worker_threads')
    require('node:net').createServer((socket) => {
      socket.on('error', () => {}).once('data', () => {
        Atomics.store(flags, 0, 1)
        Atomics.wait(flags, 1, 0, 5_000)
        socket.write(Buffer.from(answer, 'hex'))
        socket.on('data', () => socket.write(Buffer.from(ready, 'hex')))
      })
    }).listen(0, '127.0.0.1', function () { parentPort.postMessage(this.address().port) })`

  async function blocked(answer: string, target: ConnectTarget = {}) {
    const flags = new Int32Array(new SharedArrayBuffer(8))
    const hex = (spaced: string) => spaced.replaceAll(' ', '')
    const workerData = { flags, answer: hex(answer), ready: hex(`${OK}${READY}`) }
    const worker = new Worker(PROGRAM, { eval: true, workerData })
    try {
      const [port] = (await once(worker, 'message')) as [number]
      let outcome: unknown
      void outcomeOf(() => connect({ ...TARGET, port, ...target }, { timeoutMs: TIMEOUT_MS })).then((settled) => {
        outcome = settled.outcome
      })
      // Until the server has our first message.
      while (Atomics.load(flags, 0) === 0 && outcome === undefined) await turn()
      Atomics.store(flags, 1, 1)
      Atomics.notify(flags, 1)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCK_MS)
      // The turn of the late timer, and that of what came of it.
      await turn()
      await turn()
      expect(outcome).toBeDefined()
      return outcome
    } finally {
      await worker.terminate()
    }
  }

  it('a server that has answered meanwhile has answered in time', async () => {
    const session = await blocked(`${OK}${READY}`)
    if (!(session instanceof Session)) throw session
    expect(session.backendKeyData?.processId).toBe(4711)
    await session.close({ timeoutMs: 0 })
  })

  it('a silent one has not, and the error tells of our own loop', async () => {
    const error = await blocked('')
    if (!(error instanceof HandshakeError)) throw new Error('expected a HandshakeError', { cause: error })
    expect(error).toMatchObject({ name: 'TimeoutError', phase: 'AwaitingAuthentication' })
    expect(error.loopLagMs).toBeGreaterThan(BLOCK_MS - TIMEOUT_MS)
    expect(error.timeline.at(-1)?.loopLagMs).toBe(error.loopLagMs)
    expect(error.message).toMatch(/our own event loop was blocked for \d+ ms meanwhile/)
  })

  it('one that needs another round trip is cut off in it', async () => {
    const error = await blocked(PASSWORD_PLEASE, { password: 'secret', allowCleartextPassword: true })
    expect(error).toMatchObject({ name: 'TimeoutError', phase: 'AwaitingVerdict' })
  })

  it('whoever blocks the loop right after the call is told of it, and nobody is dialed', async () => {
    await using listener = await Listener.tcp()
    const connecting = outcomeOf(() => connect({ ...TARGET, port: listener.port }, { timeoutMs: TIMEOUT_MS }))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCK_MS)
    const { outcome } = await connecting
    expect(outcome).toMatchObject({
      name: 'TimeoutError',
      phase: 'Disconnected',
      failure: { timeoutMs: TIMEOUT_MS },
      message: expect.stringMatching(/our own event loop was blocked for \d+ ms/),
    })
    await turn()
    expect(listener.connections).toBe(0)
  })
})

describe('ties', () => {
  it('an ErrorResponse and a reset behind it: what the server said is told', async () => {
    await using listener = await Listener.tcp()
    const connecting = outcomeOf(() => connect({ ...TARGET, port: listener.port }))
    const peer = await listener.accept()
    peer.resume()
    await once(peer, 'data')
    // ErrorResponse: 'E', 25 bytes; severity FATAL, SQLSTATE 53300, message 'full'.
    peer.write(Buffer.from('4500000019 53464154414c00 43353333303000 4d66756c6c00 00'.replaceAll(' ', ''), 'hex'))
    peer.resetAndDestroy()
    expect((await connecting).outcome).toMatchObject({ failure: { kind: 'refused', sqlstate: '53300' } })
  })
})

describe('a storm', () => {
  const CONNECTS = 1_000
  /** A server takes them off its queue between two turns of ours; what does not fit into it tries again after a second. */
  const AT_ONCE = 200

  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void

  async function storm(port: number, connections: () => number): Promise<Set<unknown>> {
    const caller = new AbortController()
    const connecting: Promise<unknown>[] = []
    while (connecting.length < CONNECTS) {
      for (let count = 0; count < AT_ONCE; count += 1) {
        const one = connect({ ...TARGET, port }, { timeoutMs: 60_000, signal: caller.signal })
        connecting.push(one.catch((error: HandshakeError) => `${error.name} in ${error.phase}`))
      }
      await untilTrue(() => connections() === connecting.length, 'all are connected')
    }
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1)
    caller.abort()
    const outcomes = new Set(await Promise.all(connecting))
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    await untilTrue(() => connections() === 0, 'all are closed')
    return outcomes
  }

  it('of a thousand on one signal: one listener, no warning, and nothing is left', async () => {
    const warnings: string[] = []
    const onWarning = ({ name }: Error) => warnings.push(name)
    process.on('warning', onWarning)
    const accepted = new Set<Socket>()
    const server = createServer((socket) => {
      accepted.add(socket)
      socket
        .resume()
        .on('error', () => {})
        .once('close', () => accepted.delete(socket))
    }).listen({ host: '127.0.0.1', port: 0, backlog: CONNECTS })
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const before = openResources()

    const heapBytes: number[] = []
    for (let round = 0; round < 2; round += 1) {
      expect(await storm(port, () => accepted.size)).toEqual(new Set(['AbortError in AwaitingAuthentication']))
      await expectNoMoreThan(before)
      collectGarbage()
      await turn()
      collectGarbage()
      heapBytes.push(process.memoryUsage().heapUsed)
    }
    server.close()
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
    // The first round warms up. Whatever a connect left behind, it would be more than a kilobyte.
    const [warm = 0, after = 0] = heapBytes
    expect(after - warm).toBeLessThan(CONNECTS * 1_024)
  })
})
