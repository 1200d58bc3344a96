/**
 * What PostgreSQL answers to any bytes whatever, in the four states in which a client meets it before its first query and after:
 * a model, made from the manual (#PROTOCOL-FLOW, #PROTOCOL-MESSAGE-FORMATS) and from the server's own source, where the manual
 * is silent. It knows nothing of our code.
 *
 * An answer is a line of words: the tag of each message ('R:0' with the code of the request, 'E:FATAL:08P01' with severity and
 * SQLSTATE), a bare byte as `'N'`. ParameterStatus, BackendKeyData and notices are left out. Behind what is said here the
 * server closes the connection, since the client has sent its FIN. A prediction is a regular expression for that line.
 */
import { PASSWORD, ROLES } from './fuzz-server.ts'

export type ModelState = 'opened' | 'password' | 'scram' | 'ready'

const READY = 'R:0 Z '
const SILENCE = ''
const VIOLATION = 'E:FATAL:08P01 '
const ANYTHING = '.*'
/** src/include/libpq/pqcomm.h: MAX_STARTUP_PACKET_LENGTH. */
const STARTUP_BYTES_MAX = 10_000
/** src/include/libpq/auth.h, sasl.h, libpq.h: the longest message of each kind, its length included. */
const PASSWORD_BYTES_MAX = 65_535
const SASL_BYTES_MAX = 1_024
const SMALL_BYTES_MAX = 10_000
const LARGE_BYTES_MAX = 0x3fff_fffe

/** The prediction for `bytes` and a FIN in this state; what led to the state has been answered. */
export function predict(state: ModelState, bytes: Buffer): RegExp {
  return new RegExp(`^${answerOf(state, bytes)}$`)
}

function answerOf(state: ModelState, bytes: Buffer): string {
  switch (state) {
    case 'opened':
      return answerToStartup(bytes, false)
    case 'password':
      return answerToPassword(bytes)
    case 'scram':
      return answerToScram(bytes)
    case 'ready':
      return answerToMessages(bytes)
  }
}

function answerToStartup(bytes: Buffer, isSecondPacket: boolean): string {
  // PostgreSQL 17 and later: the first byte of a TLS record begins TLS at once; what is no TLS ends it, maybe with an alert.
  if (bytes[0] === 0x16 && !isSecondPacket) return ANYTHING
  if (bytes.length < 4) return SILENCE
  const length = bytes.readInt32BE(0)
  // ProcessStartupPacket: whoever says this is no client of ours, and is not told anything.
  if (length < 8 || length - 4 > STARTUP_BYTES_MAX || bytes.length < length) return SILENCE
  const code = bytes.readInt32BE(4)
  const rest = bytes.subarray(length)
  // 80877103, SSLRequest: TLS begins, or fails. 80877104, GSSENCRequest: not built in; what came behind it in the clear is
  // refused, since somebody on the path may have put it there.
  if (code === 80_877_103) return `'S' ${ANYTHING}`
  if (code === 80_877_104) return rest.length === 0 ? "'N' " : `'N' ${ANYTHING}`
  // 80877102, CancelRequest: never answered.
  if (code === 80_877_102) return SILENCE
  if (code >>> 16 !== 3) return '(?:E:FATAL:0A000 |raw )'
  return answerToParameters(code & 0xffff, bytes.subarray(8, length), rest)
}

function answerToParameters(minor: number, body: Buffer, rest: Buffer): string {
  const parameters = readParameters(body)
  if (parameters === null) return '(?:v )?E:FATAL:08P01 |E:FATAL:22023 '
  const { settings, isWhole } = parameters
  const replication = settings.get('replication')
  if (replication !== undefined) return ANYTHING
  if (!isWhole) return VIOLATION
  const hasExtension = [...settings.keys()].some((name) => name.startsWith('_pq_.'))
  const negotiation = minor > 2 || hasExtension ? 'v ' : ''
  return negotiation + answerToUser(settings, rest)
}

/** Name and value by turns, each behind it a zero; one more zero at the end, and nothing behind that. */
function readParameters(body: Buffer): { settings: Map<string, string>; isWhole: boolean } | null {
  const settings = new Map<string, string>()
  let offset = 0
  while (offset < body.length) {
    const nameEnd = body.indexOf(0, offset)
    if (nameEnd === offset) break
    const valueStart = nameEnd + 1
    if (nameEnd < 0 || valueStart >= body.length) break
    const valueEnd = body.indexOf(0, valueStart)
    const end = valueEnd < 0 ? body.length : valueEnd
    settings.set(body.toString('latin1', offset, nameEnd), body.toString('latin1', valueStart, end))
    offset = end + 1
  }
  return { settings, isWhole: offset === body.length - 1 }
}

/** Names are cut where identifiers are: NAMEDATALEN is 64. */
function cut(name: string): string {
  return name.slice(0, 63)
}

function answerToUser(settings: ReadonlyMap<string, string>, rest: Buffer): string {
  const user = cut(settings.get('user') ?? '')
  if (user === '') return 'E:FATAL:28000 '
  const database = cut(settings.get('database') || user)
  // pg_hba.conf of FuzzServer: by group; whoever is in none is asked for SCRAM, so that nobody learns which roles there are.
  if (user === ROLES.password) return `R:3 ${answerToPassword(rest)}`
  if (user === ROLES.md5) return `R:5 ${rest.length === 0 ? SILENCE : ANYTHING}`
  if (user.startsWith('by_')) return ANYTHING
  if (user !== ROLES.trust) return `R:10 ${answerToScram(rest)}`
  if (!['postgres', 'template1'].includes(database)) return 'R:0 E:FATAL:(?:3D000|55000) '
  const others = [...settings].filter(([name]) => !['user', 'database'].includes(name) && !name.startsWith('_pq_.'))
  const isKnown = others.every(
    ([name, value]) => name === 'application_name' || (name === 'client_encoding' && value === 'UTF8'),
  )
  if (!isKnown) return `R:0 (?:E:FATAL:(?!XX)\\w{5} |Z ${ANYTHING})`
  return READY + answerToMessages(rest)
}

/** Asked for a password in the clear. The length is looked at after the tag. */
function answerToPassword(bytes: Buffer): string {
  if (bytes.length === 0) return SILENCE
  if (tagOf(bytes) !== 'p') return VIOLATION
  const body = bodyOf(bytes, PASSWORD_BYTES_MAX)
  if (body === null) return SILENCE
  // recv_password_packet: one string, and nothing behind it.
  if (body.length === 0 || body.indexOf(0) !== body.length - 1) return VIOLATION
  if (body.toString('latin1') !== `${PASSWORD}\0`) return 'E:FATAL:28P01 '
  return READY + answerToMessages(bytes.subarray(5 + body.length))
}

/** Asked for SCRAM-SHA-256, without TLS. */
function answerToScram(bytes: Buffer): string {
  if (bytes.length === 0) return SILENCE
  if (tagOf(bytes) !== 'p') return VIOLATION
  const body = bodyOf(bytes, SASL_BYTES_MAX)
  // CheckSASLAuth takes a message that is cut off or too long for a failed proof, unlike recv_password_packet.
  if (body === null) return 'E:FATAL:28P01 '
  const nameEnd = body.indexOf(0)
  if (nameEnd < 0 || body.toString('latin1', 0, nameEnd) !== 'SCRAM-SHA-256') return VIOLATION
  const data = body.subarray(nameEnd + 1)
  if (data.length < 4) return VIOLATION
  const length = data.readInt32BE(0)
  if ((length === -1 ? 0 : length) !== data.length - 4) return VIOLATION
  const rest = bytes.subarray(5 + body.length)
  const ending = rest.length === 0 ? SILENCE : `(?:E:FATAL:(?:08P01|28P01) )?`
  // No initial response: the server asks for one by an empty challenge.
  if (length === -1) return `R:11 ${rest.length === 0 ? SILENCE : ANYTHING}`
  // RFC 5802 section 7: gs2-header, user name, nonce; extensions may follow.
  if (/^n,,n=[^,]*,r=[!-+\--~]+$/.test(data.toString('latin1', 4))) return `R:11 ${ending}`
  return `(?:E:FATAL:(?:08P01|0A000|28000|28P01) |R:11 ${ending})`
}

/** Let in, and ready for a query. */
function answerToMessages(bytes: Buffer): string {
  if (bytes.length === 0) return SILENCE
  const tag = tagOf(bytes)
  // SocketBackend: an unknown tag means that nobody knows where the next message begins.
  if (!'QFXBCDEHPSdcf'.includes(tag)) return VIOLATION
  const body = bodyOf(bytes, 'QFBPd'.includes(tag) ? LARGE_BYTES_MAX : SMALL_BYTES_MAX)
  if (body === null) return SILENCE
  const rest = bytes.subarray(5 + body.length)
  switch (tag) {
    case 'X':
      return SILENCE
    case 'Q':
      return answerToQuery(body) + answerToMessages(rest)
    case 'S':
      return body.length === 0 ? `Z ${answerToMessages(rest)}` : `E:ERROR:08P01 (?:Z )?${ANYTHING}`
    case 'H':
      return body.length === 0 ? answerToMessages(rest) : `E:ERROR:08P01 (?:Z )?${ANYTHING}`
    case 'd':
    case 'c':
    case 'f':
      // What was left of a COPY that has failed: read and forgotten.
      return answerToMessages(rest)
    default:
      // The extended protocol, which we do not speak: after an error nothing is answered until Sync.
      return '(?:(?:[123tnsTDCIVZ]|E:ERROR:(?!XX)\\w{5}) )*(?:E:FATAL:08P01 )?'
  }
}

function answerToQuery(body: Buffer): string {
  const end = body.indexOf(0)
  if (end < 0) return 'E:ERROR:08P01 Z '
  const text = body.subarray(0, end)
  if (!isUtf8(text)) return 'E:ERROR:22021 Z '
  if (end !== body.length - 1) return 'E:ERROR:08P01 Z '
  const query = text.toString('utf8')
  if (query === 'select 1') return 'T D C Z '
  if (/^[ \t\r\n;]*$/.test(query)) return 'I Z '
  return '(?:[TDCI] )*(?:E:ERROR:(?!XX)\\w{5} )?Z '
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

function tagOf(bytes: Buffer): string {
  return bytes.toString('latin1', 0, 1)
}

/** The body of the first message; null if its length is unlawful or it never comes to its end. */
function bodyOf(bytes: Buffer, lengthMax: number): Buffer | null {
  if (bytes.length < 5) return null
  const length = bytes.readInt32BE(1)
  if (length < 4 || length > lengthMax || bytes.length < 1 + length) return null
  return bytes.subarray(5, 1 + length)
}
