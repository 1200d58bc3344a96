/**
 * Passwords, each with what SASLprep makes of it. The pair is made by going the other way, from the prepared password to one
 * that leads to it, so that nothing here has to know how SASLprep is done.
 *
 * RFC 4013; PostgreSQL's deviations from it (what is refused is used as it is) are left out.
 */
import fc from 'fast-check'

export interface Password {
  /** As the user types it. */
  readonly given: string
  /** As it is hashed. */
  readonly normalized: string
}

/** Each prepared character, and what SASLprep turns into it: RFC 3454 tables B.1 and C.1.2, and NFKC. */
const WAYS_TO: Readonly<Record<string, readonly string[]>> = {
  ' ': ['\u00a0', '\u2003', '\u3000'],
  a: ['\u00aa', '\uff41'],
  A: ['\uff21'],
  IX: ['\u2168'],
  fi: ['\ufb01'],
  '2': ['\u00b2', '\uff12'],
  é: ['e\u0301', 'é'],
  Ω: ['\u2126'],
  ü: ['ü', 'u\u0308'],
  中: ['中'],
}

/** RFC 3454 table B.1: mapped to nothing. */
const NOTHING = ['\u00ad', '\u200d', '\u2060', '\ufe00', '\ufeff']

/** Visible ASCII and the space, which stand for themselves. */
const ASCII = fc.integer({ min: 0x20, max: 0x7e }).map((code) => {
  const character = String.fromCharCode(code)
  return { given: character, normalized: character }
})

const WITH_OTHER_WAYS = fc
  .constantFrom(...Object.entries(WAYS_TO))
  .chain(([normalized, ways]) => fc.constantFrom(...ways).map((given) => ({ given, normalized })))

const INVISIBLE = fc.constantFrom(...NOTHING).map((given) => ({ given, normalized: '' }))

/**
 * Any password that is not empty, as it is given and as it is hashed.
 *
 * @example
 * fc.assert(fc.property(arbitraryPassword(), ({ given, normalized }) => saslprep(given) === normalized))
 */
export function arbitraryPassword(): fc.Arbitrary<Password> {
  const part = fc.oneof(
    { weight: 6, arbitrary: ASCII },
    { weight: 2, arbitrary: WITH_OTHER_WAYS },
    { weight: 1, arbitrary: INVISIBLE },
  )
  return fc.tuple(ASCII, fc.array(part, { maxLength: 12 })).map(([first, others]) => ({
    given: [first, ...others].map(({ given }) => given).join(''),
    normalized: [first, ...others].map(({ normalized }) => normalized).join(''),
  }))
}
