/**
 * Passwords that are easy to get wrong: in a URI, key/value pairs or a password file, in SASLprep, in the encoding of what is
 * hashed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../src/index.ts'
import { startServer, type TestServer } from '../servers/server.ts'
import { handshakeFailureOf } from './expect-failure.ts'

const PASSWORDS = [
  ['with blanks, in front and behind', '  two words  '],
  ['with the delimiters of a URI', 'p:a@s/s?w#o[r]d&=+;,!$'],
  ['with percent signs that encode nothing', '100%25 %zz %'],
  ['with quotes and backslashes', `it's "quoted" \\ and \\\\`],
  ['of 200 characters', 'pw'.repeat(100)],
  ['outside of ASCII', 'пароль-contraseña-密码'],
  ['outside of the Basic Multilingual Plane', '🐘 e\u{1d4ae}t'],
  // RFC 4013 section 3: maps to 'a'.
  ['with a compatibility character, U+00AA', '\u00aa'],
  // RFC 4013 section 3: maps to 'IX'.
  ['with what is mapped to nothing, U+00AD', 'I\u00adX'],
  ['with a combining mark, decomposed', 'e\u0301te\u0301'],
  ['with a no-break space, U+00A0', 'no\u00a0break'],
  // Prohibited output: PostgreSQL hashes the bytes as they are.
  ['that SASLprep refuses, U+0007 behind a letter outside of ASCII', 'é\u0007'],
  // A bidirectional string that begins and ends wrongly: refused as well.
  ['that SASLprep refuses, mixed directions', 'a\u05d0b'],
] as const

let server: TestServer
const folder = mkdtempSync(join(tmpdir(), 'pg-deadline-passwords-'))

beforeAll(async () => {
  server = await startServer({
    hba: ['host all with_md5 all md5', 'host all with_scram all scram-sha-256'],
    setup: ['create role with_md5 login', 'create role with_scram login'],
  })
})

afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server?.stop()
})

describe.each([
  ['md5', 'with_md5'],
  ['scram-sha-256', 'with_scram'],
] as const)('%s proves a password', (method, user) => {
  it.each(PASSWORDS)('%s', async (_name, password) => {
    await server.sql(`set password_encryption = '${method}'`)
    await server.sql(`alter role ${user} password ${literal(password)}`)
    const parts = { host: server.host, port: server.port, user, dbname: 'postgres' }
    const passfile = join(folder, 'pgpass')
    writeFileSync(passfile, `*:${server.port}:postgres:${user}:${password.replaceAll(/[:\\]/g, '\\$&')}\n`, {
      mode: 0o600,
    })
    const pairs = `host=${server.host} port=${server.port} user=${user} dbname=postgres`
    const quoted = `'${password.replaceAll(/['\\]/g, '\\$&')}'`
    for (const target of [
      server.url({ user, password }),
      { ...parts, password },
      `${pairs} password=${quoted}`,
      `${pairs} passfile='${passfile}'`,
    ]) {
      await using session = await connect(target)
      expect(session.authenticationMethod).toBe(method)
    }
    const error = await handshakeFailureOf(connect({ ...parts, password: `${password}x` }))
    expect(error).toMatchObject({ failure: { sqlstate: '28P01' } })
  })
})

it('a service and the environment lead to the server, and set what they set', async () => {
  await server.sql("alter role with_md5 password 'secret'")
  const file = join(folder, 'pg_service.conf')
  writeFileSync(file, `[live]\nhost=${server.host}\nport=${server.port}\ndbname=postgres\n`)
  const environment = {
    ...{ PGSERVICE: 'live', PGSERVICEFILE: file, PGUSER: 'with_md5', PGPASSWORD: 'secret', PGPORT: '1' },
    ...{ PGTZ: 'Asia/Tokyo', PGDATESTYLE: 'German', PGGEQO: 'off', PGAPPNAME: 'handed over' },
  }
  await using session = await connect({}, { environment })
  expect(session.parameters.get('TimeZone')).toBe('Asia/Tokyo')
  expect(session.parameters.get('DateStyle')).toBe('German, DMY')
  expect(session.parameters.get('application_name')).toBe('handed over')
  const [geqo] = await session.query('show geqo')
  expect(geqo?.objects()).toEqual([{ geqo: 'off' }])
})

describe('SASLprep', () => {
  it('makes one password of what looks the same', async () => {
    await server.sql("set password_encryption = 'scram-sha-256'")
    await server.sql(`alter role with_scram password ${literal('\u00e9t\u00e9 IX')}`)
    for (const password of ['e\u0301te\u0301 IX', 'été I\u00adX', 'été\u00a0\u2168']) {
      await using session = await connect(server.url({ user: 'with_scram', password }))
      expect(session.authenticationMethod).toBe('scram-sha-256')
    }
  })
})

/** #SQL-SYNTAX-STRINGS: with standard_conforming_strings a backslash is a backslash. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
