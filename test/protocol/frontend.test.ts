import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../src/protocol/failure.ts'
import {
  CopyData,
  CopyDone,
  CopyFail,
  decodeFrontend,
  encodeFrontend,
  FRONTEND_MESSAGES,
  type FrontendMessage,
  type PasswordKind,
  PasswordMessage,
  Query,
  SASLInitialResponse,
  SASLResponse,
  Terminate,
} from '../../src/protocol/frontend.ts'
import { arbitraryBody } from '../../src/testing/arbitraries/body.ts'
import { arbitraryMessage } from '../../src/testing/arbitraries/message.ts'
import { failureOf } from '../auth/failure-of.ts'
import { examplesOf, titleOf } from './examples.ts'
import { wire } from './wire.ts'

const EXAMPLES = FRONTEND_MESSAGES.flatMap(examplesOf).map((example) => [titleOf(example), example] as const)
const KINDS: readonly PasswordKind[] = ['PasswordMessage', 'SASLInitialResponse', 'SASLResponse']

/** What a server would expect behind a 'p'. */
const kindOf = (name: string) => KINDS.find((kind) => kind === name) ?? 'PasswordMessage'

describe('a message of a client', () => {
  it.each(EXAMPLES)('is written as the manual says: %s', (_title, { value, bytes }) => {
    expect(encodeFrontend(value as FrontendMessage)).toEqual(bytes)
  })

  it.each(EXAMPLES)('is read as the manual says: %s', (_title, { value, bytes, body }) => {
    expect(decodeFrontend(bytes.toString('latin1', 0, 1), body, kindOf(value.type))).toEqual(value)
  })

  it('has the tag that the manual says', () => {
    const tags = [PasswordMessage, SASLInitialResponse, SASLResponse, Query, CopyData, CopyDone, CopyFail, Terminate]
    expect(tags.map(({ tag }) => tag)).toEqual(['p', 'p', 'p', 'Q', 'd', 'c', 'f', 'X'])
    expect(FRONTEND_MESSAGES).toEqual(tags)
  })

  it('behind a p is what the server asked for, for nothing in it says what it is', () => {
    const body = wire('61 00 ff ff ff ff')
    expect(decodeFrontend('p', body, 'SASLInitialResponse')).toEqual({
      type: 'SASLInitialResponse',
      mechanism: 'a',
      data: null,
    })
    expect(decodeFrontend('p', body, 'SASLResponse')).toEqual({ type: 'SASLResponse', data: new Uint8Array(body) })
    expect(failureOf(() => decodeFrontend('p', body, 'PasswordMessage'))).toMatchObject({
      message: 'PasswordMessage',
      offset: 2,
    })
  })

  it('is refused with a tag that no message has, shown so that it harms no terminal', () => {
    const refused = (tag: string) => failureOf(() => decodeFrontend(tag, wire(''), 'PasswordMessage'))
    expect(refused('Z')).toEqual({
      kind: 'malformed',
      message: 'unknown',
      field: 'tag',
      offset: 0,
      problem: "no message of a client begins with 'Z'",
    })
    expect(refused('\x9b')).toMatchObject({ problem: 'no message of a client begins with 0x9b' })
  })

  it('that is unknown is not written', () => {
    expect(() => encodeFrontend({ type: 'Flush' } as never)).toThrow(
      new RangeError('no message of a client is called Flush'),
    )
  })

  it.each(FRONTEND_MESSAGES.map((layout) => [layout.name, layout] as const))('comes back: %s', (name, layout) => {
    fc.assert(
      fc.property(arbitraryMessage(layout), (value) => {
        const bytes = encodeFrontend(value as FrontendMessage)
        expect(decodeFrontend(layout.tag ?? '', bytes.subarray(5), kindOf(name))).toEqual(value)
      }),
    )
  })

  it('is read or refused as malformed, whatever comes', () => {
    const tag = fc.oneof(
      fc.constantFrom('p', 'Q', 'd', 'c', 'f', 'X'),
      fc.nat(0xff).map((code) => String.fromCharCode(code)),
    )
    const body = fc.oneof(...FRONTEND_MESSAGES.map(arbitraryBody))
    fc.assert(
      fc.property(tag, body, fc.constantFrom(...KINDS), (first, bytes, kind) => {
        try {
          expect(FRONTEND_MESSAGES.map(({ name }) => name)).toContain(decodeFrontend(first, bytes, kind).type)
        } catch (error) {
          if (!(error instanceof Fault)) throw error
          expect(error.failure.kind).toBe('malformed')
        }
      }),
    )
  })
})
