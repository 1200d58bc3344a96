/**
 * Bytes that were said, in either direction, become messages with their layouts: for whoever looks on. It reads more than the
 * library speaks (the extended query, requests of GSSAPI), allows any length, and judges nothing but form: which message may
 * come when is not its business.
 *
 * Manual: #PROTOCOL-MESSAGE-FORMATS.
 */
import { AUTHENTICATION_MESSAGES } from '../protocol/authentication.ts'
import { BACKEND_MESSAGES } from '../protocol/backend.ts'
import { Fault } from '../protocol/failure.ts'
import { FRONTEND_MESSAGES, PasswordMessage, SASLInitialResponse, SASLResponse } from '../protocol/frontend.ts'
import { shownCharacter } from '../protocol/layout.ts'
import { decodeBody, type MessageLayout } from '../protocol/message.ts'
import { CancelRequest, GSSENCRequest, SSLRequest, StartupMessage } from '../protocol/startup.ts'
import { EXTENDED_BACKEND_MESSAGES, EXTENDED_FRONTEND_MESSAGES, GSSResponse } from './extended-query.ts'

/** As the client sees it. */
export type Direction = 'sent' | 'received'

export interface Dissection {
  /** The manual's name; two things have none: 'TLS reply' (one byte) and 'TLS record', which nobody looks into. */
  readonly name: string
  /** null for those two. */
  readonly layout: MessageLayout | null
  /** The fields by name. */
  readonly fields: Readonly<Record<string, unknown>>
  /** All of it, tag and length included. */
  readonly bytes: Buffer
}

/** The two things that are no messages. */
const TLS_REPLY = 'TLS reply'
export const TLS_RECORD = 'TLS record'

/** One conversation. What it has heard decides what an answer is. */
export class Dissector {
  #awaitsTlsReply = false
  #isGss = false

  /**
   * How long the message is that begins here, or null if more bytes must come to know it. Throws Fault 'malformed' where no
   * message begins; its offset counts from the first of these bytes.
   */
  lengthOf(direction: Direction, bytes: Buffer): number | null {
    if (bytes.length === 0) return null
    if (isTlsRecord(bytes)) return bytes.length < 5 ? null : 5 + bytes.readUInt16BE(3)
    if (direction === 'received' && this.#isTlsReply(bytes)) return 1
    const tagBytes = hasTag(direction, bytes) ? 1 : 0
    if (tagBytes === 1) checkTag(direction, bytes.toString('latin1', 0, 1))
    if (bytes.length < tagBytes + 4) return null
    const length = bytes.readInt32BE(tagBytes)
    const least = tagBytes === 1 ? 4 : 8
    if (length < least) throw malformed('length', tagBytes, `expected a length of ${least} or more, got ${length}`)
    return tagBytes + length
  }

  /** One whole message. Throws Fault 'malformed'; its offset counts from the first of these bytes. */
  dissect(direction: Direction, bytes: Buffer): Dissection {
    const length = this.lengthOf(direction, bytes)
    if (length !== bytes.length) {
      const wanted = length === null ? 'more bytes' : `${length} bytes`
      throw malformed('length', 0, `the message needs ${wanted}, got ${bytes.length}`)
    }
    if (isTlsRecord(bytes)) return { name: TLS_RECORD, layout: null, fields: { type: bytes[0] }, bytes }
    if (direction === 'received' && this.#isTlsReply(bytes)) {
      this.#awaitsTlsReply = false
      return { name: TLS_REPLY, layout: null, fields: { reply: bytes.toString('latin1') }, bytes }
    }
    const headerBytes = hasTag(direction, bytes) ? 5 : 4
    const body = bytes.subarray(headerBytes)
    const layout = direction === 'sent' ? this.#sentLayout(bytes, body) : receivedLayout(bytes, body)
    const { type: name, ...fields } = decode(layout, body, headerBytes)
    this.#heed(name)
    return { name, layout, fields, bytes }
  }

  #heed(name: string): void {
    this.#awaitsTlsReply = name === 'SSLRequest' || name === 'GSSENCRequest'
    if (name.startsWith('Authentication')) this.#isGss = /GSS|SSPI/.test(name)
  }

  /** One byte, where a message would go on with the first byte of its length, which is small. */
  #isTlsReply(bytes: Buffer): boolean {
    const byte = bytes.toString('latin1', 0, 1)
    // An 'E' is the beginning of an error that nobody reads further.
    if (byte === 'E') return this.#awaitsTlsReply && bytes.length === 1
    if (!'SNG'.includes(byte)) return false
    return this.#awaitsTlsReply || bytes.length === 1 || (bytes[1] as number) >= 0x10
  }

  #sentLayout(bytes: Buffer, body: Buffer): MessageLayout {
    if (!hasTag('sent', bytes)) return REQUESTS.get(body.readInt32BE(0)) ?? StartupMessage
    const tag = bytes.toString('latin1', 0, 1)
    return tag === 'p' ? this.#answerLayout(body) : (FRONTEND_BY_TAG.get(tag) as MessageLayout)
  }

  /** Four messages share the tag 'p'. What SCRAM puts into two of them cannot be mistaken, and a password ends with the only NUL. */
  #answerLayout(body: Buffer): MessageLayout {
    if (this.#isGss) return GSSResponse
    if (/^[A-Z0-9_-]{1,20}\0/.test(body.toString('latin1', 0, 21)) && body.length >= body.indexOf(0) + 5) {
      return SASLInitialResponse
    }
    return body.length > 0 && body.indexOf(0) === body.length - 1 ? PasswordMessage : SASLResponse
  }
}

/**
 * The whole messages of one direction, one after the other; what is returned in the end is where they end, which is the end of the
 * bytes unless a message is not whole. Throws Fault, with the offset in all of the bytes.
 */
export function* dissectAll(direction: Direction, bytes: Buffer, dissector: Dissector): Generator<Dissection, number> {
  let offset = 0
  while (offset < bytes.length) {
    const left = bytes.subarray(offset)
    try {
      const length = dissector.lengthOf(direction, left)
      if (length === null || length > left.length) return offset
      yield dissector.dissect(direction, left.subarray(0, length))
      offset += length
    } catch (error) {
      throw moved(error, offset)
    }
  }
  return offset
}

/** The fault of bytes that end in the midst of a message. */
export function notWhole(direction: Direction, bytes: Buffer, offset: number, dissector: Dissector): Fault {
  const left = bytes.subarray(offset)
  const length = dissector.lengthOf(direction, left)
  const what = length === null ? 'a message' : `a message of ${length} bytes`
  return malformed('', offset, `${what} begins here, and ${left.length} bytes are left: it is not whole`)
}

const REQUESTS: ReadonlyMap<number, MessageLayout> = new Map(
  [SSLRequest, GSSENCRequest, CancelRequest].map((layout) => [layout.fields.code.type.constant, layout]),
)

const FRONTEND_BY_TAG: ReadonlyMap<string | null, MessageLayout> = new Map(
  [...FRONTEND_MESSAGES, ...EXTENDED_FRONTEND_MESSAGES].map((layout) => [layout.tag, layout]),
)

const BACKEND_BY_TAG: ReadonlyMap<string | null, MessageLayout> = new Map(
  [...BACKEND_MESSAGES, ...EXTENDED_BACKEND_MESSAGES].map((layout) => [layout.tag, layout]),
)

const AUTHENTICATION_BY_CODE: ReadonlyMap<number, MessageLayout> = new Map(
  AUTHENTICATION_MESSAGES.map((layout) => [layout.fields.code.type.constant, layout]),
)

/** The length of a message without a tag begins with a zero byte, as it is below 16 MB; no tag is zero. */
function hasTag(direction: Direction, bytes: Buffer): boolean {
  return direction === 'received' || bytes[0] !== 0
}

function checkTag(direction: Direction, tag: string): void {
  const known = direction === 'sent' ? FRONTEND_BY_TAG.has(tag) : tag === 'R' || BACKEND_BY_TAG.has(tag)
  if (known) return
  const who = direction === 'sent' ? 'client' : 'server'
  throw malformed('tag', 0, `no message of a ${who} begins with ${shownCharacter(tag)}`)
}

function receivedLayout(bytes: Buffer, body: Buffer): MessageLayout {
  const tag = bytes.toString('latin1', 0, 1)
  if (tag !== 'R') return BACKEND_BY_TAG.get(tag) as MessageLayout
  if (body.length < 4) throw malformed('code', 5, `needs 4 bytes, ${body.length} are left`)
  const code = body.readInt32BE(0)
  const layout = AUTHENTICATION_BY_CODE.get(code)
  if (layout === undefined) throw malformed('code', 5, `there is no authentication request ${code}`)
  return layout
}

/** RFC 8446 section 5.1: a type from 20 to 23, then 3 as the major version. No message begins so. */
function isTlsRecord(bytes: Buffer): boolean {
  const type = bytes[0] as number
  return type >= 20 && type <= 23 && (bytes.length === 1 || bytes[1] === 3)
}

function decode(layout: MessageLayout, body: Buffer, headerBytes: number) {
  try {
    return decodeBody(layout, body)
  } catch (error) {
    throw moved(error, headerBytes)
  }
}

/** The same fault, seen from further away. */
function moved(error: unknown, by: number): unknown {
  if (!(error instanceof Fault) || error.failure.kind !== 'malformed') return error
  return new Fault({ ...error.failure, offset: error.failure.offset + by })
}

function malformed(field: string, offset: number, problem: string): Fault {
  return new Fault({ kind: 'malformed', message: '', field, offset, problem })
}
