import { describe, expect, it } from 'vitest'
import { decodeTlsReply } from '../../src/protocol/tls-reply.ts'
import { failureOf } from '../auth/failure-of.ts'

const decode = (text: string) => decodeTlsReply(Buffer.from(text, 'latin1'))

describe('the answer to SSLRequest', () => {
  it('is one byte', () => {
    expect([decode('S'), decode('N')]).toEqual(['S', 'N'])
  })

  it('may be the beginning of an error, whose text nobody reads', () => {
    expect([decode('E'), decode('E\0\0\0\x20SFATAL\0')]).toEqual(['E', 'E'])
  })

  it.each(['S', 'N'])('with a second byte in plaintext behind %s is refused (CVE-2021-23222)', (reply) => {
    expect(failureOf(() => decode(`${reply}Z\0\0`))).toEqual({
      kind: 'misbehaved',
      expected: [`nothing behind '${reply}'`],
      received: '3 bytes in plaintext',
    })
  })

  it.each([
    ['H', '0x48'],
    ['\x15', '0x15'],
    ['\0', '0x00'],
    ['s', '0x73'],
  ])('that is another byte is named, not passed on', (reply, shown) => {
    expect(failureOf(() => decode(reply))).toEqual({
      kind: 'misbehaved',
      expected: ["one byte, 'S' or 'N'"],
      received: shown,
    })
  })

  it('of somebody else is named', () => {
    expect(failureOf(() => decode('HTTP/1.1 400 Bad Request'))).toMatchObject({
      received: '0x48 (an HTTP server answered; this is not the port of a PostgreSQL server)',
    })
  })
})
