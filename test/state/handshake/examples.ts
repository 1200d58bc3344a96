/**
 * One example of every state and of every event of the handshake, each lawful in its content, so that whatever
 * goes wrong with a pair comes from the pair. The types make both lists complete.
 */
import { beginScram } from '../../../src/auth/scram.ts'
import { Secret } from '../../../src/auth/secret.ts'
import type { EventName, EventOf } from '../../../src/state/handshake/events.ts'
import type { Attempt, StateOf, TlsFacts } from '../../../src/state/handshake/states.ts'
import type { StateName } from '../../../src/state/handshake/table.ts'

export const ATTEMPT: Attempt = {
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

const greeting = { tls: null, protocolVersion: '3.2', notices: [] } as const
const introduction = {
  ...greeting,
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

export const STATES: { readonly [S in StateName]: StateOf<S> } = {
  Disconnected: { name: 'Disconnected', attempt: ATTEMPT },
  Dialing: { name: 'Dialing', attempt: ATTEMPT },
  Connected: { name: 'Connected', attempt: ATTEMPT, tls: null, tlsRefused: false },
  AwaitingTlsReply: { name: 'AwaitingTlsReply', attempt: ATTEMPT },
  SecuringTransport: { name: 'SecuringTransport', attempt: ATTEMPT },
  AwaitingAuthentication: { name: 'AwaitingAuthentication', attempt: ATTEMPT, negotiated: false, ...greeting },
  AwaitingPassword: { name: 'AwaitingPassword', request: { method: 'password' }, ...greeting },
  AwaitingSaslChallenge: {
    name: 'AwaitingSaslChallenge',
    start,
    keys: null,
    iterations: { min: 1, max: 100_000 },
    ...greeting,
  },
  AwaitingSaslPassword: { name: 'AwaitingSaslPassword', challenge, ...greeting },
  DerivingSaslKey: { name: 'DerivingSaslKey', challenge, ...greeting },
  AwaitingSaslOutcome: { name: 'AwaitingSaslOutcome', serverSignature: SERVER_SIGNATURE, ...greeting },
  AwaitingVerdict: { name: 'AwaitingVerdict', authenticationMethod: 'scram-sha-256', ...greeting },
  AwaitingReady: { name: 'AwaitingReady', ...introduction },
  Ready: { name: 'Ready', transactionStatus: 'I', ...introduction },
  Failed: { name: 'Failed', phase: 'AwaitingReady', failure: { kind: 'lost', code: 'FIN', detail: 'end of stream' } },
}

const report = { fields: [{ code: 'S', value: 'FATAL' } as const, { code: 'C', value: '57P03' } as const] }

export const EVENTS: { readonly [E in EventName]: EventOf<E> } = {
  Dial: { type: 'Dial' },
  TransportOpened: { type: 'TransportOpened' },
  RequestTls: { type: 'RequestTls' },
  StartTls: { type: 'StartTls' },
  TlsAccepted: { type: 'TlsAccepted' },
  TlsRefused: { type: 'TlsRefused' },
  TlsEstablished: { type: 'TlsEstablished', tls: TLS },
  PasswordFetched: { type: 'PasswordFetched', password: new Secret('correct horse') },
  SendStartup: { type: 'SendStartup' },
  SaslKeysGiven: { type: 'SaslKeysGiven', keys },
  SaslKeyDerived: { type: 'SaslKeyDerived', keys },
  TransportLost: { type: 'TransportLost', code: 'ECONNRESET', detail: 'read ECONNRESET' },
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
  RowDescription: { type: 'RowDescription', columns: [] },
  DataRow: { type: 'DataRow', values: [] },
  CommandComplete: { type: 'CommandComplete', commandTag: 'SELECT 1' },
  EmptyQueryResponse: { type: 'EmptyQueryResponse' },
  CopyInResponse: { type: 'CopyInResponse', format: 0, columnFormats: [] },
  CopyOutResponse: { type: 'CopyOutResponse', format: 0, columnFormats: [] },
  CopyBothResponse: { type: 'CopyBothResponse', format: 0, columnFormats: [] },
  CopyData: { type: 'CopyData', data: Buffer.from('x') },
  CopyDone: { type: 'CopyDone' },
}
