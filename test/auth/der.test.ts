import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DerReader, TAG } from '../../src/auth/der.ts'
import { Fault } from '../../src/protocol/failure.ts'
import { failureOf } from './failure-of.ts'

const SEQUENCE = TAG.sequence
const read = (...bytes: readonly number[]) => new DerReader('Certificate', Uint8Array.from(bytes))
/** Bytes, and behind them as many more as are asked for. */
const filled = (bytes: readonly number[], more: number) => {
  const whole = new Uint8Array(bytes.length + more).fill(1)
  whole.set(bytes)
  return new DerReader('Certificate', whole)
}
const take = (...bytes: readonly number[]) => [
  ...read(...bytes)
    .take(SEQUENCE, 'thing')
    .rest(),
]
const refused = (...bytes: readonly number[]) => failureOf(() => take(...bytes))
const malformed = (offset: number, problem: string) => ({
  kind: 'malformed',
  message: 'Certificate',
  field: 'thing',
  offset,
  problem,
})

describe('an element of DER', () => {
  it('may be empty', () => {
    expect(take(0x30, 0x00)).toEqual([])
  })

  it('has a length of one byte up to 127', () => {
    expect(take(0x30, 0x03, 7, 8, 9)).toEqual([7, 8, 9])
    expect(filled([0x30, 0x7f], 127).take(SEQUENCE, 'thing').rest()).toHaveLength(127)
  })

  it('has a length of two, three or four bytes beyond that', () => {
    for (const [length, ...encoded] of [
      [0x80, 0x81, 0x80],
      [0xff, 0x81, 0xff],
      [0x100, 0x82, 0x01, 0x00],
      [0xffff, 0x82, 0xff, 0xff],
      [0x10000, 0x83, 0x01, 0x00, 0x00],
    ] as const) {
      const reader = filled([0x30, ...encoded], length)
      expect(reader.take(SEQUENCE, 'thing').rest()).toHaveLength(length)
      expect(reader.isAtEnd()).toBe(true)
    }
  })

  it('is followed by the next one', () => {
    const reader = read(0x30, 0x01, 0xaa, 0x30, 0x00, 0x06, 0x01, 0x2a)
    expect([...reader.take(SEQUENCE, 'first').rest()]).toEqual([0xaa])
    reader.take(SEQUENCE, 'second')
    expect(reader.isNext(TAG.objectIdentifier)).toBe(true)
    expect([...reader.take(TAG.objectIdentifier, 'third').rest()]).toEqual([0x2a])
    expect(reader.isAtEnd()).toBe(true)
    expect(() => reader.finish('whole')).not.toThrow()
  })

  it('is read inside another without leaving it', () => {
    // The inner element ends with the outer one, although bytes go on behind it.
    const inner = read(0x30, 0x02, 0x06, 0x00, 0x06, 0x00).take(SEQUENCE, 'outer')
    inner.take(TAG.objectIdentifier, 'inner')
    expect(inner.isAtEnd()).toBe(true)
    expect(inner.isNext(TAG.objectIdentifier)).toBe(false)
    expect(failureOf(() => inner.take(TAG.objectIdentifier, 'thing'))).toMatchObject({ field: 'thing', offset: 4 })
  })

  it('is refused if it is longer than what it stands in, though bytes follow', () => {
    const inner = read(0x30, 0x02, 0x06, 0x01, 0x2a).take(SEQUENCE, 'outer')
    expect(failureOf(() => inner.take(TAG.objectIdentifier, 'thing'))).toEqual(
      malformed(4, 'is longer than what it stands in'),
    )
  })

  it('is refused if its length goes on outside of what it stands in', () => {
    const inner = read(0x30, 0x02, 0x06, 0x81, 0x80).take(SEQUENCE, 'outer')
    expect(failureOf(() => inner.take(TAG.objectIdentifier, 'thing'))).toEqual(malformed(4, 'ends in its length'))
  })

  it('is refused if there is none', () => {
    expect(refused()).toEqual(malformed(0, 'is missing, or is not tagged 0x30'))
  })

  it('is refused with another tag', () => {
    expect(refused(0x31, 0x00)).toEqual(malformed(0, 'is missing, or is not tagged 0x30'))
    expect(failureOf(() => read(0x30, 0x00).take(TAG.objectIdentifier, 'thing'))).toEqual(
      malformed(0, 'is missing, or is not tagged 0x06'),
    )
  })

  it('is refused without a length', () => {
    expect(refused(0x30)).toEqual(malformed(1, 'ends in its length'))
    expect(refused(0x30, 0x81)).toEqual(malformed(2, 'ends in its length'))
    expect(refused(0x30, 0x82, 0x01)).toEqual(malformed(3, 'ends in its length'))
  })

  it('is refused with the indefinite length of BER', () => {
    expect(refused(0x30, 0x80, 0x00, 0x00)).toEqual(malformed(2, 'has a length of a form that is not DER'))
  })

  it('is refused with a length that no certificate in TLS can have', () => {
    for (const count of [0x84, 0x85, 0xfe, 0xff]) {
      expect(failureOf(() => filled([0x30, count], 128).take(SEQUENCE, 'thing'))).toEqual(
        malformed(2, 'has a length of a form that is not DER'),
      )
    }
  })

  it('is refused with a length in more bytes than it needs', () => {
    for (const length of [
      [0x81, 0x00],
      [0x81, 0x7f],
      [0x82, 0x00, 0xff],
      [0x83, 0x00, 0xff, 0xff],
    ]) {
      expect(failureOf(() => filled([0x30, ...length], 0xffff).take(SEQUENCE, 'thing'))).toEqual(
        malformed(1 + length.length, 'has a length in more bytes than it needs'),
      )
    }
  })

  it('is refused one byte before its end', () => {
    expect(refused(0x30, 0x03, 7, 8)).toEqual(malformed(2, 'is longer than what it stands in'))
    expect(refused(0x30, 0x83, 0xff, 0xff, 0xff, 1)).toEqual(malformed(5, 'is longer than what it stands in'))
  })

  it('is refused if nothing should follow and something does', () => {
    const reader = read(0x30, 0x00, 0x00)
    reader.take(SEQUENCE, 'thing')
    expect(failureOf(() => reader.finish('thing'))).toEqual(malformed(2, 'has bytes behind its end'))
  })
})

describe('the reader', () => {
  const anything = fc.uint8Array({ maxLength: 40 })
  const mostlyElements = fc
    .array(fc.constantFrom(0x30, 0x06, 0x03, 0xa0, 0x00, 0x01, 0x02, 0x05, 0x80, 0x81, 0x82, 0xff), { maxLength: 40 })
    .map((bytes) => Uint8Array.from(bytes))
  const moves = fc.array(fc.constantFrom(0x30, 0x06, 0x03, 0xa0, 'into', 'finish'), { maxLength: 20 })

  it('gives a value or a Fault whatever the bytes, and nothing from outside of them', () => {
    fc.assert(
      fc.property(fc.oneof(anything, mostlyElements), moves, (bytes, steps) => {
        // The bytes stand in a larger buffer: what lies around them must not show.
        const around = new Uint8Array(bytes.length + 200).fill(0x30)
        around.set(bytes, 100)
        const given = around.subarray(100, 100 + bytes.length)
        const outcome = (input: Uint8Array) => {
          let reader = new DerReader('Certificate', input)
          let latest = reader
          const seen: unknown[] = []
          try {
            for (const step of steps) {
              if (step === 'into') reader = latest
              else if (step === 'finish') reader.finish('whole')
              else latest = reader.take(step as number, 'thing')
              seen.push(Buffer.from(latest.rest()).toString('hex'))
              const rest = latest.rest()
              expect(rest.byteOffset).toBeGreaterThanOrEqual(input.byteOffset)
              expect(rest.byteOffset + rest.length).toBeLessThanOrEqual(input.byteOffset + input.length)
            }
          } catch (error) {
            if (!(error instanceof Fault)) throw error
            expect(error.failure).toMatchObject({ kind: 'malformed', message: 'Certificate' })
            seen.push(error.failure)
          }
          return seen
        }
        expect(outcome(given)).toEqual(outcome(new Uint8Array(bytes)))
      }),
    )
  })
})
