/**
 * Whole connects, drawn from seeds: the real connect() against model servers, networks and faults, on a simulated clock. The
 * checkers of the simulation say what must hold; here they are put to work, and to the proof. A seed that has failed once
 * goes into seeds.json.
 */
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, it, vi } from 'vitest'
import { HandshakeError } from '../../src/index.ts'
import { AWAITED } from '../../src/state/handshake/table.ts'
import { type Plan, planOf, type SimulationReport, scramKeys, simulate, simulateAll } from '../../src/testing/index.ts'
import { atServer, planFor } from './profiles.ts'
import { seedsOf } from './runs.ts'
import { type Defect, expectFound, withClock, withTransport } from './spoil.ts'

const kept = JSON.parse(readFileSync(new URL('seeds.json', import.meta.url), 'utf8')) as readonly number[]
/** They are run once, for all the tests below, on a machine that may be busy. */
vi.setConfig({ testTimeout: 300_000 })

const seeds = seedsOf(kept, 3_000)
const reports = simulateAll(seeds.map(planOf))

it('simulation-01: whatever the world does, it settles once, on time, in the right state, and leaves nothing behind', async () => {
  const failed = (await reports).filter(({ violations }) => violations.length > 0)
  expect(
    failed.map(({ plan, violations }) => `npm run sim -- --seed ${plan.seed} --trace: ${violations.join('; ')}`),
  ).toEqual([])
})

it('simulation-02: an honest server on a network that heals in time is reached, always', async () => {
  const honest = (await reports).filter(({ plan }) => plan.expected?.outcome === 'ready')
  expect(honest.every(({ settled }) => settled.session !== null)).toBe(true)
  if (seeds.length >= 1_000) expect(honest.length / seeds.length).toBeGreaterThan(0.4)
})

it('simulation-03: the same seed is the same world, alone or among others', async () => {
  for (const seed of seeds.slice(0, 50)) {
    const [among] = (await reports).filter(({ plan }) => plan.seed === seed)
    expect(storyOf(await simulate(planOf(seed)))).toEqual(storyOf(among as SimulationReport))
  }
})

function storyOf({ plan, settled, timeline, violations }: SimulationReport) {
  return { plan, atMs: settled.atMs, error: String(settled.error), timeline, violations }
}

it('simulation-04: every kind of failure is met, and every state in which one can wait', async ({ skip }) => {
  skip(seeds.length < 1_000, 'a few runs cannot meet everything')
  const failures = (await reports)
    .map(({ settled }) => settled.error)
    .filter((error) => error instanceof HandshakeError)
  const kinds = new Set(failures.map(({ failure }) => failure.kind))
  const phases = new Set(failures.map(({ phase }) => phase))
  expect([...kinds].sort()).toEqual([
    ...['aborted', 'deadline', 'incompatible', 'limit', 'lost', 'malformed', 'misbehaved', 'policy', 'refused'],
    'unproven',
  ])
  // Where the next move is ours nobody waits; and it is no cancel request.
  const waiting = Object.entries(AWAITED).filter(
    ([name, awaited]) => awaited !== null && name !== 'AwaitingCancelClose',
  )
  expect([...phases]).toEqual(expect.arrayContaining(waiting.map(([name]) => name)))
})

const PASSWORD_BYTES = Buffer.from('correct-horse-battery-staple')
const scram: Plan = { ...planFor({ method: 'scram-sha-256' }), expected: { outcome: 'ready' } }
const silent = atServer(planFor({ method: 'scram-sha-256' }), { fault: { kind: 'silence', at: 9 } })
const dishonest = atServer(planFor({ method: 'scram-sha-256' }), { fault: { kind: 'wrong signature' } })

/** A defect as a client could have it, where it shows, and what the checkers must say of it. */
const DEFECTS: readonly Defect[] = [
  {
    defect: 'a socket that is not destroyed',
    plan: silent,
    spoil: withTransport(() => ({ destroy: () => {} })),
    found: /1 sockets are open when it settles/,
  },
  {
    defect: 'a timer that is not cancelled',
    plan: scram,
    spoil: withClock((clock) => ({
      setTimer: (callback, delayMs) => {
        clock.setTimer(callback, delayMs)
        return () => {}
      },
    })),
    found: /timers are armed when it settles/,
  },
  {
    defect: 'a timer that is too late',
    plan: silent,
    spoil: withClock((clock) => ({ setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs * 3) })),
    found: /it settled late/,
  },
  {
    defect: 'a deadline that never comes',
    plan: silent,
    spoil: withClock(() => ({ setTimer: () => () => {} })),
    found: /it never settled/,
  },
  {
    defect: 'a clock that runs fast',
    plan: silent,
    spoil: withClock((clock) => ({
      setTimer: (callback) => clock.setTimer(callback, 5),
      now: () => clock.now() * 300,
    })),
    found: /a deadline that had not come/,
  },
  {
    defect: 'the password in the clear',
    plan: scram,
    spoil: withTransport((transport) => ({
      write: (bytes) => transport.write(Buffer.concat([bytes, PASSWORD_BYTES])),
    })),
    found: /a secret left in the clear/,
  },
  {
    defect: 'an answer that is sent twice',
    plan: planFor({ method: 'md5' }),
    spoil: withTransport((transport) => ({
      write: (bytes) => {
        transport.write(bytes)
        if (bytes[0] === 0x70) transport.write(bytes)
      },
    })),
    found: /a second proof left on one connection/,
  },
  {
    defect: 'a password that nobody has asked for',
    plan: planFor(),
    spoil: withTransport((transport) => ({
      write: (bytes) => {
        transport.write(bytes)
        transport.write(Buffer.from([0x70, 0, 0, 0, 6, 0x78, 0]))
      },
    })),
    found: /a password left that nobody had asked for/,
  },
  {
    defect: 'a wrong proof',
    plan: scram,
    spoil: (runtime) => ({
      ...runtime,
      deriveKeys: async (...given) => ({ ...(await runtime.deriveKeys(...given)), clientKey: new Uint8Array(32) }),
    }),
    found: /the client sent a wrong proof/,
  },
  {
    defect: 'a server that is believed without a proof',
    plan: dishonest,
    spoil: (runtime) => ({
      ...runtime,
      // As if the signature had not been looked at: it is the one that this key gives.
      deriveKeys: async (...given) => {
        const { saltedPassword } = scramKeys('another password')
        const serverKey = createHmac('sha256', saltedPassword).update('Server Key').digest()
        return { ...(await runtime.deriveKeys(...given)), serverKey }
      },
    }),
    found: /ready, and the server had proved nothing/,
  },
  {
    defect: 'a phase that is not where the handshake was',
    plan: planFor({}, { wanted: 'primary' }),
    // What comes is dropped on our side: the client waits for it on and on.
    spoil: withTransport((transport) => ({
      take: () => {
        for (;;) if (typeof transport.take() === 'string') return 'nothing yet'
      },
    })),
    found: /it says AwaitingAuthentication \(deadline\), and was in CheckingSession/,
  },
  {
    defect: 'an error that is no HandshakeError',
    plan: scram,
    spoil: (runtime) => ({
      ...runtime,
      deriveKeys: async () => {
        throw new RangeError('a defect')
      },
    }),
    found: /it rejected with no HandshakeError/,
  },
  {
    defect: 'TLS that is only said to be there',
    plan: planFor({ tls: 'on' }, { sslmode: 'require' }),
    spoil: withTransport(() => ({
      startTls: async () => ({ version: '', cipher: '', alpnProtocol: null, serverCertificate: null, rejection: null }),
    })),
    found: /a session that believes itself secure/,
  },
  {
    defect: 'something that is written after the end',
    plan: silent,
    spoil: withTransport((transport) => ({
      destroy: () => {
        transport.destroy()
        transport.write(Buffer.from([0x58, 0, 0, 0, 4]))
      },
    })),
    found: /something was written after the end/,
  },
]

it('simulation-05: every checker finds the defect that it is there for', async () => {
  for (const defect of DEFECTS) await expectFound(defect)
})
