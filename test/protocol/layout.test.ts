import { constants } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PasswordMessage, SASLInitialResponse } from '../../src/protocol/frontend.ts'
import {
  Bad,
  bytes,
  character,
  constant,
  counted16,
  counted32,
  type Field,
  int8,
  int16,
  int32,
  measureField,
  readField,
  rest,
  type Shape,
  shownCharacter,
  sized,
  string,
  struct,
  untilZero,
  writeField,
} from '../../src/protocol/layout.ts'
import { LIMITS } from '../../src/protocol/limits.ts'
import { decodeBody, encodeMessage, message } from '../../src/protocol/message.ts'
import { arbitraryOf } from '../../src/testing/arbitraries/message.ts'
import { failureOf } from '../auth/failure-of.ts'
import { wire } from './wire.ts'

/** A message with one field, x. */
const probe = <T>(x: Field<T>) => message('Probe', 'P', { x })
const read = <T>(x: Field<T>, body: string) => (decodeBody(probe(x), wire(body)) as { x: T }).x
const refused = (fields: Shape, body: string) => failureOf(() => decodeBody(message('Probe', 'P', fields), wire(body)))
const refusedField = (x: Field<unknown>, body: string) => refused({ x }, body)
const written = <T>(x: Field<T>, value: T) => encodeMessage(probe(x as Field<unknown>), { x: value }).subarray(5)
const write = (x: Field<unknown>, value: unknown) => () => encodeMessage(probe(x), { x: value })

const at = (field: string, offset: number, problem: string) => ({
  kind: 'malformed',
  message: 'Probe',
  field,
  offset,
  problem,
})
const unsendable = (problem: string) => new RangeError(`Probe.x cannot be sent: ${problem}`)

describe('an integer', () => {
  it('is signed and has its most significant byte first', () => {
    expect(read(int8, '80')).toBe(-128)
    expect(read(int16, '01 02')).toBe(258)
    expect(read(int32, 'ff ff ff fe')).toBe(-2)
    expect(written(int8, -128)).toEqual(wire('80'))
    expect(written(int16, 258)).toEqual(wire('01 02'))
    expect(written(int32, -2)).toEqual(wire('ff ff ff fe'))
  })

  it('that is cut off is refused', () => {
    expect(refusedField(int8, '')).toEqual(at('x', 0, 'needs 1 bytes, 0 are left'))
    expect(refusedField(int16, '01')).toEqual(at('x', 0, 'needs 2 bytes, 1 are left'))
    expect(refused({ a: int8, x: int32 }, '00 01 02 03')).toEqual(at('x', 1, 'needs 4 bytes, 3 are left'))
  })

  it.each([
    [int8, -128, 127],
    [int16, -32_768, 32_767],
    [int32, -2_147_483_648, 2_147_483_647],
  ])('out of its range is not written: it does not wrap (%#)', (field, min, max) => {
    for (const fits of [min, max]) expect(readField(field, written(field, fits), 0).value).toBe(fits)
    for (const value of [min - 1, max + 1, 2 ** 32, Number.MAX_VALUE]) {
      expect(write(field, value)).toThrow(unsendable(`expected a whole number from ${min} to ${max}, got ${value}`))
    }
  })

  it('that is no whole number is not written', () => {
    const range = 'expected a whole number from -2147483648 to 2147483647'
    for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY, null]) {
      expect(write(int32, value)).toThrow(unsendable(`${range}, got ${value}`))
    }
    expect(write(int32, '1')).toThrow(unsendable(`${range}, got a value of type string`))
    expect(write(int32, 1n)).toThrow(unsendable(`${range}, got a value of type bigint`))
    expect(write(int32, Symbol('s'))).toThrow(unsendable(`${range}, got a value of type symbol`))
    expect(write(int32, Object.create(null))).toThrow(unsendable(`${range}, got a value of type object`))
  })
})

describe('a constant', () => {
  const fields = { code: constant(80_877_103), x: int8 }
  const Probe = message('Probe', null, fields)

  it('is written without being given, and is no part of the value', () => {
    expect(encodeMessage(Probe, { x: 1 })).toEqual(wire('00 00 00 09  04 d2 16 2f  01'))
    expect(decodeBody(Probe, wire('04 d2 16 2f  01'))).toEqual({ type: 'Probe', x: 1 })
  })

  it('is written as it is, whatever is given', () => {
    expect(encodeMessage(Probe, { code: 7, x: 1 } as never)).toEqual(wire('00 00 00 09  04 d2 16 2f  01'))
  })

  it('of zero is a constant too', () => {
    const Zero = message('Zero', 'R', { code: constant(0) })
    expect(encodeMessage(Zero, {})).toEqual(wire('52  00 00 00 08  00 00 00 00'))
    expect(decodeBody(Zero, wire('00 00 00 00'))).toEqual({ type: 'Zero' })
  })

  it('with another value is refused', () => {
    expect(refused(fields, '04 d2 16 2e  01')).toEqual(at('code', 0, 'expected 80877103, got 80877102'))
  })

  it('that is cut off is refused', () => {
    expect(refused(fields, '04 d2 16')).toEqual(at('code', 0, 'needs 4 bytes, 3 are left'))
  })
})

describe('a character', () => {
  const status = character('I', 'T', 'E')

  it('is one byte, which need not be ASCII', () => {
    expect(read(character(), 'ff')).toBe('\xff')
    expect(written(character(), '\xff')).toEqual(wire('ff'))
    expect(written(character(), '\x01')).toEqual(wire('01'))
  })

  it('that is not allowed is refused', () => {
    expect(refusedField(status, '58')).toEqual(at('x', 0, "expected one of 'I', 'T', 'E', got 'X'"))
    expect(refusedField(character(), '00')).toEqual(
      at('x', 0, "expected one of the characters '\\x01' to '\\xff', got 0x00"),
    )
  })

  it('that could move a cursor or ring a bell is told as a number', () => {
    // 0x9b begins an escape sequence on a terminal with eight-bit controls.
    for (const code of ['07', '1b', '20', '7f', '9b', 'ff']) {
      expect(refusedField(status, code)).toEqual(at('x', 0, `expected one of 'I', 'T', 'E', got 0x${code}`))
    }
    expect(['!', '~', '\n'].map(shownCharacter)).toEqual(["'!'", "'~'", '0x0a'])
  })

  it('that is cut off is refused', () => {
    expect(refusedField(status, '')).toEqual(at('x', 0, 'needs 1 bytes, 0 are left'))
  })

  it('that is not allowed is not written', () => {
    expect(write(status, 'X')).toThrow(unsendable("expected one of 'I', 'T', 'E', got a value of type string"))
    for (const value of ['', 'IT', 7, 1n, null]) expect(write(status, value)).toThrow(RangeError)
  })

  it('that is no byte, or is NUL, is not written', () => {
    for (const value of ['\0', '\u0100', '\u20ac', '\u{1f600}', '\ud800', '', 'ab', 65]) {
      expect(write(character(), value)).toThrow(/^Probe\.x cannot be sent: expected one of the characters/)
    }
  })
})

describe('a string', () => {
  it('without its NUL is refused', () => {
    expect(refusedField(string, '61 62')).toEqual(at('x', 0, 'the string has no terminating NUL'))
    expect(refusedField(string, '')).toEqual(at('x', 0, 'the string has no terminating NUL'))
    expect(refused({ a: string, x: string }, '61 00')).toEqual(at('x', 2, 'the string has no terminating NUL'))
  })

  it('that is not UTF-8 is read with U+FFFD', () => {
    // 0xe9 is U+00E9 in Latin-1, in which a server may write before it knows better.
    expect(read(string, '61 e9 62 00')).toBe('a\ufffdb')
  })

  it('keeps a byte order mark', () => {
    expect(read(string, 'ef bb bf 61 00')).toBe('\ufeffa')
  })

  it('with a NUL is not written: what follows would be a field of its own', () => {
    expect(write(string, 'alice\0is_superuser')).toThrow(unsendable('the string holds a NUL at index 5'))
  })

  it('with half of a surrogate pair is not written', () => {
    for (const half of ['\ud83d', '\ude00', 'a\ud83db', '\ude00\ud83d']) {
      expect(write(string, half)).toThrow(
        unsendable('the string holds half of a surrogate pair, which UTF-8 cannot say'),
      )
    }
    expect(written(string, '\ud83d\ude00')).toEqual(wire('f0 9f 98 80 00'))
  })

  it('that is something else is not written', () => {
    expect(write(string, 7)).toThrow(unsendable('expected a string, got 7'))
    expect(write(string, Buffer.from('a'))).toThrow(unsendable('expected a string, got a value of type object'))
  })

  it('longer than a string of JavaScript can be is refused, not thrown out of the decoder', () => {
    expect(LIMITS.stringBytesMax).toBeLessThanOrEqual(constants.MAX_STRING_LENGTH)
    // Read without its end being there: half a gigabyte is not worth a test.
    const body = Object.assign(Buffer.from([0]), { indexOf: () => LIMITS.stringBytesMax + 1 })
    expect(() => readField(string, body, 0)).toThrow(new Bad(0, `longer than ${LIMITS.stringBytesMax} bytes`))
    const longest = Object.assign(Buffer.from([0]), { indexOf: () => LIMITS.stringBytesMax })
    expect(readField(string, longest, 0).end).toBe(LIMITS.stringBytesMax + 1)
  })
})

describe('bytes', () => {
  it('of a fixed number are refused if there are fewer', () => {
    expect(refused({ code: int8, x: bytes(4) }, '00 01 02 03')).toEqual(at('x', 1, 'needs 4 bytes, 3 are left'))
  })

  it('of a fixed number are not written if there are more or fewer', () => {
    for (const count of [0, 3, 5]) {
      expect(write(bytes(4), new Uint8Array(count))).toThrow(unsendable(`expected 4 bytes, got ${count}`))
    }
  })

  it('are a copy when they are read, however they are described', () => {
    const shape = { a: bytes(2), b: counted16(sized), c: rest }
    const body = wire('01 02  00 01 00 00 00 02 03 04  05 06')
    const { a, b, c } = decodeBody(message('Probe', 'P', shape), body)
    for (const copy of [a, b[0], c]) expect(copy?.buffer).not.toBe(body.buffer)
    body.fill(0xff)
    expect([a, b, c].flat().map((copy) => [...(copy ?? [])])).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ])
  })

  it('keep no more memory than they need when they are read', () => {
    const body = Buffer.concat([wire('00 00 00 02 03 04'), Buffer.alloc(65_536)])
    expect(readField(sized, body, 0).value?.buffer.byteLength).toBe(2)
    expect(readField(bytes(2), body, 0).value.buffer.byteLength).toBe(2)
    expect(readField(rest, body, 65_540).value.buffer.byteLength).toBe(2)
  })

  it('are copied when they are written, from any kind of Uint8Array', () => {
    const memory = new Uint8Array([9, 1, 2, 9])
    const view = memory.subarray(1, 3)
    const message = written(rest, view)
    memory.fill(0xff)
    expect(message).toEqual(wire('01 02'))
    expect(written(bytes(2), Buffer.from([3, 4]))).toEqual(wire('03 04'))
    expect(written(rest, new Uint8Array())).toEqual(wire(''))
  })

  it('that are something else are not written', () => {
    for (const value of ['ab', [1, 2], new Uint16Array(2), 7]) {
      for (const field of [rest, bytes(2), sized]) {
        expect(write(field, value)).toThrow(/^Probe\.x cannot be sent: expected a Uint8Array/)
      }
    }
    expect(write(rest, null)).toThrow(unsendable('expected a Uint8Array, got null'))
    expect(write(sized, 'ab')).toThrow(unsendable('expected a Uint8Array or null, got a value of type string'))
  })

  it('are written without a detour through a string, which could not hold them all', () => {
    const into = Buffer.alloc(4)
    into.write = () => {
      throw new Error('written as a string')
    }
    writeField(rest, new Uint8Array([1, 2, 3]), into, 1)
    expect(into).toEqual(Object.assign(wire('00 01 02 03'), { write: into.write }))
  })
})

describe('bytes with a length before them', () => {
  it('are null for -1, and empty for 0', () => {
    expect(read(sized, 'ff ff ff ff')).toBeNull()
    expect(read(sized, '00 00 00 00')).toEqual(new Uint8Array())
    expect(written(sized, null)).toEqual(wire('ff ff ff ff'))
    expect(written(sized, new Uint8Array())).toEqual(wire('00 00 00 00'))
  })

  it('are refused with a length below -1', () => {
    expect(refusedField(sized, 'ff ff ff fe')).toEqual(at('x', 0, 'expected a length of -1 or more, got -2'))
    expect(refusedField(sized, '80 00 00 00')).toEqual(at('x', 0, 'expected a length of -1 or more, got -2147483648'))
  })

  it('are refused with a length beyond the message', () => {
    expect(refusedField(sized, '00 00 00 03 01 02')).toEqual(at('x', 4, 'needs 3 bytes, 2 are left'))
    expect(refusedField(sized, '7f ff ff ff 01 02')).toEqual(at('x', 4, 'needs 2147483647 bytes, 2 are left'))
  })

  it('are refused without a whole length', () => {
    expect(refusedField(sized, '00 00 00')).toEqual(at('x', 0, 'needs 4 bytes, 3 are left'))
  })
})

describe('a list', () => {
  const names = untilZero(string)

  it('that ends with a zero byte is refused without one', () => {
    expect(refusedField(names, '61 00')).toEqual(at('x', 2, 'the list has no terminating zero byte'))
    expect(refusedField(names, '')).toEqual(at('x', 0, 'the list has no terminating zero byte'))
  })

  it('that ends with a zero byte may be empty', () => {
    expect(read(names, '00')).toEqual([])
    expect(written(names, [])).toEqual(wire('00'))
  })

  it('that ends with a zero byte is not written with an item that begins with one', () => {
    expect(write(names, ['a', '', 'b'])).toThrow(
      new RangeError('Probe.x.1 cannot be sent: it begins with a zero byte, which ends the list'),
    )
    expect(write(untilZero(struct({ name: string, value: string })), [{ name: '', value: 'v' }])).toThrow(
      new RangeError('Probe.x.0 cannot be sent: it begins with a zero byte, which ends the list'),
    )
    expect(write(counted16(struct({ inner: names })), [{ inner: ['a'] }, { inner: ['b', ''] }])).toThrow(
      new RangeError('Probe.x.1.inner.1 cannot be sent: it begins with a zero byte, which ends the list'),
    )
    // Only there: a count needs no zero byte.
    expect(written(counted16(string), [''])).toEqual(wire('00 01 00'))
  })

  it.each([
    [counted16(int8), 'ff ff', -1],
    [counted16(int8), '80 00', -32_768],
    [counted32(int8), 'ff ff ff ff', -1],
    [counted32(int8), '80 00 00 00', -2_147_483_648],
  ])('is refused with a negative count (%#)', (list, body, count) => {
    expect(refusedField(list, body)).toEqual(at('x', 0, `expected a count of 0 or more, got ${count}`))
  })

  it('is refused with a count of more items than there are, at the first that is missing', () => {
    expect(refusedField(counted16(int16), '00 03 00 01 00 02')).toEqual(at('x.2', 6, 'needs 2 bytes, 0 are left'))
    expect(refusedField(counted32(string), '7f ff ff ff 61 00')).toEqual(
      at('x.1', 6, 'the string has no terminating NUL'),
    )
  })

  it('is refused without a whole count', () => {
    expect(refusedField(counted16(int8), '00')).toEqual(at('x', 0, 'needs 2 bytes, 1 are left'))
    expect(refusedField(counted32(int8), '00 00 00')).toEqual(at('x', 0, 'needs 4 bytes, 3 are left'))
  })

  it('with more items than its count can say is not written', () => {
    const most = Array<number>(0x7fff).fill(1)
    expect(written(counted16(int8), most).length).toBe(2 + 0x7fff)
    expect(write(counted16(int8), [...most, 1])).toThrow(
      unsendable('expected a whole number from -32768 to 32767, got 32768'),
    )
    expect(written(counted32(int8), [...most, 1]).subarray(0, 5)).toEqual(wire('00 00 80 00 01'))
  })

  it('with a hole is not written', () => {
    const holed = ['a', 'b', 'c']
    delete holed[1]
    for (const list of [names, counted16(string)]) {
      expect(write(list, holed)).toThrow(
        new RangeError('Probe.x.1 cannot be sent: expected a string, got a value of type undefined'),
      )
    }
  })

  it('that is something else is not written', () => {
    expect(write(names, 'ab')).toThrow(unsendable('expected an array, got a value of type string'))
    expect(write(names, null)).toThrow(unsendable('expected an array, got null'))
    expect(write(counted16(int8), { length: 1, 0: 7 })).toThrow(
      unsendable('expected an array, got a value of type object'),
    )
  })

  it('costs no more than its bytes, whatever it counts', () => {
    let reads = 0
    const body = wire('7f ff ff ff 01 02 03')
    body.readIntBE = (offset, length) => {
      reads++
      return Buffer.prototype.readIntBE.call(body, offset, length)
    }
    expect(() => readField(counted32(int8), body, 0)).toThrow(Bad)
    expect(reads).toBe(4)
  })
})

describe('a structure', () => {
  const columns = counted16(struct({ name: string, inner: struct({ size: int16, kinds: untilZero(character()) }) }))

  it('says where in it a problem was met when it is read', () => {
    expect(refused({ columns }, '00 01 69 64')).toMatchObject({ field: 'columns.0.name', offset: 2 })
    expect(refused({ columns }, '00 02 61 00 00 01 00 62 00 00')).toMatchObject({
      field: 'columns.1.inner.size',
      offset: 9,
    })
    expect(refused({ columns }, '00 01 61 00 00 01 49')).toMatchObject({
      field: 'columns.0.inner.kinds',
      offset: 7,
    })
  })

  it('says where in it a problem was met when it is written', () => {
    const good = { name: 'a', inner: { size: 1, kinds: ['I'] } }
    const Probe = message('Probe', 'P', { columns })
    const send =
      (...list: unknown[]) =>
      () =>
        encodeMessage(Probe, { columns: list } as never)
    expect(send(good)).not.toThrow()
    expect(send(good, { ...good, name: 'a\0' })).toThrow('Probe.columns.1.name cannot be sent: ')
    expect(send({ ...good, inner: { size: 1.5, kinds: [] } })).toThrow('Probe.columns.0.inner.size cannot be sent: ')
    expect(send({ ...good, inner: { size: 1, kinds: ['I', ''] } })).toThrow(
      'Probe.columns.0.inner.kinds.1 cannot be sent: ',
    )
  })

  it('with a missing value is not written', () => {
    const Probe = message('Probe', 'P', { a: int32, b: struct({ c: string }) })
    expect(() => encodeMessage(Probe, { b: { c: '' } } as never)).toThrow(
      new RangeError('Probe.a cannot be sent: the value is missing'),
    )
    expect(() => encodeMessage(Probe, { a: 1, b: {} } as never)).toThrow(
      new RangeError('Probe.b.c cannot be sent: the value is missing'),
    )
    expect(() => encodeMessage(Probe, { a: 1, b: 'c' } as never)).toThrow(
      new RangeError('Probe.b cannot be sent: expected an object, got a value of type string'),
    )
    expect(() => encodeMessage(Probe, { a: undefined, b: { c: '' } } as never)).toThrow(RangeError)
  })

  it('is written whole even if its values stand on a prototype', () => {
    const inherited = Object.create({ x: 0x0102, y: 'a' }) as { x: number; y: string }
    expect(encodeMessage(message('Probe', 'P', { x: int16, y: string }), inherited)).toEqual(
      wire('50 00 00 00 08 01 02 61 00'),
    )
  })

  it('may have no fields', () => {
    expect(readField(struct({}), wire('01 02'), 1)).toEqual({ value: {}, end: 1 })
    expect(measureField(struct({}), {})).toBe(0)
  })
})

describe('a field', () => {
  const fields: readonly (readonly [string, Field<unknown>])[] = [
    ['Int8', int8],
    ['Int16', int16],
    ['Int32', int32],
    ['Byte1', character()],
    ['Byte1, some', character('a', '\xff')],
    ['String', string],
    ['Byte0', bytes(0)],
    ['Byte7', bytes(7)],
    ['sized', sized],
    ['until zero', untilZero(struct({ a: character(), b: sized }))],
    ['until zero, strings', untilZero(string)],
    ['counted16', counted16(counted16(sized))],
    ['counted32', counted32(struct({ a: int8, b: untilZero(string) }))],
    ['struct', struct({ a: int8, b: struct({ c: constant(-1), d: string }), e: bytes(2) })],
  ]

  it.each(fields)(
    'takes the bytes that were measured, no more and no less, and reads them back: %s',
    (_name, field) => {
      fc.assert(
        fc.property(arbitraryOf(field), fc.uint8Array({ maxLength: 5 }), fc.uint8Array(), (value, before, after) => {
          const lengthBytes = measureField(field, value)
          const whole = Buffer.concat([before, Buffer.alloc(lengthBytes, 0xa5), after])
          writeField(field, value, whole, before.length)
          expect(whole.subarray(0, before.length)).toEqual(Buffer.from(before))
          expect(whole.subarray(before.length + lengthBytes)).toEqual(Buffer.from(after))
          expect(readField(field, whole, before.length)).toEqual({ value, end: before.length + lengthBytes })
        }),
      )
    },
  )
})

describe('a password', () => {
  const PASSWORD = 'hunter2'
  const wrong: readonly unknown[] = [
    `${PASSWORD}\0`,
    `${PASSWORD}\ud800`,
    Buffer.from(PASSWORD),
    [[PASSWORD]],
    { toString: () => PASSWORD, toJSON: () => PASSWORD },
    Symbol(PASSWORD),
  ]

  it.each(wrong.map((value) => [value]))('is not shown by the error that refuses it (%#)', (value) => {
    const sends = [
      () => encodeMessage(PasswordMessage, { password: value as string }),
      () => encodeMessage(PasswordMessage, value as never),
      () => encodeMessage(SASLInitialResponse, { mechanism: value as string, data: null }),
      () => encodeMessage(SASLInitialResponse, { mechanism: 'X', data: [value] as never }),
      write(int32, value),
      write(character(), value),
      write(untilZero(string), value),
    ]
    for (const send of sends) {
      const error = errorOf(send)
      expect(error).toBeInstanceOf(RangeError)
      expect(`${error.message} ${error.stack}`).not.toContain(PASSWORD)
    }
  })

  it('is not shown if it is given where a message belongs', () => {
    const error = errorOf(() => encodeMessage(PasswordMessage, PASSWORD as never))
    expect(error.message).toBe('PasswordMessage cannot be sent: expected an object, got a value of type string')
  })
})

function errorOf(action: () => unknown): Error {
  try {
    action()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('nothing was thrown')
}
