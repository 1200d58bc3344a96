/**
 * What the driver needs of a connection, and no more: a socket is one, a simulation can be another.
 */

export interface Transport {
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
