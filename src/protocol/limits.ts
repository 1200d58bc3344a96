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

  /** Any other message, body, unless it may be long. libpq's MAX_ERRLEN and its bound for short messages are 30,000. */
  bodyBytesMax: 30_000,

  /**
   * A message after ReadyForQuery that may be long, body: rows and their description, COPY data, errors, notices,
   * notifications. PostgreSQL itself cannot allocate more than 1 GB for one (MaxAllocSize, memutils.h). All
   * others stay at 30,000, as in libpq (VALID_LONG_MESSAGE_TYPE, fe-protocol3.c).
   */
  longBodyBytesMax: 0x3fff_ffff,

  /**
   * Text in a message after ReadyForQuery, which may be twice as long as a string of V8 can be: without a bound,
   * a server could make the decoder throw what it does not announce. Node's buffer.constants.MAX_STRING_LENGTH.
   */
  stringBytesMax: 0x1fff_ffe8,

  /**
   * What a server may send until TLS is up. OpenSSL bounds every message, the longest ones (certificates, names of
   * authorities, key exchange) at 100 KB (SSL_MAX_CERT_LIST_DEFAULT, ssl.h; SERVER_KEY_EXCH_MAX_LENGTH, statem_local.h); all that
   * a server really sends comes to some KB. What OpenSSL drops, such as HelloRequest, it takes without end.
   */
  tlsHandshakeBytesMax: 256 * 1024,

  /**
   * What a server may send inside TLS until the session is ready that brings none of its messages: tickets, new keys, requests
   * to negotiate again, headers and padding. OpenSSL takes it without end. PostgreSQL sends no tickets, a proxy two; a
   * lawful start of a session comes to some KB.
   */
  tlsOverheadBytesMax: 256 * 1024,

  /** Notices before ReadyForQuery. A login trigger may raise a few; without a bound they never end. */
  startupNoticesMax: 64,

  /** Notifications before ReadyForQuery, which a login trigger may cause. The bound is that of notices. */
  startupNotificationsMax: 64,

  /** Notices that are kept of one query, or while none runs: the latest. A loop in a function may raise millions. */
  noticesKeptMax: 1_000,

  /** ParameterStatus messages before ReadyForQuery, and parameters of a session. PostgreSQL 18 has 15; poolers add some. */
  parametersMax: 512,

  /** Names and values of those before ReadyForQuery together, in UTF-16 code units. */
  startupParametersLengthMax: 64_000,

  /**
   * Hosts of one connect, and entries of each list that belongs to them. Each may cost a look-up and several attempts
   * out of one deadline, so that of too many none gets enough. libpq has no bound; a primary serves ten standbys
   * unless it is told otherwise (max_wal_senders).
   */
  hostsMax: 64,

  /** A StartupMessage, whole. PostgreSQL's MAX_STARTUP_PACKET_LENGTH (pqcomm.h) is 10,000. */
  startupMessageBytesMax: 10_000,

  /**
   * PBKDF2 iterations that a server may ask for. PostgreSQL's default is 4,096 (scram_iterations); rust-postgres
   * and pgjdbc stop at 100,000 too. Above it a server could keep our processor busy for minutes (CVE-2026-42198).
   */
  scramIterationsMax: 100_000,

  /**
   * Addresses of one name that are used. musl's getaddrinfo returns no more (MAXADDRS, lookup.h); glibc returns what a name
   * server says, and one that says thousands would have us open as many sockets.
   */
  addressesMax: 48,

  /**
   * Sockets of one race that wait for an answer at once. They are opened every 250 ms, so that the oldest has had two
   * seconds when there are more: TCP has sent its SYN a second time then (after one second, RFC 6298), and it is given up.
   * Without a bound, every black hole behind a name would hold a socket until the deadline. Eight addresses are never given up.
   */
  dialsAtOnceMax: 8,

  /** Cancel key under protocol 3.0: exactly four bytes (#PROTOCOL-MESSAGE-FORMATS-BACKENDKEYDATA). */
  cancelKeyBytes30: 4,

  /** Cancel key under protocol 3.2: four bytes at least, 256 at most (same place). */
  cancelKeyBytesMin32: 4,
  cancelKeyBytesMax32: 256,

  /**
   * A service file, or a file of passwords. libpq reads line by line, of a service file such that have less than 1,023 bytes
   * (fe-connect.c, parseServiceFile): this is a thousand of them. What is longer is another file, named by mistake.
   */
  configurationFileBytesMax: 1_048_576,
} as const

/** DataRow, RowDescription, CopyData, ErrorResponse, NoticeResponse, NotificationResponse. */
const LONG_TAGS = 'DTdENA'

/** The longest body that a message with this tag may have. */
export function bodyBytesMax(tag: string, phase: FramePhase): number {
  if (tag === 'R' || tag === 'v') return LIMITS.authenticationBodyBytesMax
  return phase === 'session' && LONG_TAGS.includes(tag) ? LIMITS.longBodyBytesMax : LIMITS.bodyBytesMax
}
