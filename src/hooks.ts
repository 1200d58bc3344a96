/**
 * The channels of node:diagnostics_channel on which a connect, its states and messages, a cancel request and a query can be
 * followed from outside: docs/hooks.md. What is published is made for it, and holds no password, proof, nonce or key.
 *
 * Whether anybody has subscribed is asked once, when a connect begins. If nobody has, nothing here is made.
 */
import { channel, tracingChannel } from 'node:diagnostics_channel'
import type { Endpoint } from './net/endpoint.ts'
import type { Remote } from './net/transport.ts'
import { type Around, harmless, type Observation, type Observe, type Onlooker } from './observation.ts'
import { type Failure, Fault } from './protocol/failure.ts'
import { type MessageView, Redactor } from './redact.ts'
import type { Session } from './session.ts'
import { type FailedAttempt, HandshakeError } from './state/errors.ts'
import type { Encryption } from './state/handshake/states.ts'
import { AWAITED, type StateName } from './state/handshake/table.ts'
import type { QueryResult } from './state/session/query-result.ts'
import type { Timeline, TimelineEntry } from './state/timeline.ts'

const connects = tracingChannel<unknown, ConnectContext>('pg-deadline:connect')
const cancels = tracingChannel<unknown, CancelContext>('pg-deadline:cancel')
const queries = tracingChannel<unknown, QueryContext>('pg-deadline:query')
const states = tracingChannel<unknown, StateContext>('pg-deadline:state')
const sent = channel('pg-deadline:message:sent')
const received = channel('pg-deadline:message:received')

/** A server as it was configured: the name of a host, or the path of a Unix-domain socket, which has no port. */
export interface ServerAddress {
  readonly host: string
  readonly port: number | null
}

/** On `pg-deadline:connect`: one `connect()`, with all its attempts. Node adds `result` or `error` before asyncStart. */
export interface ConnectContext {
  readonly operation: 'connect'
  /** Where it may go, in the order of the configuration; empty if that cannot be used. */
  readonly servers: readonly ServerAddress[]
  /** null if the configuration cannot be used. */
  readonly user: string | null
  readonly database: string | null
  /** The whole deadline, in milliseconds. Infinity if there is none; null if the configuration cannot be used. */
  readonly timeoutMs: number | null
  /** Where the attempt goes that is under way or was the last: in the end, the server that let us in. null: there was none. */
  readonly server: ServerAddress | null
  /** The address that was dialed for it; null until then, and for a Unix-domain socket. */
  readonly peer: ServerAddress | null
  /** State by state; empty until asyncStart. */
  readonly timeline: Timeline
  /** The attempts that failed; empty until asyncStart. */
  readonly attempts: readonly FailedAttempt[]
  readonly result?: Session
  /** A HandshakeError. */
  readonly error?: unknown
}

/** On `pg-deadline:cancel`: one cancel request. */
export interface CancelContext {
  readonly operation: 'cancel'
  /** The session's, and the address that it has. */
  readonly server: ServerAddress
  readonly peer: ServerAddress | null
  readonly user: string
  readonly database: string
  /** The backend whose query is to be cancelled; null: the server has not said. */
  readonly processId: number | null
  /** Empty until asyncStart, and if it succeeded. */
  readonly timeline: Timeline
  /** A HandshakeError. */
  readonly error?: unknown
}

/** On `pg-deadline:query`: one query, from when it was asked for, its turn in line included. */
export interface QueryContext {
  readonly operation: 'query'
  readonly server: ServerAddress
  readonly user: string
  readonly database: string
  /** Its text. It is read by name and does not show when this is printed: under the simple protocol, values stand in it. */
  readonly text: string
  /** Infinity if it has no time limit of its own. */
  readonly timeoutMs: number
  readonly result?: readonly QueryResult[]
  /** A SessionError. */
  readonly error?: unknown
}

/** On `pg-deadline:state`: one state that waits or acts, from when it is entered until it is left. */
export interface StateContext {
  /** The connect, or the cancel request, to which it belongs. */
  readonly parent: ConnectContext | CancelContext
  /** Which attempt, from 0 on, where it goes, what it wants of TLS, and what it is given of the deadline, in milliseconds. */
  readonly attempt: number
  readonly server: ServerAddress
  readonly encryption: Encryption
  readonly sliceMs: number
  readonly state: StateName
  /** What it waits for, in words; null if the next move is ours. */
  readonly awaited: string | null
  /** Milliseconds since the connect began. */
  readonly enteredMs: number
  /** What was left of the whole deadline then. */
  readonly remainingMs: number
  /** How it went: that of the timeline. null until it is left. */
  readonly entry: TimelineEntry | null
  /** The next state. */
  readonly result?: StateName
  /** If the attempt ended here: a HandshakeError. */
  readonly error?: unknown
}

/** On `pg-deadline:message:sent` and `pg-deadline:message:received`: one message of the handshake. */
export interface MessageContext {
  readonly parent: ConnectContext | CancelContext
  readonly attempt: number
  readonly server: ServerAddress
  readonly state: StateName
  /** Its name in the manual; the answer to SSLRequest is 'S', 'N' or 'E' in quotes. */
  readonly type: string
  /** All of it, its header included. */
  readonly lengthBytes: number
  /** From 0 on in every attempt: what leaves in one write, or comes until the next. */
  readonly flight: number
  /** Milliseconds since the connect began, and what was left of the whole deadline. */
  readonly atMs: number
  readonly remainingMs: number
  /** What of it may be seen. */
  readonly view: MessageView
}

type Draft<T> = { -readonly [K in keyof T]: T[K] }

/** What is known of a connect before it begins. */
export type ConnectFacts = Pick<ConnectContext, 'user' | 'database' | 'timeoutMs'> & {
  readonly endpoints: readonly Endpoint[]
}

/** Whose a query or a cancel request is. */
export interface SessionIdentity {
  readonly server: ServerAddress
  readonly user: string
  readonly database: string
}

/** The name of a server for those who look on. */
export function addressOf(endpoint: Endpoint): ServerAddress {
  return endpoint.transport === 'unix'
    ? { host: endpoint.path, port: null }
    : { host: endpoint.host, port: endpoint.port }
}

/** null for a Unix-domain socket, whose path is the server's name already. */
export function peerOf(remote: Remote): ServerAddress | null {
  return 'path' in remote ? null : { host: remote.address, port: remote.port }
}

/** Follows one connect or one cancel request. */
export interface Hook<T> {
  readonly observe: Observe
  readonly around: Around | undefined
  /** Publishes `run` as one operation. */
  readonly trace: (run: () => Promise<T>) => Promise<T>
}

/** undefined: nobody has subscribed to anything. */
export function hookConnect(factsOf: () => ConnectFacts): Hook<Session> | undefined {
  if (!(connects.hasSubscribers || hasFollowers())) return undefined
  const { endpoints, ...facts } = factsOf()
  const context: Draft<ConnectContext> = {
    operation: 'connect',
    servers: endpoints.map(addressOf),
    ...facts,
    server: null,
    peer: null,
    timeline: [],
    attempts: [],
  }
  const serverOf = (endpoint: Endpoint) => {
    const server = addressOf(endpoint)
    context.server = server
    context.peer = null
    return server
  }
  const onPeer = (peer: ServerAddress | null) => {
    context.peer = peer
  }
  const tell = ({ timeline, attempts }: Session | HandshakeError) => {
    context.timeline = timeline
    context.attempts = attempts
  }
  const trace: Hook<Session>['trace'] = (run) => {
    return connects.tracePromise(async () => {
      try {
        const session = await run()
        tell(session)
        return session
      } catch (error) {
        if (error instanceof HandshakeError) tell(error)
        throw error
      }
    }, context)
  }
  return { ...follow(context, serverOf, onPeer), trace }
}

/** undefined: nobody has subscribed to anything. */
export function hookCancel(
  identity: SessionIdentity,
  peer: ServerAddress | null,
  processId: number | null,
): Hook<void> | undefined {
  if (!(cancels.hasSubscribers || hasFollowers())) return undefined
  const context: Draft<CancelContext> = { operation: 'cancel', ...identity, peer, processId, timeline: [] }
  const trace: Hook<void>['trace'] = (run) => {
    return cancels.tracePromise(async () => {
      try {
        await run()
      } catch (error) {
        if (error instanceof HandshakeError) context.timeline = error.timeline
        throw error
      }
    }, context)
  }
  return {
    ...follow(
      context,
      () => identity.server,
      () => {},
    ),
    trace,
  }
}

export function isQueryHooked(): boolean {
  return queries.hasSubscribers
}

/** Publishes `run` as a query. */
export function hookQuery<T>(
  { server, user, database }: SessionIdentity,
  text: string,
  timeoutMs: number,
  run: () => Promise<T>,
): Promise<T> {
  const context = { operation: 'query', server, user, database, timeoutMs } as QueryContext
  Object.defineProperty(context, 'text', { value: text })
  return queries.tracePromise(run, context)
}

/** Everybody who looks on at one operation; undefined: nobody does. */
export function onlookerOf(
  hook: Pick<Hook<unknown>, 'observe' | 'around'> | undefined,
  observe: Observe | undefined,
  debug: Observe | undefined,
): Onlooker | undefined {
  if (hook === undefined && observe === undefined && debug === undefined) return undefined
  // Each by itself: if one of them throws, the others see it all the same.
  const observers = [hook?.observe, observe, debug].filter((one) => one !== undefined).map(harmless)
  return {
    observe: (observation) => {
      for (const one of observers) one(observation)
    },
    around: hook?.around,
  }
}

function hasFollowers(): boolean {
  return states.hasSubscribers || sent.hasSubscribers || received.hasSubscribers
}

/** States and messages become contexts. */
function follow(
  parent: ConnectContext | CancelContext,
  serverOf: (endpoint: Endpoint) => ServerAddress,
  onPeer: (peer: ServerAddress | null) => void,
): Pick<Hook<unknown>, 'observe' | 'around'> {
  const redactor = new Redactor()
  let begun: Extract<Observation, { type: 'attemptBegun' }>
  let server: ServerAddress
  let current: Draft<StateContext>

  const observe: Observe = (observation) => {
    switch (observation.type) {
      case 'attemptBegun':
        begun = observation
        server = serverOf(observation.endpoint)
        return
      case 'transportOpened':
        onPeer(peerOf(observation.remote))
        return
      case 'stateEntered': {
        const { attempt, state, atMs, remainingMs } = observation
        const { encryption, sliceMs } = begun
        const awaited = AWAITED[state]
        current = {
          parent,
          attempt,
          server,
          encryption,
          sliceMs,
          state,
          awaited,
          enteredMs: atMs,
          remainingMs,
          entry: null,
        }
        return
      }
      case 'stateLeft':
        current.entry = { ...observation.entry }
        return
      case 'message': {
        // Of every message, whoever has subscribed to what: what is said in secret must be known when it comes back.
        const view = redactor.view(observation.message)
        const to = observation.direction === 'sent' ? sent : received
        if (!to.hasSubscribers) return
        const { attempt, state, name: type, bytes, flight, atMs, remainingMs } = observation
        const context: MessageContext = {
          parent,
          attempt,
          server,
          state,
          type,
          lengthBytes: bytes.length,
          flight,
          atMs,
          remainingMs,
          view,
        }
        to.publish(context)
        return
      }
      default:
        return
    }
  }

  const around: Around = async (stay, failureOf) => {
    const context = current
    let staying: ReturnType<typeof stay> | undefined
    const trace = async () => {
      staying = stay()
      try {
        const { state } = await staying
        return state.name
      } catch (error) {
        const failure = failureOf(error)
        throw failure === null ? error : told(context, failure, error)
      }
    }
    // It says to others what came of it; to us, the state itself does.
    await states.tracePromise(trace, context).catch(() => {})
    return staying as ReturnType<typeof stay>
  }
  return { observe, around: states.hasSubscribers ? around : undefined }
}

/** What ended an attempt, as those see it who connect. */
function told({ state, entry }: StateContext, failure: Failure, error: unknown): HandshakeError {
  const cause = error instanceof Fault ? error.cause : error
  return new HandshakeError(state, failure, entry === null ? [] : [entry], [], cause === undefined ? {} : { cause })
}
