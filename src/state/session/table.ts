/**
 * The session: what may happen after ReadyForQuery, in the simple query cycle. Rows are states, columns are
 * events, cells are the next state, as in the table of the handshake.
 *
 * Manual: #PROTOCOL-FLOW-SIMPLE-QUERY, #PROTOCOL-COPY, #PROTOCOL-ASYNC.
 */
import { closed } from '../machine.ts'

export const SESSION_TABLE = closed({
  Idle: {
    SendQuery: 'AwaitingResponse',
    SendTerminate: 'Terminating',
    // Nobody asked: kept among the notices, unless it is FATAL.
    ErrorResponse: 'Idle',
  },
  AwaitingResponse: {
    RowDescription: 'ReadingRows',
    CommandComplete: 'AwaitingResponse',
    EmptyQueryResponse: 'AwaitingResponse',
    CopyOutResponse: 'CopyingOut',
    CopyInResponse: 'RefusingCopyIn',
    ErrorResponse: 'AwaitingEndOfQuery',
    ReadyForQuery: 'Idle',
  },
  ReadingRows: {
    DataRow: 'ReadingRows',
    CommandComplete: 'AwaitingResponse',
    ErrorResponse: 'AwaitingEndOfQuery',
  },
  CopyingOut: {
    CopyData: 'CopyingOut',
    CopyDone: 'AwaitingResponse',
    ErrorResponse: 'AwaitingEndOfQuery',
  },
  // COPY FROM STDIN asks for data that a query text does not carry: CopyFail is our answer.
  RefusingCopyIn: {
    ErrorResponse: 'AwaitingEndOfQuery',
  },
  AwaitingEndOfQuery: {
    ErrorResponse: 'AwaitingEndOfQuery',
    ReadyForQuery: 'Idle',
  },
  // A server that has read Terminate closes the connection: here that is the lawful end.
  Terminating: {
    ErrorResponse: 'Terminating',
    TransportLost: 'Closed',
  },
  Closed: {},
  Failed: {},
})

/** What holds in every row but the last two. */
export const SESSION_EVERYWHERE = {
  NoticeResponse: 'the same state',
  ParameterStatus: 'the same state',
  NotificationResponse: 'the same state',
  TransportLost: 'Failed',
} as const

export type SessionStateName = keyof typeof SESSION_TABLE

/** What a state waits for, in words. null: for nobody. */
export const SESSION_AWAITED: Readonly<Record<SessionStateName, string | null>> = {
  Idle: null,
  AwaitingResponse: "the server's response to a query",
  ReadingRows: 'the rest of the rows',
  CopyingOut: 'the rest of the data of COPY TO STDOUT',
  RefusingCopyIn: 'the server to give up COPY FROM STDIN',
  AwaitingEndOfQuery: 'the server to be ready again after an error',
  Terminating: 'the server to close the connection',
  Closed: null,
  Failed: null,
}
