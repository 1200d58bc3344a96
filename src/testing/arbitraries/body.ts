/** Bodies of messages, lawful or not: what a decoder is given once tag and length are read. */
import fc from 'fast-check'
import { encodeMessage, type MessageLayout, type MessageOf } from '../../protocol/message.ts'
import { arbitraryDamage } from './damage.ts'
import { arbitraryMessage } from './message.ts'

/**
 * Bodies that are lawful, nearly lawful, or noise.
 *
 * @example
 * fc.assert(fc.property(arbitraryBody(DataRow), (body) => decodesOrThrowsFault(body)))
 */
export function arbitraryBody(layout: MessageLayout): fc.Arbitrary<Buffer> {
  const lawful = arbitraryMessage(layout).map((value) => bodyOf(layout, value))
  return fc.oneof(
    fc.uint8Array({ maxLength: 64 }).map((noise) => Buffer.from(noise)),
    lawful,
    arbitraryDamage(lawful),
  )
}

/** The body of a message that can be sent: what follows tag and length. */
export function bodyOf<L extends MessageLayout>(layout: L, value: MessageOf<L>): Buffer {
  return encodeMessage(layout, value).subarray(layout.tag === null ? 4 : 5)
}
