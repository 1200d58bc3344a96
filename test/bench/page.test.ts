import { describe, expect, it } from 'vitest'
import type { ClientId } from '../../bench/clients/target.ts'
import { gatherEnds } from '../../bench/measure/ends.ts'
import { makeFiles, makeSection } from '../../bench/page/page.ts'
import { percent, tally } from '../../bench/page/table.ts'
import type { Measured, Results, RoundTripsData, TimeoutsData } from '../../bench/results.ts'

const WHERE = { date: '2026-01-02', machine: 'a machine', node: 'v20', postgresql: '18.4', peers: { pg: '8.23.1' } }

function roundTrips(oursMs: number): Measured<RoundTripsData> {
  const row = (client: 'pg-deadline, fast' | 'pg' | 'postgres.js', roundTrips: number, ms: number) => ({
    client,
    tls: true,
    roundTrips,
    tookMs: [ms, ms + 1, ms + 2],
  })
  const rows = [row('pg-deadline, fast', 3, oursMs), row('pg', 6, 320), row('postgres.js', 6, 320)]
  return { ...WHERE, data: { roundTripMs: 50, rounds: 3, rows } }
}

describe('the page', () => {
  it('says what was measured, where and when', () => {
    const text = makeSection('round-trips', { 'round-trips': roundTrips(160) })
    expect(text).toContain('| pg-deadline, fast | verify-full | 3 | 161.0 | 160.0 to 162.0 | 1.00 |')
    expect(text).toContain('2026-01-02: a machine, Node v20, PostgreSQL 18.4, pg 8.23.1')
  })

  it('says that what must hold does, or does not', () => {
    expect(makeSection('round-trips', { 'round-trips': roundTrips(160) })).toMatch(/- Holds: .* of pg: 0\.502/)
    expect(makeSection('round-trips', { 'round-trips': roundTrips(200) })).toMatch(
      /\*\*Does not hold\*\*: .* of pg: 0\.626/,
    )
  })

  it('has every plot that it shows, and shows every plot that it has', () => {
    const files = makeFiles({ 'round-trips': roundTrips(160) })
    const shown = [...(files['benchmarks.md'] ?? '').matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, path]) => path)
    expect(shown).toEqual(Object.keys(files).filter((name) => name.endsWith('.svg')))
    expect(shown).toEqual(['benchmarks/round-trips.svg'])
  })

  it('has what a connect costs beside the floor, against either server', () => {
    const row = (client: ClientId, tls: boolean, ms: number, leanMs: number) => {
      return { client, tls, cpuMs: [ms, ms + 1, ms + 2], leanCpuMs: [leanMs], heapBytes: 102_400, bufferBytes: 0 }
    }
    const rows = [false, true].flatMap((tls) => [
      row('pg-deadline', tls, 3, 1.5),
      row('pg-deadline, cold', tls, 4, 2.5),
      row('pg', tls, 5, 4),
      row('postgres.js', tls, 2.5, 4),
      row('floor', tls, 1, 0.5),
    ])
    const cpu = { ...WHERE, data: { warmup: 6_000, settling: 80, cycles: 40, proofUs: 12, rows } }
    const text = makeSection('cpu', { cpu })
    expect(text).toContain('| pg-deadline | verify-full | 4.00 | 3.00 to 5.00 | 2.00 | 1.50 | 3.00 | 100 | 0 |')
    expect(text).toMatch(/- Holds: plain, .* of pg: 0\.67/)
    expect(text).toMatch(/\*\*Does not hold\*\*: over TLS, .* of postgres\.js: 1\.14/)
    expect(text).toMatch(/- Holds: plain, at most 2 times the floor: 2\.00/)
    expect(text).toContain('to remember the key saves 20 % of')
    expect(text).toContain('is 2.00 ms plain and 2.00 ms over TLS against PostgreSQL, and 1.00 ms plain and 1.00 ms')
  })

  it('is silent about what was not measured', () => {
    expect(makeSection('cpu', {})).toBe('')
  })

  it('tells where the time went of those that failed, and marks a load generator that was late', () => {
    const row = { server: 'lean', client: 'pg-deadline', tls: false, deadlineMs: 100, cpuMsPerConnect: 1 } as const
    const failed = { ...row, succeeded: 0, total: 2, tookMs: null, failures: { deadline: 2 } }
    const data: TimeoutsData = {
      perSecond: 500,
      durationMs: 2_000,
      roundTripMs: 42,
      jitterMs: 8,
      rows: [{ ...failed, loopLagMs: 9, states: { AwaitingSaslChallenge: 40, Dialing: 0.2 } }],
    }
    const results: Results = { timeouts: { ...WHERE, data } }
    const text = makeSection('timeouts', results)
    expect(text).toContain('| 100 | pg-deadline * | 0 % | · | · | 1.00 | 9 | deadline 2 |')
    expect(text).toContain('| lean | no | 100 | pg-deadline | 2 | AwaitingSaslChallenge 40 |')
  })
})

describe('the ends of many connects', () => {
  it('are counted by success and by kind of failure, their states are averaged', () => {
    const ends = gatherEnds([
      {
        cpuMs: 6,
        tookMs: 100,
        loopLagMs: 1,
        ends: [
          { tookMs: 10, failure: null, states: null },
          { tookMs: 50, failure: 'deadline', states: { Dialing: 10, AwaitingReady: 40 } },
        ],
      },
      { cpuMs: 3, tookMs: 100, loopLagMs: 2, ends: [{ tookMs: 50, failure: 'deadline', states: { Dialing: 50 } }] },
    ])
    expect(ends).toEqual({
      succeeded: 1,
      total: 3,
      tookMs: { count: 1, p25: 10, p50: 10, p75: 10, p99: 10 },
      cpuMsPerConnect: 3,
      loopLagMs: 2,
      failures: { deadline: 2 },
      states: { Dialing: 30, AwaitingReady: 20 },
    })
  })

  it('have no median where none succeeded', () => {
    const end = { tookMs: 50, failure: 'ECONNRESET', states: null }
    expect(gatherEnds([{ cpuMs: 1, tookMs: 1, loopLagMs: 0, ends: [end] }])).toMatchObject({
      tookMs: null,
      states: null,
    })
  })
})

it('is not 100 % where one is missing', () => {
  expect(percent(9_999, 10_000)).toBe('99.9 %')
  expect(percent(10_000, 10_000)).toBe('100 %')
})

it('counts the most frequent failures first', () => {
  expect(tally({ deadline: 2, '53300': 1_500 })).toBe('53300 1,500, deadline 2')
})
