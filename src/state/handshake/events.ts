/**
 * What moves the handshake, and what it asks for in return. Events come in, effects go out; between them
 * stands a table and no I/O.
 */
import type { Choice } from '../../auth/choose.ts'
import type { ScramKeys } from '../../auth/scram.ts'
import type { Secret } from '../../auth/secret.ts'
import type { BackendMessage } from '../../protocol/backend.ts'
import type { FrontendMessage } from '../../protocol/frontend.ts'
import type { StartupPacket } from '../../protocol/startup.ts'
import type { EventTyped } from '../machine.ts'
import type { BackendKeyFacts, TlsFacts } from './states.ts'

/** One of a host's addresses. */
export interface Address {
  readonly address: string
  readonly family: number
}

/** A message of the server, or something of our own that has come to its end. */
export type Event =
  | BackendMessage
  | { readonly type: 'ResolveHost' }
  | { readonly type: 'HostResolved'; readonly addresses: readonly Address[] }
  | { readonly type: 'Dial' }
  | { readonly type: 'TransportOpened' }
  | { readonly type: 'RequestTls' }
  | { readonly type: 'StartTls' }
  | { readonly type: 'TlsAccepted' }
  | { readonly type: 'TlsRefused' }
  | { readonly type: 'TlsEstablished'; readonly tls: TlsFacts }
  | { readonly type: 'SendStartup' }
  | { readonly type: 'SendStartupAndSasl'; readonly guess: Choice }
  | { readonly type: 'SendCancel'; readonly key: BackendKeyFacts }
  | { readonly type: 'PasswordFetched'; readonly password: Secret }
  | { readonly type: 'SaslKeysGiven'; readonly keys: ScramKeys }
  | { readonly type: 'SaslKeyDerived'; readonly keys: ScramKeys }
  | { readonly type: 'AskSession'; readonly question: string }
  | { readonly type: 'AcceptSession' }
  /** The transport ended or never came to be. `code` is the operating system's, or 'FIN'. */
  | { readonly type: 'TransportLost'; readonly code: string; readonly detail: string }

export type EventName = Event['type']
export type EventOf<E extends EventName> = EventTyped<Event, E>

/** What is to be done in the world. The driver does it; what comes of it is the next event. */
export type Effect =
  | { readonly do: 'resolveHost' }
  /** null: the endpoint itself says where. */
  | { readonly do: 'dial'; readonly addresses: readonly Address[] | null }
  /** If the password is a function of the caller, begin to ask it, and do not wait for the answer. */
  | { readonly do: 'beginPassword' }
  | { readonly do: 'fetchPassword' }
  | { readonly do: 'startTls' }
  | { readonly do: 'send'; readonly message: StartupPacket | FrontendMessage }
  | {
      readonly do: 'deriveKey'
      /** After SASLprep. */
      readonly password: Secret
      readonly salt: Uint8Array
      readonly iterations: number
    }
  /** The caller has brought the keys: there is nothing to derive. */
  | { readonly do: 'useKeys'; readonly keys: ScramKeys }
