/**
 * What one connect needs to know, after every source of configuration has been read and checked.
 * Past this type nothing is optional, undefined or a string that still has to be parsed.
 */
import type { Secret } from '../auth/secret.ts'
import type { Endpoint } from '../net/dial.ts'
import type { ProtocolVersion } from '../protocol/startup.ts'

export interface Settings {
  readonly endpoint: Endpoint
  readonly user: string
  readonly database: string
  /** null: none was given. An empty string counts as none, as in libpq. */
  readonly password: Secret | null
  /** Run-time parameters for the StartupMessage, in order: client_encoding, application_name, options. */
  readonly runtimeParameters: readonly (readonly [name: string, value: string])[]
  readonly minProtocolVersion: ProtocolVersion
  readonly maxProtocolVersion: ProtocolVersion
  /** connect_timeout in milliseconds; Infinity if it says to wait for ever, null if it was not given. */
  readonly connectTimeoutMs: number | null
  /** Whether a password may leave in the clear on a connection without TLS. */
  readonly allowCleartextPassword: boolean
  /** The most PBKDF2 iterations that a server may ask for. */
  readonly scramIterationsMax: number
}
