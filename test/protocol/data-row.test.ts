import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DataRow } from '../../src/protocol/backend.ts'
import { decodeDataRow } from '../../src/protocol/data-row.ts'
import { type Failure, Fault } from '../../src/protocol/failure.ts'
import { LIMITS } from '../../src/protocol/limits.ts'
import { decodeBody } from '../../src/protocol/message.ts'
import { arbitraryBody } from '../../src/testing/arbitraries/body.ts'
import { failureOf } from '../auth/failure-of.ts'
import { examplesOf } from './examples.ts'
import { wire } from './wire.ts'

const refused = (body: string) => failureOf(() => decodeDataRow(wire(body)))
const at = (field: string, offset: number, problem: string) => ({
  kind: 'malformed',
  message: 'DataRow',
  field,
  offset,
  problem,
})

describe('the values of a DataRow', () => {
  it('are read, or refused with the same words, as the description says', () => {
    fc.assert(
      fc.property(arbitraryBody(DataRow), (body) => {
        const described = outcome(() =>
          decodeBody(DataRow, body).values.map((value) =>
            value === null ? null : Buffer.from(value).toString('utf8'),
          ),
        )
        expect(outcome(() => decodeDataRow(body))).toEqual(described)
      }),
      { numRuns: 1_000 },
    )
  })

  it('are refused as the description says wherever they end too early or too late', () => {
    for (const { body } of examplesOf(DataRow)) {
      for (const bytes of [
        ...Array.from({ length: body.length }, (_, cut) => body.subarray(0, cut)),
        Buffer.concat([body, Buffer.from([0])]),
      ]) {
        expect(failureOf(() => decodeDataRow(bytes))).toEqual(failureOf(() => decodeBody(DataRow, bytes)))
      }
    }
  })

  it('are NULL for a length of -1, and an empty string for 0', () => {
    expect(decodeDataRow(wire('00 02  ff ff ff ff  00 00 00 00'))).toEqual([null, ''])
  })

  it('are UTF-8', () => {
    // U+00E9, U+20AC, U+1F600, a NUL (which bytea might send in another format), a byte order mark.
    expect(decodeDataRow(wire('00 01  00 00 00 0d  c3 a9  e2 82 ac  f0 9f 98 80  00  ef bb bf'))).toEqual([
      '\u00e9\u20ac\u{1f600}\0\ufeff',
    ])
  })

  it('may be none', () => {
    expect(decodeDataRow(wire('00 00'))).toEqual([])
  })

  it('do not change with the bytes they were read from', () => {
    const body = wire('00 01  00 00 00 02  34 32')
    const values = decodeDataRow(body)
    body.fill(0)
    expect(values).toEqual(['42'])
  })

  it('are refused without a whole count', () => {
    expect(refused('')).toEqual(at('values', 0, 'needs 2 bytes, 0 are left'))
    expect(refused('00')).toEqual(at('values', 0, 'needs 2 bytes, 1 are left'))
  })

  it('are refused with a negative count', () => {
    expect(refused('ff ff')).toEqual(at('values', 0, 'expected a count of 0 or more, got -1'))
  })

  it('are refused at the first that is missing', () => {
    expect(refused('7f ff  ff ff ff ff')).toEqual(at('values.1', 6, 'needs 4 bytes, 0 are left'))
    expect(refused('00 01  00 00 00')).toEqual(at('values.0', 2, 'needs 4 bytes, 3 are left'))
  })

  it('are refused with a length below -1', () => {
    expect(refused('00 01  ff ff ff fe')).toEqual(at('values.0', 2, 'expected a length of -1 or more, got -2'))
    expect(refused('00 01  80 00 00 00')).toEqual(at('values.0', 2, 'expected a length of -1 or more, got -2147483648'))
  })

  it('are refused with a length beyond the message', () => {
    expect(refused('00 01  7f ff ff ff  61')).toEqual(at('values.0', 6, 'needs 2147483647 bytes, 1 are left'))
  })

  it('are refused with bytes behind the last of them', () => {
    expect(refused('00 01  ff ff ff ff  00 00')).toEqual(at('', 6, '2 bytes follow the last field'))
  })

  it('are refused if one is longer than a string can be, and no such string is made', () => {
    const body = (lengthBytes: number) => {
      const claimed = wire('00 01  00 00 00 00')
      claimed.writeInt32BE(lengthBytes, 2)
      return Object.defineProperties(claimed, {
        length: { value: 6 + lengthBytes },
        toString: { value: () => 'made' },
      })
    }
    expect(decodeDataRow(body(LIMITS.stringBytesMax))).toEqual(['made'])
    const limit = LIMITS.stringBytesMax
    const tooLong = (received: number) => ({ kind: 'limit', what: 'length of a value', limit, received })
    expect(failureOf(() => decodeDataRow(body(limit + 1)))).toEqual(tooLong(limit + 1))
    // In binary, a value is twice as long as hexadecimal digits.
    expect(failureOf(() => decodeDataRow(body(limit / 2), [1]))).toEqual(tooLong(limit + 2))
    expect(decodeDataRow(body(limit / 2 - 1), [1])).toEqual(['\\xmade'])
  })

  it('are hexadecimal digits where the format of the column is 1', () => {
    const body = wire('00 03  00 00 00 02 00 ff  00 00 00 01 61  ff ff ff ff')
    expect(decodeDataRow(body, [1, 0, 1])).toEqual(['\\x00ff', 'a', null])
  })
})

function outcome(read: () => readonly (string | null)[]): readonly (string | null)[] | Failure {
  try {
    return read()
  } catch (error) {
    if (error instanceof Fault) return error.failure
    throw error
  }
}
