/**
 * The driver: one deadline over every attempt. What is tried, in which order and with how much of the time, stands in plan.ts;
 * one attempt, in which the handshake can be seen, in attempt.ts.
 */
import {
  type Errand,
  type Failed,
  failureOf,
  freshNonce,
  heartbeatFor,
  makeAttempt,
  type Runtime,
  type Succeeded,
} from './attempt.ts'
import { type CancelTarget, cancelWith } from './cancel.ts'
import { readSettings } from './config/read-settings.ts'
import type { Settings } from './config/settings.ts'
import { SYSTEM } from './config/surroundings.ts'
import type { ConnectTarget } from './config/target.ts'
import { debugObserver } from './debug.ts'
import { addressOf, type ConnectFacts, hookConnect, onlookerOf, type SessionIdentity } from './hooks.ts'
import { createKnownServers, type Known } from './known-servers.ts'
import { type Clock, Deadline, monotonicClock } from './net/deadline.ts'
import { dial } from './net/dial.ts'
import { type Endpoint, isIpAddress } from './net/endpoint.ts'
import { deriveKeys } from './net/kdf.ts'
import { resolveHost } from './net/resolve.ts'
import type { Onlooker } from './observation.ts'
import { type Passwords, readPasswords } from './passwords.ts'
import { chooseTimeout, isHopeless, planVisits, shareOf, showEndpoint, type Visit } from './plan.ts'
import { Fault } from './protocol/failure.ts'
import { createRandomBytes } from './random-bytes.ts'
import { Session } from './session.ts'
import { type FailedAttempt, HandshakeError } from './state/errors.ts'
import { isProtocolViolation, mayTryNextHost, mayTryOther, mayTryUnguessed } from './state/handshake/policy.ts'
import type { Attempt } from './state/handshake/states.ts'
import { TimelineRecorder } from './state/timeline.ts'
import { readTlsFiles, type TlsOptionsFor } from './tls-files.ts'
import { type ConnectOptions, type FirstQuery, findConnectMisuse, type WaitOptions } from './wait-options.ts'

export const NODE: Runtime = {
  clock: monotonicClock,
  resolveHost,
  dial,
  deriveKeys,
  randomBytes: createRandomBytes(),
  knownServers: createKnownServers(),
}

/** A connect that is under way: a promise of the session, which can be told to stop. */
export interface Connecting extends Promise<Session>, AsyncDisposable {
  /**
   * Change one's mind. If the connect has not settled it rejects, with AbortError; if there is a session, it is closed. Settles
   * when nothing is left of either, and never rejects.
   */
  close(): Promise<void>
}

/**
 * Connect to PostgreSQL. Settles exactly once, on time, with a session or with a HandshakeError that names
 * the state; after an error nothing is left behind.
 *
 * `timeoutMs` is for everything: name lookup, connection, authentication, every host, until the session is ready. Default:
 * connect_timeout, else 10 seconds; if both are given, the shorter one counts.
 *
 * @param target a connection URI (#LIBPQ-CONNSTRING-URIS), key/value pairs (#LIBPQ-CONNSTRING-KEYWORD-VALUE), or an object with
 * libpq's names in camelCase
 * @example
 * const session = await connect('postgres://app:secret@localhost/app', { timeoutMs: 3_000 })
 * const [result] = await session.query('select 1 as one')
 * await session.close()
 */
export function connect(target: string | ConnectTarget, options: ConnectOptions = {}): Connecting {
  return connectWith(NODE, target, options)
}

/** `connect` in a world of one's own. */
export function connectWith(runtime: Runtime, target: string | ConnectTarget, options: ConnectOptions): Connecting {
  let deadline: Deadline | undefined
  const wish = read(runtime.clock, target, options)
  const hook = hookConnect(() => factsOf(wish))
  const onlooker = onlookerOf(hook, runtime.observe, debugObserver())
  const onDeadline = (whole: Deadline) => {
    deadline = whole
  }
  const begin = () => run(runtime, wish, options, onDeadline, onlooker)
  const connecting = hook === undefined ? begin() : hook.trace(begin)
  const close = async () => {
    deadline?.abort(new DOMException('close() was called while the connect was under way', 'AbortError'))
    const session = await connecting.catch(() => null)
    await session?.close()
  }
  return Object.assign(connecting, { close, [Symbol.asyncDispose]: close })
}

/** What the caller wants, or why it cannot be. Read first, so that whoever looks on can be told before anything happens. */
type Wish = { readonly startedMs: number } & (
  | { readonly settings: Settings; readonly timeoutMs: number }
  | { readonly error: unknown }
)

function read(clock: Clock, target: string | ConnectTarget, options: ConnectOptions): Wish {
  // It counts from the call, reading the configuration included.
  const startedMs = clock.now()
  try {
    const misuse = findConnectMisuse(options)
    if (misuse !== null) throw new Fault({ kind: 'config', ...misuse })
    const settings = readSettings(target, SYSTEM, options.environment)
    return { startedMs, settings, timeoutMs: chooseTimeout(settings, options) }
  } catch (error) {
    return { startedMs, error }
  }
}

function factsOf(wish: Wish): ConnectFacts {
  if ('error' in wish) return { endpoints: [], user: null, database: null, timeoutMs: null }
  const { settings, timeoutMs } = wish
  const { hosts, user, database } = settings
  return { endpoints: hosts, user, database, timeoutMs }
}

async function run(
  runtime: Runtime,
  wish: Wish,
  options: ConnectOptions,
  onDeadline: (deadline: Deadline) => void,
  onlooker: Onlooker | undefined,
): Promise<Session> {
  const { clock } = runtime
  const { startedMs } = wish
  let deadline: Deadline | undefined
  const takeLoopLag = () => deadline?.takeLoopLag() ?? 0
  const timeline = new TimelineRecorder({ now: () => clock.now(), startedMs, takeLoopLag })
  try {
    if ('error' in wish) throw wish.error
    const { settings, timeoutMs } = wish
    const whole = new Deadline({
      timeoutMs,
      signal: options.signal,
      clock,
      startedMs,
      heartbeatMs: heartbeatFor(timeoutMs),
    })
    deadline = whole
    onDeadline(whole)
    refuseIfHopeless(whole, options)
    checkFirstQuery(settings, options)
    const { firstQuery = null } = options
    const session = await visitHosts({ runtime, onlooker, settings, deadline: whole, timeline, firstQuery })
    settled(null)
    return session
  } catch (error) {
    throw settled(told(error))
  } finally {
    deadline?.[Symbol.dispose]()
  }

  function told(error: unknown): unknown {
    const failure = failureOf(error, deadline)
    // What is no failure of a connection, or one that has been told already, goes on as it is.
    if (failure === null) return error
    timeline.begin(deadline?.timeoutMs ?? Number.POSITIVE_INFINITY)
    const cause = error instanceof Fault ? error.cause : error
    return new HandshakeError('Disconnected', failure, timeline.finish(), [], causeOf(cause))
  }

  function settled(error: unknown): unknown {
    const remainingMs = deadline?.remaining() ?? 0
    onlooker?.observe({ type: 'settled', atMs: timeline.elapsedMs(), remainingMs, error })
    return error
  }
}

/** What the visits of one connect have in common. */
interface Course {
  readonly runtime: Runtime
  readonly onlooker: Onlooker | undefined
  readonly settings: Settings
  readonly deadline: Deadline
  readonly timeline: TimelineRecorder
  readonly passwords: Passwords
  readonly tlsOptionsFor: TlsOptionsFor
  readonly firstQuery: FirstQuery | null
  /** Those that have failed so far. */
  readonly attempts: FailedAttempt[]
}

/** Host by host, until one of them lets us in, none is left, or the others would say the same. */
async function visitHosts(given: Omit<Course, 'passwords' | 'tlsOptionsFor' | 'attempts'>): Promise<Session> {
  const { runtime, onlooker, settings, deadline, timeline, firstQuery } = given
  const visits = planVisits(settings, runtime.randomBytes)
  const tlsFiles = readTlsFiles(settings, deadline.signal)
  const tlsOptionsFor = tlsFiles instanceof Promise ? await tlsFiles : tlsFiles
  // Waited for in any case: nobody is dialed before the caller has gone on, who may block the loop, or change his mind.
  const passwords = await readPasswords(settings, deadline.signal)
  const attempts: FailedAttempt[] = []
  // By name: what is spread and then added to takes V8's slow path.
  const course: Course = {
    runtime,
    onlooker,
    settings,
    deadline,
    timeline,
    passwords,
    tlsOptionsFor,
    firstQuery,
    attempts,
  }
  try {
    for (const [index, visit] of visits.entries()) {
      const sliceMs = shareOf(deadline.remaining(), visits.length - index)
      // The last one has all that is left.
      const isLast = index + 1 === visits.length
      const outcome = await (isLast
        ? visitHost(course, visit, deadline, sliceMs)
        : visitInSlice(course, visit, sliceMs))
      if (outcome instanceof Session) return outcome
      const { phase, failure, hasAsked, cause } = outcome
      if (isLast || isOver(deadline) || !mayTryNextHost(phase, failure, hasAsked)) {
        throw new HandshakeError(phase, failure, timeline.finish(), attempts, causeOf(cause))
      }
    }
    throw new TypeError('the plan has no visits')
  } finally {
    passwords.end()
  }
}

/** Apart from visitHosts: most connects have one host, and need neither a slice nor what `using` compiles to. */
async function visitInSlice(course: Course, visit: Visit, sliceMs: number): Promise<Session | Failed> {
  using slice = course.deadline.slice(sliceMs)
  return await visitHost(course, visit, slice, sliceMs)
}

/**
 * One host: with TLS or without, or both in turn as sslmode wants it. All of it in one slice of the deadline, which for the last
 * host is the deadline itself.
 */
async function visitHost(course: Course, visit: Visit, slice: Deadline, sliceMs: number): Promise<Session | Failed> {
  const { runtime, settings, deadline, timeline, passwords, attempts } = course
  const { endpoint } = visit
  const [encryption, ...others] = visit.encryptions
  const known = settings.rememberServers ? runtime.knownServers.recall(nameOf(settings, endpoint)) : null
  const attempt = attemptOf(course, visit, known)
  const tlsOptions = course.tlsOptionsFor(endpoint)
  const password = passwords.of(endpoint)
  const errand: Errand = { endpoint, attempt, tlsOptions, password, settings, deadline, slice, sliceMs }
  const outcome = await makeAttempt(runtime, errand, timeline, course.onlooker)
  if ('wire' in outcome) {
    try {
      return open(course, errand, outcome)
    } catch (defect) {
      outcome.wire.destroy()
      throw defect
    }
  }
  const { phase, failure, secured } = outcome
  attempts.push({ endpoint: showEndpoint(endpoint), encryption, sliceMs, phase, failure })
  // Now that it is known to wait, there is no guess: this happens once.
  if (settings.rememberServers && !isOver(deadline) && mayTryUnguessed(phase, failure)) {
    runtime.knownServers.remember(nameOf(settings, endpoint), isProtocolViolation(failure) ? 'waits' : null)
    return visitHost(course, visit, slice, sliceMs)
  }
  const [other, ...rest] = others
  if (other === undefined || isOver(deadline) || !mayTryOther(encryption, secured, phase, failure)) {
    return outcome
  }
  return visitHost(course, { ...visit, encryptions: [other, ...rest] }, slice, sliceMs)
}

/** What the table is told of an attempt: of the settings what concerns it, and no password. */
function attemptOf({ runtime, settings, passwords, firstQuery }: Course, visit: Visit, known: Known | null): Attempt {
  const { endpoint, sessionWanted } = visit
  const [encryption] = visit.encryptions
  // Whoever answers reads it before he has proven that he knows the password: in verified TLS, that is the server.
  const isVerified = settings.tls.mode === 'verify-full' && encryption === 'required'
  const mayLeave = (isVerified || firstQuery?.allowUnverified === true) && firstQuery?.signal?.aborted !== true
  return {
    needsLookup: endpoint.transport === 'tcp' && !isIpAddress(endpoint.address ?? endpoint.host),
    user: settings.user,
    database: settings.database,
    hasPassword: passwords.of(endpoint).exists,
    scramKeys: settings.scramKeys,
    encryption,
    directTls: settings.tls.negotiation === 'direct',
    channelBinding: settings.channelBinding,
    requireAuth: settings.requireAuth,
    runtimeParameters: settings.runtimeParameters,
    minProtocolVersion: settings.minProtocolVersion,
    maxProtocolVersion: settings.maxProtocolVersion,
    allowCleartextPassword: settings.allowCleartextPassword,
    scramIterationsMin: settings.scramIterationsMin,
    scramIterationsMax: settings.scramIterationsMax,
    sessionWanted,
    earlySasl: settings.earlySasl && known !== 'waits',
    remembered: known === 'waits' ? null : known,
    earlyQuery: mayLeave ? (firstQuery?.text ?? null) : null,
    cancelKey: null,
    clientNonce: freshNonce(runtime),
  }
}

/** What a server is remembered by. */
function nameOf({ user, database }: Settings, endpoint: Endpoint): string {
  return [showEndpoint(endpoint), user, database].join('\0')
}

/** It is sent to whichever server lets us in, so it cannot wait for the answer to another question. */
function checkFirstQuery({ targetSessionAttrs }: Settings, { firstQuery }: ConnectOptions): void {
  if (firstQuery === undefined || targetSessionAttrs === 'any') return
  const problem = `cannot be used with target_session_attrs=${targetSessionAttrs}, which is to be known first; use query()`
  throw new Fault({ kind: 'config', parameter: 'firstQuery', problem })
}

function open(course: Course, errand: Errand, { state, mechanism, wire, life }: Succeeded): Session {
  const { runtime, settings, timeline, attempts, firstQuery } = course
  if (state.name !== 'Ready') throw new TypeError(`the table ends a connect in ${state.name}`)
  const { endpoint, tlsOptions } = errand
  const { keepalives, keyCache, loadBalanceHosts } = errand.settings
  // What a session keeps, for as long as it lives: no password, no function for one, no keys, no query.
  const lasting: CancelTarget['errand'] = {
    tlsOptions,
    directTls: errand.attempt.directTls,
    settings: { keepalives, keyCache, loadBalanceHosts },
  }
  const { user, database } = settings
  const identity: SessionIdentity = { server: addressOf(endpoint), user, database }
  const { backendKeyData: key, greeting } = state
  const isSecured = greeting.tls !== null
  const cancel = (options: WaitOptions) => {
    const { remote } = wire
    return cancelWith(runtime, { errand: lasting, identity, remote, isSecured, key }, options)
  }
  if (settings.rememberServers) {
    const name = nameOf(settings, errand.endpoint)
    if (runtime.knownServers.recall(name) !== 'waits') runtime.knownServers.remember(name, mechanism)
  }
  const { clock } = runtime
  return new Session(wire, state, { timeline: timeline.finish(), attempts, identity, clock, life, cancel, firstQuery })
}

function refuseIfHopeless(deadline: Deadline, { leastMs = 0 }: ConnectOptions): void {
  const remainingMs = deadline.remaining()
  if (!isHopeless(remainingMs, leastMs)) return
  throw new Fault({ kind: 'deadline', timeoutMs: Math.ceil(remainingMs), leastMs })
}

/** Whether there is no time for another attempt: then what came first counts. */
function isOver(deadline: Deadline): boolean {
  return deadline.remaining() === 0
}

/** AbortError.cause is the caller's reason itself; otherwise it is what the operating system said, if anything. */
function causeOf(cause: unknown): ErrorOptions {
  return cause === undefined ? {} : { cause }
}
