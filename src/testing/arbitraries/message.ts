/**
 * Values made from the descriptions of the messages: whatever can be described can be tested, and a new message is
 * tested as soon as it is described.
 */
import fc from 'fast-check'
import type { Field, FieldType, Shape } from '../../protocol/layout.ts'
import type { MessageLayout, MessageOf } from '../../protocol/message.ts'

/** What a string can hold: all but NUL and the halves of pairs; one, two, three and four bytes long in UTF-8. */
const CHARACTER = fc
  .oneof(
    fc.integer({ min: 0x1, max: 0x7f }),
    fc.integer({ min: 0x80, max: 0x7ff }),
    fc.integer({ min: 0x800, max: 0xd7ff }),
    fc.integer({ min: 0xe000, max: 0xffff }),
    fc.integer({ min: 0x1_0000, max: 0x10_ffff }),
  )
  .map((code) => String.fromCodePoint(code))

/**
 * Any lawful value of a message, from its description.
 *
 * @example
 * fc.assert(fc.property(arbitraryMessage(ParameterStatus), ({ name }) => !name.includes('\0')))
 */
export function arbitraryMessage<L extends MessageLayout>(layout: L): fc.Arbitrary<MessageOf<L>> {
  return shapeOf(layout.fields, false).map((value) => ({ type: layout.name, ...value }) as MessageOf<L>)
}

/** Any lawful value of a field. */
export function arbitraryOf<T>(field: Field<T>): fc.Arbitrary<T> {
  return arbitraryOfType(field.type, false) as fc.Arbitrary<T>
}

/** Any text that a String of the protocol can carry: no NUL, no half of a surrogate pair. */
export function arbitraryText(lengthMax: number, lengthMin = 0): fc.Arbitrary<string> {
  return fc.string({ unit: CHARACTER, maxLength: lengthMax, minLength: lengthMin })
}

function shapeOf(fields: Shape, startsList: boolean): fc.Arbitrary<Record<string, unknown>> {
  const named = Object.entries(fields).filter(([, { type }]) => type.kind !== 'integer' || type.constant === undefined)
  return fc.record(
    Object.fromEntries(
      named.map(([name, { type }], index) => [name, arbitraryOfType(type, startsList && index === 0)]),
    ),
    { noNullPrototype: true },
  )
}

/** `startsList`: a list that ends with a zero byte has no item that begins with one. */
function arbitraryOfType(type: FieldType, startsList: boolean): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'integer': {
      const bound = 2 ** (8 * type.bytes - 1)
      const edges = fc.constantFrom(-bound, -1, 0, 1, bound - 1)
      return fc.oneof(fc.integer({ min: -bound, max: bound - 1 }), edges)
    }
    case 'character':
      return type.allowed === null
        ? fc.integer({ min: 1, max: 0xff }).map((code) => String.fromCharCode(code))
        : fc.constantFrom(...type.allowed)
    case 'string':
      return arbitraryText(20, startsList ? 1 : 0)
    case 'bytes':
      return type.length === 'rest'
        ? fc.uint8Array({ maxLength: 40 })
        : fc.uint8Array({ minLength: type.length, maxLength: type.length })
    case 'sized':
      return fc.option(fc.uint8Array({ maxLength: 20 }), { nil: null })
    case 'list':
      return fc.array(arbitraryOfType(type.of.type, type.ends === 'zero'), { maxLength: 6 })
    case 'struct':
      return shapeOf(type.fields, startsList)
  }
}
