import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Direction, Dissector } from '../../src/cli/dissect.ts'
import { explain } from '../../src/cli/explain.ts'
import { EXTENDED_BACKEND_MESSAGES, EXTENDED_FRONTEND_MESSAGES } from '../../src/cli/extended-query.ts'
import { summarize } from '../../src/cli/summarize.ts'
import { AUTHENTICATION_MESSAGES } from '../../src/protocol/authentication.ts'
import { BACKEND_MESSAGES } from '../../src/protocol/backend.ts'
import { FRONTEND_MESSAGES } from '../../src/protocol/frontend.ts'
import { encodeMessage, type MessageLayout } from '../../src/protocol/message.ts'
import { STARTUP_MESSAGES } from '../../src/protocol/startup.ts'
import { arbitraryMessage } from '../../src/testing/arbitraries/message.ts'

/** What a 'p' is its content says, which is arbitrary here. */
const SENT: readonly MessageLayout[] = [
  ...STARTUP_MESSAGES,
  ...FRONTEND_MESSAGES,
  ...EXTENDED_FRONTEND_MESSAGES,
].filter(({ tag }) => tag !== 'p')
const RECEIVED: readonly MessageLayout[] = [
  ...BACKEND_MESSAGES,
  ...AUTHENTICATION_MESSAGES,
  ...EXTENDED_BACKEND_MESSAGES,
]

const EVERY = [
  ...SENT.map((layout) => ['sent', layout.name, layout] as const),
  ...RECEIVED.map((layout) => ['received', layout.name, layout] as const),
]

/** A StartupMessage whose version is a request's would be one. */
function isItself(layout: MessageLayout, bytes: Buffer): boolean {
  return layout.name !== 'StartupMessage' || bytes.readUInt16BE(4) !== 1234
}

function dissect(direction: Direction, hex: string, dissector = new Dissector()) {
  return dissector.dissect(direction, Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

describe('any message', () => {
  it.each(EVERY)('that is %s is known for what it is, byte by byte: %s', (direction, name, layout) => {
    fc.assert(
      fc.property(arbitraryMessage(layout), (value) => {
        const bytes = encodeMessage(layout, value)
        fc.pre(isItself(layout, bytes))
        const dissection = new Dissector().dissect(direction, bytes)
        expect(dissection.name).toBe(name)
        expect(Buffer.concat(explain(dissection).map((note) => note.bytes)).equals(bytes)).toBe(true)
        expect(summarize(dissection, [])).not.toContain('\n')
      }),
    )
  })
})

describe('what shares a tag', () => {
  it.each([
    ['PasswordMessage', '70 00000008 61626300'],
    ['SASLInitialResponse', '70 00000015 534352414d2d58 00 00000005 6e2c2c6e3d'],
    ['SASLResponse', '70 00000008 633d6269'],
  ])('is a %s by its content', (name, hex) => {
    expect(dissect('sent', hex).name).toBe(name)
  })

  it('is a GSSResponse once that was asked for', () => {
    const dissector = new Dissector()
    dissect('received', '52 00000008 00000007', dissector)
    expect(dissect('sent', '70 00000008 61626300', dissector).name).toBe('GSSResponse')
  })
})

describe('the answer to SSLRequest', () => {
  it.each(['53', '4e', '45'])('is one byte: %s', (hex) => {
    const dissector = new Dissector()
    dissect('sent', '00000008 04d2162f', dissector)
    expect(dissect('received', hex, dissector).name).toBe('TLS reply')
    expect(dissect('received', '53 00000008 61006200', dissector).name).toBe('ParameterStatus')
  })
})

describe('TLS', () => {
  it('is not looked into', () => {
    const record = dissect('sent', '17 0303 0003 aabbcc')
    expect(record.name).toBe('TLS record')
    expect(explain(record).map(({ path, text }) => `${path} ${text}`)).toEqual([
      'type 23',
      'version 0303',
      'length 3 bytes',
      'fragment opaque',
    ])
    expect(summarize(record, [])).toBe('application_data, opaque')
  })
})
