/**
 * What a client says once the connection has started: authentication, the simple query, the end.
 * The messages that start it have no tag and stand in startup.ts.
 *
 * Manual: #PROTOCOL-MESSAGE-FORMATS.
 */
import { Fault } from './failure.ts'
import { rest, shownCharacter, sized, string } from './layout.ts'
import { decodeBody, encodeMessage, type MessageLayout, type MessageOf, message } from './message.ts'

/** A password in the clear, or the answer to an MD5 request: 'md5' and 32 hexadecimal digits. */
export const PasswordMessage = message('PasswordMessage', 'p', { password: string })

export const SASLInitialResponse = message('SASLInitialResponse', 'p', { mechanism: string, data: sized })

export const SASLResponse = message('SASLResponse', 'p', { data: rest })

export const Query = message('Query', 'Q', { query: string })

export const CopyData = message('CopyData', 'd', { data: rest })

export const CopyDone = message('CopyDone', 'c', {})

export const CopyFail = message('CopyFail', 'f', { reason: string })

export const Terminate = message('Terminate', 'X', {})

export const FRONTEND_MESSAGES = [
  PasswordMessage,
  SASLInitialResponse,
  SASLResponse,
  Query,
  CopyData,
  CopyDone,
  CopyFail,
  Terminate,
] as const

export type FrontendMessage = MessageOf<(typeof FRONTEND_MESSAGES)[number]>

type FrontendName = FrontendMessage['type']

const BY_NAME: ReadonlyMap<string, MessageLayout> = new Map(FRONTEND_MESSAGES.map((layout) => [layout.name, layout]))

const BY_TAG: ReadonlyMap<string | null, MessageLayout> = new Map(
  [Query, CopyData, CopyDone, CopyFail, Terminate].map((layout) => [layout.tag, layout]),
)

/** Encode one message. Throws RangeError, naming the field, for a value that cannot be sent. */
export function encodeFrontend(frontend: FrontendMessage): Buffer {
  const layout = BY_NAME.get(frontend.type)
  if (layout === undefined) throw new RangeError(`no message of a client is called ${String(frontend.type)}`)
  return encodeMessage(layout, frontend)
}

/**
 * Decode one message, as a server does. Three messages share the tag 'p', and nothing in them says which it
 * is: the server knows what it asked for, so the caller must say.
 */
export function decodeFrontend(tag: string, body: Buffer, password: PasswordKind): FrontendMessage {
  const layout = tag === 'p' ? BY_NAME.get(password) : BY_TAG.get(tag)
  if (layout === undefined) {
    throw new Fault({
      kind: 'malformed',
      message: 'unknown',
      field: 'tag',
      offset: 0,
      problem: `no message of a client begins with ${shownCharacter(tag)}`,
    })
  }
  return decodeBody(layout, body) as FrontendMessage
}

/** Which of the three messages a 'p' stands for. */
export type PasswordKind = Extract<FrontendName, 'PasswordMessage' | 'SASLInitialResponse' | 'SASLResponse'>
