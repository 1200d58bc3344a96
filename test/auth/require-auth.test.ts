import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AuthMethodName, allows, parseRequireAuth, type RequireAuth } from '../../src/auth/require-auth.ts'

const METHODS: readonly AuthMethodName[] = ['password', 'md5', 'gss', 'sspi', 'scram-sha-256', 'oauth', 'none']

function allowed(text: string): readonly AuthMethodName[] {
  return [...required(text).allowed].sort()
}

function required(text: string): RequireAuth {
  const parsed = parseRequireAuth(text)
  if ('problem' in parsed) throw new Error(parsed.problem)
  return parsed
}

describe('require_auth', () => {
  it('allows one method', () => {
    for (const method of METHODS) expect(allowed(method)).toEqual([method])
  })

  it('allows all methods of a list', () => {
    expect(allowed('scram-sha-256,md5')).toEqual(['md5', 'scram-sha-256'])
    expect(allowed('none,password')).toEqual(['none', 'password'])
  })

  it('allows all methods but one', () => {
    for (const method of METHODS) {
      expect(allowed(`!${method}`)).toEqual(METHODS.filter((other) => other !== method).sort())
    }
  })

  it('allows all methods but those of a list', () => {
    expect(allowed('!password,!md5,!none')).toEqual(['gss', 'oauth', 'scram-sha-256', 'sspi'])
  })

  it('allows all methods if it is empty', () => {
    expect(allowed('')).toEqual([...METHODS].sort())
  })

  it('says what a list names, or the rest of it, whatever the list', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...METHODS), { minLength: 1 }), fc.boolean(), (list, negated) => {
        const text = list.map((method) => (negated ? `!${method}` : method)).join(',')
        expect(allowed(text)).toEqual(METHODS.filter((method) => list.includes(method) !== negated).sort())
      }),
    )
  })

  for (const text of ['md5,!password', '!md5,password', 'md5,password,!none', '!md5,!password,none', '!md5,']) {
    it(`is refused with some methods negated and some not: ${text}`, () => {
      expect(parseRequireAuth(text)).toEqual({ problem: 'methods with and without ! cannot be mixed' })
    })
  }

  for (const [text, twice] of [
    ['md5,md5', 'md5'],
    ['!none,!none', 'none'],
    ['none,none', 'none'],
    ['scram-sha-256,md5,scram-sha-256', 'scram-sha-256'],
  ]) {
    it(`is refused with a method twice: ${text}`, () => {
      expect(parseRequireAuth(text as string)).toEqual({ problem: `${twice} is given twice` })
    })
  }

  for (const text of [
    ...[',', 'md5,', ',md5', 'md5,,none', '!', '!!md5', '!md5,!', ' md5', 'md5 ', 'md5, none', '! md5', 'MD5'],
    ...['scram-sha-256-plus', 'scram', 'trust', 'cert', 'gssapi', 'constructor', 'password\0', 'all'],
  ]) {
    it(`is refused with anything else: ${JSON.stringify(text)}`, () => {
      expect(parseRequireAuth(text)).toEqual({
        problem: 'expected a comma-separated list of password, md5, gss, sspi, scram-sha-256, oauth, none',
      })
    })
  }

  it('gives methods or a problem, whatever the text, and does not repeat it', () => {
    const pieces = fc.array(fc.constantFrom(...METHODS, '!', ',', ' ', 'x'), { maxLength: 8 })
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          pieces.map((all) => all.join('')),
        ),
        (text) => {
          const parsed = parseRequireAuth(text)
          expect('problem' in parsed ? parsed.problem : parsed.allowed).toBeDefined()
        },
      ),
    )
    expect(parseRequireAuth('hunter2')).not.toMatchObject({ problem: expect.stringContaining('hunter2') })
  })
})

describe('a method', () => {
  const asked = ['none', 'password', 'md5', 'scram-sha-256', 'gss', 'sspi'] as const

  it('is allowed if nothing was required', () => {
    for (const method of asked) expect(allows(null, method)).toBe(true)
  })

  it('is allowed if it is among what was required, and else not', () => {
    for (const one of asked) {
      for (const other of asked) {
        expect(allows(required(one), other)).toBe(one === other)
        expect(allows(required(`!${one}`), other)).toBe(one !== other)
      }
    }
  })

  it('is not allowed by the requirement of one that we do not speak', () => {
    for (const method of asked) expect(allows(required('oauth'), method)).toBe(false)
  })
})
