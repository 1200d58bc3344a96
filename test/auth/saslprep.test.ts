import { readFileSync } from 'node:fs'
import { saslprep } from '@mongodb-js/saslprep'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  COMPATIBILITY_LEFT_TO_RIGHT,
  COMPATIBILITY_NEUTRAL,
  COMPATIBILITY_RIGHT_TO_LEFT,
} from '../../src/auth/compatibility.ts'
import { normalizePassword } from '../../src/auth/saslprep.ts'
import { makeVerifier, parseVerifier } from './scram-server.ts'
import { VERIFIERS_OF_LIBPQ } from './verifiers.ts'

describe('the examples of RFC 4013 section 3', () => {
  it('a soft hyphen is mapped to nothing', () => {
    expect(normalizePassword('I\u00adX')).toBe('IX')
  })
  it('user is not transformed', () => {
    expect(normalizePassword('user')).toBe('user')
  })
  it('case is preserved', () => {
    expect(normalizePassword('USER')).toBe('USER')
  })
  it('the feminine ordinal becomes a', () => {
    expect(normalizePassword('\u00aa')).toBe('a')
  })
  it('Roman numeral nine becomes IX', () => {
    expect(normalizePassword('\u2168')).toBe('IX')
  })
  it('a control character, an error in the RFC, is used raw', () => {
    expect(normalizePassword('\u0007')).toBe('\u0007')
  })
  it('Arabic followed by a digit, an error in the RFC, is used raw', () => {
    expect(normalizePassword('\u06271')).toBe('\u06271')
  })
})

// src/test/authentication/t/002_saslprep.pl
describe("the strings of PostgreSQL's regression test", () => {
  it('the soft hyphen and the Roman numeral are the password IX, and ix is not', () => {
    expect(['I\u00adX', '\u2168', 'ix'].map(normalizePassword)).toEqual(['IX', 'IX', 'ix'])
  })
  it('the feminine ordinal and a are the same password', () => {
    expect(normalizePassword('\u00aa')).toBe(normalizePassword('a'))
  })
  it('foo BEL bar is used raw', () => {
    expect(normalizePassword('foo\u0007bar')).toBe('foo\u0007bar')
  })
  it('foo alef 1 bar is used raw', () => {
    expect(normalizePassword('foo\u06271bar')).toBe('foo\u06271bar')
  })
})

describe('what PostgreSQL does otherwise than the RFC', () => {
  it('pure ASCII is taken as it is, control characters included', () => {
    const everyAscii = String.fromCharCode(...Array(128).keys())
    expect(normalizePassword(everyAscii)).toBe(everyAscii)
  })
  it('an empty password stays empty', () => {
    expect(normalizePassword('')).toBe('')
  })
  it('a password of which the mapping leaves nothing is used raw', () => {
    expect(normalizePassword('\u00ad\ufeff')).toBe('\u00ad\ufeff')
  })
  it('a zero-width space becomes a space, although RFC 3454 also maps it to nothing', () => {
    expect(normalizePassword('a\u200bb')).toBe('a b')
  })
  it('spaces of other scripts become the ASCII space', () => {
    expect(normalizePassword('\u00a0\u1680\u2003\u202f\u205f\u3000')).toBe('      ')
  })
  it('a code point that Unicode 3.2 had not assigned is used raw, with all the rest', () => {
    expect(normalizePassword('\u00aa\u{1f600}')).toBe('\u00aa\u{1f600}')
  })
  it('a code point that nobody has assigned is used raw', () => {
    expect(normalizePassword('\u00aa\u0378')).toBe('\u00aa\u0378')
  })
  it('left-to-right letters among right-to-left ones are used raw', () => {
    expect(normalizePassword('\u0627a\u00b2\u0627')).toBe('\u0627a\u00b2\u0627')
  })
  it('right-to-left text that begins otherwise is used raw', () => {
    expect(normalizePassword('\u00b2\u0627')).toBe('\u00b2\u0627')
  })
  it('right-to-left text that ends otherwise is used raw', () => {
    expect(normalizePassword('\u0627\u00b2')).toBe('\u0627\u00b2')
  })
  it('right-to-left text with other characters inside is normalized', () => {
    expect(normalizePassword('\u0627\u00b2\u0627')).toBe('\u06272\u0627')
  })
  it('right-to-left text that ends in a mark, met before and after another letter, is used raw', () => {
    expect(normalizePassword('\u05d0\u00b2\u0653\u0627\u0653')).toBe('\u05d0\u00b2\u0653\u0627\u0653')
  })
  it('a lone surrogate, which is no UTF-8, is used raw', () => {
    expect(normalizePassword('\u00aa\ud800')).toBe('\u00aa\ud800')
    expect(normalizePassword('\udc00\u00aa')).toBe('\udc00\u00aa')
  })
  it('a very long password is normalized like a short one', () => {
    expect(normalizePassword('\u00aaxyz'.repeat(100_000))).toBe('axyz'.repeat(100_000))
  })
})

// The library looks after the normalization, PostgreSQL before it.
describe('what PostgreSQL does otherwise than @mongodb-js/saslprep', () => {
  it('a young character that NFKC turns into an old one is used raw', () => {
    expect(saslprep('\u{1f130}')).toBe('A')
    expect(normalizePassword('\u{1f130}')).toBe('\u{1f130}')
  })
  it('a deprecated mark that NFKC turns into a lawful one is used raw', () => {
    expect(saslprep('a\u0340')).toBe('\u00e0')
    expect(normalizePassword('a\u0340')).toBe('a\u0340')
  })
  it('a sign that only NFKC makes Latin may stand among Hebrew letters', () => {
    expect(() => saslprep('\u05d0\u2122\u05d0')).toThrow()
    expect(normalizePassword('\u05d0\u2122\u05d0')).toBe('\u05d0TM\u05d0')
  })
  it('a mark with which NFKC composes the last letter is still the last character', () => {
    expect(saslprep('\u0627\u0653')).toBe('\u0622')
    expect(normalizePassword('\u0627\u0653')).toBe('\u0627\u0653')
  })
  it('a Hebrew letter that NFKC splits is still the last character', () => {
    expect(() => saslprep('\ufb1d')).toThrow()
    expect(normalizePassword('\ufb1d')).toBe('\u05d9\u05b4')
  })

  it('is nothing at all for text that mapping and normalization leave as it is', () => {
    const mapped =
      /\u00a0|\u00ad|\u034f|\u1680|\u1806|[\u180b-\u180d]|[\u2000-\u200d]|[\u202f\u205f\u2060\u3000]|\ufeff|[\ufe00-\ufe0f]/
    const settled = fc
      .string({ unit: 'grapheme' })
      .map((text) => `\u00e6${text}`.normalize('NFKC'))
      .filter((text) => !mapped.test(text))
    fc.assert(
      fc.property(settled, (text) => {
        expect(normalizePassword(text)).toBe(orRaw(saslprep, text))
      }),
    )
  })

  function orRaw(prepare: (text: string) => string, text: string): string {
    try {
      return prepare(text)
    } catch {
      return text
    }
  }
})

describe('verifiers that libpq made', () => {
  for (const { about, password, verifier } of VERIFIERS_OF_LIBPQ) {
    it(`agree about ${about}`, () => {
      const expected = parseVerifier(verifier)
      expect(makeVerifier(normalizePassword(password), expected.salt, expected.iterations)).toEqual(expected)
    })
  }

  it('are sensitive to the password', () => {
    const [first] = VERIFIERS_OF_LIBPQ
    const expected = parseVerifier(first?.verifier ?? '')
    expect(makeVerifier(`${first?.password}x`, expected.salt, expected.iterations)).not.toEqual(expected)
  })
})

describe('the tables of RFC 3454, as Python computes them', () => {
  const runs = readFileSync(new URL('stringprep-classes.txt', import.meta.url), 'utf8')
    .replace(/^#.*$/gm, '')
    .trim()
    .split(/\s+/)
    .map((run) => ({ first: Number.parseInt(run.slice(0, -1), 16), expected: run.slice(-1) }))

  it('agree about the ends of every run, and about every character that NFKC alters', () => {
    const wrong: string[] = []
    for (const [index, { first, expected }] of runs.entries()) {
      const last = (runs[index + 1]?.first ?? 0x110000) - 1
      for (let code = first; code <= last; code++) {
        const character = String.fromCodePoint(code)
        const interesting = code === first || code === last || character.normalize('NFKC') !== character
        if (interesting && classOf(character) !== expected) wrong.push(`U+${code.toString(16)} is not ${expected}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('share no refused code point with our ranges, whatever a later Unicode puts there', () => {
    const ours = [COMPATIBILITY_LEFT_TO_RIGHT, COMPATIBILITY_RIGHT_TO_LEFT, COMPATIBILITY_NEUTRAL]
    const shared: string[] = []
    for (const [index, { first, expected }] of runs.entries()) {
      const next = runs[index + 1]?.first ?? 0x110000
      for (let code = first; code < next && expected === 'X'; code++) {
        const character = String.fromCodePoint(code)
        if (ours.some((range) => range.test(character))) shared.push(`U+${code.toString(16)}`)
      }
    }
    expect(shared).toEqual([])
  })

  /** The class of a character, from nothing but the verdicts on three passwords that NFKC alters if they are lawful. */
  function classOf(character: string): string {
    const alone = normalizePassword(`\u00aa${character}`)
    if (alone === 'a') return 'N'
    if (alone === 'a ' && character !== ' ') return 'S'
    const leftToRight = alone !== `\u00aa${character}`
    const [inside, atEnd] = [`\u05d0\u00b2${character}\u05d0`, `\u05d0\u00b2${character}`]
    if (normalizePassword(atEnd) !== atEnd) return 'R'
    if (normalizePassword(inside) !== inside) return leftToRight ? '.' : '?'
    return leftToRight ? 'L' : 'X'
  }
})
