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

/**
 * Nothing of it waits, but for TLS: what is here is taken, what is to be sent is handed over, and whoever uses it is called when
 * something has changed. How long he has patience is his own affair.
 */
export interface Transport {
  readonly remote: Remote
  /**
   * The next bytes that were received; they belong to the caller. 'end': the peer has ended its side, and all was taken.
   * Throws TransportError if the connection broke, once all that came before was taken.
   */
  take(): Buffer | 'nothing yet' | 'end'
  /** Hand bytes over. A broken connection is no error of the writer: the reader meets it. */
  write(bytes: Buffer): void
  /** What was handed over has to go first: whoever has more to write waits. */
  isFull(): boolean
  /** Whom to call when there may be something to take, or room, and once it is destroyed: the one who was named last. */
  onChange(listener: () => void): void
  /**
   * Go on in TLS. Nothing may have been received that was not read.
   * Rejects with `signal.reason`, with TransportError if TLS did not come to be, or with Fault.
   */
  startTls(options: TlsOptions, signal: AbortSignal): Promise<TlsFacts>
  /** The session is ready: what may come in TLS is not bounded any more. */
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
