/**
 * One attempt: the loop in which the whole handshake can be seen, and the one place where sockets die. The rules are not here
 * but in state/handshake/table.ts and its transitions; this does what they ask for, and reports back.
 */
import type { ScramMechanism } from './auth/scram.ts'
import type { Settings } from './config/settings.ts'
import { secretsOf, withholdEcho } from './echo.ts'
import type { KnownServers } from './known-servers.ts'
import { type Clock, type Deadline, handOver } from './net/deadline.ts'
import type { dial } from './net/dial.ts'
import type { Endpoint } from './net/endpoint.ts'
import type { DeriveKeys } from './net/kdf.ts'
import type { Address, resolveHost } from './net/resolve.ts'
import { type TlsOptions, TransportError } from './net/transport.ts'
import { Changes } from './net/until.ts'
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
  /** What the table is told. All of it is fresh, and nothing is of an attempt before this one: CVE-2018-10915. */
  readonly attempt: Attempt
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
  /** Of the signal under which the connection has been used so far. */
  readonly life: AbortController
}

/** For SCRAM, of which every attempt has its own: 18 bytes, as libpq's (SCRAM_RAW_NONCE_LEN). */
export function freshNonce({ randomBytes }: Runtime): string {
  return randomBytes(18).toString('base64')
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

/** Make one attempt. Rejects only with a defect of this library; then, too, the socket is gone. */
export function makeAttempt(
  runtime: Runtime,
  errand: Errand,
  timeline: TimelineRecorder,
  onlooker: Onlooker | undefined,
): Promise<Succeeded | Failed> {
  return new AttemptDriver(runtime, errand, timeline, onlooker).drive()
}

class AttemptDriver {
  readonly #runtime: Runtime
  readonly #errand: Errand
  readonly #timeline: TimelineRecorder
  readonly #onlooker: Onlooker | undefined
  /** undefined: nobody looks on, and what would be shown is not even made. */
  readonly #show: ((sight: Sight) => void) | undefined
  /** Of its slice of the deadline: with it every wait ends, and every transition takes it. */
  readonly #signal: AbortSignal
  #state: State
  #effects: readonly Effect[] = []
  #wire: Wire | undefined
  #secured = false
  #hasAsked = false
  #mechanism: ScramMechanism | null = null
  #cause: unknown
  /** What the caller's function owes us, and a wait that goes on meanwhile: a server that gives up is not met by the timer. */
  #owed: Promise<Event> | null = null
  #waiting: Promise<null> | null = null
  /** Of the connection, and the end of the deadline. */
  readonly #changes = new Changes()
  /** What must not come back in an error. */
  readonly #told: string[] = []

  constructor(runtime: Runtime, errand: Errand, timeline: TimelineRecorder, onlooker: Onlooker | undefined) {
    this.#runtime = runtime
    this.#errand = errand
    this.#timeline = timeline
    this.#onlooker = onlooker
    this.#show =
      onlooker && ((sight) => onlooker.observe({ ...sight, ...momentOf(timeline, errand.deadline, errand.slice) }))
    this.#signal = errand.slice.signal
    this.#state = begin(errand.attempt)
  }

  async drive(): Promise<Succeeded | Failed> {
    const { endpoint, attempt, slice, sliceMs } = this.#errand
    const { encryption } = attempt
    const goal = attempt.cancelKey === null ? 'session' : 'cancel'
    this.#timeline.begin(sliceMs)
    this.#show?.({ type: 'attemptBegun', endpoint, encryption, sliceMs, goal })
    this.#show?.({ type: 'stateEntered', state: this.#state.name })
    // The turn of the event loop in which the last one failed may have outlasted the deadline: then this one does not begin.
    slice.endIfPast()
    // It ends every wait for the connection.
    const stopListening = slice.onEnd(() => this.#changes.tell())
    try {
      if (this.#onlooker === undefined) await this.#walk(false)
      else while (!isGoal(this.#state)) await this.#lookOn(this.#onlooker)
      this.#show?.({ type: 'attemptEnded', phase: this.#state.name, failure: null })
      return {
        state: this.#state as StateOf<'Ready' | 'Cancelled'>,
        mechanism: this.#mechanism,
        wire: this.#opened(),
        life: handOver(slice),
      }
    } catch (error) {
      // The one place where sockets die.
      this.#wire?.destroy()
      const failure = this.#failureOf(error)
      // What is no failure of a connection is a defect of this library, and must not pass for one.
      if (failure === null) throw error
      const phase = this.#state.name
      this.#show?.({ type: 'attemptEnded', phase, failure })
      const cause = error instanceof Fault ? error.cause : error
      return { failure, phase, secured: this.#secured, hasAsked: this.#hasAsked, cause }
    } finally {
      stopListening()
    }
  }

  /** Arrow by arrow: until the goal, or, if each state is to be seen by itself, until there is another one. */
  async #walk(stateByState: boolean): Promise<void> {
    while (!isGoal(this.#state)) {
      let event: Event | null = nextMove(this.#state)
      const flight: Message[] = []
      for (const effect of this.#effects) {
        if (effect.do === 'send') flight.push(effect.message)
        else if (effect.do === 'beginPassword') this.#errand.password.begin()
        else {
          const outcome = this.#perform(effect)
          event = (outcome instanceof Promise ? await outcome : outcome) ?? event
        }
      }
      if (flight.length > 0) {
        this.#send(flight)
        while (this.#opened().isFull()) {
          this.#signal.throwIfAborted()
          await this.#changes.next()
        }
      }
      // What is here already needs no waiting: a server sends most of its messages at once.
      event ??= this.#received()
      while (event === null) {
        // Whoever looks on may have ended it since the last wait. Of an end that comes later the wait is told.
        this.#signal.throwIfAborted()
        event = (await this.#change()) ?? this.#received()
      }

      const step = handshake.receive(this.#state, event, this.#signal)
      if (step.state.name === 'Failed') throw this.#failed(step.state)
      const isAnother = step.state.name !== this.#state.name
      this.#state = step.state
      this.#effects = step.effects
      if (!isAnother) continue
      if (stateByState) return
      this.#enter()
    }
  }

  async #lookOn(by: Onlooker): Promise<void> {
    const { name } = this.#state
    const staying = async () => {
      try {
        await this.#walk(true)
      } finally {
        this.#show?.({ type: 'stateLeft', state: name, entry: this.#timeline.leave() })
      }
      return { state: this.#state }
    }
    await (by.around === undefined ? staying() : by.around(staying, (error) => this.#failureOf(error)))
    this.#enter()
  }

  #enter(): void {
    const { name } = this.#state
    this.#timeline.enter(name)
    this.#show?.({ type: 'stateEntered', state: name })
    if (this.#state.name === 'AwaitingSaslChallenge') this.#mechanism = this.#state.start.mechanism
  }

  /** Do what a transition asked for. What comes of it, if anything, is the next event. */
  #perform(effect: Exclude<Effect, { do: 'send' | 'beginPassword' }>): Event | null | Promise<Event> {
    switch (effect.do) {
      case 'fetchPassword': {
        const { given } = this.#errand.password
        if (given !== null) return { type: 'PasswordFetched', password: given }
        this.#owed = this.#fetchPassword()
        // The attempt may be over before anybody waits for it, and then it fails unheard.
        this.#owed.catch(() => {})
        return null
      }
      case 'resolveHost':
        return this.#resolveHost()
      case 'dial':
        return this.#dial(effect.addresses)
      case 'startTls':
        return this.#startTls()
      case 'deriveKey':
        return this.#deriveKey(effect)
      case 'useKeys':
        return { type: 'SaslKeysGiven', keys: effect.keys }
    }
  }

  async #fetchPassword(): Promise<Event> {
    return { type: 'PasswordFetched', password: await this.#errand.password.fetch(this.#signal) }
  }

  async #resolveHost(): Promise<Event> {
    const { endpoint, settings } = this.#errand
    if (endpoint.transport === 'unix') throw new TypeError('the table wants a Unix-domain socket looked up')
    try {
      const found = await this.#runtime.resolveHost(endpoint.host, this.#signal)
      // #LIBPQ-CONNECT-LOAD-BALANCE-HOSTS: the addresses of a host are balanced like hosts.
      const isRandom = settings.loadBalanceHosts === 'random'
      const addresses = isRandom ? shuffle(found, this.#runtime.randomBytes) : found
      this.#show?.({ type: 'hostResolved', addresses })
      return { type: 'HostResolved', addresses }
    } catch (error) {
      return this.#transportLost(error)
    }
  }

  async #dial(addresses: readonly Address[] | null): Promise<Event> {
    const { endpoint, settings, slice } = this.#errand
    const { keepalives } = settings
    const show = this.#show
    const witness = show && ((spoken: Spoken) => show({ type: 'message', state: this.#state.name, ...spoken }))
    try {
      const transport = await this.#runtime.dial({ endpoint, addresses, keepalives }, slice)
      this.#wire = new Wire(transport, this.#timeline.note, witness)
      this.#wire.onChange(() => this.#changes.tell())
      this.#show?.({ type: 'transportOpened', remote: this.#wire.remote })
      return { type: 'TransportOpened' }
    } catch (error) {
      return this.#transportLost(error)
    }
  }

  async #startTls(): Promise<Event> {
    const { tlsOptions } = this.#errand
    if (tlsOptions === null) throw new TypeError('the table let TLS begin though sslmode does not want it')
    if (tlsOptions instanceof Fault) throw tlsOptions
    try {
      const tls = await this.#opened().startTls(tlsOptions, this.#signal)
      this.#secured = true
      this.#show?.({ type: 'tlsEstablished', tls })
      return { type: 'TlsEstablished', tls }
    } catch (error) {
      return this.#transportLost(error)
    }
  }

  async #deriveKey({ password, salt, iterations }: Extract<Effect, { do: 'deriveKey' }>): Promise<Event> {
    const input = { password, salt, iterations, remember: this.#errand.settings.keyCache }
    return { type: 'SaslKeyDerived', keys: await this.#runtime.deriveKeys(input, this.#signal) }
  }

  /** A connection that broke is met by whoever reads. */
  #send(flight: readonly Message[]): void {
    this.#signal.throwIfAborted()
    for (const message of flight) this.#told.push(...secretsOf(message))
    try {
      this.#opened().send(flight, this.#signal)
      // Not the question of the session check, which harms nobody if it is asked twice: the two exclude each other.
      this.#hasAsked ||= this.#errand.attempt.earlyQuery !== null && flight.some(({ type }) => type === 'Query')
    } catch (error) {
      // Values that pass the configuration one by one can still be too much for one StartupMessage.
      if (!(error instanceof RangeError)) throw error
      throw new Fault({ kind: 'config', parameter: flight[0]?.type ?? '', problem: error.message })
    }
  }

  #received(): Event | null {
    const wire = this.#opened()
    try {
      return this.#state.name === 'AwaitingTlsReply' ? wire.takeTlsReply() : wire.take()
    } catch (error) {
      return this.#transportLost(error)
    }
  }

  /** Something may have been received (null: look), or what is owed to us has come. */
  #change(): Promise<Event | null> {
    if (this.#owed !== null || this.#waiting !== null) return this.#either()
    return this.#changes.next()
  }

  async #either(): Promise<Event | null> {
    this.#waiting ??= this.#changes.next()
    const event = await (this.#owed === null ? this.#waiting : Promise.race([this.#owed, this.#waiting]))
    if (event === null) this.#waiting = null
    else this.#owed = null
    return event
  }

  /** The wire after `dial`: the table has no way to speak before it. */
  #opened(): Wire {
    if (this.#wire === undefined) throw new TypeError('the table let somebody speak before the transport was open')
    return this.#wire
  }

  #failed({ failure }: StateOf<'Failed'>): Fault {
    const { user, database } = this.#errand.attempt
    return new Fault(withholdEcho(failure, this.#told, [user, database]), { cause: this.#cause })
  }

  #failureOf(error: unknown): Failure | null {
    const { deadline, slice, password } = this.#errand
    const failure = failureOf(error, deadline, slice)
    return failure && withWhyNone(failure, password)
  }

  #transportLost(error: unknown): EventOf<'TransportLost'> {
    if (!(error instanceof TransportError)) throw error
    this.#cause = error
    return { type: 'TransportLost', code: error.code, detail: error.message }
  }
}

function isGoal(state: State): boolean {
  return state.name === 'Ready' || state.name === 'Cancelled'
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
