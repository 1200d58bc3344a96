/**
 * What the driver needs of a connection, and no more: a socket is one, a simulation can be another.
 */
import type { ConnectionOptions } from 'node:tls'
import type { TlsFacts } from '../state/handshake/states.ts'

/** How TLS is to be spoken. The files have been read. */
export interface TlsOptions {
  /** The name of the server, for verify-full and for SNI. */
  readonly host: string
  readonly sendServerName: boolean
  /** What of the certificate must be believed. */
  readonly verify: 'nothing' | 'the chain' | 'chain and name'
  /** For Node's tls.connect: certificates, keys, versions. */
  readonly node: ConnectionOptions
}

/** The other end as it was dialed: who dials it again comes to the same server, not to another one of the same name. */
export type Remote = { readonly address: string; readonly port: number } | { readonly path: string }

/** Between two waits it may go on listening to their signal: until it is given another one, or the session, its end or `destroy` comes. */
export interface Transport {
  readonly remote: Remote
  /**
   * The next bytes, or null once the peer has ended its side. The buffer belongs to the caller.
   * Rejects with `signal.reason`, or with TransportError if the connection broke.
   */
  read(signal: AbortSignal): Promise<Buffer | null>
  /**
   * Hand bytes over; settles when the transport can take more.
   * Rejects with `signal.reason`, or with TransportError if the connection broke.
   */
  write(bytes: Buffer, signal: AbortSignal): Promise<void>
  /**
   * Go on in TLS. Nothing may have been received that was not read.
   * Rejects with `signal.reason`, with TransportError if TLS did not come to be, or with Fault.
   */
  startTls(options: TlsOptions, signal: AbortSignal): Promise<TlsFacts>
  /** The session is ready: what may come in TLS is not bounded any more, and the signal of the connect not listened to. */
  enterSession(): void
  /** Let go at once. Idempotent; whoever still waits is told. */
  destroy(): void
}

/** The connection could not be made, or broke. */
export class TransportError extends Error {
  /** The operating system's code, such as 'ECONNREFUSED'. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TransportError'
    this.code = code
  }
}
