/**
 * What one connect needs to know, after every source of configuration has been read and checked.
 * Past this type nothing is optional, undefined or a string that still has to be parsed.
 */
import type { RequireAuth } from '../auth/require-auth.ts'
import type { Secret } from '../auth/secret.ts'
import type { Endpoint } from '../net/endpoint.ts'
import type { ProtocolVersion } from '../protocol/startup.ts'

export interface Settings {
  /** Where to try, in the order given. At least one. */
  readonly hosts: readonly Endpoint[]
  /** 'random': try them in an order that is drawn for this connect. */
  readonly loadBalanceHosts: 'disable' | 'random'
  readonly targetSessionAttrs: TargetSessionAttrs
  readonly user: string
  readonly database: string
  /** null: none was given. An empty string counts as none, as in libpq. */
  readonly password: Secret | PasswordSource | null
  /** Where a password is looked for, if none was given; null: nowhere. */
  readonly passfile: Passfile | null
  /** Run-time parameters for the StartupMessage, in order: client_encoding, application_name, options, the environment's. */
  readonly runtimeParameters: readonly (readonly [name: string, value: string])[]
  readonly minProtocolVersion: ProtocolVersion
  readonly maxProtocolVersion: ProtocolVersion
  /** connect_timeout in milliseconds; Infinity if it says to wait for ever, null if it was not given. */
  readonly connectTimeoutMs: number | null
  /** TCP keepalive, and how long nothing must have come before it begins; null: the system's own figure. */
  readonly keepalives: { readonly enabled: boolean; readonly idleMs: number | null }
  /** Without meaning on a Unix-domain socket: there is never TLS on one, whatever this says. */
  readonly tls: TlsSettings
  readonly channelBinding: ChannelBinding
  /** The methods by which the server may authenticate us; null: any. */
  readonly requireAuth: RequireAuth | null
  /** Whether a password may leave in the clear on a connection without TLS. */
  readonly allowCleartextPassword: boolean
  /** The fewest PBKDF2 iterations that are enough, and the most that a server may ask for. */
  readonly scramIterationsMin: number
  readonly scramIterationsMax: number
  /** Used in place of a password when the method is SCRAM; null: none were given. */
  readonly scramKeys: ScramKeySecrets | null
  /** Whether SCRAM may begin in the flight of the StartupMessage where nothing else will do, or where it did before. */
  readonly earlySasl: boolean
  /** Whether what a server chose is kept for the next connect. */
  readonly rememberServers: boolean
  /** Whether keys that were derived from a password are kept for the next connect. */
  readonly keyCache: boolean
}

/** Asked for the password when the server wants one, at most once a connect. The signal is the connect's. */
export type PasswordSource = (signal: AbortSignal) => Promise<string> | string

/** A password file (#LIBPQ-PGPASS). It is named here and read by whoever connects. */
export interface Passfile {
  readonly path: string
  /** What the hosts are called there, in the order of `hosts`. */
  readonly entries: readonly PassfileKey[]
}

/** The first four fields of a line in a password file. */
export interface PassfileKey {
  readonly host: string
  readonly port: string
  readonly database: string
  readonly user: string
}

/**
 * #LIBPQ-CONNECT-TARGET-SESSION-ATTRS: which sessions are good enough; 'prefer-standby': any, if none of the hosts
 * has a standby.
 */
export type TargetSessionAttrs = 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby'

/** #LIBPQ-CONNECT-CHANNEL-BINDING */
export type ChannelBinding = 'disable' | 'prefer' | 'require'

/** #LIBPQ-CONNECT-SSLMODE, from no TLS at all to TLS with a server whose name is known. */
export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

/** The manual's names of the TLS versions, which are also Node's: 'TLSv1' is TLS 1.0. */
export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

/**
 * `ConnectionOptions` of node:tls, without those that are decided elsewhere: see node-tls-options.ts. No more than
 * an object here: what Node's modules call their types is for net to know.
 */
export type NodeTlsOptions = object

/**
 * Everything that concerns TLS. Files are named here and read by whoever connects, so that a renewed one counts.
 * A path whose parameter was not given is that of one of the user's own files, or null.
 */
export interface TlsSettings {
  readonly mode: SslMode
  /** 'direct': TLS from the first byte, without SSLRequest. Then `mode` is 'require' or above. */
  readonly negotiation: 'postgres' | 'direct'
  /** A file of trusted certificates; 'system': those that Node trusts, and then `mode` is 'verify-full'. */
  readonly rootCertificate: string | 'system' | null
  readonly certificate: string | null
  readonly key: string | null
  /** What the private key is encrypted with. */
  readonly keyPassword: Secret | null
  readonly revocationList: string | null
  /** The parameters that were not given and for which one of the user's own files was found. */
  readonly found: readonly string[]
  /** Whether the host's name is sent in the clear when TLS begins (SNI). */
  readonly sendServerName: boolean
  /** 'disable': our certificate is never sent; then `certificate` and `key` are null. */
  readonly certificateMode: 'disable' | 'allow'
  /** null: whatever Node allows. */
  readonly minVersion: TlsVersion | null
  readonly maxVersion: TlsVersion | null
  /** Merged over everything else. */
  readonly nodeOptions: NodeTlsOptions | null
}

/**
 * ClientKey and ServerKey of RFC 5802, as base64 of 32 bytes each: kept as text in a `Secret`, which nothing
 * shows, and decoded where they are used.
 */
export interface ScramKeySecrets {
  readonly clientKey: Secret
  readonly serverKey: Secret
}
