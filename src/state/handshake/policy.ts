/**
 * Where the next move is ours, this chooses it; and when an attempt has failed, whether another one is lawful. Everywhere
 * else the handshake waits.
 */
import { allows } from '../../auth/require-auth.ts'
import type { Failure } from '../../protocol/failure.ts'
import type { EventOf } from './events.ts'
import type { Attempt, Encryption, State, StateOf } from './states.ts'
import type { StateName } from './table.ts'

/** Where every attempt begins. */
export function begin(attempt: Attempt): StateOf<'Disconnected'> {
  return { name: 'Disconnected', attempt }
}

type OwnMove = EventOf<'Dial' | 'RequestTls' | 'StartTls' | 'SendStartup'>

/** The event that we ourselves cause in this state, or null if something has to be waited for. */
export function nextMove(state: State): OwnMove | null {
  if (state.name === 'Disconnected') return { type: 'Dial' }
  if (state.name !== 'Connected') return null
  const { attempt, tls, tlsRefused } = state
  if (attempt.encryption !== 'off' && tls === null && !tlsRefused) {
    return { type: attempt.directTls ? 'StartTls' : 'RequestTls' }
  }
  return { type: 'SendStartup' }
}

/** Whether the server may come to ask for the password: not if no method that is allowed would take one. */
export function mayNeedPassword({ hasPassword, scramKeys, requireAuth, channelBinding, encryption }: Attempt): boolean {
  if (!hasPassword) return false
  // Such an attempt ends before anything is sent.
  if (channelBinding === 'require' && encryption === 'off') return false
  const scramNeedsIt = scramKeys === null && allows(requireAuth, 'scram-sha-256')
  return scramNeedsIt || allows(requireAuth, 'password') || allows(requireAuth, 'md5')
}

/** What sslmode means: the attempts that may be made, in order. #LIBPQ-CONNECT-SSLMODE, and its table in #LIBPQ-SSL-PROTECTION. */
export function encryptionAttempts(
  mode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full',
): readonly Encryption[] {
  if (mode === 'disable') return ['off']
  if (mode === 'allow') return ['off', 'required']
  return mode === 'prefer' ? ['preferred', 'off'] : ['required']
}

/** The states in which a server that refuses may want the other kind of connection: until it has let us in. */
const BEFORE_ADMISSION: readonly StateName[] = [
  'AwaitingAuthentication',
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
  // What we ourselves would not do in plaintext may be done in TLS: libpq has no such scruples, and never gets here.
  const isOurRefusal = encryption === 'off' && failure.kind === 'policy'
  return (failure.kind === 'refused' || isOurRefusal) && BEFORE_ADMISSION.includes(phase)
}
