/**
 * Every bound in the protocol: the number, the reason, the precedent. All are checked before the work or
 * the memory is spent that they bound.
 */

/** The parts of a connection in which different bounds hold. */
export type FramePhase = 'startup' | 'session'

export const LIMITS = {
  /**
   * An authentication request or NegotiateProtocolVersion, body. They carry a mechanism list or a SCRAM
   * message; libpq refuses more than 2,000 bytes (fe-connect.c, PQconnectPoll).
   */
  authenticationBodyBytesMax: 2_000,

  /** Any other message before ReadyForQuery, body. libpq's MAX_ERRLEN for start-up errors is 30,000. */
  startupBodyBytesMax: 30_000,

  /**
   * A message after ReadyForQuery, body. PostgreSQL itself cannot allocate more than 1 GB for a row
   * (MaxAllocSize, memutils.h); a longer one is a lie.
   */
  sessionBodyBytesMax: 0x3fff_ffff,

  /** Notices before ReadyForQuery. A login trigger may raise a few; without a bound they never end. */
  startupNoticesMax: 64,

  /** ParameterStatus messages before ReadyForQuery. PostgreSQL 18 sends 15; poolers add some. */
  startupParametersMax: 512,

  /** Names and values of those together, in UTF-16 code units. */
  startupParametersLengthMax: 64_000,

  /** A StartupMessage, whole. PostgreSQL's MAX_STARTUP_PACKET_LENGTH (pqcomm.h) is 10,000. */
  startupMessageBytesMax: 10_000,

  /**
   * PBKDF2 iterations that a server may ask for. PostgreSQL's default is 4,096 (scram_iterations); rust-postgres
   * and pgjdbc stop at 100,000 too. Above it a server could keep our processor busy for minutes (CVE-2026-42198).
   */
  scramIterationsMax: 100_000,

  /** Cancel key under protocol 3.0: exactly four bytes (#PROTOCOL-MESSAGE-FORMATS-BACKENDKEYDATA). */
  cancelKeyBytes30: 4,

  /** Cancel key under protocol 3.2: four bytes at least, 256 at most (same place). */
  cancelKeyBytesMin32: 4,
  cancelKeyBytesMax32: 256,
} as const

/** The longest body that a message with this tag may have. */
export function bodyBytesMax(tag: string, phase: FramePhase): number {
  if (phase === 'session') return LIMITS.sessionBodyBytesMax
  return tag === 'R' || tag === 'v' ? LIMITS.authenticationBodyBytesMax : LIMITS.startupBodyBytesMax
}
