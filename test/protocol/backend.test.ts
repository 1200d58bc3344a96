import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AUTHENTICATION_MESSAGES } from '../../src/protocol/authentication.ts'
import { BACKEND_MESSAGES, decodeBackend, isBackendTag, unknownTag } from '../../src/protocol/backend.ts'
import { Fault } from '../../src/protocol/failure.ts'
import { arbitraryBody, bodyOf } from '../../src/testing/arbitraries/body.ts'
import { arbitraryMessage } from '../../src/testing/arbitraries/message.ts'
import { failureOf } from '../auth/failure-of.ts'
import { examplesOf, titleOf } from './examples.ts'
import { wire } from './wire.ts'

const MESSAGES = [...BACKEND_MESSAGES, ...AUTHENTICATION_MESSAGES]
const EXAMPLES = MESSAGES.flatMap(examplesOf).map((example) => [titleOf(example), example] as const)
const ALL_BYTES = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code))

describe('a message of a server', () => {
  it.each(EXAMPLES)('is read as the manual says: %s', (_title, { value, bytes, body }) => {
    expect(decodeBackend(bytes.toString('latin1', 0, 1), body)).toEqual(value)
  })

  it('has the tag that the manual says', () => {
    expect(Object.fromEntries(BACKEND_MESSAGES.map(({ name, tag }) => [name, tag]))).toEqual({
      BackendKeyData: 'K',
      ParameterStatus: 'S',
      ReadyForQuery: 'Z',
      NegotiateProtocolVersion: 'v',
      ErrorResponse: 'E',
      NoticeResponse: 'N',
      NotificationResponse: 'A',
      RowDescription: 'T',
      DataRow: 'D',
      CommandComplete: 'C',
      EmptyQueryResponse: 'I',
      CopyInResponse: 'G',
      CopyOutResponse: 'H',
      CopyBothResponse: 'W',
      CopyData: 'd',
      CopyDone: 'c',
    })
  })

  it('begins with one of seventeen bytes', () => {
    expect(ALL_BYTES.filter(isBackendTag).join('')).toBe('ACDEGHIKNRSTWZcdv')
  })

  it('with any other tag is refused, and the tag shown so that it harms no terminal', () => {
    const refused = (tag: string) => failureOf(() => decodeBackend(tag, wire('00')))
    expect(refused('Q')).toEqual({
      kind: 'malformed',
      message: 'unknown',
      field: 'tag',
      offset: 0,
      problem: "no message of a server begins with 'Q'",
    })
    expect(['\0', '\x1b', ' ', '\x7f', '\x9b', '~'].map((tag) => unknownTag(tag).failure)).toMatchObject(
      ['0x00', '0x1b', '0x20', '0x7f', '0x9b', "'~'"].map((shown) => ({
        problem: `no message of a server begins with ${shown}`,
      })),
    )
    for (const tag of ALL_BYTES) if (!isBackendTag(tag)) expect(refused(tag)).toMatchObject({ field: 'tag' })
  })

  it('in a failed transaction, in one, or in none: any other status is refused', () => {
    const lawful = ALL_BYTES.filter((_, code) => {
      try {
        return decodeBackend('Z', Buffer.from([code])).type === 'ReadyForQuery'
      } catch {
        return false
      }
    })
    expect(lawful).toEqual(['E', 'I', 'T'])
  })

  it.each(MESSAGES.map((layout) => [layout.name, layout] as const))('comes back: %s', (_name, layout) => {
    fc.assert(
      fc.property(arbitraryMessage(layout), (value) => {
        expect(decodeBackend(layout.tag ?? '', bodyOf(layout, value))).toEqual(value)
      }),
    )
  })

  it('is read or refused as malformed, whatever comes', () => {
    const expected = fc.constantFrom(...MESSAGES)
    const matching = expected.chain((layout) => fc.tuple(fc.constant(layout.tag ?? ''), arbitraryBody(layout)))
    const noise = fc.tuple(fc.constantFrom(...ALL_BYTES), expected.chain(arbitraryBody))
    fc.assert(
      fc.property(fc.oneof(matching, noise), ([tag, body]) => {
        try {
          expect(MESSAGES.map(({ name }) => name)).toContain(decodeBackend(tag, body).type)
        } catch (error) {
          if (!(error instanceof Fault)) throw error
          expect(error.failure.kind).toBe('malformed')
        }
      }),
      { numRuns: 500 },
    )
  })
})
