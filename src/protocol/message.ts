/**
 * Messages described as data: a name, a tag, fields. Decoding, encoding and the TypeScript type come from the
 * description.
 *
 * Manual: #PROTOCOL-MESSAGE-FORMATS.
 */
import { Fault } from './failure.ts'
import { Bad, type Field, measureField, readFields, type Shape, type Struct, struct, writeField } from './layout.ts'

/** A message of the protocol: its name in the manual, its tag, its fields. */
export interface MessageLayout<N extends string = string, S extends Shape = Shape> {
  readonly name: N
  /** The first byte, or null for the messages that start a connection, which have none. */
  readonly tag: string | null
  /** The manual's anchor, without the '#'. */
  readonly anchor: string
  readonly fields: S
  /** The fields as one. */
  readonly body: Field<Struct<S>>
}

/** The TypeScript type of a message, made from its description. */
export type MessageOf<L> =
  L extends MessageLayout<infer N, infer S> ? Prettify<{ readonly type: N } & Struct<S>> : never

type Prettify<T> = { [K in keyof T]: T[K] } & {}

/** Describe a message. `tag` is null for the messages that start a connection. */
export function message<const N extends string, S extends Shape>(
  name: N,
  tag: string | null,
  fields: S,
  anchor: string = `PROTOCOL-MESSAGE-FORMATS-${name.toUpperCase()}`,
): MessageLayout<N, S> {
  return { name, tag, anchor, fields, body: struct(fields) }
}

/**
 * Read a message's body: what follows tag and length.
 * Throws Fault 'malformed' with the field and the offset in the body.
 */
export function decodeBody<L extends MessageLayout>(layout: L, body: Buffer): MessageOf<L> {
  try {
    const value = { type: layout.name }
    const end = readFields(layout.body, body, 0, value)
    // CVE-2022-41862: neither past the end of a message nor short of it.
    if (end !== body.length) throw new Bad(end, `${body.length - end} bytes follow the last field`)
    return value as MessageOf<L>
  } catch (error) {
    if (!(error instanceof Bad)) throw error
    throw new Fault({
      kind: 'malformed',
      message: layout.name,
      field: error.path.join('.'),
      offset: error.offset,
      problem: error.problem,
    })
  }
}

/**
 * Write a whole message: tag (if it has one), length, body.
 * Throws RangeError, naming the field, for a value that cannot be sent: nothing wraps, nothing is cut.
 */
export function encodeMessage<L extends MessageLayout>(layout: L, value: Omit<MessageOf<L>, 'type'>): Buffer {
  try {
    const tagBytes = layout.tag === null ? 0 : 1
    const lengthBytes = 4 + measureField(layout.body, value)
    // CVE-2024-27304, CVE-2024-32655: a length that wraps lets a value speak as further messages.
    if (lengthBytes > 0x7fffffff) throw new Bad(0, 'longer than 2,147,483,647 bytes')
    const into = Buffer.allocUnsafe(tagBytes + lengthBytes)
    if (layout.tag !== null) into.write(layout.tag, 0, 'latin1')
    into.writeInt32BE(lengthBytes, tagBytes)
    writeField(layout.body, value, into, tagBytes + 4)
    return into
  } catch (error) {
    if (!(error instanceof Bad)) throw error
    throw new RangeError(`${[layout.name, ...error.path].join('.')} cannot be sent: ${error.problem}`)
  }
}
