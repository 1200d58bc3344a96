import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../src/protocol/failure.ts'
import { int16, int32, rest, string } from '../../src/protocol/layout.ts'
import { decodeBody, encodeMessage, type MessageLayout, message } from '../../src/protocol/message.ts'
import { arbitraryBody, bodyOf } from '../../src/testing/arbitraries/body.ts'
import { arbitraryMessage } from '../../src/testing/arbitraries/message.ts'
import { failureOf } from '../auth/failure-of.ts'
import { ALL_MESSAGES, examplesOf, titleOf } from './examples.ts'
import { wire } from './wire.ts'

const EVERY_EXAMPLE = ALL_MESSAGES.flatMap(examplesOf).map((example) => [titleOf(example), example] as const)
const EVERY_MESSAGE = ALL_MESSAGES.map((layout) => [layout.name, layout] as const)

describe('every message', () => {
  it.each(EVERY_MESSAGE)('%s has an example', (_name, layout) => {
    expect(examplesOf(layout).length).toBeGreaterThan(0)
  })

  it.each(EVERY_MESSAGE)('%s is named by its anchor in the manual', (name, layout) => {
    expect(layout.anchor).toBe(`PROTOCOL-MESSAGE-FORMATS-${name.toUpperCase()}`)
  })

  it.each(EVERY_EXAMPLE)('is written as the manual says: %s', (_title, { layout, value, bytes }) => {
    expect(encodeMessage(layout, value).toString('hex')).toBe(bytes.toString('hex'))
  })

  it.each(EVERY_EXAMPLE)('is read as the manual says: %s', (_title, { layout, value, body }) => {
    expect(decodeBody(layout, body)).toEqual(value)
  })

  it.each(EVERY_EXAMPLE)('counts itself in its length, but not its tag: %s', (_title, { layout, bytes }) => {
    const tagBytes = layout.tag === null ? 0 : 1
    expect(bytes.readInt32BE(tagBytes)).toBe(bytes.length - tagBytes)
  })

  it.each(EVERY_EXAMPLE)('is refused at every byte where it ends too early, with its field: %s', (_title, example) => {
    const { layout, body, cuts } = example
    const met = Array.from({ length: body.length }, (_, cut) => fieldOf(layout, body.subarray(0, cut)))
    expect(met).toEqual(cuts)
  })

  it.each(EVERY_EXAMPLE)('has nothing behind its last field: %s', (_title, { layout, body }) => {
    const longer = Buffer.concat([body, Buffer.from([0])])
    if (endsInRest(layout)) {
      expect(bodyOf(layout, decodeBody(layout, longer))).toEqual(longer)
      return
    }
    expect(failureOf(() => decodeBody(layout, longer))).toEqual({
      kind: 'malformed',
      message: layout.name,
      field: '',
      offset: body.length,
      problem: '1 bytes follow the last field',
    })
  })

  it.each(EVERY_MESSAGE)('comes back as it was sent: %s', (_name, layout) => {
    fc.assert(
      fc.property(arbitraryMessage(layout), (value) => {
        expect(decodeBody(layout, bodyOf(layout, value))).toEqual(value)
      }),
    )
  })

  it.each(EVERY_MESSAGE)('has one way to be written, if its text is UTF-8: %s', (_name, layout) => {
    fc.assert(
      fc.property(arbitraryBody(layout), (body) => {
        const value = readable(layout, body)
        // U+FFFD stands for what was not UTF-8, and is not what was read.
        if (value === null || JSON.stringify(value).includes('\ufffd')) return
        expect(bodyOf(layout, value)).toEqual(body)
      }),
    )
  })

  it.each(EVERY_MESSAGE)('is read or refused as malformed, whatever comes: %s', (_name, layout) => {
    fc.assert(
      fc.property(arbitraryBody(layout), (body) => {
        const failure = refusal(layout, body)
        if (failure === null) return
        expect(failure).toMatchObject({ kind: 'malformed', message: layout.name })
        if (failure.kind !== 'malformed') return
        expect(failure.offset).toBeGreaterThanOrEqual(0)
        expect(failure.offset).toBeLessThanOrEqual(body.length)
        expect(failure.problem).toMatch(/^[\x20-\x7e]+$/)
      }),
    )
  })

  it.each(EVERY_MESSAGE)('is read the same whatever lies before and behind it in memory: %s', (_name, layout) => {
    fc.assert(
      fc.property(arbitraryBody(layout), fc.uint8Array({ maxLength: 9 }), fc.uint8Array(), (body, before, after) => {
        const memory = Buffer.concat([before, body, after])
        const inside = memory.subarray(before.length, before.length + body.length)
        const alone = new Uint8Array(body)
        expect(readable(layout, inside)).toEqual(readable(layout, Buffer.from(alone.buffer)))
        expect(refusal(layout, inside)).toEqual(refusal(layout, Buffer.from(alone.buffer)))
      }),
    )
  })

  it.each(EVERY_MESSAGE)('shares no memory with the bytes it was read from: %s', (_name, layout) => {
    fc.assert(
      fc.property(arbitraryMessage(layout), (value) => {
        const body = Buffer.from(bodyOf(layout, value))
        const read = decodeBody(layout, body)
        body.fill(0xaa)
        expect(read).toEqual(value)
      }),
    )
  })
})

describe('a message', () => {
  const Probe = message('Probe', '\xfe', { number: int16, text: string }, 'PROBE-ANCHOR')

  it('may have an anchor that is not its name', () => {
    expect(Probe.anchor).toBe('PROBE-ANCHOR')
  })

  it('has a tag of one byte, even one that is not ASCII', () => {
    expect(encodeMessage(Probe, { number: 1, text: '' })).toEqual(wire('fe 00 00 00 07 00 01 00'))
  })

  it('carries its name when it is read', () => {
    expect(decodeBody(Probe, wire('ff fe 61 00'))).toEqual({ type: 'Probe', number: -2, text: 'a' })
  })

  it('is refused as data: name, field, offset, problem', () => {
    expect(failureOf(() => decodeBody(Probe, wire('00 01 61')))).toEqual({
      kind: 'malformed',
      message: 'Probe',
      field: 'text',
      offset: 2,
      problem: 'the string has no terminating NUL',
    })
  })

  it('that cannot be sent is a RangeError with the name of the field', () => {
    expect(() => encodeMessage(Probe, { number: 0x8000, text: '' })).toThrow(
      new RangeError('Probe.number cannot be sent: expected a whole number from -32768 to 32767, got 32768'),
    )
  })

  it('that is no object cannot be sent', () => {
    for (const value of [null, undefined, 'text', 7]) {
      expect(() => encodeMessage(Probe, value as never)).toThrow(/^Probe cannot be sent: expected an object, got /)
      expect(() => encodeMessage(Probe, value as never)).toThrow(RangeError)
    }
  })

  it('whose length does not fit into an Int32 cannot be sent, and no memory is taken for it', () => {
    const Long = message('Long', 'L', { data: rest })
    // A length that is claimed and not there.
    const data = Object.defineProperty(new Uint8Array(1), 'length', { value: 0x7fffffff - 3 })
    expect(() => encodeMessage(Long, { data })).toThrow(
      new RangeError('Long cannot be sent: longer than 2,147,483,647 bytes'),
    )
  })

  it('is not held responsible for what is wrong in the program', () => {
    const value = {
      get number(): number {
        throw new TypeError('a getter failed')
      },
      text: '',
    }
    expect(() => encodeMessage(Probe, value)).toThrow(new TypeError('a getter failed'))
    const body = Object.assign(wire('00 05 00'), {
      readIntBE() {
        throw new TypeError('a buffer failed')
      },
    })
    expect(() => decodeBody(Probe, body)).toThrow(new TypeError('a buffer failed'))
  })

  it('may be a class with getters', () => {
    class Made {
      get number() {
        return 5
      }
      get text() {
        return 'x'
      }
    }
    expect(encodeMessage(Probe, new Made())).toEqual(wire('fe 00 00 00 08 00 05 78 00'))
  })

  it('is written without what it does not have', () => {
    const Only = message('Only', 'O', { number: int32 })
    expect(encodeMessage(Only, { number: 1, more: 2 } as never)).toEqual(wire('4f 00 00 00 08 00 00 00 01'))
  })
})

function endsInRest(layout: MessageLayout): boolean {
  const last = Object.values(layout.fields).at(-1)
  return last?.type.kind === 'bytes' && last.type.length === 'rest'
}

/** The field that a refusal names, or null if the body is a message. */
function fieldOf(layout: MessageLayout, body: Buffer): string | null {
  const failure = refusal(layout, body)
  return failure === null ? null : failure.kind === 'malformed' ? failure.field : `not malformed: ${failure.kind}`
}

function readable(layout: MessageLayout, body: Buffer) {
  return refusal(layout, body) === null ? decodeBody(layout, body) : null
}

function refusal(layout: MessageLayout, body: Buffer) {
  try {
    decodeBody(layout, body)
    return null
  } catch (error) {
    if (error instanceof Fault) return error.failure
    throw error
  }
}
