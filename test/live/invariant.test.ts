/**
 * The one promise, against a real server: connects that are ended at any moment whatever settle in a named state and leave
 * nothing behind, neither here (socket, timer, listener) nor there (a backend).
 */
import { getEventListeners } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, HandshakeError, Session } from '../../src/index.ts'
import { expectNoMoreThan, openResources } from '../net/resources.ts'
import { startServer, type TestServer } from '../servers/server.ts'
import { inLanes, medianConnectMs, outcomeOf, randomFrom } from './ended-connects.ts'

const CONNECTS = 200
/** Connects that are under way at the same time. */
const LANES = 4

let server: TestServer
let url: string

beforeAll(async () => {
  server = await startServer({ setup: ["create role app login password 'app'"] })
  url = server.url({ user: 'app', password: 'app' })
})

afterAll(() => server?.stop())

/** Backends of anybody but the one who asks, those included that have not been let in yet. */
async function countBackends(): Promise<number> {
  const [row] = await server.sql(
    "select count(*)::int as n from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
  )
  return Number(row?.['n'])
}

describe('two hundred connects, each ended at a moment of its own', () => {
  it('settle in a named state, and nothing is left: no socket, no timer, no listener, no backend', async () => {
    await expect.poll(countBackends).toBe(0)
    const medianMs = await medianConnectMs(url, LANES)
    await expect.poll(countBackends).toBe(0)
    const random = randomFrom(0x5432)
    const before = openResources()
    // One signal that outlives them all, as a service has one for its shutdown.
    const shutdown = new AbortController()
    const phases = new Set<string>()
    let opened = 0

    await inLanes(LANES, CONNECTS, async (index) => {
      // One in twenty is left alone, so that some succeed however slow the machine is.
      const patienceMs = index % 20 === 0 ? Number.POSITIVE_INFINITY : random() * medianMs * 1.3
      const outcome = index % 2 === 0 ? await byDeadline(patienceMs, shutdown.signal) : await byAbort(patienceMs)
      if (outcome instanceof Session) {
        opened += 1
        await outcome.close()
      } else phases.add(outcome.phase)
    })

    expect(getEventListeners(shutdown.signal, 'abort')).toEqual([])
    await expectNoMoreThan(before)
    await expect.poll(countBackends, { timeout: 1_000, interval: 10 }).toBe(0)
    // Otherwise nothing was tried: they ended in several states, and some of them not at all.
    expect(phases.size).toBeGreaterThan(1)
    expect(opened).toBeGreaterThanOrEqual(CONNECTS / 20)
  })
})

async function byDeadline(timeoutMs: number, signal: AbortSignal): Promise<Session | HandshakeError> {
  const outcome = await outcomeOf(connect(url, { timeoutMs, signal }))
  if (outcome instanceof HandshakeError) {
    expect(outcome).toMatchObject({ name: 'TimeoutError', failure: { kind: 'deadline', timeoutMs } })
  }
  return outcome
}

async function byAbort(patienceMs: number): Promise<Session | HandshakeError> {
  const caller = new AbortController()
  const reason = new Error('the user went away')
  const timer = Number.isFinite(patienceMs) ? setTimeout(() => caller.abort(reason), patienceMs) : undefined
  try {
    const outcome = await outcomeOf(connect(url, { signal: caller.signal }))
    if (outcome instanceof HandshakeError) {
      expect(outcome).toMatchObject({ name: 'AbortError', failure: { kind: 'aborted' } })
      expect(outcome.cause).toBe(reason)
    }
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    return outcome
  } finally {
    clearTimeout(timer)
  }
}
