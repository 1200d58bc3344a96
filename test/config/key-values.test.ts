import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseKeyValues } from '../../src/config/key-values.ts'
import { readSettings } from '../../src/config/read-settings.ts'
import { Fault } from '../../src/protocol/failure.ts'
import { machine, refusal, revealedPassword } from './machine.ts'

const read = (conninfo: string) => readSettings(conninfo, machine())
const texts = (conninfo: string) => Object.fromEntries(parseKeyValues(conninfo))

// What libpq makes of these: fe-connect.c, conninfo_parse. test/libpq asks it for many more.
describe('key/value pairs', () => {
  test.each([
    [
      'host=localhost port=5432 dbname=mydb connect_timeout=10',
      { host: 'localhost', port: '5432', dbname: 'mydb', connect_timeout: '10' },
    ],
    ['may have blanks around =', 'host = one\tport\n=\r\n5433 ', { host: 'one', port: '5433' }],
    ["host='one two'", { host: 'one two' }],
    ["password='it\\'s' user=''", { password: "it's", user: '' }],
    ["password=it's user='a\\\\b'", { password: "it's", user: 'a\\b' }],
    ['password=a\\ b\\\\ user=\\me', { password: 'a b\\', user: 'me' }],
    ['a backslash at the end is nothing', 'password=a\\', { password: 'a' }],
    ["user='me'host='one'port=1", { user: 'me', host: 'one', port: '1' }],
    ['the last text of a parameter counts', 'port=x port=2', { port: '2' }],
    ['a value may hold =', 'options=-ca=b', { options: '-ca=b' }],
    // So it is, if nobody expects it.
    ['behind = and a blank comes the value', 'user= host=one', { user: 'host=one' }],
    ['what is no blank in C is a letter', 'user=a\u00a0b', { user: 'a\u00a0b' }],
  ])('%s', (...row) => {
    const [conninfo, expected] = row.slice(-2) as [string, Record<string, string>]
    expect(texts(conninfo)).toEqual(expected)
  })

  test('say the same as a URI and an object', () => {
    const settings = read("host=one,two port=1,2 user=me password='se cret' dbname=app sslmode=disable tls=''")
    expect(settings).toEqual(read('postgres://me:se%20cret@one:1,two:2/app?sslmode=disable'))
    expect(revealedPassword(settings)).toBe('se cret')
  })

  test.each([
    [
      'a name without =',
      'host=one port',
      'conninfo',
      "has no '=' at position 14, behind the name of a parameter that begins at position 10",
    ],
    [
      'two names',
      ' host port=1',
      'conninfo',
      "has no '=' at position 7, behind the name of a parameter that begins at position 2",
    ],
    [
      'a quote that never ends',
      "user=me password='secret",
      'conninfo',
      'has a quote at position 18 without its counterpart',
    ],
    ['a quote that a backslash took', "password='secret\\'", 'conninfo', 'has a quote at position 10 without'],
    [
      'an unknown name',
      'host=one sslmod=disable',
      'conninfo',
      'has an unknown parameter at position 10; the nearest known one is sslmode',
    ],
    ['no name', 'host=one =5432', 'conninfo', 'has an unknown parameter at position 10'],
    ['a name of every object', 'toString=1', 'conninfo', 'has an unknown parameter at position 1'],
    ['a parameter that is not built', 'host=one requirepeer=root', 'requirepeer', 'not built here yet'],
    ['a text that cannot be used', 'port=5432x', 'port', 'must be one decimal integer'],
    ['a NUL', 'user=a\0b', 'user', 'holds a NUL character'],
    ['Node options', 'tls=true', 'tls', 'is for an object only'],
  ])('are refused for %s', (_, conninfo, parameter, problem) => {
    const failure = refusal(() => read(conninfo))
    expect(failure.parameter).toBe(parameter)
    expect(failure.problem).toContain(problem)
  })

  test('whatever is quoted reads back equal', () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((one) => !one.includes('\0') && one.isWellFormed())
    fc.assert(
      fc.property(text, text, fc.boolean(), (user, password, isQuoted) => {
        const write = (value: string) =>
          isQuoted ? `'${value.replaceAll(/['\\]/g, '\\$&')}'` : value.replaceAll(/[\\' \t\n\v\f\r]/g, '\\$&')
        const settings = read(`user=${write(user)} password = ${write(password)} host=one`)
        expect(settings.user).toBe(user)
        expect(revealedPassword(settings)).toBe(password)
      }),
    )
  })

  test('quote no password in a failure, wherever its pieces end up', () => {
    const piece = 'Tr0ub4dor'
    const password = fc
      .array(fc.constantFrom(piece, piece, ...`'\\= \n`, 'port=', 'sslmode='))
      .map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(password, fc.constantFrom("'", ''), (raw, quote) => {
        try {
          expect(inspect(read(`user=me password=${quote}${raw}${quote} port=1`).password)).not.toContain(piece)
        } catch (error) {
          if (!(error instanceof Fault)) throw error
          expect(JSON.stringify(error.failure)).not.toContain(piece)
          expect(error.stack).not.toContain(piece)
        }
      }),
      { numRuns: 500 },
    )
  })
})
