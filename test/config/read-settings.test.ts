import { userInfo } from 'node:os'
import { inspect } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { Secret } from '../../src/auth/secret.ts'
import { readSettings } from '../../src/config/read-settings.ts'
import { findHomeDirectory, type Surroundings, SYSTEM } from '../../src/config/surroundings.ts'
import type { ConnectTarget } from '../../src/config/target.ts'
import { BASE64_KEY, machine, refusal } from './machine.ts'

const read = (target: ConnectTarget, surroundings = machine()) => readSettings(target, surroundings)

test('nothing given means: everything as in libpq', () => {
  expect(read({})).toEqual({
    hosts: [{ transport: 'tcp', host: 'localhost', address: null, port: 5432 }],
    loadBalanceHosts: 'disable',
    targetSessionAttrs: 'any',
    user: 'osuser',
    database: 'osuser',
    password: null,
    passfile: null,
    runtimeParameters: [['client_encoding', 'UTF8']],
    minProtocolVersion: '3.0',
    maxProtocolVersion: '3.0',
    connectTimeoutMs: null,
    keepalives: { enabled: true, idleMs: null },
    tls: {
      mode: 'prefer',
      negotiation: 'postgres',
      rootCertificate: null,
      certificate: null,
      key: null,
      keyPassword: null,
      revocationList: null,
      found: [],
      sendServerName: true,
      certificateMode: 'allow',
      minVersion: 'TLSv1.2',
      maxVersion: null,
      nodeOptions: null,
    },
    channelBinding: 'prefer',
    requireAuth: null,
    allowCleartextPassword: false,
    scramIterationsMin: 1,
    scramIterationsMax: 100_000,
    scramKeys: null,
    keyCache: true,
    earlySasl: true,
    rememberServers: false,
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
    expect(read({}, machine(platform, directories)).hosts).toEqual([{ transport: 'unix', path }])
  })

  test('on Windows the host is localhost, whatever directories there are', () => {
    expect(read({ port: 1 }, machine('win32', everywhere)).hosts).toEqual([
      { transport: 'tcp', host: 'localhost', address: null, port: 1 },
    ])
  })
})

describe('a Unix-domain socket', () => {
  // '/.s.PGSQL.5432' is 14 bytes long.
  test.each([
    ['linux', 107],
    ['darwin', 103],
  ])('on %s has a path of at most %i bytes', (platform, bytesMax) => {
    const longest = `/${'d'.repeat(bytesMax - 15)}`
    expect(read({ host: longest }, machine(platform)).hosts).toMatchObject([{ path: `${longest}/.s.PGSQL.5432` }])
    const failure = refusal(() => read({ host: `${longest}d` }, machine(platform)))
    expect(failure.problem).toContain(`${bytesMax + 1} bytes; the operating system takes ${bytesMax}`)
  })

  test('has its path measured in bytes, not in characters', () => {
    expect(refusal(() => read({ host: `/${'ä'.repeat(60)}` })).problem).toContain('135 bytes')
  })

  test('is refused on Windows', () => {
    expect(refusal(() => read({ host: '/tmp' }, machine('win32'))).problem).toContain('Windows')
    expect(refusal(() => read({ host: ['a', '/tmp'] }, machine('win32'))).problem).toContain('Windows')
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

describe('keepalives', () => {
  test.each([
    [{}, { enabled: true, idleMs: null }],
    [
      { keepalives: true, keepalivesIdle: 0 },
      { enabled: true, idleMs: null },
    ],
    [{ keepalivesIdle: 1 }, { enabled: true, idleMs: 1_000 }],
    [{ keepalivesIdle: 32_767 }, { enabled: true, idleMs: 32_767_000 }],
    [
      { keepalives: false, keepalivesIdle: 60 },
      { enabled: false, idleMs: 60_000 },
    ],
  ])('%o', (target, keepalives) => {
    expect(read(target).keepalives).toEqual(keepalives)
  })
})

test.each(['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const)(
  'target_session_attrs may be %s',
  (targetSessionAttrs) => {
    expect(read({ targetSessionAttrs }).targetSessionAttrs).toBe(targetSessionAttrs)
  },
)

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

test('gssencmode changes nothing as long as it does not require anything', () => {
  for (const gssencmode of ['disable', 'prefer'] as const) expect(read({ gssencmode })).toEqual(read({}))
})

describe('the iteration counts', () => {
  test('may be one and the same', () => {
    expect(read({ scramIterationsMin: 4096, scramIterationsMax: 4096 })).toMatchObject({
      scramIterationsMin: 4096,
      scramIterationsMax: 4096,
    })
  })

  test.each([
    [{ scramIterationsMin: 4097, scramIterationsMax: 4096 }, '4096'],
    [{ scramIterationsMin: 100_001 }, '100000'],
  ])('are refused if no count is in between: %o', (target, most) => {
    const failure = refusal(() => read(target))
    expect(failure.parameter).toBe('scram_iterations_min')
    expect(failure.problem).toContain(`above scram_iterations_max, ${most}`)
  })
})

describe("SCRAM's keys", () => {
  test('come in pairs', () => {
    expect(read({ scramClientKey: BASE64_KEY, scramServerKey: new Secret(BASE64_KEY) }).scramKeys).toEqual({
      clientKey: new Secret(BASE64_KEY),
      serverKey: new Secret(BASE64_KEY),
    })
  })

  test.each([
    [{ scramServerKey: BASE64_KEY }, 'scram_client_key'],
    [{ scramClientKey: BASE64_KEY }, 'scram_server_key'],
  ])('are refused alone, and the missing one is named: $parameter', (target, parameter) => {
    expect(refusal(() => read(target))).toMatchObject({ parameter, problem: expect.stringContaining('give both') })
  })

  test('may have white space in them, which is dropped', () => {
    const spaced = `${BASE64_KEY.slice(0, 20)}\r\n\t ${BASE64_KEY.slice(20)}\n`
    const { scramKeys } = read({ scramClientKey: spaced, scramServerKey: spaced })
    expect(scramKeys?.clientKey.reveal()).toBe(BASE64_KEY)
    expect(scramKeys?.serverKey.reveal()).toBe(BASE64_KEY)
  })
})

test('require_auth is a set of methods', () => {
  const all = ['password', 'md5', 'gss', 'sspi', 'scram-sha-256', 'oauth', 'none']
  expect(read({ requireAuth: 'scram-sha-256,none' }).requireAuth?.allowed).toEqual(new Set(['scram-sha-256', 'none']))
  expect(read({ requireAuth: '!password' }).requireAuth?.allowed).toEqual(
    new Set(all.filter((one) => one !== 'password')),
  )
  expect(read({ requireAuth: '' }).requireAuth).toBeNull()
})

test('channel_binding=require is let through without TLS: as in libpq, it is the server that is told', () => {
  expect(read({ channelBinding: 'require', sslmode: 'disable' })).toMatchObject({ channelBinding: 'require' })
})

test('no secret shows in the settings', () => {
  const hidden = 'Tr0ub4dor'
  const key = Buffer.from(hidden.repeat(4).slice(0, 32)).toString('base64')
  const settings = read({
    password: hidden,
    sslcert: '/cert',
    sslkey: '/key',
    sslpassword: hidden,
    scramClientKey: key,
    scramServerKey: key,
    tls: { key: hidden, passphrase: hidden, pfx: [{ buf: hidden }] },
  })
  for (const shown of [
    inspect(settings, { depth: null, showHidden: false }),
    JSON.stringify(settings),
    String(settings.scramKeys?.clientKey),
  ]) {
    expect(shown).not.toContain(hidden)
    expect(shown).not.toContain(key)
  }
  expect(settings.tls.nodeOptions).toHaveProperty('passphrase', hidden)
})

test('what is there exists, whatever it is', () => {
  expect(SYSTEM.exists(import.meta.filename)).toBe(true)
  expect(SYSTEM.exists(import.meta.dirname)).toBe(true)
  expect(SYSTEM.exists(`${import.meta.filename}.missing`)).toBe(false)
})

describe('the home directory', () => {
  const account = () => '/home/account'
  const fail = () => {
    throw new Error('ENOENT: uv_os_get_passwd')
  }
  test.each([
    ['is what HOME says', 'linux', { HOME: '/home/me' }, account, '/home/me'],
    ["is the account's without HOME", 'linux', {}, account, '/home/account'],
    ["is the account's if HOME is empty", 'linux', { HOME: '' }, account, '/home/account'],
    ["is nowhere if the account's is empty", 'linux', {}, () => '', null],
    ['is nowhere without an account', 'linux', {}, fail, null],
    ['is %APPDATA% on Windows', 'win32', { APPDATA: 'C:\\data', HOME: '/h' }, account, 'C:\\data'],
    ['is nowhere on Windows without %APPDATA%', 'win32', { HOME: '/h' }, account, null],
  ])('%s', (_, platform, environment, accountHome, expected) => {
    expect(findHomeDirectory(platform, environment, accountHome)).toBe(expected)
  })

  test('of this machine can be asked for', () => {
    vi.stubEnv('HOME', '/home/stub')
    vi.stubEnv('APPDATA', '/home/stub')
    expect(SYSTEM.homeDirectory()).toBe('/home/stub')
    vi.stubEnv('HOME', '')
    vi.stubEnv('APPDATA', userInfo().homedir)
    expect(SYSTEM.homeDirectory()).toBe(userInfo().homedir)
    vi.unstubAllEnvs()
  })
})

test('a directory is one, a file and nothing are none', () => {
  expect(SYSTEM.isDirectory(import.meta.dirname)).toBe(true)
  expect(SYSTEM.isDirectory(import.meta.filename)).toBe(false)
  expect(SYSTEM.isDirectory(`${import.meta.filename}.missing`)).toBe(false)
})
