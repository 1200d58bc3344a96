/** The public API, and nothing else. */
export { Secret } from './auth/secret.ts'
export type { Environment } from './config/environment.ts'
export type { PasswordSource } from './config/settings.ts'
export type { ConnectTarget } from './config/target.ts'
export { type Connecting, connect } from './connect.ts'
export { type DeadlineExplanation, explainDeadline, type PlannedVisit } from './explain-deadline.ts'
export type {
  CancelContext,
  ConnectContext,
  MessageContext,
  QueryContext,
  ServerAddress,
  StateContext,
} from './hooks.ts'
export { type Clock, Deadline, type DeadlineOptions } from './net/deadline.ts'
export { type Orphans, orphans } from './net/orphans.ts'
export type { Failure, FailureKind } from './protocol/failure.ts'
export type { ServerReport } from './protocol/response-fields.ts'
export type { ProtocolVersion } from './protocol/startup.ts'
export type { MessageView } from './redact.ts'
export { type BackendKey, Session } from './session.ts'
export { type FailedAttempt, HandshakeError, SessionError } from './state/errors.ts'
export type { SessionWanted } from './state/handshake/session-wanted.ts'
export type { AuthenticationMethod, Encryption } from './state/handshake/states.ts'
export type { StateName } from './state/handshake/table.ts'
export type { QueryResult } from './state/session/query-result.ts'
export type { Column, TransactionStatus } from './state/session/states.ts'
export type { SessionStateName } from './state/session/table.ts'
export type { Timeline, TimelineEntry, TimelineMessage } from './state/timeline.ts'
export type { ConnectOptions, FirstQuery, WaitOptions } from './wait-options.ts'
