/** The one promise, over TLS: on time, in a named state, and nothing is left, neither here nor there. */
import { getEventListeners, once } from 'node:events'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectTarget, connect, HandshakeError } from '../../src/index.ts'
import { pathOf } from '../certificates/index.ts'
import { Listener } from '../net/listener.ts'
import { expectNoMoreThan, openResources, untilTrue } from '../net/resources.ts'
import { inLanes, medianConnectMs, outcomeOf, randomFrom } from './ended-connects.ts'
import { handshakeFailureOf } from './expect-failure.ts'
import { sentIn, TlsServer } from './tls-server.ts'

const CONNECTS = 100
/** Connects that are under way at the same time. */
const LANES = 4

let live: TlsServer

beforeAll(async () => {
  live = await TlsServer.start({ setup: ["create role app login password 'app'"] })
})

afterAll(() => live?.[Symbol.asyncDispose]())

function target(changes: ConnectTarget = {}): ConnectTarget {
  const { host, port } = live.server
  const full = { sslmode: 'verify-full', sslrootcert: pathOf('ca.crt') } as const
  return { host, port, user: 'app', dbname: 'postgres', password: 'app', ...full, ...changes }
}

/** What comes first is read, and 'S' is the answer to SSLRequest; then silence. */
async function fallSilent(peer: Socket): Promise<void> {
  peer.resume()
  const [first] = (await once(peer, 'data')) as [Buffer]
  if (first.length === 8) peer.write('S')
}

describe('a server that says S, or nothing, and then is silent', () => {
  it.each(['postgres', 'direct'] as const)('ends with the deadline, in SecuringTransport (%s)', async (negotiation) => {
    const before = openResources()
    {
      await using listener = await Listener.tcp()
      const silent = { host: '127.0.0.1', port: listener.port, sslnegotiation: negotiation }
      const connecting = handshakeFailureOf(connect(target(silent), { timeoutMs: 1_000 }))
      await fallSilent(await listener.accept())
      const error = await connecting
      expect(error).toMatchObject({
        name: 'TimeoutError',
        phase: 'SecuringTransport',
        failure: { kind: 'deadline', timeoutMs: 1_000 },
      })
      expect(error.timeline.at(-1)?.leftMs).toBeLessThan(3_000)
      expect(sentIn(error)).toEqual(negotiation === 'direct' ? [] : ['SSLRequest'])
      await untilTrue(() => listener.connections === 0, 'the server has seen the end')
    }
    await expectNoMoreThan(before)
  })

  it('ends with the caller, too: the reason is kept, and no other attempt is made', async () => {
    await using listener = await Listener.tcp()
    const caller = new AbortController()
    const reason = new Error('the user went away')
    const connecting = handshakeFailureOf(
      connect(target({ host: '127.0.0.1', port: listener.port, sslmode: 'prefer' }), { signal: caller.signal }),
    )
    await fallSilent(await listener.accept())
    setTimeout(() => caller.abort(reason), 50)
    const error = await connecting
    expect(error).toMatchObject({ name: 'AbortError', phase: 'SecuringTransport', failure: { kind: 'aborted' } })
    expect(error.cause).toBe(reason)
    expect(error.attempts).toHaveLength(1)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    await untilTrue(() => listener.connections === 0, 'the server has seen the end')
  })
})

describe('a hundred connects over TLS, each ended at a moment of its own', () => {
  it('settle in a named state, and nothing is left: no socket, no timer, no listener, no backend', async () => {
    const medianMs = await medianConnectMs(target(), LANES)
    await live.stories()
    await live.heed()
    const before = openResources()
    const shutdown = new AbortController()
    const random = randomFrom(0x5433)
    const phases = new Set<string>()
    let opened = 0

    await inLanes(LANES, CONNECTS, async (index) => {
      // One in twenty is left alone, so that some succeed however slow the machine is.
      const patienceMs = index % 20 === 0 ? Number.POSITIVE_INFINITY : random() * medianMs * 1.3
      const to = target({ sslnegotiation: index % 3 === 0 ? 'direct' : 'postgres' })
      const caller = new AbortController()
      const reason = new Error('the user went away')
      const byDeadline = index % 2 === 0
      const timer =
        byDeadline || patienceMs === Number.POSITIVE_INFINITY
          ? undefined
          : setTimeout(() => caller.abort(reason), patienceMs)
      const waiting = byDeadline ? { timeoutMs: patienceMs, signal: shutdown.signal } : { signal: caller.signal }
      const outcome = await outcomeOf(connect(to, waiting))
      clearTimeout(timer)
      expect(getEventListeners(caller.signal, 'abort')).toEqual([])
      if (outcome instanceof HandshakeError) {
        expect(outcome.name).toBe(byDeadline ? 'TimeoutError' : 'AbortError')
        if (!byDeadline) expect(outcome.cause).toBe(reason)
        phases.add(outcome.phase)
      } else {
        opened += 1
        await outcome.close()
      }
    })

    expect(getEventListeners(shutdown.signal, 'abort')).toEqual([])
    await expectNoMoreThan(before)
    // By the postmaster's own account of whom it has forked and who has ended.
    const stories = await live.stories()
    expect(stories.length).toBeGreaterThan(opened)
    // Otherwise nothing was tried: they ended in several states, the handshake of TLS among them, and some not at all.
    expect([...phases]).toContain('SecuringTransport')
    expect(phases.size).toBeGreaterThan(2)
    expect(opened).toBeGreaterThanOrEqual(CONNECTS / 20)
  })
})
