/**
 * The driver: one deadline, one loop, one place where sockets die. The rules of the handshake are not here
 * but in state/handshake/table.ts and its transitions; this does what they ask for, and reports back.
 */
import { randomBytes } from 'node:crypto'
import { readSettings } from './config/read-settings.ts'
import type { Settings } from './config/settings.ts'
import type { ConnectTarget } from './config/target.ts'
import { type Clock, Deadline, monotonicClock } from './net/deadline.ts'
import { dial } from './net/dial.ts'
import { type DeriveKeys, deriveKeys } from './net/kdf.ts'
import { readTlsOptions } from './net/tls.ts'
import { type TlsOptions, TransportError } from './net/transport.ts'
import { type PasswordRequest, passwordOf } from './password-request.ts'
import { type Failure, Fault } from './protocol/failure.ts'
import { Session } from './session.ts'
import { type FailedAttempt, HandshakeError } from './state/errors.ts'
import type { Effect, Event, EventOf } from './state/handshake/events.ts'
import { begin, encryptionAttempts, mayTryOther, nextMove } from './state/handshake/policy.ts'
import type { Encryption, State } from './state/handshake/states.ts'
import type { StateName } from './state/handshake/table.ts'
import { handshake } from './state/handshake/transitions.ts'
import { TimelineRecorder } from './state/timeline.ts'
import { findMisuse, type WaitOptions } from './wait-options.ts'
import { Wire } from './wire.ts'

/** What is used when neither timeoutMs nor connect_timeout is given: a connect without a deadline is the bug that this library ends. */
export const DEFAULT_TIMEOUT_MS = 10_000

/** What a connect needs of the world. Tests and simulations bring their own. */
export interface Runtime {
  readonly clock: Clock
  readonly dial: typeof dial
  readonly deriveKeys: DeriveKeys
  readonly randomBytes: (lengthBytes: number) => Buffer
}

const NODE: Runtime = {
  clock: monotonicClock,
  dial,
  deriveKeys,
  randomBytes,
}

/**
 * Connect to PostgreSQL. Settles exactly once, on time, with a session or with a HandshakeError that names
 * the state; after an error nothing is left behind.
 *
 * `timeoutMs` is for everything: name lookup, connection, authentication, until the session is ready. Default:
 * connect_timeout, else 10 seconds; if both are given, the shorter one counts.
 *
 * @param target a connection URI (#LIBPQ-CONNSTRING-URIS), or an object with libpq's names in camelCase
 * @example
 * const session = await connect('postgres://app:secret@localhost/app', { timeoutMs: 3_000 })
 * const [result] = await session.query('select 1 as one')
 * await session.close()
 */
export function connect(target: string | ConnectTarget, options: WaitOptions = {}): Promise<Session> {
  return connectWith(NODE, target, options)
}

/** `connect` in a world of one's own. */
export async function connectWith(
  runtime: Runtime,
  target: string | ConnectTarget,
  options: WaitOptions,
): Promise<Session> {
  const { clock } = runtime
  const startedMs = clock.now()
  const timeline = new TimelineRecorder(clock.now, 'Disconnected')
  const attempts: FailedAttempt[] = []
  let phase: StateName = 'Disconnected'
  let deadline: Deadline | undefined
  let wire: Wire | undefined
  let password: PasswordRequest | undefined
  let cause: unknown

  try {
    const misuse = findMisuse(options)
    if (misuse !== null) throw misused(misuse.parameter, misuse.problem)
    const settings = readSettings(target)
    deadline = startDeadline(settings, options, clock, startedMs)
    const kinds = settings.endpoint.transport === 'unix' ? (['off'] as const) : encryptionAttempts(settings.tls.mode)
    const tlsOptions = await readTls(settings, kinds, deadline.signal)
    password = passwordOf(settings)
    for (const [index, encryption] of kinds.entries()) {
      try {
        return await attempt(settings, encryption, tlsOptions, password, deadline.signal)
      } catch (error) {
        // The one place where sockets die.
        wire?.destroy()
        const failure = failureOf(error, deadline)
        if (failure !== null) attempts.push({ phase, failure })
        const isLast = index + 1 === kinds.length
        const secured = timeline.has('SecuringTransport')
        if (failure === null || isLast || !mayTryOther(encryption, secured, phase, failure)) throw error
        phase = 'Disconnected'
        timeline.enter(phase)
      }
    }
    throw new TypeError('sslmode allows no attempt at all')
  } catch (error) {
    const failure = failureOf(error, deadline)
    // What is no failure of a connection is a defect of this library, and must not pass for one.
    if (failure === null) throw error
    throw new HandshakeError(phase, failure, timeline.finish(), attempts, causeOf(error))
  } finally {
    password?.end()
    deadline?.[Symbol.dispose]()
  }

  /** One attempt: the loop. */
  async function attempt(
    settings: Settings,
    encryption: Encryption,
    tlsOptions: TlsOptions | Fault | null,
    password: PasswordRequest,
    signal: AbortSignal,
  ): Promise<Session> {
    // Nothing of an attempt before this one: CVE-2018-10915.
    wire = undefined
    cause = undefined
    const clientNonce = runtime.randomBytes(18).toString('base64')
    const directTls = settings.tls.negotiation === 'direct'
    let state: State = begin({ ...settings, password: password.known, encryption, directTls, clientNonce })
    let effects: readonly Effect[] = []
    while (state.name !== 'Ready') {
      let event: Event | null = nextMove(state)
      for (const effect of effects) event = (await perform(effect)) ?? event
      event ??= await listen(state)
      ;({ state, effects } = handshake.receive(state, event, signal))
      if (state.name === 'Failed') throw new Fault(state.failure, { cause })
      phase = state.name
      timeline.enter(phase)
    }
    return new Session(opened(wire), state, timeline.finish(), clock)

    /** Do what a transition asked for. What comes of it, if anything, is the next event. */
    async function perform(effect: Effect): Promise<Event | null> {
      try {
        switch (effect.do) {
          case 'beginPassword':
            password.begin(signal)
            return null
          case 'awaitPassword':
            return { type: 'PasswordFetched', password: await password.wait(signal) }
          case 'dial':
            wire = new Wire(await runtime.dial(settings.endpoint, signal), timeline.note)
            return { type: 'TransportOpened' }
          case 'startTls':
            if (tlsOptions === null) throw new TypeError('the table let TLS begin though sslmode does not want it')
            if (tlsOptions instanceof Fault) throw tlsOptions
            return { type: 'TlsEstablished', tls: await opened(wire).startTls(tlsOptions, signal) }
          case 'deriveKey': {
            const keys = await runtime.deriveKeys({ ...effect, remember: settings.keyCache }, signal)
            return { type: 'SaslKeyDerived', keys }
          }
          case 'useKeys':
            return { type: 'SaslKeyDerived', keys: effect.keys }
          case 'send':
            await send(effect.message)
            return null
        }
      } catch (error) {
        return transportLost(error)
      }
    }

    async function send(message: Extract<Effect, { do: 'send' }>['message']): Promise<void> {
      try {
        await opened(wire).send(message, signal)
      } catch (error) {
        // Values that pass the configuration one by one can still be too much for one StartupMessage.
        if (error instanceof RangeError) throw misused(message.type, error.message)
        throw error
      }
    }

    async function listen({ name }: State): Promise<Event> {
      try {
        const spoken = opened(wire)
        const heard = name === 'AwaitingTlsReply' ? await spoken.nextTlsReply(signal) : await spoken.next(signal)
        return heard ?? { type: 'TransportLost', code: 'FIN', detail: 'end of stream' }
      } catch (error) {
        return transportLost(error)
      }
    }
  }

  function transportLost(error: unknown): EventOf<'TransportLost'> {
    if (!(error instanceof TransportError)) throw error
    cause = error
    return { type: 'TransportLost', code: error.code, detail: error.message }
  }
}

/**
 * The files are read before anybody is dialed: what is missing shows at once. But where there may be a connection without
 * TLS, a defect of the user's own files, which nobody named, counts only once TLS begins, and is returned.
 */
async function readTls(
  { endpoint, tls }: Settings,
  kinds: readonly Encryption[],
  signal: AbortSignal,
): Promise<TlsOptions | Fault | null> {
  if (endpoint.transport === 'unix' || kinds.every((kind) => kind === 'off')) return null
  try {
    return await readTlsOptions(tls, endpoint.host, signal)
  } catch (error) {
    if (!(error instanceof Fault) || error.failure.kind !== 'config') throw error
    const { parameter, problem } = error.failure
    if (!tls.found.includes(parameter)) throw error
    const about = `${problem} (none was given: this is about the file in the home directory)`
    const fault = new Fault({ kind: 'config', parameter, problem: about }, { cause: error.cause })
    if (kinds.every((kind) => kind === 'required')) throw fault
    return fault
  }
}

/** The deadline counts from the call, reading the configuration included. */
function startDeadline(
  { connectTimeoutMs }: Settings,
  { timeoutMs, signal }: WaitOptions,
  clock: Clock,
  startedMs: number,
): Deadline {
  const given = [timeoutMs, connectTimeoutMs].filter((one) => typeof one === 'number')
  return new Deadline({
    timeoutMs: given.length === 0 ? DEFAULT_TIMEOUT_MS : Math.min(...given),
    signal,
    clock,
    startedMs,
  })
}

function misused(parameter: string, problem: string): Fault {
  return new Fault({ kind: 'config', parameter, problem })
}

/** The wire after `dial`: the table has no way to speak before it. */
function opened(wire: Wire | undefined): Wire {
  if (wire === undefined) throw new TypeError('the table let somebody speak before the transport was open')
  return wire
}

function failureOf(error: unknown, deadline: Deadline | undefined): Failure | null {
  if (error instanceof Fault) return error.failure
  if (deadline?.signal.aborted && error === deadline.signal.reason) {
    return deadline.expired ? { kind: 'deadline', timeoutMs: deadline.timeoutMs } : { kind: 'aborted' }
  }
  return null
}

/** AbortError.cause is the caller's reason itself; otherwise it is what the operating system said, if anything. */
function causeOf(error: unknown): ErrorOptions {
  const cause = error instanceof Fault ? error.cause : error
  return cause === undefined ? {} : { cause }
}
