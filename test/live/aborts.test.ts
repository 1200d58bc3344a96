/**
 * The one promise, ten thousand times: connects that are ended at random moments, in every way in which they can be ended, settle
 * once and leave nothing behind, neither here (handle, timer, listener, memory, thread) nor there (a backend).
 *
 * PG_DEADLINE_SEED replays the moments of a run; what the server and the event loop make of them is their own.
 */
import { getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Connecting, type ConnectTarget, connect, HandshakeError, orphans, type Session } from '../../src/index.ts'
import { pathOf } from '../certificates/index.ts'
import { fuzzOptions } from '../fuzz/seed.ts'
import { expectNoMoreThan, openResources } from '../net/resources.ts'
import type { TestServer } from '../servers/server.ts'
import { inLanes, medianConnectMs, outcomeOf, randomFrom } from './ended-connects.ts'
import { TlsServer } from './tls-server.ts'

const CONNECTS = 10_000
/** Connects that are under way at the same time. */
const LANES = 50
/** Connects that have one signal of their caller in common. */
const BATCH = 50
/** The share of such signals that are aborted. */
const CALLERS_WHO_END = 0.1
/**
 * The moments are spread over the time of a connect that nobody ends, where nobody is ended. Where most are, the others are
 * quicker: so a third of the moments come too late.
 */
const SPREAD = 1

/** A busy machine is late, but not as late as a connect that has forgotten its deadline. */
const LATE_MS_MAX = 2_000

/** For those that nobody ends: longer than any machine that is merely busy keeps fifty connects waiting. */
const PATIENT_MS = 60_000

/** Heap may grow by code that is compiled, and by what Node keeps; a socket that stays takes more than 3 KB. */
const HEAP_GROWTH_BYTES_MAX = 30_000_000
/** Half a minute on two cores that do nothing else. */
const TAKES_MS_MAX = 240_000

const { seed } = fuzzOptions(CONNECTS)

let live: TlsServer
let server: TestServer

beforeAll(async () => {
  // It need not tell of everybody.
  const quiet = { log_min_messages: 'warning', log_connections: 'off', trace_connection_negotiation: 'off' }
  live = await TlsServer.start({ setup: ["create role app login password 'app'"], settings: quiet })
  server = live.server
})

afterAll(() => live?.[Symbol.asyncDispose]())

/** The ways to the server, each as likely as often as it stands here. */
function waysTo({ host, port, socketDirectory }: TestServer): readonly ConnectTarget[] {
  const login = { user: 'app', password: 'app', dbname: 'postgres' }
  const plain = { ...login, host, port, sslmode: 'disable' } as const
  const full = { ...login, host, port, sslmode: 'verify-full', sslrootcert: pathOf('ca.crt') } as const
  return [
    plain,
    { ...plain, scramKeyCache: false },
    // A name is looked up.
    host === '127.0.0.1' ? { ...plain, host: 'localhost' } : plain,
    socketDirectory === null ? plain : { ...plain, host: socketDirectory },
    full,
    { ...full, sslnegotiation: 'direct' },
  ]
}

/** Backends of anybody but the one who asks, those included that have not been let in yet. */
async function countBackends(): Promise<number> {
  const [row] = await server.sql(
    "select count(*)::int as n from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
  )
  return Number(row?.['n'])
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

/** What happens in this process and should not. */
function watchProcess(): { readonly seen: string[]; stop(): void } {
  const seen: string[] = []
  const events = ['warning', 'unhandledRejection', 'uncaughtExceptionMonitor'] as const
  const listeners = events.map((event) => [event, (what: unknown) => seen.push(`${event}: ${String(what)}`)] as const)
  for (const [event, listener] of listeners) process.on(event, listener)
  return {
    seen,
    stop() {
      for (const [event, listener] of listeners) process.off(event, listener)
    },
  }
}

/** A caller who has many connects under way, and may end all of them at once. */
class Caller {
  readonly #controller = new AbortController()
  readonly reason = new Error('the service shuts down')
  readonly #timer: NodeJS.Timeout | undefined

  constructor(patienceMs: number) {
    if (Number.isFinite(patienceMs)) this.#timer = setTimeout(() => this.#controller.abort(this.reason), patienceMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}

/** Each as likely as often as it stands here; a session is closed once it is open, unless its caller ends it before. */
const ENDINGS = ['deadline', 'deadline', 'deadline', 'abort', 'abort', 'abort', 'close', 'close', 'session'] as const

/** How a connect is to be ended, and when. */
interface Plan {
  readonly target: ConnectTarget
  readonly ending: (typeof ENDINGS)[number]
  readonly patienceMs: number
  readonly caller: Caller
}

/** The same seed makes the same plans, in the order in which they are asked for. */
function planner(ways: readonly (readonly [ConnectTarget, number])[]): { next(): Plan; readonly callers: Caller[] } {
  const random = randomFrom(seed)
  const choose = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  const callers: Caller[] = []
  let planned = 0
  return {
    callers,
    next() {
      const [target, wholeMs] = choose(ways)
      const moment = () => random() * SPREAD * wholeMs
      if (planned++ % BATCH === 0)
        callers.push(new Caller(random() < CALLERS_WHO_END ? moment() : Number.POSITIVE_INFINITY))
      return { target, ending: choose(ENDINGS), patienceMs: moment(), caller: callers.at(-1) as Caller }
    },
  }
}

/** Connect, and end it as planned. What comes of it has been checked, and nothing is left open. */
async function follow(plan: Plan): Promise<Session | HandshakeError> {
  const { target, ending, patienceMs, caller } = plan
  const own = new AbortController()
  const reason = new Error('the user went away')
  let connecting: Connecting
  let timer: NodeJS.Timeout | undefined
  let closing: Promise<void> | undefined
  switch (ending) {
    case 'deadline':
      connecting = connect(target, { timeoutMs: patienceMs, signal: caller.signal })
      break
    case 'abort':
      connecting = connect(target, { timeoutMs: PATIENT_MS, signal: own.signal })
      timer = setTimeout(() => own.abort(reason), patienceMs)
      break
    case 'close':
      connecting = connect(target, { timeoutMs: PATIENT_MS, signal: caller.signal })
      timer = setTimeout(() => {
        closing = connecting.close()
      }, patienceMs)
      break
    case 'session':
      connecting = connect(target, { timeoutMs: PATIENT_MS, signal: caller.signal })
      break
  }
  const outcome = await outcomeOf(connecting)
  if (closing === undefined) clearTimeout(timer)
  await closing
  expect(getEventListeners(own.signal, 'abort')).toEqual([])
  if (outcome instanceof HandshakeError) expectLawful(outcome, plan, reason)
  // In order, or at once.
  else await outcome.close(patienceMs < 5 ? { timeoutMs: 0 } : {})
  return outcome
}

function expectLawful(error: HandshakeError, { ending, patienceMs, caller }: Plan, reason: Error): void {
  const { name, failure, cause, timeline } = error
  if (failure.kind === 'deadline') {
    expect({ name, ending }).toEqual({ name: 'TimeoutError', ending: 'deadline' })
    expect(failure.timeoutMs).toBe(patienceMs)
    expect((timeline.at(-1)?.leftMs ?? 0) - patienceMs).toBeLessThan(LATE_MS_MAX)
  } else if (failure.kind === 'aborted') {
    expect(name).toBe('AbortError')
    if (ending === 'abort') expect(cause).toBe(reason)
    else if (cause !== caller.reason) expect({ ending, cause }).toMatchObject({ ending: 'close', cause: CLOSED })
  } else if (failure.kind !== 'refused' || failure.sqlstate !== '53300') {
    // It is full for as long as it has not heard of those who left. Nothing else has an excuse.
    throw error
  }
}

const CLOSED = { name: 'AbortError', message: 'close() was called while the connect was under way' }

describe('ten thousand connects, ended at random moments', () => {
  it('settle once each, and nothing is left of them', { timeout: TAKES_MS_MAX }, async () => {
    const ways: (readonly [ConnectTarget, number])[] = []
    for (const target of waysTo(server)) ways.push([target, await medianConnectMs(target, LANES, 2 * LANES)])
    await expect.poll(countBackends, { timeout: 5_000 }).toBe(0)
    const { next, callers } = planner(ways)
    const watched = watchProcess()
    const before = openResources()
    const heapBefore = heapBytes()
    const beganMs = performance.now()
    const ends = new Map<string, number>()
    let settled = 0

    await inLanes(LANES, CONNECTS, async () => {
      const outcome = await follow(next())
      settled += 1
      const end = outcome instanceof HandshakeError ? outcome.phase : 'a session'
      ends.set(end, (ends.get(end) ?? 0) + 1)
    })

    const seconds = (performance.now() - beganMs) / 1_000
    tell(seconds, ends)
    expect(settled).toBe(CONNECTS)
    for (const { signal } of callers) expect(getEventListeners(signal, 'abort')).toEqual([])
    for (const caller of callers) caller.stop()
    await expectNoMoreThan(before)
    await expect.poll(orphans).toEqual({ lookups: 0, derivations: 0 })
    await expect.poll(countBackends, { timeout: 5_000, interval: 20 }).toBe(0)
    watched.stop()
    expect(watched.seen).toEqual([])
    expect(heapBytes() - heapBefore).toBeLessThan(HEAP_GROWTH_BYTES_MAX)
    // Otherwise little was tried: they ended in the states that wait for somebody else, and many not at all.
    const waiting = ['Dialing', 'AwaitingTlsReply', 'SecuringTransport', 'AwaitingAuthentication']
    expect([...ends.keys()]).toEqual(
      expect.arrayContaining([...waiting, 'AwaitingSaslChallenge', 'AwaitingSaslOutcome']),
    )
    expect(ends.get('a session')).toBeGreaterThan(CONNECTS / 20)
  })
})

/** For whoever wants to have the run again. */
function tell(seconds: number, ends: ReadonlyMap<string, number>): void {
  const counts = [...ends].sort(([, a], [, b]) => b - a).map(([end, count]) => `${count} ${end}`)
  process.stderr.write(
    `PG_DEADLINE_SEED=${seed}: ${CONNECTS} connects in ${seconds.toFixed(1)} s ` +
      `(${Math.round(CONNECTS / seconds)} a second), ended in: ${counts.join(', ')}\n`,
  )
}
