/**
 * One simulated connect as data: who connects, to what, over which network, and what goes wrong. It can be written by hand,
 * and `planOf` draws one from a seed.
 */
import type { FailureKind } from '../../protocol/failure.ts'
import type { StateName } from '../../state/handshake/table.ts'

export type SimulatedMethod = 'trust' | 'password' | 'md5' | 'scram-sha-256'

/** An honest server. */
export interface ServerPlan {
  readonly method: SimulatedMethod
  /** 'direct': from the first byte, without SSLRequest. */
  readonly tls: 'off' | 'on' | 'direct'
  /** The newest minor version that it speaks. */
  readonly version: '3.0' | '3.2'
  /** A pooler that sends no BackendKeyData. */
  readonly sendsKey: boolean
  readonly isStandby: boolean
  /** Whether it reports `in_hot_standby` by itself, as PostgreSQL does since version 14. */
  readonly reportsStandby: boolean
  /** Further parameters that it reports. */
  readonly parameters: number
  /** Notices that it sends at odd moments, which is lawful. */
  readonly notices: number
}

/** What goes wrong with a server or on the way to it. `at` counts the bytes, or the messages, that it sends. */
export type SimulatedFault =
  /** Behind so many bytes the connection ends, breaks, or falls silent for good. */
  | { readonly kind: 'fin' | 'rst' | 'silence'; readonly at: number }
  /** One bit arrives turned over. */
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  /** One message is left out, sent twice, or has an unlawful companion before it. */
  | { readonly kind: 'skip' | 'repeat' | 'inject'; readonly at: number }
  /** An ErrorResponse in place of a message, and the end. */
  | { readonly kind: 'refuse'; readonly at: number }
  /** From one message on: bytes one by one, or notices without an end, so that there is always some progress. */
  | { readonly kind: 'drip' | 'flood'; readonly at: number; readonly everyMs: number }
  | {
      readonly kind:
        | 'foreign nonce'
        | 'wrong signature'
        | 'no signature'
        | 'wrong password'
        | 'unsupported method'
        | 'TLS refused'
        | 'TLS error'
        | 'bytes before TLS'
        | 'TLS breaks'
        | 'TLS hangs'
        | 'bad certificate'
        | 'foreign ALPN'
    }

/** How bytes travel. The waits of all of it together never exceed `patienceMs`: then the network has healed. */
export interface NetworkPlan {
  readonly patienceMs: number
  /** The longest piece in which bytes arrive. */
  readonly pieceBytesMax: number
  /** Whether what the client writes has to wait until there is room for it. */
  readonly backPressure: boolean
}

/** One address of a host. */
export interface AddressPlan {
  /** What becomes of a dial: a server, an error of the operating system, or nothing at all. */
  readonly dial: 'opens' | 'ECONNREFUSED' | 'EHOSTUNREACH' | 'black hole'
  readonly server: ServerPlan
  readonly network: NetworkPlan
  readonly fault: SimulatedFault | null
}

export interface HostPlan {
  readonly name: string
  /** What becomes of the lookup of its name. */
  readonly lookup: 'answers' | 'ENOTFOUND' | 'hangs'
  readonly lookupMs: number
  readonly addresses: readonly AddressPlan[]
}

export interface ClientPlan {
  readonly timeoutMs: number
  readonly sslmode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-full'
  readonly allowCleartextPassword: boolean
  readonly requireAuth: 'scram-sha-256' | null
  readonly minVersion: '3.0' | '3.2'
  readonly maxVersion: '3.0' | '3.2'
  readonly wanted: 'any' | 'primary' | 'standby'
  /** How long the function that gives the password takes; null: the password is a string. */
  readonly passwordMs: number | null
  /** How long PBKDF2 takes. It cannot be stopped. */
  readonly derivationMs: number
}

export type Interruption =
  /** The caller's signal is aborted, or close() is called on the connect. */
  | { readonly how: 'abort' | 'close'; readonly atMs: number }
  /** The client's own event loop is busy. */
  | { readonly how: 'block'; readonly atMs: number; readonly forMs: number }

export interface Plan {
  readonly seed: number
  readonly client: ClientPlan
  readonly hosts: readonly HostPlan[]
  readonly interruption: Interruption | null
  /** How it must end; null: in any way that the checkers let pass. */
  readonly expected: Expectation | null
}

export type Expectation =
  | { readonly outcome: 'ready' }
  | { readonly outcome: 'failed'; readonly kinds: readonly FailureKind[]; readonly phase?: StateName }
