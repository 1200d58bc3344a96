/**
 * What a server says, but for the authentication requests: start-up, the simple query cycle, and what may
 * come at any time.
 *
 * Manual: #PROTOCOL-MESSAGE-FORMATS. DataRow is described here and read by hand in data-row.ts.
 */
import { type AuthenticationMessage, decodeAuthentication } from './authentication.ts'
import { Fault } from './failure.ts'
import {
  character,
  counted16,
  counted32,
  int8,
  int16,
  int32,
  rest,
  shownCharacter,
  sized,
  string,
  struct,
  untilZero,
} from './layout.ts'
import { decodeBody, type MessageLayout, type MessageOf, message } from './message.ts'

/** Four bytes of secret under protocol 3.0, up to 256 under 3.2: the length is all that tells. */
export const BackendKeyData = message('BackendKeyData', 'K', { processId: int32, secretKey: rest })

export const ParameterStatus = message('ParameterStatus', 'S', { name: string, value: string })

/** 'I' idle, 'T' in a transaction, 'E' in a failed transaction. */
export const ReadyForQuery = message('ReadyForQuery', 'Z', { status: character('I', 'T', 'E') })

/** The manual says "newest minor version"; what PostgreSQL sends is the whole version number. */
export const NegotiateProtocolVersion = message('NegotiateProtocolVersion', 'v', {
  newestVersion: int32,
  unrecognizedOptions: counted32(string),
})

const responseFields = { fields: untilZero(struct({ code: character(), value: string })) }

export const ErrorResponse = message('ErrorResponse', 'E', responseFields)

export const NoticeResponse = message('NoticeResponse', 'N', responseFields)

export const NotificationResponse = message('NotificationResponse', 'A', {
  processId: int32,
  channel: string,
  payload: string,
})

export const RowDescription = message('RowDescription', 'T', {
  columns: counted16(
    struct({
      name: string,
      tableOid: int32,
      attributeNumber: int16,
      typeOid: int32,
      typeSize: int16,
      typeModifier: int32,
      format: int16,
    }),
  ),
})

export const DataRow = message('DataRow', 'D', { values: counted16(sized) })

export const CommandComplete = message('CommandComplete', 'C', { commandTag: string })

export const EmptyQueryResponse = message('EmptyQueryResponse', 'I', {})

export const CopyInResponse = message('CopyInResponse', 'G', { format: int8, columnFormats: counted16(int16) })

export const CopyOutResponse = message('CopyOutResponse', 'H', { format: int8, columnFormats: counted16(int16) })

export const CopyBothResponse = message('CopyBothResponse', 'W', { format: int8, columnFormats: counted16(int16) })

export const CopyData = message('CopyData', 'd', { data: rest })

export const CopyDone = message('CopyDone', 'c', {})

/** Every message with a tag that a server may send here, authentication requests aside. */
export const BACKEND_MESSAGES = [
  BackendKeyData,
  ParameterStatus,
  ReadyForQuery,
  NegotiateProtocolVersion,
  ErrorResponse,
  NoticeResponse,
  NotificationResponse,
  RowDescription,
  DataRow,
  CommandComplete,
  EmptyQueryResponse,
  CopyInResponse,
  CopyOutResponse,
  CopyBothResponse,
  CopyData,
  CopyDone,
] as const

export type BackendMessage = AuthenticationMessage | MessageOf<(typeof BACKEND_MESSAGES)[number]>

const BY_TAG: ReadonlyMap<string | null, MessageLayout> = new Map(
  BACKEND_MESSAGES.map((layout) => [layout.tag, layout]),
)

/** Whether a message of a server may begin with this character. */
export function isBackendTag(tag: string): boolean {
  return tag === 'R' || BY_TAG.has(tag)
}

/** Decode one message. Throws Fault 'malformed', also for a tag that no message has. */
export function decodeBackend(tag: string, body: Buffer): BackendMessage {
  if (tag === 'R') return decodeAuthentication(body)
  const layout = BY_TAG.get(tag)
  if (layout === undefined) throw unknownTag(tag)
  return decodeBody(layout, body) as BackendMessage
}

/** The failure for a message whose first byte means nothing to us. */
export function unknownTag(tag: string): Fault {
  return new Fault({
    kind: 'malformed',
    message: 'unknown',
    field: 'tag',
    offset: 0,
    problem: `no message of a server begins with ${shownCharacter(tag)}`,
  })
}
