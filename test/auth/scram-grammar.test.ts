import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseServerFinal, parseServerFirst } from '../../src/auth/scram-grammar.ts'
import { Fault } from '../../src/protocol/failure.ts'
import { failureOf } from './failure-of.ts'

/** One character is one byte, so that tests can write what is no text. */
const bytes = (text: string) => Buffer.from(text, 'latin1')
const first = (text: string) => failureOf(() => parseServerFirst(bytes(text)))
const final = (text: string) => failureOf(() => parseServerFinal(bytes(text)))

const inFirst = (field: string, offset: number) => ({
  kind: 'malformed',
  message: 'AuthenticationSASLContinue',
  field,
  offset,
})
const inFinal = (field: string, offset: number) => ({ ...inFirst(field, offset), message: 'AuthenticationSASLFinal' })

// base64 of 32 bytes 00
const ZEROES = `${'A'.repeat(43)}=`

describe('server-first-message', () => {
  it('has a nonce, a salt and a count', () => {
    // The salt is 01 02 03 04.
    expect(parseServerFirst(bytes('r=abc,s=AQIDBA==,i=4096'))).toEqual({
      nonce: 'abc',
      salt: new Uint8Array([1, 2, 3, 4]),
      iterations: 4096,
    })
  })

  it('may have a nonce with any visible ASCII but the comma', () => {
    const visible = String.fromCharCode(...Array.from({ length: 94 }, (_, index) => 0x21 + index)).replace(',', '')
    expect(parseServerFirst(bytes(`r=${visible},s=AQ==,i=1`)).nonce).toBe(visible)
  })

  it('may have an empty salt, as in libpq', () => {
    expect(parseServerFirst(bytes('r=abc,s=,i=1')).salt).toEqual(new Uint8Array())
  })

  it('may ask for one iteration', () => {
    expect(parseServerFirst(bytes('r=abc,s=AQ==,i=1')).iterations).toBe(1)
  })

  it('may ask for more iterations than a number can hold, which is told as the most that it can', () => {
    expect(parseServerFirst(bytes(`r=abc,s=AQ==,i=${'9'.repeat(20)}`)).iterations).toBe(Number.MAX_SAFE_INTEGER)
    expect(parseServerFirst(bytes(`r=abc,s=AQ==,i=${'9'.repeat(400)}`)).iterations).toBe(Number.MAX_SAFE_INTEGER)
  })

  it('may go on with extensions that nobody knows', () => {
    expect(parseServerFirst(bytes('r=abc,s=AQ==,i=7,x=foo,Y=b=a=r,z=\xc3\xa9')).iterations).toBe(7)
  })

  it('may have an extension whose value begins with a byte order mark', () => {
    expect(parseServerFirst(bytes('r=abc,s=AQ==,i=7,x=\xef\xbb\xbf')).iterations).toBe(7)
  })

  it('does not share memory with the bytes it came from', () => {
    const data = bytes('r=abc,s=AQIDBA==,i=1')
    const { salt } = parseServerFirst(data)
    data.fill(0)
    expect(salt).toEqual(new Uint8Array([1, 2, 3, 4]))
  })

  it('is refused if it is empty', () => {
    expect(first('')).toMatchObject(inFirst('r', 0))
  })

  it('is refused without a nonce', () => {
    expect(first('s=AQ==,i=1')).toMatchObject(inFirst('r', 0))
  })

  it('is refused with an empty nonce', () => {
    expect(first('r=,s=AQ==,i=1')).toMatchObject(inFirst('r', 2))
  })

  it('is refused with a nonce that has a space', () => {
    expect(first('r=a b,s=AQ==,i=1')).toMatchObject(inFirst('r', 2))
  })

  it('is refused with a nonce that is not ASCII', () => {
    expect(first('r=\xc3\xa9,s=AQ==,i=1')).toMatchObject(inFirst('r', 2))
  })

  it('is refused with a control character in the nonce', () => {
    expect(first('r=ab\x07c,s=AQ==,i=1')).toMatchObject(inFirst('r', 4))
  })

  it('is refused if it ends after the nonce', () => {
    expect(first('r=abc')).toMatchObject(inFirst('s', 5))
  })

  it('is refused if it ends with a comma after the nonce', () => {
    expect(first('r=abc,')).toMatchObject(inFirst('s', 6))
  })

  it('is refused without a salt', () => {
    expect(first('r=abc,i=1')).toMatchObject(inFirst('s', 6))
  })

  it('is refused if it ends after the salt', () => {
    expect(first('r=abc,s=AQ==')).toMatchObject(inFirst('i', 12))
  })

  it('is refused with nonce and salt the other way round', () => {
    expect(first('s=AQ==,r=abc,i=1')).toMatchObject(inFirst('r', 0))
  })

  it('is refused with salt and count the other way round', () => {
    expect(first('r=abc,i=1,s=AQ==')).toMatchObject(inFirst('s', 6))
  })

  it('is refused with a second nonce', () => {
    expect(first('r=abc,r=abc,s=AQ==,i=1')).toMatchObject(inFirst('s', 6))
  })

  it('is refused with a second salt', () => {
    expect(first('r=abc,s=AQ==,s=AQ==,i=1')).toMatchObject(inFirst('i', 13))
  })

  it('is refused with a second count', () => {
    expect(first('r=abc,s=AQ==,i=1,i=1')).toMatchObject(inFirst('i', 17))
  })

  it('is refused with an attribute that has a meaning where only an extension may stand', () => {
    for (const name of 'anrcsipve') expect(first(`r=abc,s=AQ==,i=1,${name}=x`)).toMatchObject(inFirst(name, 17))
  })

  it('is refused if an attribute has no equals sign', () => {
    expect(first('r:abc,s=AQ==,i=1')).toMatchObject(inFirst('r', 0))
    expect(first('r')).toMatchObject(inFirst('r', 0))
  })

  it('is refused if an attribute is named in capitals', () => {
    expect(first('R=abc,s=AQ==,i=1')).toMatchObject(inFirst('r', 0))
  })

  it('is refused with a space after a comma', () => {
    expect(first('r=abc, s=AQ==,i=1')).toMatchObject(inFirst('s', 6))
  })

  for (const [about, salt] of [
    ['without its padding', 'AQ'],
    ['with half its padding', 'AQ='],
    ['with too much padding', 'AQID===='],
    ['with bits left over', 'AR=='],
    ['in the alphabet for URLs', 'AQ-_'],
    ['with a space', 'AQ =='],
    ['with a letter too many', 'AQIDB'],
    ['with padding in the middle', 'AQ==AQ=='],
    ['of nothing but padding', '===='],
    ['that is not ASCII', 'AQI\xc3\xa9'],
  ]) {
    it(`is refused with a salt ${about}`, () => {
      expect(first(`r=abc,s=${salt},i=1`)).toMatchObject(inFirst('s', 8))
    })
  }

  for (const [about, count] of [
    ['zero', '0'],
    ['negative', '-1'],
    ['signed', '+1'],
    ['with a leading zero', '01'],
    ['empty', ''],
    ['hexadecimal', '0x10'],
    ['with an exponent', '1e3'],
    ['a fraction', '1.5'],
    ['with a space before it', ' 1'],
    ['with a space behind it', '1 '],
    ['a word', 'Infinity'],
    ['in digits of another script', '\xd9\xa1'],
  ]) {
    it(`is refused with a count that is ${about}`, () => {
      expect(first(`r=abc,s=AQ==,i=${count}`)).toMatchObject(inFirst('i', 15))
    })
  }

  it('is refused with a line feed at its end', () => {
    expect(first('r=abc,s=AQ==,i=1\n')).toMatchObject(inFirst('i', 16))
  })

  it('is refused with a NUL at its end', () => {
    expect(first('r=abc,s=AQ==,i=1\0')).toMatchObject(inFirst('i', 16))
  })

  it('is refused with a comma at its end', () => {
    expect(first('r=abc,s=AQ==,i=1,')).toMatchObject(inFirst('extension', 17))
  })

  it('is refused with an extension that has no letter', () => {
    expect(first('r=abc,s=AQ==,i=1,1=x')).toMatchObject(inFirst('extension', 17))
    expect(first('r=abc,s=AQ==,i=1,=x')).toMatchObject(inFirst('extension', 17))
  })

  it('is refused with an extension that has two letters', () => {
    expect(first('r=abc,s=AQ==,i=1,xy=1')).toMatchObject(inFirst('extension', 17))
  })

  it('is refused with an extension that has no value', () => {
    expect(first('r=abc,s=AQ==,i=1,x=')).toMatchObject(inFirst('x', 19))
  })

  it('is refused with an extension that comes twice', () => {
    expect(first('r=abc,s=AQ==,i=1,x=1,y=1,x=2')).toMatchObject(inFirst('x', 25))
  })

  it('is refused with a control character in an extension', () => {
    expect(first('r=abc,s=AQ==,i=1,x=a\x1b[2J')).toMatchObject(inFirst('x', 20))
    expect(first('r=abc,s=AQ==,i=1,x=a\x7f')).toMatchObject(inFirst('x', 20))
  })

  it('is refused with a control character in what has no name', () => {
    expect(first('r=abc,s=AQ==,i=1,\x00')).toMatchObject(inFirst('extension', 17))
  })

  for (const [about, sequence] of [
    ['a lone continuation byte', '\x80'],
    ['a sequence cut short', '\xc3'],
    ['an overlong sequence', '\xc0\xaf'],
    ['a surrogate', '\xed\xa0\x80'],
    ['a code point past the last', '\xf4\x90\x80\x80'],
    ['a byte that UTF-8 never has', '\xff'],
  ]) {
    it(`is refused with ${about} in an extension`, () => {
      expect(first(`r=abc,s=AQ==,i=1,x=a${sequence}`)).toMatchObject(inFirst('x', 19))
    })
  }

  it('is refused with invalid UTF-8 in what has no name', () => {
    expect(first('r=abc,s=AQ==,i=1,\xff\xff')).toMatchObject(inFirst('extension', 17))
  })

  it('keeps the cause of invalid UTF-8', () => {
    expect(() => parseServerFirst(bytes('\xff'))).toThrow(
      expect.objectContaining({ cause: expect.objectContaining({ code: 'ERR_ENCODING_INVALID_ENCODED_DATA' }) }),
    )
  })

  for (const [where, text] of [
    ['at its beginning', 'm=x,r=abc,s=AQ==,i=1'],
    ['in its middle', 'r=abc,m=x,s=AQ==,i=1'],
    ['at its end', 'r=abc,s=AQ==,i=1,m=x'],
    ['behind a lawful extension', 'r=abc,s=AQ==,i=1,x=1,m=x'],
  ] as const) {
    it(`is incompatible with a mandatory extension ${where}`, () => {
      const what = 'mandatory SCRAM extension'
      expect(first(text)).toEqual({ kind: 'incompatible', what, offered: ['m'], supported: [] })
    })
  }
})

describe('server-final-message', () => {
  it('has a signature', () => {
    expect(parseServerFinal(bytes(`v=${ZEROES}`))).toEqual({ signature: new Uint8Array(32) })
  })

  it('may go on with extensions that nobody knows', () => {
    expect(parseServerFinal(bytes(`v=${ZEROES},x=foo`))).toEqual({ signature: new Uint8Array(32) })
  })

  it('may have an error instead, with extensions', () => {
    expect(parseServerFinal(bytes('e=other-error'))).toEqual({ error: 'other-error' })
    expect(parseServerFinal(bytes('e=other-error,x=foo'))).toEqual({ error: 'other-error' })
  })

  it('is refused if it is empty', () => {
    expect(final('')).toMatchObject(inFinal('v', 0))
  })

  it('is refused without a signature', () => {
    expect(final('x=foo')).toMatchObject(inFinal('v', 0))
  })

  it('is refused with a signature behind an extension', () => {
    expect(final(`x=foo,v=${ZEROES}`)).toMatchObject(inFinal('v', 0))
  })

  it('is refused with a second signature', () => {
    expect(final(`v=${ZEROES},v=${ZEROES}`)).toMatchObject(inFinal('v', 47))
  })

  it('is refused with both a signature and an error', () => {
    expect(final(`v=${ZEROES},e=other-error`)).toMatchObject(inFinal('e', 47))
    expect(final(`e=other-error,v=${ZEROES}`)).toMatchObject(inFinal('v', 14))
  })

  it('is refused with a signature whose base64 has bits left over', () => {
    // The last letter before the padding carries four bits, and two that must be zero.
    expect(final(`v=${'A'.repeat(42)}B=`)).toMatchObject(inFinal('v', 2))
  })

  it('is refused with a signature without its padding', () => {
    expect(final(`v=${'A'.repeat(43)}`)).toMatchObject(inFinal('v', 2))
  })

  it('is refused with an empty error', () => {
    expect(final('e=')).toMatchObject(inFinal('e', 2))
  })

  it('is refused with a control character in the error', () => {
    expect(final('e=oops\x1b[2J')).toMatchObject(inFinal('e', 6))
  })

  it('is refused with an error that is not UTF-8', () => {
    expect(final('e=\xff')).toMatchObject(inFinal('e', 2))
  })

  it('is refused with a NUL at its end', () => {
    expect(final(`v=${ZEROES}\0`)).toMatchObject(inFinal('v', 46))
  })

  it('is incompatible with a mandatory extension wherever it stands', () => {
    for (const text of [`m=x,v=${ZEROES}`, `v=${ZEROES},m=x`, 'e=other-error,m=x']) {
      expect(final(text)).toMatchObject({ kind: 'incompatible', what: 'mandatory SCRAM extension' })
    }
  })
})

describe('whatever the bytes', () => {
  /** Bytes that come near to being a message. */
  const near = fc
    .array(
      fc.constantFrom('r=', 's=', 'i=', 'v=', 'e=', 'm=', 'x=', ',', '=', 'AQ==', 'abc', '1', '0', '\xff', '\x00'),
      {
        maxLength: 12,
      },
    )
    .map((parts) => new Uint8Array(bytes(parts.join(''))))
  const data = fc.oneof(fc.uint8Array({ maxLength: 64 }), near)

  for (const parse of [parseServerFirst, parseServerFinal]) {
    it(`${parse.name} returns values or a failure whose offset lies in the message`, () => {
      fc.assert(
        fc.property(data, (message) => {
          try {
            parse(message)
          } catch (error) {
            if (!(error instanceof Fault)) throw error
            const { failure } = error
            if (failure.kind === 'malformed') {
              expect(failure.offset).toBeGreaterThanOrEqual(0)
              expect(failure.offset).toBeLessThanOrEqual(message.length)
              expect(failure.field).toMatch(/^([A-Za-z]|extension)$/)
            } else expect(failure.kind).toBe('incompatible')
          }
        }),
      )
    })
  }

  it('a server-first-message written by the grammar reads back as it was meant', () => {
    const nonce = fc.stringMatching(/^[!-+\--~]{1,30}$/)
    const salt = fc.uint8Array({ maxLength: 40 })
    const iterations = fc.integer({ min: 1, max: 2 ** 31 - 1 })
    fc.assert(
      fc.property(nonce, salt, iterations, (nonce, salt, iterations) => {
        const text = `r=${nonce},s=${Buffer.from(salt).toString('base64')},i=${iterations}`
        expect(parseServerFirst(bytes(text))).toEqual({ nonce, salt, iterations })
      }),
    )
  })
})
