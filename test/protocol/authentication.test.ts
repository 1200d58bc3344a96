import { describe, expect, it } from 'vitest'
import { AUTHENTICATION_MESSAGES, decodeAuthentication } from '../../src/protocol/authentication.ts'
import { failureOf } from '../auth/failure-of.ts'
import { examplesOf, titleOf } from './examples.ts'
import { wire } from './wire.ts'

const EXAMPLES = AUTHENTICATION_MESSAGES.flatMap(examplesOf).map((example) => [titleOf(example), example] as const)

describe('an authentication request', () => {
  it.each(EXAMPLES)('is read as the manual says: %s', (_title, { value, body }) => {
    expect(decodeAuthentication(body)).toEqual(value)
  })

  it('has the tag and the code that the manual says', () => {
    expect(AUTHENTICATION_MESSAGES.map(({ name, tag, fields }) => [name, tag, fields.code.type.constant])).toEqual([
      ['AuthenticationOk', 'R', 0],
      ['AuthenticationKerberosV5', 'R', 2],
      ['AuthenticationCleartextPassword', 'R', 3],
      ['AuthenticationMD5Password', 'R', 5],
      ['AuthenticationGSS', 'R', 7],
      ['AuthenticationGSSContinue', 'R', 8],
      ['AuthenticationSSPI', 'R', 9],
      ['AuthenticationSASL', 'R', 10],
      ['AuthenticationSASLContinue', 'R', 11],
      ['AuthenticationSASLFinal', 'R', 12],
    ])
  })

  it.each([1, 4, 6, 13, -1, 0x7fffffff])('with code %i is none, and is named', (code) => {
    const body = Buffer.alloc(4)
    body.writeInt32BE(code)
    expect(failureOf(() => decodeAuthentication(body))).toEqual({
      kind: 'malformed',
      message: 'Authentication',
      field: 'code',
      offset: 0,
      problem: `there is no authentication request ${code}`,
    })
  })

  it('is refused if it ends within its code', () => {
    for (const body of ['', '00', '00 00', '00 00 00']) {
      expect(failureOf(() => decodeAuthentication(wire(body)))).toMatchObject({
        kind: 'malformed',
        field: 'code',
        offset: 0,
        problem: `needs 4 bytes, ${wire(body).length} are left`,
      })
    }
  })

  it('may offer no mechanism at all', () => {
    expect(decodeAuthentication(wire('00 00 00 0a 00'))).toEqual({ type: 'AuthenticationSASL', mechanisms: [] })
  })
})
