/**
 * One simulated connect as data: who connects, to what, over which network, and what goes wrong. It can be written by hand,
 * and `planOf` draws one from a seed.
 */
import type { FailureKind } from '../../protocol/failure.ts'
import type { StateName } from '../../state/handshake/table.ts'
import type { CertificateSignature } from '../certificate-shape.ts'

export type SimulatedMethod = 'trust' | 'password' | 'md5' | 'scram-sha-256'

/** An honest server. */
export interface ServerPlan {
  readonly method: SimulatedMethod
  /** 'direct': from the first byte, without SSLRequest. */
  readonly tls: 'off' | 'on' | 'direct'
  /** How its certificate is signed. */
  readonly certificate: CertificateSignature
  /** Whether it offers SCRAM-SHA-256-PLUS inside TLS, as PostgreSQL does and some poolers do not. */
  readonly bindsChannel: boolean
  /** A pooler that refuses (08P01) whoever begins SCRAM before he is asked to. */
  readonly refusesEarlySasl: boolean
  /** The newest minor version that it speaks. */
  readonly version: '3.0' | '3.2'
  /** A pooler that sends no BackendKeyData. */
  readonly sendsKey: boolean
  readonly isStandby: boolean
  /** default_transaction_read_only; a standby is read-only whatever this says. */
  readonly isReadOnly: boolean
  /** Whether it reports both by itself, as PostgreSQL does since version 14. */
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
        /** A stranger ends TLS with a certificate of his own and passes everything on to the server, in TLS as well. */
        | 'another certificate'
        /** The same one, who takes SCRAM-SHA-256-PLUS out of the server's offer. */
        | 'another certificate and no offer to bind'
        /** It never closes a connection, whatever the client says. */
        | 'no goodbye'
    }

/** How bytes travel. The waits of all of it together never exceed `patienceMs`: then the network has healed. */
export interface NetworkPlan {
  readonly patienceMs: number
  /** The longest piece in which bytes arrive. */
  readonly pieceBytesMax: number
  /** Whether what the client writes has to wait until there is room for it. */
  readonly backPressure: boolean
}

/** One address of a host, or its socket. */
export interface AddressPlan {
  /** Of a Unix-domain socket it does not matter. */
  readonly family: 4 | 6
  /** What becomes of a dial: a server, an error of the operating system, or nothing at all. */
  readonly dial: 'opens' | 'ECONNREFUSED' | 'EHOSTUNREACH' | 'black hole'
  readonly server: ServerPlan
  readonly network: NetworkPlan
  readonly fault: SimulatedFault | null
}

export interface HostPlan {
  /** For a Unix-domain socket, the directory that it is in. */
  readonly name: string
  /**
   * How it is written: a name to be looked up; a name with its first address as hostaddr; that address alone; a directory.
   * All but the first have one address and no lookup.
   */
  readonly written: 'name' | 'hostaddr' | 'address' | 'directory'
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
  readonly wanted: 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby'
  readonly channelBinding: 'disable' | 'prefer' | 'require'
  readonly loadBalanceHosts: 'disable' | 'random'
  readonly earlySasl: boolean
  /** remember_servers, and what an earlier connect has learnt; null: servers are not remembered. */
  readonly remembers: { readonly known: 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS' | 'waits' | null } | null
  /** SCRAM's keys in place of a password. */
  readonly bringsKeys: boolean
  /** A query that is given to connect(), and whether whoever answers may read it; null: none is. */
  readonly firstQuery: { readonly allowUnverified: boolean } | null
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

/** What is done with the session: a query that the server does not end by itself, and what is tried after a while. */
export interface Afterwards {
  readonly queryTimeoutMs: number
  readonly how: 'cancel' | 'close'
  readonly afterMs: number
  /** Of the cancel request, or of close(). */
  readonly timeoutMs: number
  /** What the cancel request meets, at the address that the session has. */
  readonly cancel: Pick<AddressPlan, 'dial' | 'fault'>
}

export interface Plan {
  readonly seed: number
  readonly client: ClientPlan
  readonly hosts: readonly HostPlan[]
  readonly interruption: Interruption | null
  /** null: it is closed at once. */
  readonly afterwards: Afterwards | null
  /** How it must end; null: in any way that the checkers let pass. */
  readonly expected: Expectation | null
}

export type Expectation =
  | { readonly outcome: 'ready' }
  | { readonly outcome: 'failed'; readonly kinds: readonly FailureKind[]; readonly phase?: StateName }
