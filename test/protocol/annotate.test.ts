import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Annotation, annotate, typeName } from '../../src/protocol/annotate.ts'
import { AuthenticationSASL } from '../../src/protocol/authentication.ts'
import { BackendKeyData, CopyInResponse, DataRow, ErrorResponse } from '../../src/protocol/backend.ts'
import {
  bytes,
  character,
  constant,
  counted16,
  counted32,
  type Field,
  int8,
  int16,
  int32,
  rest,
  sized,
  string,
  struct,
  untilZero,
} from '../../src/protocol/layout.ts'
import { encodeMessage, type MessageLayout, message } from '../../src/protocol/message.ts'
import { StartupMessage } from '../../src/protocol/startup.ts'
import { arbitraryMessage } from '../../src/testing/arbitraries/message.ts'
import { ALL_MESSAGES, examplesOf, titleOf } from './examples.ts'
import { wire } from './wire.ts'

const EVERY_MESSAGE = ALL_MESSAGES.map((layout) => [layout.name, layout] as const)
const EVERY_EXAMPLE = ALL_MESSAGES.flatMap(examplesOf).map((example) => [titleOf(example), example] as const)

/** A field of a message that is there has a type with a length that is known. */
const TYPE_WITH_LENGTH = /^(Int8|Int16|Int32(\(\d+\))?|String|Byte\d+)$/

/** One line a note: offset, bytes, path, type, text. */
function lines(layout: MessageLayout, commented: string): string[] {
  return annotate(layout, wire(commented)).map(
    ({ offset, bytes, path, type, text }) => `${offset} ${bytes.toString('hex')} ${path} ${type} ${text}`,
  )
}

describe('the annotations of a message', () => {
  it.each(EVERY_MESSAGE)('cover every byte once and in order: %s', (_name, layout) => {
    fc.assert(
      fc.property(arbitraryMessage(layout), (value) => {
        const whole = encodeMessage(layout, value)
        expectCover(annotate(layout, whole), whole)
      }),
    )
  })

  it.each(EVERY_EXAMPLE)('cover every byte once and in order: %s', (_title, { layout, bytes }) => {
    expectCover(annotate(layout, bytes), bytes)
  })

  it('explain a StartupMessage', () => {
    expect(
      lines(
        StartupMessage,
        `
        00 00 00 14        # length 20
        00 03 00 00        # version 3.0
        75 73 65 72 00     # user
        61 6c 69 63 65 00  # alice
        00                 # end of the parameters
        `,
      ),
    ).toEqual([
      '0 00000014 length Int32 20 bytes, itself included',
      '4 00030000 protocolVersion Int32 196608',
      '8 7573657200 parameters.0.name String "user"',
      '13 616c69636500 parameters.0.value String "alice"',
      '19 00 parameters.end Byte1 ends the list',
    ])
  })

  it('explain what stands behind a list that ends with a zero byte', () => {
    const made = message('Made', null, { names: untilZero(string), number: int16 })
    expect(lines(made, '00 00 00 09  41 00  00  00 07')).toEqual([
      '0 00000009 length Int32 9 bytes, itself included',
      '4 4100 names.0 String "A"',
      '6 00 names.end Byte1 ends the list',
      '7 0007 number Int16 7',
    ])
  })

  it('explain an AuthenticationSASL', () => {
    expect(
      lines(
        AuthenticationSASL,
        `
        52           # 'R'
        00 00 00 0f  # length 15
        00 00 00 0a  # 10
        41 00        # A
        42 43 44 00  # BCD
        00           # end of the mechanisms
        `,
      ),
    ).toEqual([
      "0 52 tag Byte1 'R' AuthenticationSASL",
      '1 0000000f length Int32 15 bytes, itself included',
      '5 0000000a code Int32(10) 10',
      '9 4100 mechanisms.0 String "A"',
      '11 42434400 mechanisms.1 String "BCD"',
      '15 00 mechanisms.end Byte1 ends the list',
    ])
  })

  it('explain a DataRow', () => {
    expect(
      lines(
        DataRow,
        `
        44           # 'D'
        00 00 00 14  # length 20
        00 03        # three values
        00 00 00 02  # two bytes
        34 32        # 42
        ff ff ff ff  # NULL
        00 00 00 00  # an empty string
        `,
      ),
    ).toEqual([
      "0 44 tag Byte1 'D' DataRow",
      '1 00000014 length Int32 20 bytes, itself included',
      '5 0003 values.count Int16 3',
      '7 00000002 values.0.length Int32 2 bytes',
      '11 3432 values.0 Byte2 3432',
      '13 ffffffff values.1.length Int32 -1: none',
      '17 00000000 values.2.length Int32 0 bytes',
    ])
  })

  it('explain an ErrorResponse', () => {
    expect(
      lines(
        ErrorResponse,
        `
        45                 # 'E'
        00 00 00 12        # length 18
        43 32 38 50 30 31 00  # 'C' 28P01
        4d 6e 22 6f 0a 00  # 'M' n, a quotation mark, o, a line feed
        00                 # end of the fields
        `,
      ),
    ).toEqual([
      "0 45 tag Byte1 'E' ErrorResponse",
      '1 00000012 length Int32 18 bytes, itself included',
      '5 43 fields.0.code Byte1 "C"',
      '6 323850303100 fields.0.value String "28P01"',
      '12 4d fields.1.code Byte1 "M"',
      '13 6e226f0a00 fields.1.value String "n\\"o\\n"',
      '18 00 fields.end Byte1 ends the list',
    ])
  })

  it('explain bytes to the end of a message, and nothing where there are none', () => {
    expect(lines(BackendKeyData, '4b 00 00 00 0a 00 00 00 07 de ad')).toEqual([
      "0 4b tag Byte1 'K' BackendKeyData",
      '1 0000000a length Int32 10 bytes, itself included',
      '5 00000007 processId Int32 7',
      '9 dead secretKey Byte2 dead',
    ])
    expect(lines(BackendKeyData, '4b 00 00 00 08 00 00 00 07')).toHaveLength(3)
  })

  it('explain lists with either kind of count', () => {
    expect(lines(CopyInResponse, '47 00 00 00 09 00 00 01 00 01').slice(2)).toEqual([
      '5 00 format Int8 0',
      '6 0001 columnFormats.count Int16 1',
      '8 0001 columnFormats.0 Int16 1',
    ])
    const Wide = message('Wide', 'w', { items: counted32(struct({ a: int8, b: untilZero(character()) })) })
    expect(lines(Wide, '77 00 00 00 0c 00 00 00 01 05 49 54 00').slice(2)).toEqual([
      '5 00000001 items.count Int32 1',
      '9 05 items.0.a Int8 5',
      '10 49 items.0.b.0 Byte1 "I"',
      '11 54 items.0.b.1 Byte1 "T"',
      '12 00 items.0.b.end Byte1 ends the list',
    ])
  })

  it('show the bytes of the message itself', () => {
    const whole = wire('49 00 00 00 04')
    const Empty = message('Empty', 'I', {})
    for (const { bytes } of annotate(Empty, whole)) expect(bytes.buffer).toBe(whole.buffer)
  })
})

describe('the name of a type', () => {
  const names: readonly (readonly [string, Field<unknown>])[] = [
    ['Int8', int8],
    ['Int16', int16],
    ['Int32', int32],
    ['Int32(80877103)', constant(80_877_103)],
    ['Int32(0)', constant(0)],
    ['Byte1', character('I', 'T', 'E')],
    ['String', string],
    ['Byte4', bytes(4)],
    ['Byten', rest],
    ['Int32 and as many bytes', sized],
    ['name String, value String', struct({ name: string, value: string })],
    ['(String)… and a zero byte', untilZero(string)],
    ['Int16 and as many of (Int32 and as many bytes)', counted16(sized)],
    ['Int32 and as many of (a Int8, b Byte2)', counted32(struct({ a: int8, b: bytes(2) }))],
  ]

  it.each(names)('is %s', (name, { type }) => {
    expect(typeName(type)).toBe(name)
  })

  it('has the number of bytes where it is known', () => {
    expect(typeName(rest.type, 7)).toBe('Byte7')
    expect(typeName(bytes(4).type, 7)).toBe('Byte4')
  })
})

function expectCover(annotations: readonly Annotation[], whole: Buffer): void {
  let end = 0
  const astray = annotations.filter(({ offset, bytes, path, type }) => {
    const follows = offset === end && bytes.length > 0
    end = offset + bytes.length
    return !follows || !/^[a-zA-Z]+(\.([a-zA-Z]+|\d+))*$/.test(path) || !TYPE_WITH_LENGTH.test(type)
  })
  expect(astray).toEqual([])
  expect(end).toBe(whole.length)
  expect(Buffer.concat(annotations.map(({ bytes }) => bytes))).toEqual(whole)
}
