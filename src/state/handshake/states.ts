/**
 * The states of the handshake with their facts. A state owns exactly what is needed from its moment on; the
 * password is gone from it once it is used.
 */
import type { ScramChallenge, ScramStart } from '../../auth/scram.ts'
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
  readonly password: Secret | null
  readonly runtimeParameters: readonly (readonly [name: string, value: string])[]
  readonly minProtocolVersion: ProtocolVersion
  readonly maxProtocolVersion: ProtocolVersion
  readonly allowCleartextPassword: boolean
  readonly scramIterationsMax: number
  /** Printable ASCII without a comma, from a good source of randomness. */
  readonly clientNonce: string
}

/** How the server had us authenticate, in the words of libpq's require_auth. */
export type AuthenticationMethod = 'none' | 'password' | 'md5' | 'scram-sha-256'

/** What a server may have said at any time since the StartupMessage. */
interface Greeting {
  readonly protocolVersion: ProtocolVersion
  readonly notices: readonly ServerReport[]
}

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
  | { readonly name: 'Connected'; readonly attempt: Attempt }
  | ({ readonly name: 'AwaitingAuthentication'; readonly attempt: Attempt; readonly negotiated: boolean } & Greeting)
  | ({
      readonly name: 'AwaitingSaslChallenge'
      readonly start: ScramStart
      readonly password: Secret
      readonly scramIterationsMax: number
    } & Greeting)
  | ({ readonly name: 'DerivingSaslKey'; readonly challenge: ScramChallenge } & Greeting)
  | ({ readonly name: 'AwaitingSaslOutcome'; readonly serverSignature: Uint8Array } & Greeting)
  | ({ readonly name: 'AwaitingVerdict'; readonly authenticationMethod: AuthenticationMethod } & Greeting)
  | ({ readonly name: 'AwaitingReady' } & Introduction)
  | ({ readonly name: 'Ready'; readonly transactionStatus: 'I' | 'T' | 'E' } & Introduction)
  | { readonly name: 'Failed'; readonly phase: StateName; readonly failure: Failure }

export type StateOf<S extends StateName> = StateNamed<State, S>
