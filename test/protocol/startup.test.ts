import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../src/protocol/failure.ts'
import { LIMITS } from '../../src/protocol/limits.ts'
import {
  CancelRequest,
  decodeStartup,
  encodeStartup,
  GSSENCRequest,
  SSLRequest,
  STARTUP_MESSAGES,
  type StartupPacket,
  versionNumber,
} from '../../src/protocol/startup.ts'
import { arbitraryBody } from '../../src/testing/arbitraries/body.ts'
import { arbitraryMessage } from '../../src/testing/arbitraries/message.ts'
import { failureOf } from '../auth/failure-of.ts'
import { examplesOf, titleOf } from './examples.ts'
import { wire } from './wire.ts'

const EXAMPLES = STARTUP_MESSAGES.flatMap(examplesOf).map((example) => [titleOf(example), example] as const)

/** A value that makes the whole StartupMessage this long: lengths, version, 'a', NULs and the end take 12 bytes. */
const ofLength = (lengthBytes: number): StartupPacket => ({
  type: 'StartupMessage',
  protocolVersion: versionNumber('3.0'),
  parameters: [{ name: 'a', value: 'v'.repeat(lengthBytes - 12) }],
})

describe('a message that starts a connection', () => {
  it.each(EXAMPLES)('is written as the manual says: %s', (_title, { value, bytes }) => {
    expect(encodeStartup(value as StartupPacket)).toEqual(bytes)
  })

  it.each(EXAMPLES)('is read as the manual says: %s', (_title, { value, body }) => {
    expect(decodeStartup(body)).toEqual(value)
  })

  it('has no tag', () => {
    expect(STARTUP_MESSAGES.map(({ tag }) => tag)).toEqual([null, null, null, null])
  })

  it('is a request if its first Int32 is the code of one', () => {
    // The manual: 1234 in the upper 16 bits; 5678, 5679 and 5680 in the lower.
    expect(CancelRequest.fields.code.type.constant).toBe(80_877_102)
    expect(SSLRequest.fields.code.type.constant).toBe(80_877_103)
    expect(GSSENCRequest.fields.code.type.constant).toBe(80_877_104)
    expect([80_877_102, 80_877_103, 80_877_104]).toEqual([5678, 5679, 5680].map((low) => 1234 * 65_536 + low))
  })

  it('is a StartupMessage whatever else its first Int32 is, and is read even if nobody speaks that version', () => {
    expect(decodeStartup(wire('04 d2 16 31  00'))).toEqual({
      type: 'StartupMessage',
      protocolVersion: 80_877_105,
      parameters: [],
    })
    expect(decodeStartup(wire('00 02 00 00  00'))).toMatchObject({ protocolVersion: 131_072 })
  })

  it('is refused if it is too short to say what it is', () => {
    expect(failureOf(() => decodeStartup(wire('04 d2 16')))).toEqual({
      kind: 'malformed',
      message: 'StartupMessage',
      field: 'protocolVersion',
      offset: 0,
      problem: 'needs 4 bytes, 3 are left',
    })
    expect(failureOf(() => decodeStartup(wire('')))).toMatchObject({ field: 'protocolVersion' })
  })

  it('is refused with bytes behind a request', () => {
    expect(failureOf(() => decodeStartup(wire('04 d2 16 2f  00')))).toMatchObject({
      kind: 'malformed',
      message: 'SSLRequest',
      offset: 4,
    })
  })

  it.each(STARTUP_MESSAGES.map((layout) => [layout.name, layout] as const))('comes back: %s', (_name, layout) => {
    fc.assert(
      fc.property(arbitraryMessage(layout), (value) => {
        expect(decodeStartup(encodeStartup(value as StartupPacket).subarray(4))).toEqual(value)
      }),
    )
  })

  it('is read or refused as malformed, whatever comes', () => {
    fc.assert(
      fc.property(fc.oneof(...STARTUP_MESSAGES.map(arbitraryBody)), (body) => {
        try {
          expect(STARTUP_MESSAGES.map(({ name }) => name)).toContain(decodeStartup(body).type)
        } catch (error) {
          if (!(error instanceof Fault)) throw error
          expect(error.failure.kind).toBe('malformed')
        }
      }),
    )
  })
})

describe('StartupMessage', () => {
  it('has the major version in the upper and the minor version in the lower 16 bits', () => {
    expect(versionNumber('3.0')).toBe(196_608)
    expect(versionNumber('3.2')).toBe(196_610)
  })

  it('cannot have a parameter without a name: it would end the list', () => {
    expect(() =>
      encodeStartup({
        type: 'StartupMessage',
        protocolVersion: 196_608,
        parameters: [
          { name: 'user', value: 'alice' },
          { name: '', value: 'x' },
        ],
      }),
    ).toThrow(
      new RangeError('StartupMessage.parameters.1 cannot be sent: it begins with a zero byte, which ends the list'),
    )
  })

  it('cannot have a NUL in a name or a value: what follows would be a parameter of its own', () => {
    const send = (name: string, value: string) => () =>
      encodeStartup({ type: 'StartupMessage', protocolVersion: 196_608, parameters: [{ name, value }] })
    expect(send('user', 'alice\0replication\0true')).toThrow(
      new RangeError('StartupMessage.parameters.0.value cannot be sent: the string holds a NUL at index 5'),
    )
    expect(send('user\0alice', '')).toThrow(
      new RangeError('StartupMessage.parameters.0.name cannot be sent: the string holds a NUL at index 4'),
    )
  })

  it('may have 10,000 bytes and no more, which is what PostgreSQL reads', () => {
    expect(LIMITS.startupMessageBytesMax).toBe(10_000)
    expect(encodeStartup(ofLength(10_000)).length).toBe(10_000)
    expect(() => encodeStartup(ofLength(10_001))).toThrow(
      new RangeError('StartupMessage cannot be sent: 10001 bytes, PostgreSQL takes 10000'),
    )
  })
})
