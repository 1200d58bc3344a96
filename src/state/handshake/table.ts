/**
 * The handshake. Read this first.
 *
 * Rows are states: what is being awaited. Columns are events: what the server sent, or what we ourselves
 * have just finished. Cells are the next state. What is not here is an error, and the error names the row
 * and the event. From this constant come the types of the transitions, the diagram, the docs and the test
 * of every pair of state and event.
 *
 *   Disconnected ─▶ Dialing ─▶ Connected ─▶ AwaitingAuthentication ─┬─▶ AwaitingReady ─▶ CheckingSession ─▶ Ready
 *        └▶ ResolvingHost ┘     ▲    │                              ├─▶ AwaitingPassword ─▶ ⋯
 *                               └─ TLS                              └─▶ AwaitingSaslChallenge ─▶ ⋯
 *
 * A cancel request goes the same way as far as Connected, and ends in Cancelled.
 *
 * Manual: #PROTOCOL-FLOW-START-UP, #PROTOCOL-FLOW-SSL, #SASL-AUTHENTICATION, #PROTOCOL-FLOW-CANCELING-REQUESTS.
 */
import { closed } from '../machine.ts'

export const TABLE = closed({
  Disconnected: {
    ResolveHost: 'ResolvingHost',
    // Where there is no name to look up.
    Dial: 'Dialing',
  },
  ResolvingHost: {
    HostResolved: 'Dialing',
  },
  Dialing: {
    TransportOpened: 'Connected',
  },
  // The hub: the transport is open, and the next move is ours. policy.ts chooses it.
  Connected: {
    RequestTls: 'AwaitingTlsReply',
    StartTls: 'SecuringTransport',
    SendStartup: 'AwaitingAuthentication',
    // Where only SCRAM will do anyway: its first message leaves in the same flight.
    SendStartupAndSasl: 'AwaitingSaslOffer',
    SendCancel: 'AwaitingCancelClose',
  },
  AwaitingTlsReply: {
    TlsAccepted: 'SecuringTransport',
    TlsRefused: 'Connected',
    // Its text came in the clear, from anybody: it is withheld (CVE-2024-10977).
    ErrorResponse: 'Failed',
  },
  SecuringTransport: {
    TlsEstablished: 'Connected',
  },
  AwaitingAuthentication: {
    NegotiateProtocolVersion: 'AwaitingAuthentication',
    AuthenticationOk: 'AwaitingReady',
    AuthenticationCleartextPassword: 'AwaitingPassword',
    AuthenticationMD5Password: 'AwaitingPassword',
    AuthenticationSASL: 'AwaitingSaslChallenge',
    // Lawful requests that we cannot answer.
    AuthenticationKerberosV5: 'Failed',
    AuthenticationGSS: 'Failed',
    AuthenticationSSPI: 'Failed',
  },
  // The guess was SCRAM, and its first message is under way. Whatever else the server asks for is the end of the attempt.
  AwaitingSaslOffer: {
    NegotiateProtocolVersion: 'AwaitingSaslOffer',
    AuthenticationSASL: 'AwaitingSaslChallenge',
    AuthenticationOk: 'Failed',
    AuthenticationCleartextPassword: 'Failed',
    AuthenticationMD5Password: 'Failed',
    AuthenticationKerberosV5: 'Failed',
    AuthenticationGSS: 'Failed',
    AuthenticationSSPI: 'Failed',
  },
  // A password may be a function of the caller, begun while the connection was being opened. It is waited for here, where the
  // server has asked for it and not before: who is let in without one needs none.
  AwaitingPassword: {
    PasswordFetched: 'AwaitingVerdict',
  },
  AwaitingSaslChallenge: {
    AuthenticationSASLContinue: 'AwaitingSaslPassword',
  },
  // The same for SCRAM, in which the first message needs no password yet.
  AwaitingSaslPassword: {
    PasswordFetched: 'DerivingSaslKey',
    // The caller has brought the keys themselves: there is nothing to fetch and nothing to derive.
    SaslKeysGiven: 'AwaitingSaslOutcome',
  },
  // The one slow computation of the handshake has a state of its own, so that the deadline can name it.
  DerivingSaslKey: {
    SaslKeyDerived: 'AwaitingSaslOutcome',
  },
  // No AuthenticationOk here: once SASL has begun, the server must prove itself before it is believed.
  AwaitingSaslOutcome: {
    AuthenticationSASLFinal: 'AwaitingVerdict',
  },
  AwaitingVerdict: {
    AuthenticationOk: 'AwaitingReady',
  },
  AwaitingReady: {
    ParameterStatus: 'AwaitingReady',
    BackendKeyData: 'AwaitingReady',
    // A login event trigger may LISTEN and NOTIFY: what it hears is delivered before ReadyForQuery.
    NotificationResponse: 'AwaitingReady',
    ReadyForQuery: 'CheckingSession',
  },
  // A hub again: is this the server that target_session_attrs wants? If it has not said so by itself, it is asked.
  CheckingSession: {
    AskSession: 'AwaitingSessionCheck',
    AcceptSession: 'Ready',
  },
  AwaitingSessionCheck: {
    RowDescription: 'AwaitingSessionCheck',
    DataRow: 'AwaitingSessionCheck',
    CommandComplete: 'AwaitingSessionCheck',
    ParameterStatus: 'AwaitingSessionCheck',
    NotificationResponse: 'AwaitingSessionCheck',
    ReadyForQuery: 'CheckingSession',
  },
  // The server says nothing to a cancel request: it closes the connection when it is done.
  AwaitingCancelClose: {
    TransportLost: 'Cancelled',
  },
  Ready: {},
  Cancelled: {},
  Failed: {},
})

/** What holds in every row but the last three. */
export const EVERYWHERE = {
  ErrorResponse: 'Failed',
  NoticeResponse: 'the same state',
  TransportLost: 'Failed',
} as const

/** The names of the states. They are also what an error's `phase` says. */
export type StateName = keyof typeof TABLE

/** What a state waits for, in words: for error messages, timelines and the documentation. null: for nobody. */
export const AWAITED: Readonly<Record<StateName, string | null>> = {
  Disconnected: null,
  ResolvingHost: 'the addresses of the host (name lookup)',
  Dialing: 'the connection to be opened (TCP, or the Unix-domain socket)',
  Connected: null,
  AwaitingTlsReply: 'the server to say whether it speaks TLS',
  SecuringTransport: 'the TLS handshake',
  AwaitingAuthentication: 'the server to say how it wants us to authenticate',
  AwaitingSaslOffer: 'the server to offer SCRAM, which we have begun already',
  AwaitingPassword: 'the password, from the function that was given for it',
  AwaitingSaslChallenge: "the server's SCRAM challenge: nonce, salt and iterations",
  AwaitingSaslPassword: 'the password, from the function that was given for it',
  DerivingSaslKey: 'our own computation of the salted password (PBKDF2)',
  AwaitingSaslOutcome: "the server's SCRAM signature, which proves that it knows the password",
  AwaitingVerdict: 'the server to accept or refuse our authentication',
  AwaitingReady: 'the server to start a backend and to report its parameters',
  CheckingSession: null,
  AwaitingSessionCheck: 'the server to say whether it is what target_session_attrs wants',
  AwaitingCancelClose: 'the server to close the connection, once it has read the cancel request',
  Ready: null,
  Cancelled: null,
  Failed: null,
}
