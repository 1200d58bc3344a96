/**
 * What there is to see of a connect or a cancel request, for somebody in this process who looks on: every state, every
 * message with its bytes. Passwords and keys are among them, so this is no public API: who wants to show it to others goes
 * through redact.ts, as hooks.ts and debug.ts do.
 *
 * Without an observer nothing here costs anything: each place asks one question, and makes no object.
 */
import type { Endpoint } from './net/endpoint.ts'
import type { Remote } from './net/transport.ts'
import type { BackendMessage } from './protocol/backend.ts'
import type { Failure } from './protocol/failure.ts'
import type { FrontendMessage } from './protocol/frontend.ts'
import type { StartupPacket } from './protocol/startup.ts'
import type { Address } from './state/handshake/events.ts'
import type { Encryption, TlsFacts } from './state/handshake/states.ts'
import type { StateName } from './state/handshake/table.ts'
import type { TimelineEntry } from './state/timeline.ts'

/** What an attempt shows, in the order in which it happens. */
export type Sight =
  | {
      readonly type: 'attemptBegun'
      readonly endpoint: Endpoint
      readonly encryption: Encryption
      /** What it is given of the deadline, in milliseconds. Infinity if there is no deadline. */
      readonly sliceMs: number
      readonly goal: 'session' | 'cancel'
    }
  | { readonly type: 'stateEntered'; readonly state: StateName }
  /** `entry` is that of the timeline, complete. */
  | { readonly type: 'stateLeft'; readonly state: StateName; readonly entry: TimelineEntry }
  | { readonly type: 'hostResolved'; readonly addresses: readonly Address[] }
  | { readonly type: 'transportOpened'; readonly remote: Remote }
  | { readonly type: 'tlsEstablished'; readonly tls: TlsFacts }
  | ({
      readonly type: 'message'
      /** The state that holds: what is sent on the way into a state belongs to that one. */
      readonly state: StateName
    } & Spoken)
  /** `failure` is null if the attempt reached its goal. */
  | { readonly type: 'attemptEnded'; readonly phase: StateName; readonly failure: Failure | null }

/** One message, whole. */
export interface Spoken {
  readonly direction: 'sent' | 'received'
  /** From 0 on in every attempt. What is sent in one write is one flight, and so is what is received until the next. */
  readonly flight: number
  /** Its name in the manual; of what has none there, the first byte in quotes: the answer to SSLRequest is 'S', 'N' or 'E'. */
  readonly name: string
  /** As it stands on the wire, or in TLS. Not to be changed: these are the bytes that are sent. */
  readonly bytes: Buffer
  /** null: it is no message (the answer to SSLRequest), or none that can be read, and the attempt ends with it. */
  readonly message: StartupPacket | FrontendMessage | BackendMessage | null
}

/** When it was. */
export interface Moment {
  /** Which attempt it is, from 0 on. */
  readonly attempt: number
  /** Milliseconds since the connect began. */
  readonly atMs: number
  /** What is left of the whole deadline, and of the attempt's slice of it; Infinity if there is no deadline. */
  readonly remainingMs: number
  readonly sliceRemainingMs: number
}

export type Observation =
  | (Sight & Moment)
  /** The end of all attempts. `error` is null if there is a session, or if the cancel request was read. */
  | { readonly type: 'settled'; readonly atMs: number; readonly remainingMs: number; readonly error: unknown }

export type Observe = (observation: Observation) => void

/** Whoever looks on at one connect or one cancel request. */
export interface Onlooker {
  readonly observe: Observe
  /** Goes around each state, from when it is entered until it is left, and hands on what comes of it. */
  readonly around: Around | undefined
}

/** `failureOf` says what an error is, as data; null for a defect of ours. */
export type Around = <T extends { readonly state: { readonly name: StateName } }>(
  stay: () => Promise<T>,
  failureOf: (error: unknown) => Failure | null,
) => Promise<T>

/**
 * An observer that cannot harm: what it throws changes nothing of the connect. It is not swallowed either: as with
 * node:diagnostics_channel, it becomes the process's 'uncaughtException', in the next tick.
 */
export function harmless(observe: Observe): Observe {
  return (observation) => {
    try {
      observe(observation)
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }
}
