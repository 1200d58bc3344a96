/**
 * One attempt: the loop in which the whole handshake can be seen, and the one place where sockets die. The rules are not here
 * but in state/handshake/table.ts and its transitions; this does what they ask for, and reports back.
 */
import type { ScramMechanism } from './auth/scram.ts'
import type { Settings } from './config/settings.ts'
import { secretsOf, withholdEcho } from './echo.ts'
import type { KnownServers } from './known-servers.ts'
import type { Clock, Deadline } from './net/deadline.ts'
import type { dial } from './net/dial.ts'
import type { Endpoint } from './net/endpoint.ts'
import type { DeriveKeys } from './net/kdf.ts'
import type { resolveHost } from './net/resolve.ts'
import { type TlsOptions, TransportError } from './net/transport.ts'
import type { Moment, Observe, Onlooker, Sight, Spoken } from './observation.ts'
import { type PasswordRequest, withWhyNone } from './password-request.ts'
import { type Failure, Fault } from './protocol/failure.ts'
import { type RandomBytes, shuffle } from './shuffle.ts'
import type { Effect, Event, EventOf } from './state/handshake/events.ts'
import { begin, nextMove } from './state/handshake/policy.ts'
import type { Attempt, State, StateOf } from './state/handshake/states.ts'
import type { StateName } from './state/handshake/table.ts'
import { handshake } from './state/handshake/transitions.ts'
import type { TimelineRecorder } from './state/timeline.ts'
import { Wire } from './wire.ts'

/**
 * How often to look whether our own event loop is late. Often enough that nobody who blocks it stays unseen for long, and no
 * burden: a timer every 50 ms, for as long as a connect takes.
 */
const HEARTBEAT_MS = 50

/** Without a limit there is nothing that a late loop could excuse. */
export function heartbeatFor(timeoutMs: number): number | undefined {
  return Number.isFinite(timeoutMs) ? HEARTBEAT_MS : undefined
}

/** What a connect needs of the world. Tests and simulations bring their own. */
export interface Runtime {
  readonly clock: Clock
  readonly resolveHost: typeof resolveHost
  readonly dial: typeof dial
  readonly deriveKeys: DeriveKeys
  readonly randomBytes: RandomBytes
  readonly knownServers: KnownServers
  /** Somebody who looks on, from within: it is shown passwords and keys as well. What it throws changes nothing. */
  readonly observe?: Observe | undefined
}

/** What one attempt is about. */
export interface Errand {
  readonly endpoint: Endpoint
  readonly attempt: Omit<Attempt, 'clientNonce'>
  /** null: no TLS is wanted; a Fault: it cannot be had, which counts once it begins. */
  readonly tlsOptions: TlsOptions | Fault | null
  readonly password: PasswordRequest
  readonly settings: Pick<Settings, 'keepalives' | 'keyCache' | 'loadBalanceHosts'>
  /** The whole deadline, and the part of it that this attempt is given, which may be all of it. */
  readonly deadline: Deadline
  readonly slice: Deadline
  /** What that part was when the visit of this host began, in milliseconds. */
  readonly sliceMs: number
}

export interface Succeeded {
  /** The SCRAM mechanism that was used; null: it was another method. */
  readonly mechanism: ScramMechanism | null
  readonly state: StateOf<'Ready' | 'Cancelled'>
  readonly wire: Wire
}

/** The socket is gone. */
export interface Failed {
  readonly phase: StateName
  readonly failure: Failure
  /** Whether it ran in TLS. */
  readonly secured: boolean
  /** Whether a first query had left. */
  readonly hasAsked: boolean
  readonly cause: unknown
}

type Message = Extract<Effect, { do: 'send' }>['message']

const END_OF_STREAM: Event = { type: 'TransportLost', code: 'FIN', detail: 'end of stream' }

interface Step {
  readonly state: State
  readonly effects: readonly Effect[]
}

/** Make one attempt. Rejects only with a defect of this library; then, too, the socket is gone. */
export async function makeAttempt(
  runtime: Runtime,
  errand: Errand,
  timeline: TimelineRecorder,
  onlooker: Onlooker | undefined,
): Promise<Succeeded | Failed> {
  const { endpoint, tlsOptions, password, settings, deadline, slice, sliceMs } = errand
  const { signal } = slice
  // All of it is fresh, and nothing is of an attempt before this one: CVE-2018-10915.
  const clientNonce = runtime.randomBytes(18).toString('base64')
  const goal = errand.attempt.cancelKey === null ? 'session' : 'cancel'
  let state: State = begin({ ...errand.attempt, clientNonce })
  let effects: readonly Effect[] = []
  let wire: Wire | undefined
  let secured = false
  let hasAsked = false
  let mechanism: ScramMechanism | null = null
  let cause: unknown
  /** What the caller's function owes us, and a read that goes on meanwhile: a server that gives up is not met by the timer. */
  let owed: Promise<Event> | null = null
  let reading: Promise<Event> | null = null
  /** What must not come back in an error. */
  const told: string[] = []
  const show = onlooker && ((sight: Sight) => onlooker.observe({ ...sight, ...momentOf(timeline, deadline, slice) }))
  const witness = show && ((spoken: Spoken) => show({ type: 'message', state: state.name, ...spoken }))
  timeline.begin(sliceMs)
  show?.({ type: 'attemptBegun', endpoint, encryption: errand.attempt.encryption, sliceMs, goal })
  show?.({ type: 'stateEntered', state: state.name })
  // The turn of the event loop in which the last one failed may have outlasted the deadline: then this one does not begin.
  slice.endIfPast()

  try {
    while (state.name !== 'Ready' && state.name !== 'Cancelled') {
      ;({ state, effects } = await (onlooker === undefined ? stay(state, effects) : lookOn(onlooker, state, effects)))
      timeline.enter(state.name)
      show?.({ type: 'stateEntered', state: state.name })
      if (state.name === 'AwaitingSaslChallenge') mechanism = state.start.mechanism
    }
    show?.({ type: 'attemptEnded', phase: state.name, failure: null })
    return { state, mechanism, wire: opened(wire) }
  } catch (error) {
    // The one place where sockets die.
    wire?.destroy()
    const failure = toldFailureOf(error)
    // What is no failure of a connection is a defect of this library, and must not pass for one.
    if (failure === null) throw error
    show?.({ type: 'attemptEnded', phase: state.name, failure })
    return { failure, phase: state.name, secured, hasAsked, cause: error instanceof Fault ? error.cause : error }
  }

  /** All that happens in a state: until the machine has come to another one. */
  async function stay(since: State, asked: readonly Effect[]): Promise<Step> {
    let step: Step = { state: since, effects: asked }
    do {
      let event: Event | null = nextMove(step.state)
      const flight: Message[] = []
      for (const effect of step.effects) {
        if (effect.do === 'send') flight.push(effect.message)
        else if (effect.do === 'beginPassword') password.begin()
        else event = (await perform(effect)) ?? event
      }
      if (flight.length > 0) event = (await send(flight)) ?? event
      event ??= received(since.name) ?? (await next(since.name))
      step = handshake.receive(step.state, event, signal)
      if (step.state.name === 'Failed') throw failed(step.state)
    } while (step.state.name === since.name)
    return step
  }

  function lookOn(by: Onlooker, since: State, asked: readonly Effect[]): Promise<Step> {
    const staying = async () => {
      try {
        return await stay(since, asked)
      } finally {
        show?.({ type: 'stateLeft', state: since.name, entry: timeline.leave() })
      }
    }
    return by.around === undefined ? staying() : by.around(staying, toldFailureOf)
  }

  function toldFailureOf(error: unknown): Failure | null {
    const failure = failureOf(error, deadline, slice)
    return failure && withWhyNone(failure, password)
  }

  /** Do what a transition asked for. What comes of it, if anything, is the next event. */
  async function perform(effect: Exclude<Effect, { do: 'send' | 'beginPassword' }>): Promise<Event | null> {
    try {
      switch (effect.do) {
        case 'fetchPassword':
          if (password.given !== null) return { type: 'PasswordFetched', password: password.given }
          owed = fetchPassword()
          return null
        case 'resolveHost': {
          const addresses = await resolve()
          show?.({ type: 'hostResolved', addresses })
          return { type: 'HostResolved', addresses }
        }
        case 'dial': {
          const { addresses } = effect
          const { keepalives } = settings
          wire = new Wire(await runtime.dial({ endpoint, addresses, keepalives }, slice), timeline.note, witness)
          show?.({ type: 'transportOpened', remote: wire.remote })
          return { type: 'TransportOpened' }
        }
        case 'startTls': {
          if (tlsOptions === null) throw new TypeError('the table let TLS begin though sslmode does not want it')
          if (tlsOptions instanceof Fault) throw tlsOptions
          const tls = await opened(wire).startTls(tlsOptions, signal)
          secured = true
          show?.({ type: 'tlsEstablished', tls })
          return { type: 'TlsEstablished', tls }
        }
        case 'deriveKey': {
          const { salt, iterations } = effect
          const input = { password: effect.password, salt, iterations, remember: settings.keyCache }
          return { type: 'SaslKeyDerived', keys: await runtime.deriveKeys(input, signal) }
        }
        case 'useKeys':
          return { type: 'SaslKeysGiven', keys: effect.keys }
      }
    } catch (error) {
      return transportLost(error)
    }
  }

  async function resolve(): Promise<EventOf<'HostResolved'>['addresses']> {
    if (endpoint.transport === 'unix') throw new TypeError('the table wants a Unix-domain socket looked up')
    const addresses = await runtime.resolveHost(endpoint.host, signal)
    // #LIBPQ-CONNECT-LOAD-BALANCE-HOSTS: the addresses of a host are balanced like hosts.
    return settings.loadBalanceHosts === 'random' ? shuffle(addresses, runtime.randomBytes) : addresses
  }

  async function send(flight: readonly Message[]): Promise<Event | null> {
    for (const message of flight) told.push(...secretsOf(message))
    try {
      // Not the question of the session check, which harms nobody if it is asked twice: the two exclude each other.
      hasAsked ||= errand.attempt.earlyQuery !== null && flight.some(({ type }) => type === 'Query')
      await opened(wire).send(flight, signal)
      return null
    } catch (error) {
      // Values that pass the configuration one by one can still be too much for one StartupMessage.
      if (!(error instanceof RangeError)) return transportLost(error)
      throw new Fault({ kind: 'config', parameter: flight[0]?.type ?? '', problem: error.message })
    }
  }

  async function fetchPassword(): Promise<Event> {
    return { type: 'PasswordFetched', password: await password.fetch(signal) }
  }

  /** What is here already needs no waiting: a server sends most of its messages at once. */
  function received(name: StateName): Event | null {
    return owed === null && reading === null && name !== 'AwaitingTlsReply' ? opened(wire).take() : null
  }

  function next(name: StateName): Promise<Event> {
    return owed === null && reading === null ? listen(name) : either(name)
  }

  /** Whichever comes first: the server's next message, or what is owed to us. */
  async function either(name: StateName): Promise<Event> {
    reading ??= listen(name)
    // Whoever loses the race may fail unheard: the attempt is over then.
    for (const waiting of [owed, reading]) waiting?.catch(() => {})
    const event = await (owed === null ? reading : Promise.race([owed, reading]))
    if (event.type === 'PasswordFetched') owed = null
    else reading = null
    return event
  }

  /** By `then`, which takes less than another async function: the processor comes here cold, at every wait. */
  function listen(name: StateName): Promise<Event> {
    const spoken = opened(wire)
    const heard: Promise<Event | null> = name === 'AwaitingTlsReply' ? spoken.nextTlsReply(signal) : spoken.next(signal)
    return heard.then((event) => event ?? END_OF_STREAM, transportLost)
  }

  function failed({ failure }: StateOf<'Failed'>): Fault {
    return new Fault(withholdEcho(failure, told, [errand.attempt.user, errand.attempt.database]), { cause })
  }

  function transportLost(error: unknown): EventOf<'TransportLost'> {
    if (!(error instanceof TransportError)) throw error
    cause = error
    return { type: 'TransportLost', code: error.code, detail: error.message }
  }
}

function momentOf(timeline: TimelineRecorder, deadline: Deadline, slice: Deadline): Moment {
  return {
    attempt: timeline.attempt,
    atMs: timeline.elapsedMs(),
    remainingMs: deadline.remaining(),
    sliceRemainingMs: slice.remaining(),
  }
}

/** What an error says of a connection; null for a defect of ours. */
export function failureOf(error: unknown, deadline: Deadline | undefined, slice = deadline): Failure | null {
  if (error instanceof Fault) return error.failure
  if (!slice?.signal.aborted || error !== slice.signal.reason) return null
  const ended = [slice, deadline].find((one) => one?.expired)
  return ended === undefined ? { kind: 'aborted' } : { kind: 'deadline', timeoutMs: ended.timeoutMs }
}

/** The wire after `dial`: the table has no way to speak before it. */
function opened(wire: Wire | undefined): Wire {
  if (wire === undefined) throw new TypeError('the table let somebody speak before the transport was open')
  return wire
}
