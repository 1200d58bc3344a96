/**
 * Where the next move is ours, this chooses it; and when an attempt has failed, whether another one is lawful. Everywhere
 * else the handshake waits.
 */
import { tlsServerEndPoint } from '../../auth/channel-binding.ts'
import type { Choice } from '../../auth/choose.ts'
import { allows } from '../../auth/require-auth.ts'
import type { Failure } from '../../protocol/failure.ts'
import type { EventOf } from './events.ts'
import { questionFor } from './session-wanted.ts'
import type { Attempt, Encryption, State, StateOf, TlsFacts } from './states.ts'
import type { StateName } from './table.ts'

/** Where every attempt begins. */
export function begin(attempt: Attempt): StateOf<'Disconnected'> {
  return { name: 'Disconnected', attempt }
}

type OwnMove = EventOf<
  | 'ResolveHost'
  | 'Dial'
  | 'RequestTls'
  | 'StartTls'
  | 'SendStartup'
  | 'SendStartupAndSasl'
  | 'SendCancel'
  | 'AskSession'
  | 'AcceptSession'
>

/** The event that we ourselves cause in this state, or null if something has to be waited for. */
export function nextMove(state: State): OwnMove | null {
  if (state.name === 'Disconnected') return { type: state.attempt.needsLookup ? 'ResolveHost' : 'Dial' }
  if (state.name === 'CheckingSession') {
    const question = state.answer === null ? questionFor(state.greeting.sessionWanted, state.parameters) : null
    return question === null ? { type: 'AcceptSession' } : { type: 'AskSession', question }
  }
  if (state.name !== 'Connected') return null
  const { attempt, tls, tlsRefused } = state
  if (attempt.encryption !== 'off' && tls === null && !tlsRefused) {
    return { type: attempt.directTls ? 'StartTls' : 'RequestTls' }
  }
  if (attempt.cancelKey !== null) return { type: 'SendCancel', key: attempt.cancelKey }
  const guess = guessSasl(attempt, tls)
  return guess === null ? { type: 'SendStartup' } : { type: 'SendStartupAndSasl', guess }
}

/**
 * Whether SCRAM may begin in the flight of the StartupMessage, and how: where a wrong guess would have failed anyway
 * (require_auth leaves nothing else), or where this server is remembered to have chosen it. The choice about channel binding
 * must be settled as well: to say 'y' to a server that does offer to bind is to be refused (RFC 5802 section 6).
 */
export function guessSasl(attempt: Attempt, tls: TlsFacts | null): Choice | null {
  const { earlySasl, requireAuth, channelBinding, remembered, hasPassword, scramKeys } = attempt
  // Without either the answer would be an error of ours, which must not depend on who speaks first.
  if (!earlySasl || (!hasPassword && scramKeys === null)) return null
  const isRequired = requireAuth !== null && requireAuth.allowed.size === 1 && allows(requireAuth, 'scram-sha-256')
  if (!isRequired && (remembered === null || !allows(requireAuth, 'scram-sha-256'))) return null
  const unbound: Choice = { mechanism: 'SCRAM-SHA-256', binding: { flag: 'n' } }
  if (tls === null) return channelBinding === 'require' ? null : unbound
  if (channelBinding === 'disable') return unbound
  if (channelBinding === 'prefer' && remembered !== 'SCRAM-SHA-256-PLUS') return null
  const endPoint = tls.serverCertificate === null ? null : tlsServerEndPoint(tls.serverCertificate)
  return endPoint === null ? null : { mechanism: 'SCRAM-SHA-256-PLUS', binding: { flag: 'p', data: endPoint } }
}

/** Whether the server may come to ask for the password: not if no method that is allowed would take one. */
export function mayNeedPassword(attempt: Attempt): boolean {
  const { hasPassword, cancelKey, scramKeys, requireAuth, channelBinding, encryption } = attempt
  // A cancel request proves nothing but that it knows the key.
  if (!hasPassword || cancelKey !== null) return false
  // Such an attempt ends before anything is sent.
  if (channelBinding === 'require' && encryption === 'off') return false
  const scramNeedsIt = scramKeys === null && allows(requireAuth, 'scram-sha-256')
  return scramNeedsIt || allows(requireAuth, 'password') || allows(requireAuth, 'md5')
}

/** What a failure after a wrong guess is about. */
export const EARLY_SASL = 'authentication, which was begun before the server asked'

/**
 * Whether the same attempt may be made again without a guess, where servers are remembered: the server is not as it is
 * remembered, or does not cope with a message that it has not asked for.
 */
export function mayTryUnguessed(phase: StateName, failure: Failure): boolean {
  if (phase !== 'AwaitingSaslOffer') return false
  return isProtocolViolation(failure) || (failure.kind === 'incompatible' && failure.what === EARLY_SASL)
}

/** What a pooler says to a message that it does not expect: protocol_violation in #ERRCODES-TABLE. */
export function isProtocolViolation(failure: Failure): boolean {
  return failure.kind === 'refused' && failure.sqlstate === '08P01'
}

/** What sslmode means: the attempts that may be made, in order. #LIBPQ-CONNECT-SSLMODE, and its table in #LIBPQ-SSL-PROTECTION. */
export function encryptionAttempts(
  mode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full',
): readonly [Encryption, ...Encryption[]] {
  if (mode === 'disable') return ['off']
  if (mode === 'allow') return ['off', 'required']
  return mode === 'prefer' ? ['preferred', 'off'] : ['required']
}

/**
 * Whether the next host of the list may be tried after this failure. Yes, if it is about this one host: it cannot be reached,
 * was silent for its part of the deadline, has no room or is not up, or is not what target_session_attrs wants. No, if the
 * next one would say the same, as to a wrong password, or if somebody does what no server would: that is to be seen.
 *
 * libpq goes on after most of these (fe-connect.c, try_next_host); it stops where a connection breaks half-way or has no
 * room (53300), which is about one host as well.
 *
 * `hasAsked`: a first query has left already. Nobody is to run it twice.
 */
export function mayTryNextHost(phase: StateName, failure: Failure, hasAsked = false): boolean {
  // An answer of the server, even a no, comes before it would have read the query. Whoever falls silent may have run it.
  if (hasAsked && failure.kind !== 'refused') return false
  switch (failure.kind) {
    case 'lost':
    case 'deadline':
      return true
    case 'incompatible':
      return phase === 'CheckingSession'
    case 'refused':
      return phase === 'AwaitingSessionCheck' || isUnavailable(failure)
    default:
      return false
  }
}

/** The server has no room (insufficient resources), or is not up (operator intervention): #ERRCODES-TABLE. */
function isUnavailable({ sqlstate }: Extract<Failure, { kind: 'refused' }>): boolean {
  return sqlstate.startsWith('53') || sqlstate.startsWith('57P')
}

/** The states in which a server that refuses may want the other kind of connection: until it has let us in. */
const BEFORE_ADMISSION: readonly StateName[] = [
  'AwaitingAuthentication',
  'AwaitingSaslOffer',
  'AwaitingSaslChallenge',
  'AwaitingSaslOutcome',
  'AwaitingVerdict',
]

/**
 * Whether the next attempt of the list may follow this failure, as in libpq (CONNECTION_FAILED in fe-connect.c): TLS could
 * not be had, or the server refused before it let us in. `secured`: the attempt that failed ran in TLS.
 */
export function mayTryOther(encryption: Encryption, secured: boolean, phase: StateName, failure: Failure): boolean {
  if (encryption === 'required') return false
  if (phase === 'AwaitingTlsReply') return failure.kind === 'refused'
  if (phase === 'SecuringTransport') return failure.kind === 'lost' || failure.kind === 'unproven'
  // 'preferred' and not secured: the server had said no to TLS, and this was the other kind already.
  if (encryption === 'preferred' && !secured) return false
  // It would say the same in TLS or without. As libpq (cannot_connect_now): the next host is to be tried, and at once.
  if (failure.kind === 'refused' && isUnavailable(failure)) return false
  // What we ourselves would not do in plaintext may be done in TLS: libpq has no such scruples, and never gets here.
  const isOurRefusal = encryption === 'off' && failure.kind === 'policy'
  return (failure.kind === 'refused' || isOurRefusal) && BEFORE_ADMISSION.includes(phase)
}
