import { describe, expect, test } from 'vitest'
import { readSettings } from '../../src/config/read-settings.ts'
import { type Surroundings, SYSTEM } from '../../src/config/surroundings.ts'
import type { ConnectTarget } from '../../src/config/target.ts'
import { machine, refusal } from './machine.ts'

const read = (target: ConnectTarget, surroundings = machine()) => readSettings(target, surroundings)

test('nothing given means: everything as in libpq', () => {
  expect(read({})).toEqual({
    endpoint: { transport: 'tcp', host: 'localhost', port: 5432 },
    user: 'osuser',
    database: 'osuser',
    password: null,
    runtimeParameters: [['client_encoding', 'UTF8']],
    minProtocolVersion: '3.0',
    maxProtocolVersion: '3.0',
    connectTimeoutMs: null,
    allowCleartextPassword: false,
    scramIterationsMax: 100_000,
  })
})

test('without surroundings, those of this machine are taken', () => {
  expect(readSettings('postgres://host')).toMatchObject({ user: SYSTEM.userName() })
})

describe('without a host', () => {
  const everywhere = ['/var/run/postgresql', '/private/tmp', '/tmp']
  test.each([
    ['linux', everywhere, '/var/run/postgresql/.s.PGSQL.5432'],
    ['linux', ['/private/tmp', '/tmp'], '/tmp/.s.PGSQL.5432'],
    ['darwin', ['/private/tmp', '/tmp'], '/private/tmp/.s.PGSQL.5432'],
    ['darwin', ['/tmp'], '/tmp/.s.PGSQL.5432'],
  ])('on %s with %j the socket is %s', (platform, directories, path) => {
    expect(read({}, machine(platform, directories)).endpoint).toEqual({ transport: 'unix', path })
  })

  test('on Windows the host is localhost, whatever directories there are', () => {
    expect(read({ port: 1 }, machine('win32', everywhere)).endpoint).toEqual({
      transport: 'tcp',
      host: 'localhost',
      port: 1,
    })
  })
})

describe('a Unix-domain socket', () => {
  // '/.s.PGSQL.5432' is 14 bytes long.
  test.each([
    ['linux', 107],
    ['darwin', 103],
  ])('on %s has a path of at most %i bytes', (platform, bytesMax) => {
    const longest = `/${'d'.repeat(bytesMax - 15)}`
    expect(read({ host: longest }, machine(platform)).endpoint).toMatchObject({ path: `${longest}/.s.PGSQL.5432` })
    const failure = refusal(() => read({ host: `${longest}d` }, machine(platform)))
    expect(failure.problem).toContain(`${bytesMax + 1} bytes; the operating system takes ${bytesMax}`)
  })

  test('has its path measured in bytes, not in characters', () => {
    expect(refusal(() => read({ host: `/${'ä'.repeat(60)}` })).problem).toContain('135 bytes')
  })

  test('is refused on Windows', () => {
    expect(refusal(() => read({ host: '/tmp' }, machine('win32'))).problem).toContain('Windows')
  })
})

describe('the user', () => {
  const withUserName = (userName: () => string): Surroundings => ({ ...machine(), userName })

  test('is not looked for in the operating system if it is given', () => {
    const surroundings = withUserName(() => {
      throw new Error('asked')
    })
    expect(read({ user: 'me' }, surroundings)).toMatchObject({ user: 'me', database: 'me' })
  })

  test('must be given if the operating system has no name for it', () => {
    const cause = new Error('ENOENT: uv_os_get_passwd')
    const act = () =>
      read(
        {},
        withUserName(() => {
          throw cause
        }),
      )
    expect(refusal(act)).toMatchObject({ parameter: 'user', problem: expect.stringContaining('has no name') })
    expect(act).toThrow(expect.objectContaining({ cause }))
  })

  test('must be given if the operating system has an empty name for it', () => {
    expect(
      refusal(() =>
        read(
          {},
          withUserName(() => ''),
        ),
      ).parameter,
    ).toBe('user')
  })
})

describe('connect_timeout', () => {
  test.each([
    [10, 10_000],
    [1, 1_000],
    [0.25, 250],
    [0, Number.POSITIVE_INFINITY],
    [-1, Number.POSITIVE_INFINITY],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])('of %d seconds is %d milliseconds', (connectTimeout, connectTimeoutMs) => {
    expect(read({ connectTimeout })).toMatchObject({ connectTimeoutMs })
  })
})

describe('the protocol version', () => {
  test.each([
    [undefined, undefined, '3.0', '3.0'],
    [undefined, 'latest', '3.0', '3.2'],
    ['3.2', undefined, '3.2', '3.2'],
    ['latest', '3.2', '3.2', '3.2'],
    ['3.0', '3.0', '3.0', '3.0'],
  ] as const)('between %s and %s is one from %s to %s', (minimum, maximum, minProtocolVersion, maxProtocolVersion) => {
    expect(read({ minProtocolVersion: minimum, maxProtocolVersion: maximum })).toMatchObject({
      minProtocolVersion,
      maxProtocolVersion,
    })
  })

  test('is refused if the least is above the greatest', () => {
    const failure = refusal(() => read({ minProtocolVersion: '3.2', maxProtocolVersion: '3.0' }))
    expect(failure).toMatchObject({ parameter: 'min_protocol_version', problem: expect.stringContaining('above') })
  })
})

describe('the run-time parameters', () => {
  test('begin with client_encoding, however it was spelt', () => {
    for (const clientEncoding of ['UTF8', 'utf-8', 'UTF_8', 'Unicode', 'auto']) {
      expect(read({ clientEncoding }).runtimeParameters).toEqual([['client_encoding', 'UTF8']])
    }
  })

  test('hold the fallback for the application name if there is no other', () => {
    const fallbackApplicationName = 'tool'
    const fallback = ['application_name', 'tool']
    expect(read({ fallbackApplicationName }).runtimeParameters).toContainEqual(fallback)
    expect(read({ fallbackApplicationName, applicationName: '' }).runtimeParameters).toContainEqual(fallback)
    expect(read({ fallbackApplicationName, applicationName: 'mine' }).runtimeParameters).toEqual([
      ['client_encoding', 'UTF8'],
      ['application_name', 'mine'],
    ])
  })
})

test('sslmode and gssencmode that allow plaintext change nothing', () => {
  for (const sslmode of ['disable', 'allow', 'prefer'] as const) {
    for (const gssencmode of ['disable', 'prefer'] as const) expect(read({ sslmode, gssencmode })).toEqual(read({}))
  }
})

test('a directory is one, a file and nothing are none', () => {
  expect(SYSTEM.isDirectory(import.meta.dirname)).toBe(true)
  expect(SYSTEM.isDirectory(import.meta.filename)).toBe(false)
  expect(SYSTEM.isDirectory(`${import.meta.filename}.missing`)).toBe(false)
})
