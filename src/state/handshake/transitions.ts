/**
 * One function per cell of the table. Each takes the state, the event and the signal, and gives the next
 * state and what is to be done. `handshake.step` and `handshake.receive` are how they are reached.
 *
 * Manual: #PROTOCOL-FLOW-START-UP, #SASL-AUTHENTICATION, #PROTOCOL-VERSIONS.
 */
import { chooseMechanism } from '../../auth/choose.ts'
import { answerMd5 } from '../../auth/md5.ts'
import { normalizePassword } from '../../auth/saslprep.ts'
import { beginScram, clientFirst, proveScram, readChallenge, verifyOutcome } from '../../auth/scram.ts'
import { Secret } from '../../auth/secret.ts'
import { type Failure, Fault } from '../../protocol/failure.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { readReport } from '../../protocol/response-fields.ts'
import { versionNumber } from '../../protocol/startup.ts'
import { checkEncoding } from '../encoding.ts'
import { createMachine, type Everywhere, type Step, type Transitions } from '../machine.ts'
import type { Effect, Event, EventOf } from './events.ts'
import type { Attempt, AuthenticationMethod, State, StateOf } from './states.ts'
import { type EVERYWHERE, TABLE } from './table.ts'

const TRANSITIONS: Transitions<typeof TABLE, State, Event, Effect> = {
  Disconnected: {
    Dial: ({ attempt }) => ({ state: { name: 'Dialing', attempt }, effects: [{ do: 'dial' }] }),
  },

  Dialing: {
    TransportOpened: ({ attempt }) => to({ name: 'Connected', attempt }),
  },

  Connected: {
    SendStartup: ({ attempt }) => {
      const protocolVersion = attempt.maxProtocolVersion
      const parameters = [['user', attempt.user], ['database', attempt.database], ...attempt.runtimeParameters] as const
      return {
        state: { name: 'AwaitingAuthentication', attempt, protocolVersion, negotiated: false, notices: [] },
        effects: [
          send({
            type: 'StartupMessage',
            protocolVersion: versionNumber(protocolVersion),
            parameters: parameters.map(([name, value]) => ({ name, value })),
          }),
        ],
      }
    },
  },

  AwaitingAuthentication: {
    NegotiateProtocolVersion: (state, event) => to({ ...state, ...negotiate(state, event), negotiated: true }),

    AuthenticationOk: (state) => to(introduce(state, 'none')),

    AuthenticationCleartextPassword: (state) => {
      const password = passwordFor(state.attempt, 'password')
      if (!state.attempt.allowCleartextPassword) {
        throw new Fault({
          kind: 'policy',
          what: 'the server asked for the password in the clear, on a connection without TLS; it was not sent',
          advice:
            'let the server use scram-sha-256 (pg_hba.conf), or set allowCleartextPassword if you trust every hop of the path',
        })
      }
      return answer(state, 'password', password.reveal())
    },

    AuthenticationMD5Password: (state, { salt }) =>
      answer(state, 'md5', answerMd5(state.attempt.user, passwordFor(state.attempt, 'md5'), salt)),

    AuthenticationSASL: ({ attempt, protocolVersion, notices }, { mechanisms }) => {
      const mechanism = chooseMechanism(mechanisms)
      const password = passwordFor(attempt, 'scram-sha-256')
      const start = beginScram(attempt.clientNonce)
      return {
        state: {
          name: 'AwaitingSaslChallenge',
          start,
          password,
          scramIterationsMax: attempt.scramIterationsMax,
          protocolVersion,
          notices,
        },
        effects: [send({ type: 'SASLInitialResponse', mechanism, data: clientFirst(start) })],
      }
    },

    AuthenticationKerberosV5: () => unsupported('Kerberos V5'),
    AuthenticationGSS: () => unsupported('GSSAPI'),
    AuthenticationSSPI: () => unsupported('SSPI'),
  },

  AwaitingSaslChallenge: {
    AuthenticationSASLContinue: ({ start, password, scramIterationsMax, protocolVersion, notices }, { data }) => {
      const challenge = readChallenge(start, data, scramIterationsMax)
      return {
        state: { name: 'DerivingSaslKey', challenge, protocolVersion, notices },
        effects: [
          {
            do: 'deriveKey',
            password: new Secret(normalizePassword(password.reveal())),
            salt: challenge.salt,
            iterations: challenge.iterations,
          },
        ],
      }
    },
  },

  DerivingSaslKey: {
    SaslKeyDerived: ({ challenge, protocolVersion, notices }, { saltedPassword }) => {
      const { clientFinal, serverSignature } = proveScram(challenge, saltedPassword)
      return {
        state: { name: 'AwaitingSaslOutcome', serverSignature, protocolVersion, notices },
        effects: [send({ type: 'SASLResponse', data: clientFinal })],
      }
    },
  },

  AwaitingSaslOutcome: {
    AuthenticationSASLFinal: ({ serverSignature, protocolVersion, notices }, { data }) => {
      verifyOutcome(serverSignature, data)
      return to({ name: 'AwaitingVerdict', authenticationMethod: 'scram-sha-256', protocolVersion, notices })
    },
  },

  AwaitingVerdict: {
    AuthenticationOk: (state) => to(introduce(state, state.authenticationMethod)),
  },

  AwaitingReady: {
    ParameterStatus: (state, { name, value }) => {
      checkEncoding(name, value)
      const parameters = [...state.parameters, [name, value] as const]
      bound('ParameterStatus messages before ReadyForQuery', parameters.length, LIMITS.parametersMax)
      const length = parameters.reduce((sum, [one, other]) => sum + one.length + other.length, 0)
      bound('characters of ParameterStatus before ReadyForQuery', length, LIMITS.startupParametersLengthMax)
      return to({ ...state, parameters })
    },

    BackendKeyData: (state, { processId, secretKey }) => {
      const [min, max] =
        state.protocolVersion === '3.0'
          ? [LIMITS.cancelKeyBytes30, LIMITS.cancelKeyBytes30]
          : [LIMITS.cancelKeyBytesMin32, LIMITS.cancelKeyBytesMax32]
      if (secretKey.length < min || secretKey.length > max) {
        throw new Fault({
          kind: 'malformed',
          message: 'BackendKeyData',
          field: 'secretKey',
          offset: 4,
          problem: `expected ${min === max ? min : `${min} to ${max}`} bytes under protocol ${state.protocolVersion}, got ${secretKey.length}`,
        })
      }
      return to({ ...state, backendKeyData: { processId, secretKey } })
    },

    NotificationResponse: (state) => {
      const notifications = state.notifications + 1
      bound('NotificationResponse messages before ReadyForQuery', notifications, LIMITS.startupNotificationsMax)
      return to({ ...state, notifications })
    },

    ReadyForQuery: (state, { status }) => to({ ...state, name: 'Ready', transactionStatus: status }),
  },

  Ready: {},
  Failed: {},
}

const ANYWHERE: Everywhere<typeof EVERYWHERE, State, Event, Effect> = {
  ErrorResponse: (state, event) => to(fail(state, { kind: 'refused', ...readReport(event) })),

  NoticeResponse: (state, event) => {
    if (!('notices' in state)) {
      throw new Fault({ kind: 'misbehaved', expected: ['silence until we have spoken'], received: event.type })
    }
    bound('NoticeResponse messages before ReadyForQuery', state.notices.length + 1, LIMITS.startupNoticesMax)
    return to({ ...state, notices: [...state.notices, readReport(event)] })
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

/** NegotiateProtocolVersion: the server speaks an older minor version, or does not know an option of ours. */
function negotiate(
  { attempt, protocolVersion, negotiated }: StateOf<'AwaitingAuthentication'>,
  { newestVersion, unrecognizedOptions }: EventOf<'NegotiateProtocolVersion'>,
): Pick<StateOf<'AwaitingAuthentication'>, 'protocolVersion'> {
  const misbehaved = (expected: string, received: string) =>
    new Fault({ kind: 'misbehaved', expected: [expected], received })
  const shown = `${newestVersion >> 16}.${newestVersion & 0xffff}`

  if (negotiated) throw misbehaved('one NegotiateProtocolVersion at most', 'a second one')
  // We ask for no option (they would begin with '_pq_.'), so there is none that a server could fail to know.
  if (unrecognizedOptions.length > 0) {
    throw misbehaved('no unrecognized options, since none was sent', `${unrecognizedOptions.length} of them`)
  }
  if (newestVersion >= versionNumber(protocolVersion)) {
    throw misbehaved(`a version below ${protocolVersion}, which we asked for`, shown)
  }
  // Below 3.2 there is 3.0 only: 3.1 is reserved, and whoever speaks 2 would not have sent this message.
  if (newestVersion !== versionNumber('3.0')) throw misbehaved('version 3.0', shown)
  if (attempt.minProtocolVersion !== '3.0') {
    throw new Fault({
      kind: 'incompatible',
      what: 'protocol version',
      offered: ['3.0'],
      supported: [`${attempt.minProtocolVersion} or later (minProtocolVersion)`],
    })
  }
  return { protocolVersion: '3.0' }
}

/** The first state in which the server has let us in. */
function introduce(
  { protocolVersion, notices }: StateOf<'AwaitingAuthentication' | 'AwaitingVerdict'>,
  authenticationMethod: AuthenticationMethod,
): StateOf<'AwaitingReady'> {
  return {
    name: 'AwaitingReady',
    authenticationMethod,
    protocolVersion,
    notices,
    parameters: [],
    backendKeyData: null,
    notifications: 0,
  }
}

function passwordFor(attempt: Attempt, method: AuthenticationMethod): Secret {
  if (attempt.password !== null) return attempt.password
  throw new Fault({
    kind: 'config',
    parameter: 'password',
    problem: `the server asked for a password (${method}) and none was given`,
  })
}

function answer(
  { protocolVersion, notices }: StateOf<'AwaitingAuthentication'>,
  authenticationMethod: AuthenticationMethod,
  password: string,
): Step<StateOf<'AwaitingVerdict'>, Effect> {
  return {
    state: { name: 'AwaitingVerdict', authenticationMethod, protocolVersion, notices },
    effects: [send({ type: 'PasswordMessage', password })],
  }
}

function unsupported(method: string): never {
  throw new Fault({
    kind: 'incompatible',
    what: 'authentication method',
    offered: [method],
    supported: ['none', 'password', 'md5', 'scram-sha-256'],
  })
}

function bound(what: string, received: number, limit: number): void {
  if (received > limit) throw new Fault({ kind: 'limit', what, limit, received })
}
