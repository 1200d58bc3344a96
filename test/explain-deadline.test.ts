import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Runtime } from '../src/attempt.ts'
import { explainDeadline } from '../src/explain-deadline.ts'
import { TransportError } from '../src/net/transport.ts'
import { until } from '../src/net/until.ts'
import { DEFAULT_TIMEOUT_MS } from '../src/plan.ts'
import { HandshakeError } from '../src/state/errors.ts'
import { failureOf } from './hostile/failure.ts'
import { worldOfHosts } from './support/hosts.ts'
import { settle } from './support/virtual-clock.ts'

const TWO = 'postgres://alice@one,two:5433/app?sslmode=disable'

describe('the explanation of a deadline', () => {
  it('has the visits in order, what each is given and when it begins at the latest', () => {
    const { timeoutMs, source, visits, upperBoundMs } = explainDeadline(TWO, { timeoutMs: 3_000 })
    expect({ timeoutMs, source, upperBoundMs }).toEqual({ timeoutMs: 3_000, source: 'timeoutMs', upperBoundMs: 3_000 })
    expect(visits).toEqual([
      { endpoint: 'one:5432', sessionWanted: 'any', encryptions: ['off'], sliceMs: 1_500, begunByMs: 0 },
      { endpoint: 'two:5433', sessionWanted: 'any', encryptions: ['off'], sliceMs: 1_500, begunByMs: 1_500 },
    ])
  })

  it('counts in the environment that it is handed', () => {
    const environment = { PGCONNECT_TIMEOUT: '2', PGHOST: 'one,two' }
    expect(explainDeadline('user=alice', { environment })).toMatchObject({
      timeoutMs: 2_000,
      source: 'connect_timeout',
      visits: [{ endpoint: 'one:5432' }, { endpoint: 'two:5432' }],
    })
  })

  it('counts whole milliseconds, as timers do', () => {
    const { visits } = explainDeadline('postgres://alice@one,two,three/app', { timeoutMs: 1_000 })
    expect(visits.map(({ sliceMs }) => sliceMs)).toEqual([334, 333, 333])
    expect(visits.map(({ begunByMs }) => begunByMs)).toEqual([0, 334, 667])
  })

  it('has the attempts that sslmode allows, and no TLS on a Unix-domain socket', () => {
    const { visits } = explainDeadline('postgres://alice@one,%2Ftmp/app?sslmode=prefer')
    expect(visits.map(({ endpoint, encryptions }) => [endpoint, encryptions])).toEqual([
      ['one:5432', ['preferred', 'off']],
      ['/tmp/.s.PGSQL.5432', ['off']],
    ])
  })

  it('goes over the hosts twice for prefer-standby', () => {
    const { visits } = explainDeadline(`${TWO}&target_session_attrs=prefer-standby`, { timeoutMs: 1_000 })
    expect(
      visits.map(({ endpoint, sessionWanted, sliceMs, begunByMs }) => [endpoint, sessionWanted, sliceMs, begunByMs]),
    ).toEqual([
      ['one:5432', 'standby', 250, 0],
      ['two:5433', 'standby', 250, 250],
      ['one:5432', 'any', 250, 500],
      ['two:5433', 'any', 250, 750],
    ])
  })

  it('is the same at every call where hosts are balanced: their order is a matter of chance', () => {
    const balanced = `${TWO}&load_balance_hosts=random`
    for (let count = 0; count < 20; count += 1) expect(explainDeadline(balanced)).toEqual(explainDeadline(TWO))
  })

  it.each([
    ['default', DEFAULT_TIMEOUT_MS, '', {}],
    ['connect_timeout', 4_000, '&connect_timeout=4', {}],
    ['connect_timeout', 4_000, '&connect_timeout=4', { timeoutMs: 9_000 }],
    ['connect_timeout', Number.POSITIVE_INFINITY, '&connect_timeout=0', {}],
    ['timeoutMs', 4_000, '&connect_timeout=4', { timeoutMs: 4_000 }],
    ['timeoutMs', 1_500, '&connect_timeout=4', { timeoutMs: 1_500 }],
    ['timeoutMs', 9_000, '&connect_timeout=0', { timeoutMs: 9_000 }],
    ['timeoutMs', Number.POSITIVE_INFINITY, '', { timeoutMs: Number.POSITIVE_INFINITY }],
  ] as const)('says where it comes from: %s, %s ms', (source, timeoutMs, parameter, options) => {
    const explained = explainDeadline(`${TWO}${parameter}`, options)
    expect(explained).toMatchObject({ source, timeoutMs, upperBoundMs: timeoutMs })
  })

  it('without an end gives all of it to the first host', () => {
    const { visits, libpq } = explainDeadline(TWO, { timeoutMs: Number.POSITIVE_INFINITY })
    expect(visits).toMatchObject([
      { sliceMs: Number.POSITIVE_INFINITY, begunByMs: 0 },
      { sliceMs: Number.POSITIVE_INFINITY, begunByMs: Number.POSITIVE_INFINITY },
    ])
    expect(libpq).toEqual({
      connectTimeoutSeconds: 0,
      upperBoundMs: Number.POSITIVE_INFINITY,
      reasons: ['without connect_timeout libpq waits for ever'],
    })
  })

  it.each([0, -1, Number.NEGATIVE_INFINITY])('of %s ms is over before it began', (timeoutMs) => {
    const explained = explainDeadline(TWO, { timeoutMs })
    expect(explained).toMatchObject({ timeoutMs: 0, upperBoundMs: 0, source: 'timeoutMs' })
    expect(explained.visits.map(({ sliceMs, begunByMs }) => [sliceMs, begunByMs])).toEqual([
      [0, 0],
      [0, 0],
    ])
  })

  it('has no visits where leastMs lets none begin, and is over at once', async () => {
    for (const [timeoutMs, leastMs, count] of [
      [500, 501, 0],
      [500, 500, 2],
      // Over already, which connect tells as that.
      [0, 501, 2],
    ] as const) {
      const { visits, upperBoundMs, libpq } = explainDeadline(TWO, { timeoutMs, leastMs })
      // It knows no such thing.
      expect(libpq).toEqual(explainDeadline(TWO, { timeoutMs }).libpq)
      expect([visits.length, upperBoundMs]).toEqual([count, count === 0 ? 0 : timeoutMs])
    }
    const { failure, attempts } = await failureOf(worldOfHosts({}).connect({ timeoutMs: 500, leastMs: 501 }, TWO))
    expect({ failure, attempts }).toEqual({ failure: { kind: 'deadline', timeoutMs: 500, leastMs: 501 }, attempts: [] })
  })

  it.each([
    ['a target that nobody can read', 'mysql://x', {}, 'conninfo'],
    ['a limit that is no number', TWO, { timeoutMs: Number.NaN }, 'timeoutMs'],
    ['a misspelt option', TWO, { timeout: 5 } as never, 'timeout'],
  ])('is refused as connect refuses it: %s', async (_what, target, options, parameter) => {
    const world = worldOfHosts({})
    const asConnect = await failureOf(world.connect(options, target))
    let error: unknown
    try {
      explainDeadline(target, options)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(HandshakeError)
    expect(error).toMatchObject({ phase: 'Disconnected', attempts: [], failure: asConnect.failure })
    expect(asConnect.failure).toMatchObject({ kind: 'config', parameter })
    expect((error as HandshakeError).message).toBe(asConnect.message)
  })
})

describe('what libpq would allow', () => {
  it.each([
    ['one address, whole seconds', '192.0.2.1', '', 2_500, 3, 3_000, ['connect_timeout counts whole seconds: 3']],
    [
      'a second, which was two before libpq 17',
      '192.0.2.1',
      '',
      200,
      1,
      2_000,
      ['connect_timeout counts whole seconds: 1', 'up to libpq 16 a 1 counts as 2'],
    ],
    [
      'several hosts, each with all of it',
      '192.0.2.1,[2001:db8::1],192.0.2.3',
      '',
      4_000,
      4,
      12_000,
      ['connect_timeout counts whole seconds: 4', 'it begins anew for every host: 3 times'],
    ],
    [
      'prefer-standby, twice over',
      '192.0.2.1,%2Ftmp',
      'target_session_attrs=prefer-standby',
      4_000,
      4,
      16_000,
      [
        'connect_timeout counts whole seconds: 4',
        'it begins anew for every host: 4 times',
        'prefer-standby may go over all hosts twice',
      ],
    ],
    [
      'names, with no bound at all',
      'one,192.0.2.2,two',
      '',
      4_000,
      4,
      Number.POSITIVE_INFINITY,
      [
        'connect_timeout counts whole seconds: 4',
        'it begins anew for every host: 3 times',
        'it begins anew for every address of a name, and does not cover the name lookup: one, two may take any time',
      ],
    ],
    // hostaddr: nothing is looked up.
    [
      'a name with its address',
      'one',
      'hostaddr=192.0.2.1',
      3_000,
      3,
      3_000,
      ['connect_timeout counts whole seconds: 3'],
    ],
  ])('%s', (_what, hosts, parameters, timeoutMs, connectTimeoutSeconds, upperBoundMs, reasons) => {
    const { libpq } = explainDeadline(`postgres://alice@${hosts}/app?${parameters}`, { timeoutMs })
    expect(libpq).toEqual({ connectTimeoutSeconds, upperBoundMs, reasons })
  })
})

describe('what is explained is what is done', () => {
  /** When each host fails, from the moment on in which it is dialed; null: never. */
  async function visit(failsAfterMs: readonly (number | null)[], timeoutMs: number, parameters: string) {
    const names = failsAfterMs.map((_, index) => `h${index}`)
    const dial: Runtime['dial'] = ({ endpoint }, { signal }) => {
      const host = endpoint.transport === 'tcp' ? endpoint.host : ''
      begun.push({ endpoint: `${host}:5432`, atMs: world.elapsedMs() })
      const afterMs = failsAfterMs[names.indexOf(host)] ?? null
      return until<never>(signal, (_resolve, reject) => {
        if (afterMs === null) return () => {}
        return world.clock.setTimer(() => reject(new TransportError('ECONNREFUSED', 'no')), afterMs)
      })
    }
    const begun: { readonly endpoint: string; readonly atMs: number }[] = []
    const world = worldOfHosts({}, { dial })
    const target = `postgres://alice@${names.join(',')}/app?sslmode=disable${parameters}`
    let settledMs: number | null = null
    const connecting = failureOf(world.connect({ timeoutMs }, target))
    const noting = connecting.then(() => {
      settledMs = world.elapsedMs()
    })
    await settle()
    while (settledMs === null && world.elapsedMs() <= timeoutMs) {
      world.clock.advance(1)
      await settle()
    }
    await noting
    expect(world.clock.activeTimers).toBe(0)
    return { explained: explainDeadline(target, { timeoutMs }), begun, settledMs, error: await connecting }
  }

  const timeouts = fc.integer({ min: 1, max: 60 })
  const passes = fc.constantFrom('', '&target_session_attrs=prefer-standby')

  it('to the millisecond, in a world of black holes', async () => {
    const holes = fc.array(fc.constant(null), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(holes, timeouts, passes, async (hosts, timeoutMs, parameters) => {
        const { explained, begun, settledMs, error } = await visit(hosts, timeoutMs, parameters)
        // With fewer milliseconds than visits, the turn of the last ones comes at the deadline itself.
        const visits = explained.visits.filter(({ sliceMs }) => sliceMs > 0)
        expect(begun).toEqual(visits.map(({ endpoint, begunByMs }) => ({ endpoint, atMs: begunByMs })))
        expect(error.attempts.map(({ sliceMs }) => sliceMs)).toEqual(visits.map(({ sliceMs }) => sliceMs))
        expect(error.failure).toEqual({ kind: 'deadline', timeoutMs })
        expect(settledMs).toBe(explained.upperBoundMs)
      }),
      { numRuns: 60, examples: [[[null, null, null, null], 5, '&target_session_attrs=prefer-standby']] },
    )
  })

  it('or earlier and with more time, where some hosts fail by themselves', async () => {
    const hosts = fc.array(fc.option(fc.nat(30)), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(hosts, timeouts, passes, async (failsAfterMs, timeoutMs, parameters) => {
        const { explained, begun, settledMs, error } = await visit(failsAfterMs, timeoutMs, parameters)
        for (const [index, { endpoint, atMs }] of begun.entries()) {
          const visit = explained.visits[index]
          expect(endpoint).toBe(visit?.endpoint)
          expect(atMs).toBeLessThanOrEqual(visit?.begunByMs as number)
          expect(error.attempts[index]?.sliceMs).toBeGreaterThanOrEqual(visit?.sliceMs as number)
        }
        expect(settledMs).toBeLessThanOrEqual(explained.upperBoundMs)
      }),
      { numRuns: 60 },
    )
  })
})
