/**
 * One example of every state and of every event of the handshake, each lawful in its content, so that whatever
 * goes wrong with a pair comes from the pair. The types make both lists complete.
 */
import { beginScram } from '../../../src/auth/scram.ts'
import { Secret } from '../../../src/auth/secret.ts'
import type { EventName, EventOf } from '../../../src/state/handshake/events.ts'
import type { Attempt, Greeting, State, StateOf, TlsFacts } from '../../../src/state/handshake/states.ts'
import type { StateName } from '../../../src/state/handshake/table.ts'

export const ATTEMPT: Attempt = {
  needsLookup: true,
  user: 'alice',
  database: 'app',
  hasPassword: true,
  scramKeys: null,
  encryption: 'preferred',
  directTls: false,
  channelBinding: 'prefer',
  requireAuth: null,
  runtimeParameters: [['client_encoding', 'UTF8']],
  minProtocolVersion: '3.0',
  maxProtocolVersion: '3.2',
  allowCleartextPassword: true,
  scramIterationsMin: 1,
  scramIterationsMax: 100_000,
  sessionWanted: 'primary',
  earlySasl: true,
  remembered: null,
  earlyQuery: null,
  cancelKey: null,
  clientNonce: 'fyko+d2lbbFgONRv9qkxdawL',
}

const SERVER_SIGNATURE = Buffer.alloc(32, 7)
/** TLS as it is when all is well, without a certificate to bind to. */
export const TLS: TlsFacts = {
  version: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  alpnProtocol: 'postgresql',
  serverCertificate: null,
  rejection: null,
}

const greeting = {
  tls: null,
  protocolVersion: '3.2',
  notices: [],
  sessionWanted: 'primary',
  earlyQuery: null,
} as const
const introduction = {
  greeting,
  authenticationMethod: 'scram-sha-256',
  parameters: [],
  backendKeyData: null,
  notifications: 0,
} as const

const start = beginScram(ATTEMPT.clientNonce, 'SCRAM-SHA-256', { flag: 'n' })
const serverFirst = Buffer.from(`r=${ATTEMPT.clientNonce}3rfcNHYJY1ZVvWVs7j,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`)
const challenge = {
  start,
  serverFirst,
  nonce: `${ATTEMPT.clientNonce}3rfcNHYJY1ZVvWVs7j`,
  salt: Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'),
  iterations: 4096,
}
const keys = { clientKey: new Uint8Array(32).fill(1), serverKey: new Uint8Array(32).fill(2) }

/** The state, where something else was said or wanted since the StartupMessage. */
export function greeted<S extends { readonly greeting: Greeting }>(state: S, changes: Partial<Greeting>): S {
  return { ...state, greeting: { ...state.greeting, ...changes } }
}

/** The answer to the session check comes in one order: here each message meets the moment at which it is lawful. */
const HEARD_BEFORE: Partial<Record<EventName, StateOf<'AwaitingSessionCheck'>['heard']>> = {
  DataRow: 'RowDescription',
  CommandComplete: 'DataRow',
  ReadyForQuery: 'CommandComplete',
}

/** The state, as it has to be for the event to be lawful in it. */
export function stateFor(name: StateName, event: EventName): State {
  const heard = HEARD_BEFORE[event]
  if (name !== 'AwaitingSessionCheck' || heard === undefined) return STATES[name]
  return { ...STATES[name], heard, answer: 'f' }
}

export const STATES: { readonly [S in StateName]: StateOf<S> } = {
  Disconnected: { name: 'Disconnected', attempt: ATTEMPT },
  ResolvingHost: { name: 'ResolvingHost', attempt: ATTEMPT },
  Dialing: { name: 'Dialing', attempt: ATTEMPT },
  Connected: { name: 'Connected', attempt: ATTEMPT, tls: null, tlsRefused: false },
  AwaitingTlsReply: { name: 'AwaitingTlsReply', attempt: ATTEMPT },
  SecuringTransport: { name: 'SecuringTransport', attempt: ATTEMPT },
  AwaitingAuthentication: { name: 'AwaitingAuthentication', attempt: ATTEMPT, negotiated: false, greeting },
  AwaitingSaslOffer: {
    name: 'AwaitingSaslOffer',
    attempt: ATTEMPT,
    negotiated: false,
    guess: { mechanism: 'SCRAM-SHA-256', binding: { flag: 'n' } },
    start,
    keys: null,
    greeting,
  },
  AwaitingPassword: { name: 'AwaitingPassword', request: { method: 'password' }, greeting },
  AwaitingSaslChallenge: {
    name: 'AwaitingSaslChallenge',
    start,
    keys: null,
    iterations: { min: 1, max: 100_000 },
    greeting,
  },
  AwaitingSaslPassword: { name: 'AwaitingSaslPassword', challenge, greeting },
  DerivingSaslKey: { name: 'DerivingSaslKey', challenge, greeting },
  AwaitingSaslOutcome: { name: 'AwaitingSaslOutcome', serverSignature: SERVER_SIGNATURE, greeting },
  AwaitingVerdict: { name: 'AwaitingVerdict', authenticationMethod: 'scram-sha-256', greeting },
  AwaitingReady: { name: 'AwaitingReady', ...introduction },
  CheckingSession: { name: 'CheckingSession', ...introduction, transactionStatus: 'I', answer: 'f' },
  AwaitingSessionCheck: {
    name: 'AwaitingSessionCheck',
    ...introduction,
    transactionStatus: 'I',
    heard: 'nothing',
    answer: null,
  },
  AwaitingCancelClose: { name: 'AwaitingCancelClose' },
  Ready: { name: 'Ready', transactionStatus: 'I', ...introduction },
  Cancelled: { name: 'Cancelled' },
  Failed: { name: 'Failed', phase: 'AwaitingReady', failure: { kind: 'lost', code: 'FIN', detail: 'end of stream' } },
}

const report = { fields: [{ code: 'S', value: 'FATAL' } as const, { code: 'C', value: '57P03' } as const] }

const COLUMN = {
  name: 'pg_is_in_recovery',
  tableOid: 0,
  attributeNumber: 0,
  typeOid: 16,
  typeSize: 1,
  typeModifier: -1,
  format: 0,
}

export const EVENTS: { readonly [E in EventName]: EventOf<E> } = {
  ResolveHost: { type: 'ResolveHost' },
  HostResolved: { type: 'HostResolved', addresses: [{ address: '192.0.2.1', family: 4 }] },
  Dial: { type: 'Dial' },
  TransportOpened: { type: 'TransportOpened' },
  RequestTls: { type: 'RequestTls' },
  StartTls: { type: 'StartTls' },
  TlsAccepted: { type: 'TlsAccepted' },
  TlsRefused: { type: 'TlsRefused' },
  TlsEstablished: { type: 'TlsEstablished', tls: TLS },
  PasswordFetched: { type: 'PasswordFetched', password: new Secret('correct horse') },
  SendStartup: { type: 'SendStartup' },
  SendStartupAndSasl: {
    type: 'SendStartupAndSasl',
    guess: { mechanism: 'SCRAM-SHA-256', binding: { flag: 'n' } },
  },
  SendCancel: { type: 'SendCancel', key: { processId: 4711, secretKey: Buffer.from([1, 2, 3, 4]) } },
  AskSession: { type: 'AskSession', question: 'SHOW transaction_read_only' },
  AcceptSession: { type: 'AcceptSession' },
  SaslKeysGiven: { type: 'SaslKeysGiven', keys },
  SaslKeyDerived: { type: 'SaslKeyDerived', keys },
  TransportLost: { type: 'TransportLost', code: 'FIN', detail: 'end of stream' },
  AuthenticationOk: { type: 'AuthenticationOk' },
  AuthenticationKerberosV5: { type: 'AuthenticationKerberosV5' },
  AuthenticationCleartextPassword: { type: 'AuthenticationCleartextPassword' },
  AuthenticationMD5Password: { type: 'AuthenticationMD5Password', salt: Buffer.from([1, 2, 3, 4]) },
  AuthenticationGSS: { type: 'AuthenticationGSS' },
  AuthenticationGSSContinue: { type: 'AuthenticationGSSContinue', data: Buffer.from('gss') },
  AuthenticationSSPI: { type: 'AuthenticationSSPI' },
  AuthenticationSASL: { type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] },
  AuthenticationSASLContinue: { type: 'AuthenticationSASLContinue', data: serverFirst },
  AuthenticationSASLFinal: {
    type: 'AuthenticationSASLFinal',
    data: Buffer.from(`v=${SERVER_SIGNATURE.toString('base64')}`),
  },
  NegotiateProtocolVersion: { type: 'NegotiateProtocolVersion', newestVersion: 0x0003_0000, unrecognizedOptions: [] },
  ParameterStatus: { type: 'ParameterStatus', name: 'server_version', value: '18.4' },
  BackendKeyData: { type: 'BackendKeyData', processId: 4711, secretKey: Buffer.alloc(32, 9) },
  ReadyForQuery: { type: 'ReadyForQuery', status: 'I' },
  ErrorResponse: { type: 'ErrorResponse', ...report },
  NoticeResponse: { type: 'NoticeResponse', ...report },
  NotificationResponse: { type: 'NotificationResponse', processId: 1, channel: 'c', payload: 'p' },
  RowDescription: { type: 'RowDescription', columns: [COLUMN] },
  DataRow: { type: 'DataRow', values: [Buffer.from('f')] },
  CommandComplete: { type: 'CommandComplete', commandTag: 'SELECT 1' },
  EmptyQueryResponse: { type: 'EmptyQueryResponse' },
  CopyInResponse: { type: 'CopyInResponse', format: 0, columnFormats: [] },
  CopyOutResponse: { type: 'CopyOutResponse', format: 0, columnFormats: [] },
  CopyBothResponse: { type: 'CopyBothResponse', format: 0, columnFormats: [] },
  CopyData: { type: 'CopyData', data: Buffer.from('x') },
  CopyDone: { type: 'CopyDone' },
}
