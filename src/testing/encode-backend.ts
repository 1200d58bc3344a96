/** A server's messages as bytes, made by the same descriptions that a client reads them with. */
import { AUTHENTICATION_MESSAGES } from '../protocol/authentication.ts'
import { BACKEND_MESSAGES, type BackendMessage } from '../protocol/backend.ts'
import { encodeMessage, type MessageLayout } from '../protocol/message.ts'

const LAYOUTS: ReadonlyMap<string, MessageLayout> = new Map(
  [...BACKEND_MESSAGES, ...AUTHENTICATION_MESSAGES].map((layout) => [layout.name, layout]),
)

/** Encode one lawful message. Throws RangeError for a value that cannot be sent; to lie, use `frame` or plain bytes. */
export function encodeBackend(message: BackendMessage): Buffer {
  const layout = LAYOUTS.get(message.type)
  if (layout === undefined) throw new TypeError(`no message of a server is called ${message.type}`)
  return encodeMessage(layout, message)
}

/**
 * A frame of one's own: any tag, any body, and a length that may be a lie.
 *
 * @param length what the Int32 behind the tag says; it counts itself and the body, so the truth is `body.length + 4`
 */
export function frame(tag: string, body: Buffer, length = body.length + 4): Buffer {
  const header = Buffer.alloc(5)
  header.write(tag, 0, 'latin1')
  header.writeInt32BE(length | 0, 1)
  return Buffer.concat([header, body])
}

/** Int32 in network order. */
export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value | 0)
  return bytes
}
