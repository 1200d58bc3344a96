/**
 * One function per cell of the table. Each takes the state, the event and the signal, and gives the next
 * state and what is to be done. `handshake.step` and `handshake.receive` are how they are reached.
 *
 * Manual: #PROTOCOL-FLOW-START-UP, #SASL-AUTHENTICATION, #PROTOCOL-VERSIONS, #PROTOCOL-FLOW-CANCELING-REQUESTS.
 */
import { answerMd5 } from '../../auth/md5.ts'
import { normalizePassword } from '../../auth/saslprep.ts'
import { beginScram, clientFirst, proveScram, readChallenge, type ScramKeys, verifyOutcome } from '../../auth/scram.ts'
import { Secret } from '../../auth/secret.ts'
import { type Failure, Fault } from '../../protocol/failure.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { readReport } from '../../protocol/response-fields.ts'
import { createMachine, type Everywhere, type Step, type Transitions } from '../machine.ts'
import {
  admit,
  checkPassword,
  checkUnbound,
  choose,
  iterationsOf,
  keysOf,
  misguessed,
  unsupported,
} from './admission.ts'
import type { Effect, Event } from './events.ts'
import { adviceOn, greet, introduce, negotiate } from './greeting.ts'
import { mayNeedPassword } from './policy.ts'
import { addNotification, addParameter, awaitReady, bound, follow, oddAnswer } from './reports.ts'
import { findMismatch, isDecidedBy } from './session-wanted.ts'
import type { Attempt, State, StateOf } from './states.ts'
import { type EVERYWHERE, TABLE } from './table.ts'

const TRANSITIONS: Transitions<typeof TABLE, State, Event, Effect> = {
  Disconnected: {
    ResolveHost: ({ attempt }) => ({
      state: { name: 'ResolvingHost', attempt },
      effects: [...prepare(attempt), { do: 'resolveHost' }],
    }),

    Dial: ({ attempt }) => ({
      state: { name: 'Dialing', attempt },
      effects: [...prepare(attempt), { do: 'dial', addresses: null }],
    }),
  },

  ResolvingHost: {
    HostResolved: ({ attempt }, { addresses }) => ({
      state: { name: 'Dialing', attempt },
      effects: [{ do: 'dial', addresses }],
    }),
  },

  Dialing: {
    TransportOpened: ({ attempt }) => to({ name: 'Connected', attempt, tls: null, tlsRefused: false }),
  },

  Connected: {
    RequestTls: ({ attempt }) => ({
      state: { name: 'AwaitingTlsReply', attempt },
      effects: [send({ type: 'SSLRequest' })],
    }),

    StartTls: ({ attempt }) => startTls(attempt),

    SendStartup: ({ attempt, tls }) => {
      const { greeting, startup } = greet(attempt, tls)
      return { state: { name: 'AwaitingAuthentication', attempt, negotiated: false, greeting }, effects: [startup] }
    },

    SendStartupAndSasl: ({ attempt, tls }, { guess }) => {
      const { greeting, startup } = greet(attempt, tls)
      const { mechanism, binding } = guess
      const start = beginScram(attempt.clientNonce, mechanism, binding)
      return {
        state: {
          name: 'AwaitingSaslOffer',
          attempt,
          negotiated: false,
          guess,
          start,
          keys: keysOf(attempt),
          greeting,
        },
        effects: [startup, send({ type: 'SASLInitialResponse', mechanism, data: clientFirst(start) })],
      }
    },

    SendCancel: (_state, { key }) => ({
      state: { name: 'AwaitingCancelClose' },
      effects: [send({ type: 'CancelRequest', ...key })],
    }),
  },

  AwaitingTlsReply: {
    TlsAccepted: ({ attempt }) => startTls(attempt),

    TlsRefused: ({ attempt }) => {
      if (attempt.encryption === 'required') {
        throw new Fault({
          kind: 'policy',
          what: 'the server does not speak TLS, and sslmode requires it; nothing was sent in the clear',
          advice: 'turn ssl on at the server, or lower sslmode if you trust every hop of the path',
        })
      }
      return to({ name: 'Connected', attempt, tls: null, tlsRefused: true })
    },

    ErrorResponse: () => {
      throw new Fault({
        kind: 'refused',
        severity: '',
        sqlstate: '',
        message: 'an error in place of an answer to SSLRequest; its text came in the clear and is withheld',
        fields: new Map(),
      })
    },
  },

  SecuringTransport: {
    TlsEstablished: ({ attempt }, { tls }) => {
      if (tls.rejection !== null) throw new Fault({ kind: 'unproven', what: tls.rejection })
      // Without ALPN a server of another protocol could be made to read ours (ALPACA): #PROTOCOL-FLOW-SSL.
      if (tls.alpnProtocol !== 'postgresql' && (attempt.directTls || tls.alpnProtocol !== null)) {
        throw new Fault({
          kind: 'misbehaved',
          expected: ["ALPN protocol 'postgresql'"],
          received: tls.alpnProtocol === null ? 'none' : 'another one',
        })
      }
      return to({ name: 'Connected', attempt, tls, tlsRefused: false })
    },
  },

  AwaitingAuthentication: {
    NegotiateProtocolVersion: (state, event) => to({ ...state, greeting: negotiate(state, event), negotiated: true }),

    AuthenticationOk: (state) => {
      admit(state.attempt, 'none')
      checkUnbound(state.attempt)
      return to(introduce(state, 'none'))
    },

    AuthenticationCleartextPassword: (state) => {
      admit(state.attempt, 'password')
      checkUnbound(state.attempt)
      checkPassword(state.attempt, 'password')
      if (state.greeting.tls === null && !state.attempt.allowCleartextPassword) {
        throw new Fault({
          kind: 'policy',
          what: 'the server asked for the password in the clear, on a connection without TLS; it was not sent',
          advice:
            'use TLS (sslmode=verify-full), let the server use scram-sha-256 (pg_hba.conf), or set allowCleartextPassword if you trust every hop of the path',
        })
      }
      return fetchPassword(state, { method: 'password' })
    },

    AuthenticationMD5Password: (state, { salt }) => {
      admit(state.attempt, 'md5')
      checkUnbound(state.attempt)
      checkPassword(state.attempt, 'md5')
      return fetchPassword(state, { method: 'md5', user: state.attempt.user, salt })
    },

    AuthenticationSASL: (state, { mechanisms }) => {
      const { attempt, greeting } = state
      admit(attempt, 'scram-sha-256')
      const { mechanism, binding } = choose(state, mechanisms)
      const keys = keysOf(attempt)
      if (keys === null) checkPassword(attempt, 'scram-sha-256')
      const start = beginScram(attempt.clientNonce, mechanism, binding)
      const iterations = iterationsOf(attempt)
      return {
        state: { name: 'AwaitingSaslChallenge', start, keys, iterations, greeting },
        effects: [send({ type: 'SASLInitialResponse', mechanism, data: clientFirst(start) })],
      }
    },

    AuthenticationKerberosV5: () => unsupported('Kerberos V5'),
    AuthenticationGSS: () => unsupported('GSSAPI'),
    AuthenticationSSPI: () => unsupported('SSPI'),
  },

  AwaitingSaslOffer: {
    NegotiateProtocolVersion: (state, event) => to({ ...state, greeting: negotiate(state, event), negotiated: true }),

    AuthenticationSASL: (state, { mechanisms }) => {
      const { attempt, guess, start, keys, greeting } = state
      const { mechanism, binding } = choose(state, mechanisms)
      if (mechanism !== guess.mechanism || binding.flag !== guess.binding.flag) throw misguessed(state, mechanism)
      const iterations = iterationsOf(attempt)
      return to({ name: 'AwaitingSaslChallenge', start, keys, iterations, greeting })
    },

    AuthenticationOk: (state) => {
      admit(state.attempt, 'none')
      throw misguessed(state, 'none')
    },
    AuthenticationCleartextPassword: (state) => {
      admit(state.attempt, 'password')
      throw misguessed(state, 'password')
    },
    AuthenticationMD5Password: (state) => {
      admit(state.attempt, 'md5')
      throw misguessed(state, 'md5')
    },
    AuthenticationKerberosV5: () => unsupported('Kerberos V5'),
    AuthenticationGSS: () => unsupported('GSSAPI'),
    AuthenticationSSPI: () => unsupported('SSPI'),
  },

  AwaitingPassword: {
    PasswordFetched: (state, { password }) => {
      const { request, greeting } = state
      const answer = request.method === 'md5' ? answerMd5(request.user, password, request.salt) : password.reveal()
      return {
        state: { name: 'AwaitingVerdict', authenticationMethod: request.method, greeting },
        effects: [send({ type: 'PasswordMessage', password: answer })],
      }
    },
  },

  AwaitingSaslChallenge: {
    AuthenticationSASLContinue: (state, { data }) => {
      const { start, keys, iterations, greeting } = state
      const challenge = readChallenge(start, data, iterations)
      return {
        state: { name: 'AwaitingSaslPassword', challenge, greeting },
        effects: [keys === null ? { do: 'fetchPassword' } : { do: 'useKeys', keys }],
      }
    },
  },

  AwaitingSaslPassword: {
    PasswordFetched: (state, { password }) => {
      const { challenge, greeting } = state
      const { salt, iterations } = challenge
      return {
        state: { name: 'DerivingSaslKey', challenge, greeting },
        effects: [{ do: 'deriveKey', password: new Secret(normalizePassword(password.reveal())), salt, iterations }],
      }
    },

    SaslKeysGiven: (state, { keys }) => prove(state, keys),
  },

  DerivingSaslKey: {
    SaslKeyDerived: (state, { keys }) => prove(state, keys),
  },

  AwaitingSaslOutcome: {
    AuthenticationSASLFinal: (state, { data }) => {
      const { serverSignature, greeting } = state
      verifyOutcome(serverSignature, data)
      return to({ name: 'AwaitingVerdict', authenticationMethod: 'scram-sha-256', greeting })
    },
  },

  AwaitingVerdict: {
    AuthenticationOk: (state) => to(introduce(state, state.authenticationMethod)),
  },

  AwaitingReady: {
    ParameterStatus: (state, event) => to(awaitReady(state, { parameters: addParameter(state, event) })),

    BackendKeyData: (state, { processId, secretKey }) => {
      const { protocolVersion } = state.greeting
      const [min, max] =
        protocolVersion === '3.0'
          ? [LIMITS.cancelKeyBytes30, LIMITS.cancelKeyBytes30]
          : [LIMITS.cancelKeyBytesMin32, LIMITS.cancelKeyBytesMax32]
      if (secretKey.length < min || secretKey.length > max) {
        throw new Fault({
          kind: 'malformed',
          message: 'BackendKeyData',
          field: 'secretKey',
          offset: 4,
          problem: `expected ${min === max ? min : `${min} to ${max}`} bytes under protocol ${protocolVersion}, got ${secretKey.length}`,
        })
      }
      // One backend has one key. Nothing else would end a flood of them but the deadline.
      if (state.backendKeyData !== null) {
        throw new Fault({
          kind: 'misbehaved',
          expected: ['one BackendKeyData at most'],
          received: 'a second one',
        })
      }
      return to(awaitReady(state, { backendKeyData: { processId, secretKey } }))
    },

    NotificationResponse: (state) => to(awaitReady(state, { notifications: addNotification(state) })),

    // By name here and below, for the same reason as in awaitReady.
    ReadyForQuery: (state, { status }) => {
      const { greeting, authenticationMethod, parameters, backendKeyData, notifications } = state
      return to({
        name: 'CheckingSession',
        greeting,
        authenticationMethod,
        parameters,
        backendKeyData,
        notifications,
        transactionStatus: status,
        answer: null,
      })
    },
  },

  CheckingSession: {
    AskSession: (state, { question }) => ({
      state: { ...state, name: 'AwaitingSessionCheck', heard: 'nothing' },
      effects: [send({ type: 'Query', query: question })],
    }),

    AcceptSession: (state) => {
      const { greeting, authenticationMethod, parameters, backendKeyData, notifications, transactionStatus } = state
      const { sessionWanted } = greeting
      const mismatch = findMismatch(sessionWanted, parameters, state.answer)
      if (mismatch !== null) {
        const what = 'target_session_attrs'
        throw new Fault({ kind: 'incompatible', what, offered: [mismatch], supported: [sessionWanted] })
      }
      return to({
        name: 'Ready',
        greeting,
        authenticationMethod,
        parameters,
        backendKeyData,
        notifications,
        transactionStatus,
      })
    },
  },

  AwaitingSessionCheck: {
    RowDescription: (state, event) => {
      follow(state, 'nothing', event.type)
      if (event.columns.length !== 1) throw oddAnswer('one column', `${event.columns.length} columns`)
      return to({ ...state, heard: 'RowDescription' })
    },

    DataRow: (state, event) => {
      follow(state, 'RowDescription', event.type)
      const [value] = event.values
      if (event.values.length !== 1 || !value) throw oddAnswer('one value', `a row of ${event.values.length}`)
      const answer = ['on', 'off', 't', 'f'].find((word) => Buffer.from(word).equals(value))
      if (answer === undefined) throw oddAnswer("'on', 'off', 't' or 'f'", 'another value')
      return to({ ...state, heard: 'DataRow', answer })
    },

    CommandComplete: (state, event) => {
      follow(state, 'DataRow', event.type)
      return to({ ...state, heard: 'CommandComplete' })
    },

    ParameterStatus: (state, event) => {
      const parameters = addParameter(state, event)
      // A server that is promoted meanwhile says so. The row was true when it was sent, this is true now: #PROTOCOL-ASYNC.
      const answer = isDecidedBy(event.name, state.greeting.sessionWanted, parameters) ? null : state.answer
      return to({ ...state, parameters, answer })
    },

    NotificationResponse: (state) => to({ ...state, notifications: addNotification(state) }),

    ReadyForQuery: ({ heard, ...state }, event) => {
      follow({ heard }, 'CommandComplete', event.type)
      return to({ ...state, name: 'CheckingSession', transactionStatus: event.status })
    },
  },

  AwaitingCancelClose: {
    TransportLost: (_state, { code, detail }) => {
      // Closed in order, the request was read; broken, nobody knows.
      if (code !== 'FIN') throw new Fault({ kind: 'lost', code, detail })
      return to({ name: 'Cancelled' })
    },
  },

  Ready: {},
  Cancelled: {},
  Failed: {},
}

const ANYWHERE: Everywhere<typeof EVERYWHERE, State, Event, Effect> = {
  ErrorResponse: (state, event) => {
    const report = readReport(event)
    return to(fail(state, { kind: 'refused', ...report, ...adviceOn(state, report) }))
  },

  NoticeResponse: (state, event) => {
    if (!('greeting' in state)) {
      throw new Fault({ kind: 'misbehaved', expected: ['silence until we have spoken'], received: event.type })
    }
    const { greeting } = state
    bound('NoticeResponse messages before ReadyForQuery', greeting.notices.length + 1, LIMITS.startupNoticesMax)
    return to({ ...state, greeting: { ...greeting, notices: [...greeting.notices, readReport(event)] } })
  },

  TransportLost: (state, { code, detail }) => to(fail(state, { kind: 'lost', code, detail })),
}

function fail(state: State, failure: Failure): StateOf<'Failed'> {
  if (state.name === 'Failed') return state
  return { name: 'Failed', phase: state.name, failure }
}

/** The handshake: `step` for an arrow that we know, `receive` for what the server chose. */
export const handshake = createMachine({ table: TABLE, transitions: TRANSITIONS, everywhere: ANYWHERE, fail })

// ---------------------------------------------------------------------------------------------------
// Helpers, in the order of their first use

function to<S extends State>(state: S): Step<S, Effect> {
  return { state, effects: [] }
}

function send(message: Extract<Effect, { do: 'send' }>['message']): Effect {
  return { do: 'send', message }
}

/** The password is begun as early as can be: while the host is looked up and dialed. */
function prepare(attempt: Attempt): readonly Effect[] {
  return mayNeedPassword(attempt) ? [{ do: 'beginPassword' }] : []
}

function startTls(attempt: Attempt): Step<StateOf<'SecuringTransport'>, Effect> {
  return { state: { name: 'SecuringTransport', attempt }, effects: [{ do: 'startTls' }] }
}

function fetchPassword(
  state: StateOf<'AwaitingAuthentication'>,
  request: StateOf<'AwaitingPassword'>['request'],
): Step<StateOf<'AwaitingPassword'>, Effect> {
  return {
    state: { name: 'AwaitingPassword', request, greeting: state.greeting },
    effects: [{ do: 'fetchPassword' }],
  }
}

function prove(
  state: StateOf<'AwaitingSaslPassword' | 'DerivingSaslKey'>,
  keys: ScramKeys,
): Step<StateOf<'AwaitingSaslOutcome'>, Effect> {
  const { challenge, greeting } = state
  const { clientFinal, serverSignature } = proveScram(challenge, keys)
  const { earlyQuery } = greeting
  return {
    state: { name: 'AwaitingSaslOutcome', serverSignature, greeting },
    effects: [
      send({ type: 'SASLResponse', data: clientFinal }),
      ...(earlyQuery === null ? [] : [send({ type: 'Query', query: earlyQuery })]),
    ],
  }
}
