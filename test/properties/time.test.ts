/**
 * Time: one deadline, whatever happens. The first five are exhaustive: every byte of every lawful handshake is a place where
 * it can stop.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { HandshakeError } from '../../src/index.ts'
import { type Plan, type SimulationReport, simulate, simulateAll } from '../../src/testing/index.ts'
import { atServer, lengthOf, PROFILES, type Profile, phaseAt, planFor, TIMEOUT_MS } from './profiles.ts'
import { propertyOptions } from './runs.ts'

/** A thousand and more connects a test, on a machine that may be busy. */
vi.setConfig({ testTimeout: 120_000 })

const ABORTED_MS = 400

/** What came of it, for comparison. */
function outcomeOf({ settled: { session, error, atMs }, violations }: SimulationReport) {
  if (session !== null) return { end: 'Ready', atMs, violations }
  if (!(error instanceof HandshakeError)) throw error
  const { failure, phase } = error
  const code = failure.kind === 'lost' ? failure.code : ''
  return { end: `${failure.kind} ${code} in ${phase}`.replace('  ', ' '), atMs, violations }
}

/** Stop each profile behind each of its bytes, and say how it must end there. */
async function atEveryByte(
  stop: (plan: Plan, at: number) => Plan,
  endAt: (phase: string) => { end: string; atMs: number },
): Promise<void> {
  const cases = PROFILES.flatMap((profile) =>
    Array.from({ length: lengthOf(profile) }, (_, at) => ({ profile, at, plan: stop(profile.plan, at) })),
  )
  const reports = await simulateAll(cases.map(({ plan }) => plan))
  for (const [index, { profile, at }] of cases.entries()) {
    const found = { profile: profile.name, at, ...outcomeOf(reports[index] as SimulationReport) }
    const { end, atMs } = endAt(phaseAt(profile, at))
    if (found.end !== end || found.atMs !== atMs || found.violations.length > 0) {
      expect(found).toEqual({ profile: profile.name, at, end, atMs, violations: [] })
    }
  }
  expect(cases.length).toBeGreaterThan(1_200)
}

describe('at every byte boundary of every lawful handshake', () => {
  it('time-01: silence ends at the deadline, to the millisecond, in the state that waits', async () => {
    await atEveryByte(
      (plan, at) => atServer(plan, { fault: { kind: 'silence', at } }),
      (phase) => ({ end: `deadline in ${phase}`, atMs: TIMEOUT_MS }),
    )
  })

  it('time-02: an abort ends it in that moment, in the state that waits', async () => {
    await atEveryByte(
      (plan, at) => ({
        ...atServer(plan, { fault: { kind: 'silence', at } }),
        interruption: { how: 'abort', atMs: ABORTED_MS },
      }),
      (phase) => ({ end: `aborted in ${phase}`, atMs: ABORTED_MS }),
    )
  })

  it('time-03: an orderly end is lost with FIN, at once, in the state that waits', async () => {
    await atEveryByte(
      (plan, at) => atServer(plan, { fault: { kind: 'fin', at } }),
      // A TLS handshake that ends in order is broken all the same.
      (phase) => ({ end: `lost ${phase === 'SecuringTransport' ? 'ECONNRESET' : 'FIN'} in ${phase}`, atMs: 0 }),
    )
  })

  it('time-04: a break is lost with ECONNRESET, at once, in the state that waits', async () => {
    await atEveryByte(
      (plan, at) => atServer(plan, { fault: { kind: 'rst', at } }),
      (phase) => ({ end: `lost ECONNRESET in ${phase}`, atMs: 0 }),
    )
  })
})

it('time-05: how bytes are cut into pieces does not matter: facts, messages and states are the same', async () => {
  for (const profile of PROFILES) {
    const sizes = Array.from({ length: lengthOf(profile) }, (_, index) => index + 1)
    const plans = sizes.map((pieceBytesMax) =>
      atServer(
        { ...profile.plan, seed: pieceBytesMax },
        { network: { patienceMs: 0, pieceBytesMax, backPressure: false } },
      ),
    )
    const [first, ...others] = (await simulateAll(plans)).map(storyOf)
    expect(first?.end).toBe('Ready')
    for (const other of others) expect({ profile: profile.name, ...other }).toEqual({ profile: profile.name, ...first })
  }
})

/** Everything but the time that it took: and there it takes none. */
function storyOf(report: SimulationReport) {
  const { session } = report.settled
  const timeline = report.timeline.map(({ state, bytesSent, bytesReceived, messages }) => {
    return {
      state,
      bytesSent,
      bytesReceived,
      messages: messages.map(({ name, count, bytes }) => ({ name, count, bytes })),
    }
  })
  return { ...outcomeOf(report), timeline, parameters: [...(session?.parameters ?? [])], tls: session?.tls }
}

const profile = fc.constantFrom(...PROFILES)
const schedule = fc.record({
  seed: fc.nat(),
  network: fc.record({
    patienceMs: fc.nat({ max: 3 * TIMEOUT_MS }),
    pieceBytesMax: fc.integer({ min: 1, max: 200 }),
    backPressure: fc.boolean(),
  }),
})

function lateOrReady(outcome: ReturnType<typeof outcomeOf>): void {
  expect(outcome.violations).toEqual([])
  if (outcome.end === 'Ready') expect(outcome.atMs).toBeLessThanOrEqual(TIMEOUT_MS)
  else expect(outcome).toMatchObject({ end: expect.stringMatching(/^deadline in /), atMs: TIMEOUT_MS })
}

it('time-06: the deadline stays where it was under every schedule of lookups, waits and pieces', async () => {
  await fc.assert(
    fc.asyncProperty(
      profile,
      schedule,
      fc.nat({ max: 300 }),
      fc.nat({ max: 300 }),
      async (one, { seed, network }, lookupMs, derivationMs) => {
        const plan = atServer({ ...one.plan, seed }, { network })
        const [host, ...hosts] = plan.hosts as [Plan['hosts'][number]]
        const slow = { ...plan, client: { ...plan.client, derivationMs }, hosts: [{ ...host, lookupMs }, ...hosts] }
        lateOrReady(outcomeOf(await simulate(slow)))
      },
    ),
    propertyOptions(300),
  )
})

it('time-07: progress never extends it: a server that sends byte after byte has no more time than a silent one', async () => {
  await fc.assert(
    fc.asyncProperty(profile, fc.nat(), fc.integer({ min: 1, max: 500 }), async (one: Profile, place, everyMs) => {
      const at = place % lengthOf(one)
      const outcome = outcomeOf(await simulate(atServer(one.plan, { fault: { kind: 'drip', at, everyMs } })))
      lateOrReady(outcome)
      const neededMs = (lengthOf(one) - at) * everyMs
      // In the same moment either may come first.
      if (neededMs !== TIMEOUT_MS) expect(outcome.end === 'Ready').toBe(neededMs < TIMEOUT_MS)
    }),
    propertyOptions(300),
  )
})

it('time-08: notices without an end extend nothing: there is a bound of them, and the deadline', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 500 }), async (at, everyMs) => {
      const plan = planFor({ method: 'scram-sha-256' })
      const { end, atMs, violations } = outcomeOf(
        await simulate(atServer(plan, { fault: { kind: 'flood', at, everyMs } })),
      )
      expect(violations).toEqual([])
      // The 65th comes when 64 pauses have passed.
      if (64 * everyMs < TIMEOUT_MS)
        expect({ end, atMs }).toEqual({ end: expect.stringMatching(/^limit /), atMs: 64 * everyMs })
      else expect({ end, atMs }).toEqual({ end: expect.stringMatching(/^deadline /), atMs: TIMEOUT_MS })
    }),
    propertyOptions(200),
  )
})

it('time-09: hosts that are silent share one deadline, and the last one ends with it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 10, max: 10_000 }), async (count, timeoutMs) => {
      const { hosts, client, ...plan } = atServer(planFor({}, { timeoutMs }), { fault: { kind: 'silence', at: 0 } })
      const several = Array.from({ length: count }, (_, index) =>
        hosts.map((host) => ({ ...host, name: `host-${index}` })),
      )
      const report = await simulate({ ...plan, client, hosts: several.flat() })
      expect(outcomeOf(report)).toEqual({ end: 'deadline in AwaitingAuthentication', atMs: timeoutMs, violations: [] })
      expect((report.settled.error as HandshakeError).attempts).toHaveLength(count)
    }),
    propertyOptions(100),
  )
})

it('time-10: an event loop that was blocked reads what is here already, and then it is over', async () => {
  const blockedMs = 100
  const freeMs = 2 * TIMEOUT_MS
  await fc.assert(
    fc.asyncProperty(profile, fc.integer({ min: 1, max: 3 * TIMEOUT_MS }), async (one, answeredMs) => {
      // Everything but the last byte is at once.
      const slow = atServer(one.plan, { fault: { kind: 'drip', at: lengthOf(one) - 1, everyMs: answeredMs } })
      const report = await simulate({
        ...slow,
        interruption: { how: 'block', atMs: blockedMs, forMs: freeMs - blockedMs },
      })
      const { end, atMs, violations } = outcomeOf(report)
      expect(violations).toEqual([])
      if (answeredMs < blockedMs) expect({ end, atMs }).toEqual({ end: 'Ready', atMs: answeredMs })
      else if (answeredMs <= freeMs) expect({ end, atMs }).toEqual({ end: 'Ready', atMs: freeMs })
      else expect({ end, atMs }).toEqual({ end: expect.stringMatching(/^deadline /), atMs: freeMs })
    }),
    propertyOptions(200),
  )
})
