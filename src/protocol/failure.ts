/**
 * Everything that can go wrong with a connection, as data. The kind says whose fault it is, so that no
 * message has to be parsed to find out. `Fault` carries a failure up to the one place that ends things.
 *
 * Lives beside the codec because the codec is the lowest layer that can fail; it knows nothing of phases:
 * the driver adds the phase, which is the name of the state in which the failure was met.
 */

/** What ended a connect or a query. `kind` says whose fault it was. */
export type Failure =
  /** The deadline passed. `timeoutMs` is the whole budget, not what one state used; of an attempt among several, its
   *  slice. `leastMs` is there if the connect was not even begun: the least time that it was said to need. */
  | { readonly kind: 'deadline'; readonly timeoutMs: number; readonly leastMs?: number }
  /** The caller's signal was aborted. Its reason is the error's `cause`. */
  | { readonly kind: 'aborted' }
  /** The server said no, in an ErrorResponse. Fields as in the manual: #PROTOCOL-ERROR-FIELDS. */
  | {
      readonly kind: 'refused'
      readonly severity: string
      /** Five characters, for instance '28P01'. Empty if the server sent none. */
      readonly sqlstate: string
      readonly message: string
      readonly fields: ReadonlyMap<string, string>
      /** Where we know more than the server says: what may be the matter, and what to do. */
      readonly advice?: string
    }
  /** A lawful message at the wrong time, or one whose content breaks the protocol's rules. */
  | { readonly kind: 'misbehaved'; readonly expected: readonly string[]; readonly received: string }
  /** Bytes that are no message. `offset` counts from the first byte of the message's body; for the fields of a
   *  SCRAM message, from the first byte of the SASL data in it. */
  | {
      readonly kind: 'malformed'
      readonly message: string
      readonly field: string
      readonly offset: number
      readonly problem: string
    }
  /** A bound of `limits.ts` was passed before any work was done. */
  | { readonly kind: 'limit'; readonly what: string; readonly limit: number; readonly received: number }
  /** The server did not prove that it is who it says it is. */
  | { readonly kind: 'unproven'; readonly what: string }
  /** Going on would have been insecure; nothing secret was sent. */
  | { readonly kind: 'policy'; readonly what: string; readonly advice: string }
  /** The two sides have no version or mechanism in common. */
  | {
      readonly kind: 'incompatible'
      readonly what: string
      readonly offered: readonly string[]
      readonly supported: readonly string[]
    }
  /** The transport ended. `code` is the operating system's, such as 'ECONNREFUSED', or 'FIN' for an orderly end. */
  | { readonly kind: 'lost'; readonly code: string; readonly detail: string }
  /** A setting is missing, unknown or unusable. `parameter` has libpq's name. */
  | { readonly kind: 'config'; readonly parameter: string; readonly problem: string }

export type FailureKind = Failure['kind']

/** A failure on its way to whoever ends the connection. Internal: callers of the library see HandshakeError. */
export class Fault extends Error {
  readonly failure: Failure

  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.kind, options)
    this.name = 'Fault'
    this.failure = failure
  }
}
