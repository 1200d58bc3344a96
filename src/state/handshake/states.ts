/**
 * The states of the handshake with their facts. A state owns exactly what is needed from its moment on; the
 * password is gone from it once it is used.
 */
import type { ChannelBindingPolicy } from '../../auth/choose.ts'
import type { RequireAuth } from '../../auth/require-auth.ts'
import type { ScramChallenge, ScramKeys, ScramStart } from '../../auth/scram.ts'
import type { Secret } from '../../auth/secret.ts'
import type { Failure } from '../../protocol/failure.ts'
import type { ServerReport } from '../../protocol/response-fields.ts'
import type { ProtocolVersion } from '../../protocol/startup.ts'
import type { StateNamed } from '../machine.ts'
import type { StateName } from './table.ts'

/** What one attempt goes in with. Made afresh for every attempt: nothing is carried over (CVE-2018-10915). */
export interface Attempt {
  readonly user: string
  readonly database: string
  /** Whether there is one, or a function that gives one. The password itself is fetched when the server asks for it. */
  readonly hasPassword: boolean
  /** Used in place of a password under SCRAM. */
  readonly scramKeys: { readonly clientKey: Secret; readonly serverKey: Secret } | null
  readonly encryption: Encryption
  /** TLS from the first byte, without SSLRequest. */
  readonly directTls: boolean
  readonly channelBinding: ChannelBindingPolicy
  readonly requireAuth: RequireAuth | null
  readonly runtimeParameters: readonly (readonly [name: string, value: string])[]
  readonly minProtocolVersion: ProtocolVersion
  readonly maxProtocolVersion: ProtocolVersion
  readonly allowCleartextPassword: boolean
  readonly scramIterationsMin: number
  readonly scramIterationsMax: number
  /** Printable ASCII without a comma, from a good source of randomness. */
  readonly clientNonce: string
}

/** What an attempt wants of TLS. 'preferred': plaintext if the server says no. */
export type Encryption = 'off' | 'preferred' | 'required'

/** What is known of TLS once it is up. */
export interface TlsFacts {
  /** 'TLSv1.3' and the like. */
  readonly version: string
  readonly cipher: string
  /** What ALPN chose, if anything. */
  readonly alpnProtocol: string | null
  /** DER. null if the server has shown none. */
  readonly serverCertificate: Uint8Array | null
  /** Why the certificate cannot be believed, by the rules of sslmode; null if it can, or need not. */
  readonly rejection: string | null
}

/** How the server had us authenticate, in the words of libpq's require_auth. */
export type AuthenticationMethod = 'none' | 'password' | 'md5' | 'scram-sha-256'

/** What a server may have said at any time since the StartupMessage, and what it was said in. */
interface Greeting {
  readonly tls: TlsFacts | null
  readonly protocolVersion: ProtocolVersion
  readonly notices: readonly ServerReport[]
}

/** How the server wants the password. */
type PasswordRequest =
  | { readonly method: 'password' }
  | { readonly method: 'md5'; readonly user: string; readonly salt: Uint8Array }

/** The facts of a session, complete at ReadyForQuery. */
interface Introduction extends Greeting {
  readonly authenticationMethod: AuthenticationMethod
  /** The names and values in the order in which they came; a later value replaces an earlier one. */
  readonly parameters: readonly (readonly [name: string, value: string])[]
  readonly backendKeyData: { readonly processId: number; readonly secretKey: Uint8Array } | null
  /** How many came. Nobody has asked for them yet. */
  readonly notifications: number
}

export type State =
  | { readonly name: 'Disconnected'; readonly attempt: Attempt }
  | { readonly name: 'Dialing'; readonly attempt: Attempt }
  | {
      readonly name: 'Connected'
      readonly attempt: Attempt
      readonly tls: TlsFacts | null
      /** The server has said no to TLS. */
      readonly tlsRefused: boolean
    }
  | { readonly name: 'AwaitingTlsReply'; readonly attempt: Attempt }
  | { readonly name: 'SecuringTransport'; readonly attempt: Attempt }
  | ({ readonly name: 'AwaitingAuthentication'; readonly attempt: Attempt; readonly negotiated: boolean } & Greeting)
  | ({ readonly name: 'AwaitingPassword'; readonly request: PasswordRequest } & Greeting)
  | ({
      readonly name: 'AwaitingSaslChallenge'
      readonly start: ScramStart
      /** Those that the caller has brought in place of a password; null: there is a password. */
      readonly keys: ScramKeys | null
      readonly iterations: { readonly min: number; readonly max: number }
    } & Greeting)
  | ({ readonly name: 'AwaitingSaslPassword'; readonly challenge: ScramChallenge } & Greeting)
  | ({ readonly name: 'DerivingSaslKey'; readonly challenge: ScramChallenge } & Greeting)
  | ({ readonly name: 'AwaitingSaslOutcome'; readonly serverSignature: Uint8Array } & Greeting)
  | ({ readonly name: 'AwaitingVerdict'; readonly authenticationMethod: AuthenticationMethod } & Greeting)
  | ({ readonly name: 'AwaitingReady' } & Introduction)
  | ({ readonly name: 'Ready'; readonly transactionStatus: 'I' | 'T' | 'E' } & Introduction)
  | { readonly name: 'Failed'; readonly phase: StateName; readonly failure: Failure }

export type StateOf<S extends StateName> = StateNamed<State, S>
