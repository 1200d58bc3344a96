/**
 * One connect in a world of its own, from the call to the last thing that it leaves behind. The real connect() runs in it,
 * with the real race of addresses, resolver and queue of key derivations; simulated is what lies below them. Checkers are
 * always on: what they find is in `violations`.
 */
import { pbkdf2Sync } from 'node:crypto'
import type { Runtime } from '../../attempt.ts'
import type { ConnectTarget } from '../../config/target.ts'
import { connectWith } from '../../connect.ts'
import { createKnownServers } from '../../known-servers.ts'
import { monotonicClock } from '../../net/deadline.ts'
import { createRace } from '../../net/dial.ts'
import { createKeyDerivation, type Pbkdf2 } from '../../net/kdf.ts'
import { createResolver } from '../../net/resolve.ts'
import { type Transport, TransportError } from '../../net/transport.ts'
import { until } from '../../net/until.ts'
import type { Session } from '../../session.ts'
import { HandshakeError } from '../../state/errors.ts'
import type { Timeline } from '../../state/timeline.ts'
import { scramKeys } from '../scram-server.ts'
import { findViolations } from './checkers.ts'
import { SimulatedConnection } from './connection.ts'
import { ModelServer, PASSWORD, USER } from './model-server.ts'
import { Observer } from './observer.ts'
import type { AddressPlan, HostPlan, Plan } from './plan.ts'
import { Random } from './random.ts'
import { SimulatedClock } from './simulated-clock.ts'

/** How a simulated connect went. */
export interface SimulationReport {
  readonly plan: Plan
  readonly settled: Settled
  readonly timeline: Timeline
  /** What the checkers have found; empty: nothing. */
  readonly violations: readonly string[]
}

/** How a connect has settled, and when on the simulated clock. */
export type Settled = { readonly atMs: number } & (
  | { readonly session: Session; readonly error: null }
  | { readonly session: null; readonly error: unknown }
)

/** What is left of a connect, and what happened. For the checkers. */
export interface World {
  readonly plan: Plan
  readonly clock: SimulatedClock
  readonly observer: Observer
  readonly connections: readonly SimulatedConnection[]
  /** Listeners on the caller's signal. */
  readonly listeners: number
  /** Sockets that wait to be opened. */
  readonly dialing: number
}

/** More happenings than any plan takes: a world that goes on and on has lost its deadline. */
const HAPPENINGS_MAX = 20_000

/** Nothing is told to anybody who listens: the password and every key that is made from it. */
const SECRETS: readonly (string | Buffer)[] = [
  PASSWORD,
  ...Object.values(scramKeys(PASSWORD)).flatMap((key) => [key, key.toString('base64'), key.toString('hex')]),
]

/**
 * Run one connect to its end. Rejects only with a defect of the simulation. `spoil` puts a defect into what the client is
 * given of the world, to see that the checkers find it.
 *
 * @example
 * const { violations } = await simulate(planOf(4711))
 */
export async function simulate(plan: Plan, spoil = (runtime: Runtime): Runtime => runtime): Promise<SimulationReport> {
  const clock = new SimulatedClock()
  const random = new Random(plan.seed)
  const observer = new Observer(clock.now)
  const connections: SimulatedConnection[] = []
  const caller = listenedTo()
  let dialing = 0
  let touched = false
  const world = {
    plan,
    clock,
    observer,
    connections,
    get listeners() {
      return caller.listeners()
    },
    get dialing() {
      return dialing
    },
  }

  const open = (address: AddressPlan, remote: { address: string; port: number }, signal: AbortSignal) =>
    until<Transport>(signal, (resolve, reject) => {
      let isOver = false
      dialing += 1
      const waitMs = address.dial === 'black hole' ? null : random.whole(0, Math.floor(address.network.patienceMs / 8))
      if (waitMs !== null) clock.later(waitMs, arrive)
      return () => {
        isOver = true
        dialing -= 1
      }

      function arrive(): void {
        if (isOver) return
        if (address.dial !== 'opens') {
          reject(new TransportError(address.dial, `connect ${address.dial} ${remote.address}:${remote.port}`))
          return
        }
        const { server, fault } = address
        const connection = new SimulatedConnection(
          remote,
          address,
          (line) => new ModelServer(server, fault, line, random, clock),
          {
            clock,
            random,
            observer,
            mayShowPassword: plan.client.allowCleartextPassword,
            secrets: SECRETS,
          },
        )
        connections.push(connection)
        resolve(connection)
      }
    })

  const race = createRace((options, signal) => {
    if (!('host' in options)) throw new TypeError('there is no Unix-domain socket in a simulation')
    return open(addressPlan(plan, options.host), { address: options.host, port: options.port }, signal)
  })
  const resolve = createResolver({
    lookup: (name, _options, done) => {
      const { lookup, lookupMs, addresses } = hostPlan(plan, name)
      if (lookup === 'hangs') return
      clock.later(lookupMs, () => {
        if (lookup === 'answers') done(null, addressesOf(plan, name, addresses.length))
        else done(Object.assign(new Error(`getaddrinfo ${lookup} ${name}`), { code: lookup }), [])
      })
    },
  })
  // PBKDF2 runs to its end whether anybody waits for it or not.
  const compute: Pbkdf2 = (password, salt, iterations, lengthBytes, digest, done) => {
    clock.later(plan.client.derivationMs, () => done(null, derive(password, salt, iterations, lengthBytes, digest)))
  }
  const deriveKeys = createKeyDerivation({ pbkdf2: compute, cacheEntriesMax: 0, concurrency: 1 })

  const runtime: Runtime = {
    clock,
    knownServers: createKnownServers(),
    randomBytes: random.bytes,
    resolveHost: (host, signal) => {
      touched = true
      observer.enter('ResolvingHost')
      return resolve(host, signal)
    },
    dial: async ({ endpoint, addresses }, deadline) => {
      touched = true
      observer.enter('Dialing')
      if (endpoint.transport === 'unix') throw new TypeError('there is no Unix-domain socket in a simulation')
      const transport = await race(addresses ?? [], endpoint.port, { keepAlive: true, keepAliveIdleMs: 0 }, deadline)
      observer.opened()
      return transport
    },
    deriveKeys: (input, signal) => {
      observer.enter('DerivingSaslKey')
      return deriveKeys(input, signal)
    },
  }

  const { timeoutMs } = plan.client
  const connecting = connectWith(spoil(runtime), targetOf(plan, clock), { timeoutMs, signal: caller.signal })
  let settled: Settled | null = null
  let phases: Observer['phasesNow'] = []
  const settle = (outcome: { session: Session; error: null } | { session: null; error: unknown }) => {
    settled = { ...outcome, atMs: clock.now() }
    phases = [...observer.phases()]
  }
  connecting.then(
    (session) => settle({ session, error: null }),
    (error: unknown) => settle({ session: null, error }),
  )
  const { interruption } = plan
  if (interruption !== null) {
    clock.later(interruption.atMs, () => {
      if (interruption.how === 'abort') caller.abort()
      else if (interruption.how === 'close') void connecting.close()
      else if (interruption.how === 'block') clock.block(interruption.forMs)
    })
  }

  // What is read from files, if anything, is read before the world is touched, and takes no simulated time.
  const isUnderWay = () => touched || settled !== null
  for (let turn = 0; turn < 1_000 && !isUnderWay(); turn += 1) await turnOver()
  let happenings = 0
  const proceed = async () => {
    happenings += 1
    if (happenings > HAPPENINGS_MAX || !clock.proceed()) return false
    await turnOver()
    return true
  }
  const isSettled = () => settled !== null
  while (!isSettled() && (await proceed()));
  const outcome = settled as Settled | null
  if (outcome === null) {
    const settledNever: Settled = { atMs: clock.now(), session: null, error: new Error('it never settled') }
    return { plan, settled: settledNever, timeline: [], violations: ['it never settled'] }
  }

  const violations = findViolations(world, outcome, phases)
  const { session, error } = outcome
  let isClosed = session === null
  if (session !== null) void session.close().then(() => (isClosed = true))
  await turnOver()
  // To the very end: what comes late must find nobody.
  while (await proceed());
  if (!isClosed) violations.push('the session did not close')
  if (happenings > HAPPENINGS_MAX) violations.push('the world goes on and on')
  violations.push(...findLeftovers(world), ...observer.violations)
  for (const { server } of connections) violations.push(...server.violations)
  const timeline = session?.timeline ?? (error instanceof HandshakeError ? error.timeline : [])
  return { plan, settled: outcome, timeline, violations: [...new Set(violations)] }
}

/** What the caller has asked for, as connect() is told of it. */
function targetOf({ client, hosts }: Plan, clock: SimulatedClock): ConnectTarget {
  const { passwordMs } = client
  return {
    host: hosts.map(({ name }) => name),
    user: USER,
    dbname: 'app',
    password:
      passwordMs === null ? PASSWORD : () => new Promise((resolve) => clock.later(passwordMs, () => resolve(PASSWORD))),
    sslmode: client.sslmode,
    sslcertmode: 'disable',
    sslrootcert: client.sslmode === 'verify-full' ? 'system' : undefined,
    sslnegotiation: hosts[0]?.addresses[0]?.server.tls === 'direct' ? 'direct' : undefined,
    allowCleartextPassword: client.allowCleartextPassword,
    requireAuth: client.requireAuth ?? undefined,
    minProtocolVersion: client.minVersion,
    maxProtocolVersion: client.maxVersion,
    targetSessionAttrs: client.wanted,
    scramIterationsMin: 1,
  }
}

/** Run many, some of them at once: they share the turns of the event loop, and nothing else. In the order of the plans. */
export async function simulateAll(plans: readonly Plan[]): Promise<SimulationReport[]> {
  const reports: SimulationReport[] = []
  const rest = plans.entries()
  const work = async () => {
    for (const [index, plan] of rest) reports[index] = await simulate(plan)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return reports
}

/** A turn of the event loop costs as much as a step of a simulation; beyond this they only use memory. */
const AT_ONCE = 32

/** Every promise that can go on does so. */
function turnOver(): Promise<void> {
  return new Promise((resolve) => {
    monotonicClock.afterPoll(resolve)
  })
}

function hostPlan({ hosts }: Plan, name: string): HostPlan {
  const host = hosts.find((one) => one.name === name)
  if (host === undefined) throw new TypeError(`nobody planned a host ${name}`)
  return host
}

/** Addresses for documentation (RFC 5737): 192.0.2.0/24, so many hosts with ten addresses each. */
function addressesOf({ hosts }: Plan, name: string, count: number): { address: string; family: number }[] {
  const first = hosts.findIndex((one) => one.name === name) * 10 + 1
  return Array.from({ length: count }, (_, index) => ({ address: `192.0.2.${first + index}`, family: 4 }))
}

function addressPlan({ hosts }: Plan, address: string): AddressPlan {
  const number = Number(address.split('.')[3]) - 1
  const plan = hosts[Math.floor(number / 10)]?.addresses[number % 10]
  if (plan === undefined) throw new TypeError(`nobody planned an address ${address}`)
  return plan
}

/** The same few inputs come again and again. */
const derived = new Map<string, Buffer>()
const DERIVED_MAX = 64

function derive(password: string, salt: Uint8Array, iterations: number, lengthBytes: number, digest: string): Buffer {
  const index = `${password}:${Buffer.from(salt).toString('hex')}:${iterations}:${lengthBytes}:${digest}`
  let key = derived.get(index)
  if (key === undefined) {
    key = pbkdf2Sync(password, salt, iterations, lengthBytes, digest)
    if (derived.size < DERIVED_MAX) derived.set(index, key)
  }
  return Buffer.from(key)
}

/** The caller's signal, with an account of who listens to it. */
function listenedTo(): { signal: AbortSignal; listeners: () => number; abort: () => void } {
  const controller = new AbortController()
  const { signal } = controller
  let listeners = 0
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = function (...given: Parameters<AbortSignal['addEventListener']>) {
    listeners += 1
    addEventListener.apply(this, given)
  }
  signal.removeEventListener = function (...given: Parameters<AbortSignal['removeEventListener']>) {
    listeners -= 1
    removeEventListener.apply(this, given)
  }
  return { signal, listeners: () => listeners, abort: () => controller.abort(new Error('the caller has had enough')) }
}

function findLeftovers({ clock, connections, listeners, dialing }: World): string[] {
  const open = connections.filter(({ isDestroyed }) => !isDestroyed).length
  return [
    ...(clock.clientTimers > 0 ? ['a timer was left behind'] : []),
    ...(open > 0 ? ['a socket was left behind'] : []),
    ...(dialing > 0 ? ['a socket that was being opened was left behind'] : []),
    ...(listeners !== 0 ? ["a listener on the caller's signal was left behind"] : []),
  ]
}
