/**
 * The states of the handshake with their facts. A state owns exactly what is needed from its moment on; the
 * password is gone from it once it is used.
 */
import type { ChannelBindingPolicy, Choice } from '../../auth/choose.ts'
import type { RequireAuth } from '../../auth/require-auth.ts'
import type { ScramChallenge, ScramKeys, ScramMechanism, ScramStart } from '../../auth/scram.ts'
import type { Secret } from '../../auth/secret.ts'
import type { Failure } from '../../protocol/failure.ts'
import type { ServerReport } from '../../protocol/response-fields.ts'
import type { ProtocolVersion } from '../../protocol/startup.ts'
import type { StateNamed } from '../machine.ts'
import type { SessionWanted } from './session-wanted.ts'
import type { StateName } from './table.ts'

/** What one attempt goes in with. Made afresh for every attempt: nothing is carried over (CVE-2018-10915). */
export interface Attempt {
  /** Whether the host is a name whose addresses have to be looked up. */
  readonly needsLookup: boolean
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
  /** Whether SCRAM may begin without waiting to be asked. */
  readonly earlySasl: boolean
  /** What this server chose when it was last met; null: it is not known, or it was not to be remembered. */
  readonly remembered: ScramMechanism | null
  /** A query that may leave before the server has proven itself; null: none may. */
  readonly earlyQuery: string | null
  /** What the server must be: target_session_attrs of this attempt. */
  readonly sessionWanted: SessionWanted
  /** The backend whose query is to be cancelled; null: the attempt is for a session. */
  readonly cancelKey: BackendKeyFacts | null
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

/** BackendKeyData: what a cancel request names a backend by. */
export interface BackendKeyFacts {
  readonly processId: number
  readonly secretKey: Uint8Array
}

/**
 * What a server may have said at any time since the StartupMessage, what it was said in, and what it must be. It goes along from
 * state to state as it is.
 */
export interface Greeting {
  readonly tls: TlsFacts | null
  readonly protocolVersion: ProtocolVersion
  readonly notices: readonly ServerReport[]
  readonly sessionWanted: SessionWanted
  /** It leaves in the flight of SCRAM's last message. */
  readonly earlyQuery: string | null
}

/** How the server wants the password. */
type PasswordRequest =
  | { readonly method: 'password' }
  | { readonly method: 'md5'; readonly user: string; readonly salt: Uint8Array }

interface Greeted {
  readonly greeting: Greeting
}

/** The facts of a session, complete at ReadyForQuery. */
interface Introduction extends Greeted {
  readonly authenticationMethod: AuthenticationMethod
  /** The names and values in the order in which they came; a later value replaces an earlier one. */
  readonly parameters: readonly (readonly [name: string, value: string])[]
  readonly backendKeyData: BackendKeyFacts | null
  /** How many came. Nobody has asked for them yet. */
  readonly notifications: number
}

/** ReadyForQuery has come; whether the server is the right one is still open. */
interface Candidate extends Introduction {
  readonly transactionStatus: 'I' | 'T' | 'E'
}

export type State =
  | { readonly name: 'Disconnected'; readonly attempt: Attempt }
  | { readonly name: 'ResolvingHost'; readonly attempt: Attempt }
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
  | ({ readonly name: 'AwaitingAuthentication'; readonly attempt: Attempt; readonly negotiated: boolean } & Greeted)
  | ({
      readonly name: 'AwaitingSaslOffer'
      readonly attempt: Attempt
      readonly negotiated: boolean
      readonly guess: Choice
      readonly start: ScramStart
      readonly keys: ScramKeys | null
    } & Greeted)
  | ({ readonly name: 'AwaitingPassword'; readonly request: PasswordRequest } & Greeted)
  | ({
      readonly name: 'AwaitingSaslChallenge'
      readonly start: ScramStart
      /** Those that the caller has brought in place of a password; null: there is a password. */
      readonly keys: ScramKeys | null
      readonly iterations: { readonly min: number; readonly max: number }
    } & Greeted)
  | ({ readonly name: 'AwaitingSaslPassword'; readonly challenge: ScramChallenge } & Greeted)
  | ({ readonly name: 'DerivingSaslKey'; readonly challenge: ScramChallenge } & Greeted)
  | ({ readonly name: 'AwaitingSaslOutcome'; readonly serverSignature: Uint8Array } & Greeted)
  | ({ readonly name: 'AwaitingVerdict'; readonly authenticationMethod: AuthenticationMethod } & Greeted)
  | ({ readonly name: 'AwaitingReady' } & Introduction)
  /** `answer`: the one value that the server gave to our question; null: it was not asked, or a report has come since. */
  | ({ readonly name: 'CheckingSession'; readonly answer: string | null } & Candidate)
  | ({
      readonly name: 'AwaitingSessionCheck'
      /** How much of the answer has come. */
      readonly heard: 'nothing' | 'RowDescription' | 'DataRow' | 'CommandComplete'
      readonly answer: string | null
    } & Candidate)
  | { readonly name: 'AwaitingCancelClose' }
  | ({ readonly name: 'Ready' } & Candidate)
  | { readonly name: 'Cancelled' }
  | { readonly name: 'Failed'; readonly phase: StateName; readonly failure: Failure }

export type StateOf<S extends StateName> = StateNamed<State, S>
