/** The race in virtual time, with sockets that do what the test says. dial.test.ts has real ones. */
import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Deadline } from '../../src/net/deadline.ts'
import { createRace } from '../../src/net/dial.ts'
import type { Address } from '../../src/net/resolve.ts'
import type { KeepAlive, openSocket, SocketAddress } from '../../src/net/socket.ts'
import { type Transport, TransportError } from '../../src/net/transport.ts'
import { until } from '../../src/net/until.ts'
import { settle, VirtualClock } from '../support/virtual-clock.ts'

const KEEP_ALIVE: KeepAlive = { keepAlive: true, keepAliveIdleMs: 30_000 }
const PORT = 5432

interface Attempt {
  readonly to: SocketAddress
  readonly keeping: KeepAlive
  readonly atMs: number
  answer(): void
  fail(error?: Error): void
  /** Whether its socket was let go of before it had an outcome. */
  isGone: boolean
}

interface OpenTransport extends Transport {
  isDestroyed: boolean
}

let clock: VirtualClock
let caller: AbortController
let deadline: Deadline
let startedMs: number
let attempts: Attempt[]
/** Everything that was opened. */
let transports: OpenTransport[]

beforeEach(() => {
  clock = new VirtualClock()
  caller = new AbortController()
  deadline = new Deadline({ timeoutMs: 60_000, clock, signal: caller.signal })
  startedMs = clock.now()
  attempts = []
  transports = []
})

/** After every test of this file: one timer at most, nobody listens, and no socket is left that has no owner. */
afterEach(() => {
  expect(clock.timersMax).toBe(1)
  expect(getEventListeners(deadline.signal, 'abort')).toEqual([])
  expect(clock.activeTimers).toBe(deadline.signal.aborted ? 0 : 1)
  deadline[Symbol.dispose]()
  expect(clock.activeTimers).toBe(0)
  expect(getEventListeners(caller.signal, 'abort')).toEqual([])
})

const open: typeof openSocket = (to, keeping, { signal }) =>
  until<Transport>(signal, (resolve, reject) => {
    let isOver = false
    const host = 'host' in to ? to.host : 'a path'
    const attempt: Attempt = {
      to,
      keeping,
      atMs: clock.now() - startedMs,
      isGone: false,
      answer() {
        isOver = true
        const transport = { remote: { address: host, port: PORT }, isDestroyed: false } as OpenTransport
        transport.destroy = () => {
          transport.isDestroyed = true
        }
        transports.push(transport)
        resolve(transport)
      },
      fail(error = new TransportError('ECONNREFUSED', `connect ECONNREFUSED ${host}:${PORT}`)) {
        isOver = true
        reject(error)
      },
    }
    attempts.push(attempt)
    return () => {
      attempt.isGone = !isOver
    }
  })

/** IPv6 if there is a colon in it. */
function addressesOf(...addresses: string[]): Address[] {
  return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
}

function start(...addresses: string[]): Promise<unknown> {
  return createRace(open)(addressesOf(...addresses), PORT, KEEP_ALIVE, deadline).catch((error: unknown) => error)
}

/** What was tried so far. */
function tried(): unknown[] {
  return attempts.map(({ to }) => 'host' in to && to.host)
}

function attempt(index: number): Attempt {
  const found = attempts[index]
  if (found === undefined) throw new Error(`only ${attempts.length} attempts have begun`)
  return found
}

function many(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `192.0.2.${index + 1}`)
}

describe('addresses', () => {
  it('are tried 250 ms apart for as long as none has an outcome', async () => {
    const racing = start('192.0.2.1', '192.0.2.2', '192.0.2.3')
    clock.advance(249)
    expect(tried()).toEqual(['192.0.2.1'])
    clock.advance(10_000)
    expect(attempts.map(({ atMs }) => atMs)).toEqual([0, 250, 500])
    attempt(1).answer()
    await expect(racing).resolves.toBe(transports[0])
  })

  it.each([
    ['2001:db8::1 2001:db8::2 192.0.2.1 192.0.2.2', '2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2'],
    ['192.0.2.1 192.0.2.2 192.0.2.3 2001:db8::1', '192.0.2.1 2001:db8::1 192.0.2.2 192.0.2.3'],
    ['192.0.2.1 2001:db8::1 2001:db8::2 2001:db8::3', '192.0.2.1 2001:db8::1 2001:db8::2 2001:db8::3'],
    ['192.0.2.2 192.0.2.1', '192.0.2.2 192.0.2.1'],
  ])('of two families take turns, beginning with that of the first: %s', async (given, order) => {
    const racing = start(...given.split(' '))
    clock.advance(10_000)
    expect(tried()).toEqual(order.split(' '))
    attempt(0).answer()
    await racing
  })

  it('are dialed as what they are, with the probes that are wanted', async () => {
    const racing = start('2001:db8::1')
    expect(attempt(0)).toMatchObject({
      to: { host: '2001:db8::1', family: 6, port: 5432 },
      keeping: { keepAlive: true, keepAliveIdleMs: 30_000 },
    })
    attempt(0).answer()
    await racing
  })

  it('are left alone as soon as one has answered', async () => {
    const racing = start('192.0.2.1', '192.0.2.2', '192.0.2.3')
    clock.advance(100)
    attempt(0).answer()
    await racing
    clock.advance(10_000)
    expect(tried()).toEqual(['192.0.2.1'])
  })
})

describe('an attempt that fails', () => {
  it('makes the next one start at once, and the one after it 250 ms later', async () => {
    const racing = start('192.0.2.1', '192.0.2.2', '192.0.2.3')
    clock.advance(100)
    attempt(0).fail()
    await settle()
    expect(attempts.map(({ atMs }) => atMs)).toEqual([0, 100])
    clock.advance(249)
    expect(tried()).toHaveLength(2)
    clock.advance(1)
    expect(attempts.map(({ atMs }) => atMs)).toEqual([0, 100, 350])
    attempt(2).answer()
    await racing
  })

  it('does not end the race while another has no outcome, though no address is left', async () => {
    const racing = start('192.0.2.1', '192.0.2.2')
    clock.advance(250)
    attempt(1).fail()
    await settle()
    attempt(0).answer()
    await expect(racing).resolves.toBe(transports[0])
  })

  it('like all others: each is named, in the order of the attempts', async () => {
    const racing = start('192.0.2.1', '192.0.2.2', '2001:db8::1')
    clock.advance(500)
    attempt(2).fail(new TransportError('ENETUNREACH', 'connect ENETUNREACH 192.0.2.2:5432'))
    attempt(0).fail()
    attempt(1).fail()
    const error = (await racing) as TransportError
    expect(error).toBeInstanceOf(TransportError)
    expect(error.code).toBe('ECONNREFUSED')
    expect(error.message).toBe(
      'connect ECONNREFUSED 192.0.2.1:5432; connect ECONNREFUSED 2001:db8::1:5432; connect ENETUNREACH 192.0.2.2:5432',
    )
    expect(error.cause).toBeInstanceOf(AggregateError)
    expect((error.cause as AggregateError).message).toBe('3 addresses were tried')
    expect((error.cause as AggregateError).errors).toMatchObject([
      { code: 'ECONNREFUSED' },
      { code: 'ECONNREFUSED' },
      { code: 'ENETUNREACH' },
    ])
  })

  it('alone: its error is the cause', async () => {
    const racing = start('192.0.2.1')
    const refusal = new TransportError('ECONNREFUSED', 'connect ECONNREFUSED 192.0.2.1:5432')
    attempt(0).fail(refusal)
    await expect(racing).resolves.toMatchObject({ message: refusal.message, cause: refusal })
  })

  it('because of a defect ends the race with that, and the others are let go', async () => {
    const racing = start('192.0.2.1', '192.0.2.2', '192.0.2.3')
    clock.advance(250)
    const defect = new TypeError('a defect')
    attempt(1).fail(defect)
    await expect(racing).resolves.toBe(defect)
    expect(attempt(0).isGone).toBe(true)
    expect(tried()).toHaveLength(2)
  })
})

describe('the winner', () => {
  it('is handed over alone: whoever has no outcome yet is let go at once', async () => {
    const racing = start('192.0.2.1', '192.0.2.2', '192.0.2.3')
    clock.advance(500)
    attempt(1).answer()
    await expect(racing).resolves.toMatchObject({ remote: { address: '192.0.2.2', port: 5432 }, isDestroyed: false })
    expect(attempts.map(({ isGone }) => isGone)).toEqual([true, false, true])
  })

  it('is the first of those that connect in the same moment, and the others are destroyed', async () => {
    const racing = start('192.0.2.1', '192.0.2.2', '192.0.2.3')
    clock.advance(500)
    for (const index of [2, 0, 1]) attempt(index).answer()
    await expect(racing).resolves.toBe(transports[0])
    await settle()
    expect(transports.map(({ isDestroyed }) => isDestroyed)).toEqual([false, true, true])
  })
})

describe('black holes', () => {
  it('however many end on time, with no more than eight sockets at once', async () => {
    const racing = start(...many(100))
    let most = 0
    for (let ms = 0; ms < 60_000; ms += 50) {
      most = Math.max(most, attempts.filter(({ isGone }) => !isGone).length)
      clock.advance(50)
      await settle()
    }
    expect(deadline.expired).toBe(true)
    await expect(racing).resolves.toBe(deadline.signal.reason)
    expect(most).toBe(8)
    expect(attempts).toHaveLength(100)
    expect(attempts.every(({ isGone }) => isGone)).toBe(true)
  })

  it('however many do not hide the server behind them', async () => {
    const racing = start(...many(20), '203.0.113.1')
    clock.advance(20 * 250)
    expect(tried().at(-1)).toBe('203.0.113.1')
    attempt(20).answer()
    await expect(racing).resolves.toMatchObject({ remote: { address: '203.0.113.1' } })
  })

  it('are given up after two seconds if there are more than eight, the oldest first, and are named', async () => {
    const racing = start(...many(9))
    clock.advance(1_999)
    expect(attempts.map(({ isGone }) => isGone)).toEqual(Array(8).fill(false))
    clock.advance(1)
    expect(attempts.map(({ isGone }) => isGone)).toEqual([true, ...Array(8).fill(false)])
    for (const { fail } of attempts) fail()
    await expect(racing).resolves.toMatchObject({
      code: 'ETIMEDOUT',
      message: expect.stringMatching(
        /^connect ETIMEDOUT 192\.0\.2\.1:5432 \(given up for the addresses behind it\); connect ECONNREFUSED 192\.0\.2\.2:/,
      ),
    })
    expect(attempts).toHaveLength(9)
  })

  it('up to eight are waited for until the deadline', async () => {
    const racing = start(...many(8))
    clock.advance(59_999)
    expect(attempts.map(({ isGone }) => isGone)).toEqual(Array(8).fill(false))
    clock.advance(1)
    await expect(racing).resolves.toBe(deadline.signal.reason)
    expect(attempts.map(({ isGone }) => isGone)).toEqual(Array(8).fill(true))
  })
})

describe('the end of the deadline', () => {
  it('in the middle of a race ends it at once, and everybody is let go', async () => {
    const racing = start('192.0.2.1', '192.0.2.2', '192.0.2.3')
    clock.advance(250)
    const reason = new Error('enough')
    caller.abort(reason)
    expect(attempts.map(({ isGone }) => isGone)).toEqual([true, true])
    await expect(racing).resolves.toBe(reason)
    clock.advance(10_000)
    expect(tried()).toHaveLength(2)
  })

  it('in the moment in which one connects is the end, and the connection is destroyed', async () => {
    const racing = start('192.0.2.1')
    attempt(0).answer()
    caller.abort('enough')
    await expect(racing).resolves.toBe('enough')
    await settle()
    expect(transports.map(({ isDestroyed }) => isDestroyed)).toEqual([true])
  })

  it('of a slice ends the race, and the deadline goes on', async () => {
    using slice = deadline.slice(300)
    const racing = createRace(open)(addressesOf(...many(3)), PORT, KEEP_ALIVE, slice).catch((error: unknown) => error)
    clock.advance(300)
    await expect(racing).resolves.toBe(slice.signal.reason)
    expect(attempts.map(({ isGone }) => isGone)).toEqual([true, true])
    expect(deadline.signal.aborted).toBe(false)
  })
})

it('without an address there is nobody to connect to', async () => {
  await expect(start()).resolves.toMatchObject({
    name: 'TransportError',
    code: 'ENOTFOUND',
    message: 'there is no address to connect to',
  })
})
