/**
 * One connect in a world of its own, from the call to the last thing that it leaves behind. The real connect() runs in it,
 * with the real race of addresses, resolver and queue of key derivations; simulated is what lies below them. Checkers are
 * always on: what they find is in `violations`.
 */
import { createHmac, pbkdf2Sync } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { isIP } from 'node:net'
import type { Runtime } from '../../attempt.ts'
import type { ConnectTarget } from '../../config/target.ts'
import { connectWith } from '../../connect.ts'
import type { Known, KnownServers } from '../../known-servers.ts'
import { type Deadline, monotonicClock } from '../../net/deadline.ts'
import { createRace } from '../../net/dial.ts'
import type { Endpoint } from '../../net/endpoint.ts'
import { createKeyDerivation, type Pbkdf2 } from '../../net/kdf.ts'
import { Account } from '../../net/orphans.ts'
import { type Address, createResolver } from '../../net/resolve.ts'
import { type Remote, type Transport, TransportError } from '../../net/transport.ts'
import { until } from '../../net/until.ts'
import type { Session } from '../../session.ts'
import { HandshakeError } from '../../state/errors.ts'
import type { Timeline } from '../../state/timeline.ts'
import { scramKeys } from '../scram-server.ts'
import { useSession } from './afterwards.ts'
import { findUncounted, findViolations } from './checkers.ts'
import { SimulatedConnection } from './connection.ts'
import { Backends, FIRST_QUERY, ModelServer, PASSWORD, USER } from './model-server.ts'
import { Observer } from './observer.ts'
import type { AddressPlan, HostPlan, Plan } from './plan.ts'
import type { Dialed, RaceRecord } from './race-checker.ts'
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
  /** The signals of the attempts that came as far as to dial. */
  readonly attemptSignals: ReadonlySet<AbortSignal>
  /** Sockets that wait to be opened. */
  readonly dialing: number
  readonly races: readonly RaceRecord[]
  /** What has begun and cannot be stopped, as the world knows it, and the accounts that the client keeps of it. */
  readonly unstoppable: { readonly lookups: number; readonly derivations: number }
  readonly lookups: Account
  readonly derivations: Account
}

/** More happenings than any plan takes: a world that goes on and on has lost its deadline. */
const HAPPENINGS_MAX = 20_000

/** Nothing is told to anybody who listens: the password and every key that is made from it. */
const SECRETS: readonly (string | Buffer)[] = [
  PASSWORD,
  ...Object.values(scramKeys(PASSWORD)).flatMap((key) => [key, key.toString('base64'), key.toString('hex')]),
]

const { clientKey, saltedPassword } = scramKeys(PASSWORD)
const KEYS = {
  scramClientKey: clientKey.toString('base64'),
  scramServerKey: createHmac('sha256', saltedPassword).update('Server Key').digest('base64'),
}

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
  const observer = new Observer(clock.now, plan.client)
  /** Whoever looks at what happens now: a cancel request is looked at by somebody else. */
  let watcher = observer
  let isCancelling = false
  const backends = new Map<string, Backends>()
  const races: RaceRecord[] = []
  const unstoppable = { lookups: 0, derivations: 0 }
  const lookups = new Account()
  const derivations = new Account()
  const connections: SimulatedConnection[] = []
  const caller = listenedTo()
  const attemptSignals = new Set<AbortSignal>()
  let dialing = 0
  let touched = false
  const world = {
    plan,
    clock,
    observer,
    connections,
    attemptSignals,
    races,
    unstoppable,
    lookups,
    derivations,
    get listeners() {
      return caller.listeners()
    },
    get dialing() {
      return dialing
    },
  }

  const open = (place: string, remote: Remote, signal: AbortSignal, record?: RaceRecord) =>
    until<Transport>(signal, (resolve, reject) => {
      const planned = addressPlan(plan, place)
      const address = isCancelling && plan.afterwards !== null ? { ...planned, ...plan.afterwards.cancel } : planned
      const dialed: Dialed = { address: place, atMs: clock.now(), endedMs: null }
      record?.dialed.push(dialed)
      let isOver = false
      dialing += 1
      const waitMs = address.dial === 'black hole' ? null : random.whole(0, Math.floor(address.network.patienceMs / 8))
      if (waitMs !== null) clock.later(waitMs, arrive)
      return () => {
        isOver = true
        dialing -= 1
        dialed.endedMs = clock.now()
      }

      function arrive(): void {
        if (isOver) return
        if (address.dial !== 'opens') {
          reject(new TransportError(address.dial, `connect ${address.dial} ${place}`))
          return
        }
        const { server, fault } = address
        const own = backends.get(place) ?? new Backends()
        backends.set(place, own)
        const connection = new SimulatedConnection(
          remote,
          address,
          (line) => new ModelServer(server, fault, line, { random, clock, backends: own }),
          {
            clock,
            random,
            observer: watcher,
            mayShowPassword: plan.client.allowCleartextPassword,
            secrets: SECRETS,
          },
        )
        connections.push(connection)
        resolve(connection)
      }
    })

  const race = createRace((options, _keeping, { signal }) => {
    if (!('host' in options)) throw new TypeError('a Unix-domain socket does not race')
    return open(options.host, { address: options.host, port: options.port }, signal, races.at(-1))
  })
  const resolve = createResolver({
    account: lookups,
    lookup: (name, _options, done) => {
      const { lookup, lookupMs } = hostPlan(plan, name)
      unstoppable.lookups += 1
      if (lookup === 'hangs') return
      clock.later(lookupMs, () => {
        unstoppable.lookups -= 1
        if (lookup === 'answers') done(null, addressesOf(plan, name))
        else done(Object.assign(new Error(`getaddrinfo ${lookup} ${name}`), { code: lookup }), [])
      })
    },
  })
  // PBKDF2 runs to its end whether anybody waits for it or not.
  const compute: Pbkdf2 = (password, salt, iterations, lengthBytes, digest, done) => {
    unstoppable.derivations += 1
    clock.later(plan.client.derivationMs, () => {
      unstoppable.derivations -= 1
      done(null, derive(password, salt, iterations, lengthBytes, digest))
    })
  }
  const deriveKeys = createKeyDerivation({
    pbkdf2: compute,
    cacheEntriesMax: 0,
    concurrency: 1,
    account: derivations,
  })

  const runtime: Runtime = {
    clock,
    knownServers: knownServersOf(plan),
    randomBytes: random.bytes,
    resolveHost: (host, signal) => {
      touched = true
      observer.enter('ResolvingHost')
      return resolve(host, signal)
    },
    dial: async ({ endpoint, addresses }, deadline) => {
      touched = true
      const watching = watcher
      attemptSignals.add(deadline.signal)
      watching.dialing()
      const transport = await reach(endpoint, addresses, deadline)
      watching.opened()
      return transport
    },
    deriveKeys: (input, signal) => {
      observer.enter('DerivingSaslKey')
      return deriveKeys(input, signal)
    },
  }

  function reach(...[endpoint, addresses, deadline]: [Endpoint, readonly Address[] | null, Deadline]) {
    if (endpoint.transport === 'unix') return open(endpoint.path, { path: endpoint.path }, deadline.signal)
    const address = endpoint.address ?? endpoint.host
    const racing = addresses ?? [{ address, family: isIP(address) }]
    races.push({ addresses: racing, dialed: [] })
    return race(racing, endpoint.port, { keepAlive: true, keepAliveIdleMs: 0 }, deadline)
  }

  const { timeoutMs, firstQuery } = plan.client
  const connecting = connectWith(spoil(runtime), targetOf(plan, clock), {
    timeoutMs,
    signal: caller.signal,
    firstQuery: firstQuery === null ? undefined : { text: FIRST_QUERY, ...firstQuery },
  })
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
  let isDone = session === null
  const cancelling = new Observer(clock.now, plan.client)
  if (session !== null) {
    const beginCancel = () => {
      watcher = cancelling
      isCancelling = true
    }
    void useSession(session, { ...world, cancelling, beginCancel }).then((found) => {
      violations.push(...found)
      isDone = true
    })
  }
  await turnOver()
  // To the very end: what comes late must find nobody.
  while (await proceed());
  if (!isDone) violations.push('what is done with the session never ends')
  if (happenings > HAPPENINGS_MAX) violations.push('the world goes on and on')
  violations.push(...findLeftovers(world), ...findUncounted(world), ...observer.violations, ...cancelling.violations)
  for (const { server } of connections) violations.push(...server.violations)
  const timeline = session?.timeline ?? (error instanceof HandshakeError ? error.timeline : [])
  return { plan, settled: outcome, timeline, violations: [...new Set(violations)] }
}

/** What the caller has asked for, as connect() is told of it. */
function targetOf(plan: Plan, clock: SimulatedClock): ConnectTarget {
  const { client, hosts } = plan
  const { passwordMs } = client
  const password =
    passwordMs === null
      ? PASSWORD
      : () => new Promise<string>((resolve) => clock.later(passwordMs, () => resolve(PASSWORD)))
  return {
    host: hosts.map(({ name, written }) => (written === 'address' ? firstAddress(plan, name) : name)),
    hostaddr: hosts.map(({ name, written }) => (written === 'hostaddr' ? firstAddress(plan, name) : '')),
    user: USER,
    dbname: 'app',
    ...(client.bringsKeys ? KEYS : { password }),
    sslmode: client.sslmode,
    sslcertmode: 'disable',
    sslrootcert: client.sslmode === 'verify-full' ? 'system' : undefined,
    sslnegotiation: hosts.some(({ addresses }) => addresses[0]?.server.tls === 'direct') ? 'direct' : undefined,
    allowCleartextPassword: client.allowCleartextPassword,
    requireAuth: client.requireAuth ?? undefined,
    minProtocolVersion: client.minVersion,
    maxProtocolVersion: client.maxVersion,
    targetSessionAttrs: client.wanted,
    channelBinding: client.channelBinding,
    loadBalanceHosts: client.loadBalanceHosts,
    earlySasl: client.earlySasl,
    rememberServers: client.remembers !== null,
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

/** So many addresses may a host have. */
const ADDRESSES_MAX = 16

/** Addresses for documentation (RFC 5737, RFC 3849), counted through all hosts. */
function addressesOf({ hosts }: Plan, name: string): { address: string; family: number }[] {
  const host = hosts.findIndex((one) => one.name === name)
  return (hosts[host]?.addresses ?? []).map(({ family }, index) => {
    const number = host * ADDRESSES_MAX + index + 1
    return { address: family === 4 ? `192.0.2.${number}` : `2001:db8::${number.toString(16)}`, family }
  })
}

function firstAddress(plan: Plan, name: string): string {
  return addressesOf(plan, name)[0]?.address ?? ''
}

/** What stands behind an address, or the path of a socket. */
function addressPlan({ hosts }: Plan, place: string): AddressPlan {
  const number = place.includes(':') ? Number.parseInt(place.slice(10), 16) : Number(place.split('.')[3])
  const plan = place.startsWith('/')
    ? hosts.find(({ name }) => place === `${name}/.s.PGSQL.5432`)?.addresses[0]
    : hosts[Math.floor((number - 1) / ADDRESSES_MAX)]?.addresses[(number - 1) % ADDRESSES_MAX]
  if (plan === undefined) throw new TypeError(`nobody planned an address ${place}`)
  return plan
}

/** What an earlier connect has learnt of every server, until this one learns otherwise. */
function knownServersOf({ client: { remembers } }: Plan): KnownServers {
  const learnt = new Map<string, Known | null>()
  return {
    recall: (server) => (learnt.has(server) ? (learnt.get(server) ?? null) : (remembers?.known ?? null)),
    remember: (server, known) => void learnt.set(server, known),
  }
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

function findLeftovers({ clock, connections, listeners, attemptSignals, dialing }: World): string[] {
  const isHeard = [...attemptSignals].some((signal) => getEventListeners(signal, 'abort').length > 0)
  const open = connections.filter(({ isDestroyed }) => !isDestroyed).length
  return [
    ...(clock.clientTimers > 0 ? ['a timer was left behind'] : []),
    ...(open > 0 ? ['a socket was left behind'] : []),
    ...(dialing > 0 ? ['a socket that was being opened was left behind'] : []),
    ...(listeners !== 0 ? ["a listener on the caller's signal was left behind"] : []),
    ...(isHeard ? ['a listener on the signal of an attempt was left behind'] : []),
  ]
}
