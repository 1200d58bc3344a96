/**
 * What we make of key/value strings, service files, the environment and password files, held against libpq's own answers.
 * Nothing is dialed but 127.0.0.1, port 1, where nobody listens.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { VARIABLES } from '../../src/config/environment.ts'
import { parseKeyValues } from '../../src/config/key-values.ts'
import { NOT_BUILT, PARAMETERS } from '../../src/config/parameters.ts'
import { findPassword } from '../../src/config/passfile.ts'
import { readSettings } from '../../src/config/read-settings.ts'
import { SYSTEM } from '../../src/config/surroundings.ts'
import { Fault } from '../../src/protocol/failure.ts'
import { revealedPassword } from '../config/machine.ts'
import { propertyOptions } from '../properties/runs.ts'
import { type Answer, askLibpq, LIBPQ_MISSING } from './libpq.ts'

it('libpq is asked', ({ skip }) => {
  if (LIBPQ_MISSING !== null) skip(LIBPQ_MISSING)
  expect(askLibpq([{}])[0]?.version).toBeGreaterThan(150_000)
})

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'libpq-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** All asked in one go: a process for each would take its time. */
function sample<Case>(arbitrary: fc.Arbitrary<Case>, usual: number): readonly Case[] {
  return fc.sample(arbitrary, propertyOptions(usual))
}

// requiressl becomes sslmode as soon as libpq sees it.
const NAMES = [
  ...Object.entries(PARAMETERS).flatMap(([name, { anchor }]) => (anchor === null ? [] : [name])),
  ...Object.keys(NOT_BUILT),
].filter((name) => name !== 'requiressl')

const blank = fc.constantFrom(' ', '\t', '\n', '\v', '\f', '\r')
const character = fc.constantFrom(...`ab'"\\= \t\u00a0\u2028é🐘#`, "\\'", '\\\\', "''", '\\ ')
const written = fc.array(character, { maxLength: 6 }).map((characters) => characters.join(''))
const quoted = written.map((text) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`)
const blanks = fc.array(blank, { maxLength: 2 }).map((all) => all.join(''))
const name = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...NAMES) }, { weight: 1, arbitrary: written })
const pair = fc
  .tuple(name, blanks, fc.constantFrom('=', '=', '=', '=', '=', ''), blanks, fc.oneof(written, quoted, quoted))
  .map((parts) => parts.join(''))
const conninfo = fc
  .array(fc.tuple(blanks, pair, blanks, fc.constantFrom(' ', ' ', '')), { maxLength: 4 })
  .map((all) => {
    return all.map((parts) => parts.join('')).join('')
  })

/** The texts of the parameters, or that it is refused. */
function ours(text: string): Answer {
  try {
    return { given: Object.fromEntries(parseKeyValues(text)) }
  } catch (error) {
    if (error instanceof Fault) return { error: 'refused' }
    throw error
  }
}

describe.skipIf(LIBPQ_MISSING !== null)('as libpq', () => {
  it('differential-03: we take key/value strings apart', () => {
    const cases = sample(conninfo, 2_000)
    const answers = askLibpq(cases.map((text) => ({ parse: text })))
    const accepted = answers.filter(({ given }) => given !== undefined).length
    // A generator of nothing but errors, or of none, would prove little.
    expect(accepted).toBeGreaterThan(cases.length / 10)
    expect(accepted).toBeLessThan(cases.length * 0.9)
    for (const [index, text] of cases.entries()) {
      const answer = answers[index] as Answer
      expect(ours(text), JSON.stringify(text)).toEqual(answer.given === undefined ? { error: 'refused' } : answer)
    }
  })

  it('we know its parameters and their environment variables', ({ skip }) => {
    const [answer] = askLibpq([{}])
    if ((answer?.version ?? 0) < 180_000) skip('libpq is older than 18, whose parameters we have')
    const read = askLibpq([{ start: 'hostaddr=127.0.0.1 port=1', environment: {} }])[0]?.given ?? {}
    for (const keyword of Object.keys(read)) expect(NAMES).toContain(keyword)
    expect(answer?.variables).toEqual(VARIABLES)
  })

  // Values that differ by where they come from, so that it shows which one counted.
  const layer = (place: string) =>
    fc.record(
      {
        user: fc.constant(`${place} user`),
        dbname: fc.constantFrom(`${place} db`, ''),
        application_name: fc.constantFrom(`${place} app`, ''),
        password: fc.constantFrom(`${place} password`, ''),
        sslmode: fc.constantFrom('disable', 'allow', 'prefer'),
        connect_timeout: fc.constantFrom('3', '5', '7'),
        options: fc.constantFrom(`-c a.b=${place}`),
        target_session_attrs: fc.constantFrom('any', 'primary', 'standby'),
        channel_binding: fc.constantFrom('disable', 'prefer'),
        port: fc.constantFrom('1', ''),
      },
      { requiredKeys: [] },
    )

  it('differential-04: we let the string count before the service, the service before the environment', () => {
    const cases = sample(
      fc.record({ explicit: layer('string'), service: layer('service'), variables: layer('environment') }),
      300,
    )
    const questions = cases.map(({ explicit, service, variables }, index) => {
      const file = join(folder, `service-${index}.conf`)
      const lines = Object.entries(service).map(([keyword, text]) => `${keyword}=${text}`)
      writeFileSync(
        file,
        `# services\n[other]\nuser=nobody\n\n [mine] \n${lines.join('\n')}\napplication_name=second\n[mine]\nuser=late\n`,
      )
      const pairs = Object.entries(explicit).map(([keyword, text]) => `${keyword}='${text}'`)
      const environment = Object.fromEntries(
        Object.entries(variables).map(([keyword, text]) => [VARIABLES[keyword] as string, text]),
      )
      return {
        // What is not written above is settled, so that nobody is dialed and no account is needed.
        start: `hostaddr=127.0.0.1 gssencmode=disable ${pairs.join(' ')}`,
        environment: {
          PGPORT: '1',
          PGUSER: 'somebody',
          ...environment,
          PGSERVICE: 'mine',
          PGSERVICEFILE: file,
          HOME: folder,
        },
      }
    })
    const answers = askLibpq(questions)
    for (const [index, { start, environment }] of questions.entries()) {
      const { given = {} } = answers[index] as Answer
      const settings = readSettings(start, SYSTEM, environment)
      const runtime = Object.fromEntries(settings.runtimeParameters)
      const told = {
        user: settings.user,
        dbname: settings.database,
        application_name: runtime['application_name'] ?? '',
        password: revealedPassword(settings) ?? '',
        sslmode: settings.tls.mode,
        connect_timeout: settings.connectTimeoutMs === null ? '' : String(settings.connectTimeoutMs / 1_000),
        options: runtime['options'] ?? '',
        target_session_attrs: settings.targetSessionAttrs,
        channel_binding: settings.channelBinding,
      }
      const expected = Object.fromEntries(Object.keys(told).map((keyword) => [keyword, given[keyword] ?? '']))
      expect(told, JSON.stringify({ start, environment })).toEqual({
        ...expected,
        // Of an empty one both make the user's, libpq after it has told.
        dbname: given['dbname'] || given['user'],
      })
    }
  })

  it('differential-05: we find a password in a file', () => {
    const plain = fc.constantFrom('a', 'b', 'a:b', 'a\\b', '*', 'é🐘', 'ab')
    const escaped = (text: string) => text.replaceAll(/[:\\]/g, '\\$&')
    const field = fc.oneof(
      { weight: 6, arbitrary: plain.map(escaped) },
      { weight: 4, arbitrary: fc.constant('*') },
      { weight: 1, arbitrary: fc.constantFrom('\\a', 'a\\', '', '\\*', '**', '*a', 'a:b') },
    )
    const port = fc.constantFrom('1', '1', '*', '2', '')
    const password = fc.constantFrom('secret', 'se\\:cret', 'se\\\\cret', 'se:cret', 'secret\\', '', '# é🐘', ' s ')
    const line = fc.oneof(
      {
        weight: 9,
        arbitrary: fc.tuple(field, port, field, field, password).map((fields) => fields.join(':')),
      },
      { weight: 1, arbitrary: fc.constantFrom('', '# *:*:*:*:comment', ' *:*:*:*:blank', 'a:1', '*:*:*:*') },
    )
    const end = fc.constantFrom('\n', '\n', '\r\n', '\n\n')
    const cases = sample(
      fc.record({
        host: plain,
        database: plain,
        user: plain,
        text: fc
          .tuple(
            fc.array(
              fc.tuple(line, end).map((parts) => parts.join('')),
              { maxLength: 8 },
            ),
            line,
          )
          .map(([lines, last]) => lines.join('') + last),
      }),
      1_000,
    )
    const quote = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`
    const questions = cases.map(({ host, database, user, text }, index) => {
      const file = join(folder, `pgpass-${index}`)
      writeFileSync(file, text)
      chmodSync(file, 0o600)
      const pairs = { host, dbname: database, user, passfile: file, hostaddr: '127.0.0.1', port: '1' }
      const settled = 'sslmode=disable gssencmode=disable'
      return {
        start: `${settled} ${Object.entries(pairs)
          .map(([keyword, value]) => `${keyword}=${quote(value)}`)
          .join(' ')}`,
        environment: {},
      }
    })
    const answers = askLibpq(questions)
    expect(answers.filter(({ password: found }) => found !== '').length).toBeGreaterThan(cases.length / 10)
    for (const [index, { text, ...key }] of cases.entries()) {
      const found = findPassword(text, { ...key, port: '1' }) ?? ''
      expect(found, JSON.stringify(cases[index])).toBe(answers[index]?.password)
    }
  })
})
