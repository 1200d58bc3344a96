import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { readSettings } from '../src/config/read-settings.ts'
import type { ConnectTarget } from '../src/config/target.ts'
import { chooseTimeout, DEFAULT_TIMEOUT_MS, planTurns, planVisits, shareOf, showEndpoint } from '../src/plan.ts'

const HOSTS = { host: 'one,two,three', port: '5432,5433,5434', user: 'alice', sslmode: 'disable' } as const
const never = () => {
  throw new Error('nobody needs randomness here')
}

function visitsOf(target: ConnectTarget, randomBytes: (lengthBytes: number) => Buffer = never) {
  return planVisits(readSettings({ ...HOSTS, ...target } as ConnectTarget), randomBytes)
}

/** 'one standby', and so on. */
function orderOf(visits: ReturnType<typeof planVisits>): string[] {
  return visits.map(({ endpoint, sessionWanted }) => `${showEndpoint(endpoint)} ${sessionWanted}`)
}

describe('the whole deadline', () => {
  it.each([
    [undefined, undefined, DEFAULT_TIMEOUT_MS],
    [4_000, undefined, 4_000],
    [undefined, 3, 3_000],
    [4_000, 3, 3_000],
    [2_000, 3, 2_000],
    [2_000, 0, 2_000],
    [undefined, 0, Number.POSITIVE_INFINITY],
    [Number.POSITIVE_INFINITY, 3, 3_000],
    [-5, undefined, -5],
  ])('with timeoutMs %s and connect_timeout %s is %s', (timeoutMs, connectTimeout, expectedMs) => {
    const settings = readSettings({ ...HOSTS, connectTimeout } as ConnectTarget)
    expect(chooseTimeout(settings, { timeoutMs })).toBe(expectedMs)
  })
})

describe('the visits', () => {
  it('are one to each host, in the order given', () => {
    expect(orderOf(visitsOf({}))).toEqual(['one:5432 any', 'two:5433 any', 'three:5434 any'])
  })

  it.each(['any', 'read-write', 'read-only', 'primary', 'standby'] as const)('want %s of every server', (wanted) => {
    const visits = visitsOf({ targetSessionAttrs: wanted })
    expect(visits.map(({ sessionWanted }) => sessionWanted)).toEqual([wanted, wanted, wanted])
  })

  it('with prefer-standby look for a standby at all hosts, and then for any server', () => {
    expect(orderOf(visitsOf({ targetSessionAttrs: 'prefer-standby' }))).toEqual([
      'one:5432 standby',
      'two:5433 standby',
      'three:5434 standby',
      'one:5432 any',
      'two:5433 any',
      'three:5434 any',
    ])
  })

  it('balanced are in an order that is drawn once, for both passes', () => {
    const draws = [2, 1, 0]
    const randomBytes = vi.fn(() => Buffer.from([0, 0, 0, draws.shift() ?? 0]))
    const target = { loadBalanceHosts: 'random', targetSessionAttrs: 'prefer-standby' } as const
    expect(orderOf(visitsOf(target, randomBytes))).toEqual([
      'three:5434 standby',
      'two:5433 standby',
      'one:5432 standby',
      'three:5434 any',
      'two:5433 any',
      'one:5432 any',
    ])
    expect(randomBytes).toHaveBeenCalledTimes(3)
  })

  it.each([
    ['disable', ['off']],
    ['allow', ['off', 'required']],
    ['prefer', ['preferred', 'off']],
    ['require', ['required']],
  ] as const)('under sslmode %s try %j, and on a Unix-domain socket no TLS', (sslmode, encryptions) => {
    const visits = visitsOf({ host: 'one,/tmp', port: 5432, sslmode })
    expect(visits.map((visit) => visit.encryptions)).toEqual([encryptions, ['off']])
  })
})

describe('a share', () => {
  it('is a whole number of milliseconds, and no more than there are', () => {
    expect([shareOf(1_000, 3), shareOf(666, 2), shareOf(333, 1)]).toEqual([334, 333, 333])
    expect([shareOf(2_999.7, 2), shareOf(1_499.7, 1), shareOf(0.5, 2), shareOf(0, 2)]).toEqual([1_500, 1_499.7, 0.5, 0])
    expect(shareOf(Number.POSITIVE_INFINITY, 2)).toBe(Number.POSITIVE_INFINITY)
  })

  it('of all together makes the deadline: each turn begins where the one before it ends', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 1, max: 40 }), (timeoutMs, visits) => {
        const turns = planTurns(timeoutMs, visits)
        expect(turns).toHaveLength(visits)
        let endMs = 0
        for (const { begunByMs, sliceMs } of turns) {
          expect(begunByMs).toBe(endMs)
          expect(Number.isInteger(sliceMs)).toBe(true)
          expect(Math.abs(sliceMs - timeoutMs / visits)).toBeLessThan(1)
          endMs += sliceMs
        }
        expect(endMs).toBe(timeoutMs)
      }),
      { examples: [[3, 5]] },
    )
  })

  it('of a deadline without an end is all of it, and nobody else’s turn comes', () => {
    expect(planTurns(Number.POSITIVE_INFINITY, 2)).toEqual([
      { begunByMs: 0, sliceMs: Number.POSITIVE_INFINITY },
      { begunByMs: Number.POSITIVE_INFINITY, sliceMs: Number.POSITIVE_INFINITY },
    ])
  })
})

describe('an endpoint as people write it', () => {
  it.each([
    ['db.example:5432', { transport: 'tcp', host: 'db.example', address: null, port: 5432 }],
    // hostaddr says where to go; the name is how people know it.
    ['db.example:6432', { transport: 'tcp', host: 'db.example', address: '192.0.2.1', port: 6432 }],
    ['[2001:db8::1]:5432', { transport: 'tcp', host: '2001:db8::1', address: null, port: 5432 }],
    ['/tmp/.s.PGSQL.5432', { transport: 'unix', path: '/tmp/.s.PGSQL.5432' }],
  ] as const)('is %s', (shown, endpoint) => {
    expect(showEndpoint(endpoint)).toBe(shown)
  })
})
