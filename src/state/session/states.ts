/** The states of the session with their facts, what moves them, and what they ask for. */
import type { BackendMessage } from '../../protocol/backend.ts'
import type { Failure } from '../../protocol/failure.ts'
import type { FrontendMessage } from '../../protocol/frontend.ts'
import type { ServerReport } from '../../protocol/response-fields.ts'
import type { EventTyped } from '../machine.ts'
import type { SessionStateName } from './table.ts'

/** 'I' idle, 'T' in a transaction, 'E' in a transaction that has failed and waits for ROLLBACK. */
export type TransactionStatus = 'I' | 'T' | 'E'

export type SessionState =
  | { readonly name: 'Idle'; readonly transactionStatus: TransactionStatus }
  /** Whether anything has come that responds to the query. */
  | { readonly name: 'AwaitingResponse'; readonly hasBegun: boolean }
  | { readonly name: 'ReadingRows'; readonly columnCount: number }
  | { readonly name: 'CopyingOut' }
  | { readonly name: 'RefusingCopyIn' }
  | { readonly name: 'AwaitingEndOfQuery' }
  | { readonly name: 'Terminating' }
  | { readonly name: 'Closed' }
  | { readonly name: 'Failed'; readonly phase: SessionStateName; readonly failure: Failure }

/** DataRow arrives decoded by hand: its values as text. */
export type SessionEvent =
  | Exclude<BackendMessage, { type: 'DataRow' }>
  | { readonly type: 'DataRow'; readonly values: readonly (string | null)[] }
  | { readonly type: 'SendQuery'; readonly text: string }
  | { readonly type: 'SendTerminate' }
  | { readonly type: 'TransportLost'; readonly code: string; readonly detail: string }

export type SessionEventOf<E extends SessionEvent['type']> = EventTyped<SessionEvent, E>

export type Column = SessionEventOf<'RowDescription'>['columns'][number]

/** What the session has to do: speak, or pass on what the server said. */
export type SessionEffect =
  | { readonly do: 'send'; readonly message: FrontendMessage }
  | { readonly do: 'describe'; readonly columns: readonly Column[] }
  | { readonly do: 'addRow'; readonly values: readonly (string | null)[] }
  | { readonly do: 'addCopyData'; readonly data: Uint8Array }
  | { readonly do: 'completeResult'; readonly commandTag: string }
  | { readonly do: 'reportError'; readonly failure: Extract<Failure, { kind: 'refused' }> }
  | { readonly do: 'reportNotice'; readonly report: ServerReport }
  | { readonly do: 'setParameter'; readonly name: string; readonly value: string }
  | { readonly do: 'settleQuery' }
