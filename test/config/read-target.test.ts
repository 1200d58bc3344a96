import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Secret } from '../../src/auth/secret.ts'
import { readSettings } from '../../src/config/read-settings.ts'
import type { ConnectTarget } from '../../src/config/target.ts'
import { Fault } from '../../src/protocol/failure.ts'
import { machine, refusal } from './machine.ts'

// What TypeScript would not let through is the point of half of these tests.
const read = (target: unknown) => readSettings(target as ConnectTarget, machine())
const refused = (target: unknown) => refusal(() => read(target))

describe('an object', () => {
  test('says everything that a URI can say', () => {
    const settings = read({
      host: 'db.example',
      port: 6432,
      dbname: 'app',
      user: 'me',
      password: 'secret',
      connectTimeout: 1.5,
      applicationName: 'mine',
      options: '-c geqo=off',
      minProtocolVersion: '3.0',
      maxProtocolVersion: '3.2',
      allowCleartextPassword: true,
      scramIterationsMax: 1,
    } satisfies ConnectTarget)
    expect(settings).toEqual({
      endpoint: { transport: 'tcp', host: 'db.example', port: 6432 },
      user: 'me',
      database: 'app',
      password: new Secret('secret'),
      runtimeParameters: [
        ['client_encoding', 'UTF8'],
        ['application_name', 'mine'],
        ['options', '-c geqo=off'],
      ],
      minProtocolVersion: '3.0',
      maxProtocolVersion: '3.2',
      connectTimeoutMs: 1_500,
      allowCleartextPassword: true,
      scramIterationsMax: 1,
    })
    expect(settings.password?.reveal()).toBe('secret')
  })

  test('whose property is undefined or empty has not given it', () => {
    expect(
      read({ host: undefined, port: undefined, user: '', password: '', sslmode: '', service: '', hostaddr: undefined }),
    ).toEqual(read({}))
  })

  test('may have no prototype', () => {
    expect(read(Object.assign(Object.create(null), { user: 'me' })).user).toBe('me')
  })

  test('may hold its password in a Secret', () => {
    expect(read({ password: new Secret('secret') }).password?.reveal()).toBe('secret')
    expect(read({ password: new Secret('') }).password).toBeNull()
  })

  test('has every property read once, so that a getter cannot change its mind', () => {
    let reads = 0
    const target = {
      get host() {
        reads += 1
        return reads === 1 ? 'good' : 'evil'
      },
    }
    expect(read(target).endpoint).toMatchObject({ host: 'good' })
    expect(reads).toBe(1)
  })

  test('may name a parameter that is not built if it asks for what happens anyway', () => {
    expect(read({ targetSessionAttrs: 'any', loadBalanceHosts: 'disable', channelBinding: 'prefer' })).toEqual(read({}))
  })
})

describe('an object is refused', () => {
  test.each([
    ['sslmod', 'sslmode'],
    ['connect_timeout', 'connectTimeout'],
    ['database', 'dbname'],
    ['username', 'user'],
    ['ssl', 'sslmode'],
    ['connectionTimeoutMillis', 'connectTimeout'],
    ['aplicationName', 'applicationName'],
    ['hostAdr', 'hostaddr'],
  ])('for the unknown property %s, and %s is named', (property, meant) => {
    expect(refused({ [property]: 'x' })).toEqual({
      kind: 'config',
      parameter: property,
      problem: `is not a known property; the nearest known one is ${meant}`,
    })
  })

  test('for an unknown property that resembles nothing', () => {
    expect(refused({ qwertyuiop: 1 })).toMatchObject({ parameter: 'qwertyuiop', problem: 'is not a known property' })
  })

  test('for an unknown property whose name is not fit to print, which is not printed', () => {
    expect(refused({ '\u001b[2J': 1 })).toMatchObject({ parameter: 'conninfo', problem: 'is not a known property' })
  })

  test('for an unknown property even if it is undefined', () => {
    expect(refused({ sslmod: undefined }).parameter).toBe('sslmod')
  })

  test.each([
    'service',
    'hostaddr',
    'requireAuth',
    'channelBinding',
    'targetSessionAttrs',
    'oauthIssuer',
    'sslrootcert',
  ])('for %s, which libpq knows and is not built', (property) =>
    expect(refused({ [property]: 'require' }).problem).toContain('not built here yet'),
  )

  test.each([
    ['host', 1, 'host', 'must be a string; what came is of type number'],
    ['host', null, 'host', 'must be a string; what came is of type null'],
    ['port', '5432', 'port', 'must be a number; what came is of type string'],
    ['password', 1234, 'password', 'must be a string or a Secret; what came is of type number'],
    ['password', () => 'x', 'password', 'must be a string or a Secret; what came is of type function'],
    ['allowCleartextPassword', 1, 'allow_cleartext_password', 'must be a boolean; what came is of type number'],
    ['clientEncoding', 'LATIN1', 'client_encoding', "must be UTF8 or 'auto'"],
    ['connectTimeout', Number.NaN, 'connect_timeout', 'is NaN'],
    ['port', 0, 'port', 'from 1 to 65535'],
    ['port', 65_536, 'port', 'from 1 to 65535'],
    ['port', 5432.5, 'port', 'from 1 to 65535'],
    ['scramIterationsMax', 0, 'scram_iterations_max', 'from 1 to'],
    ['scramIterationsMax', 2 ** 31, 'scram_iterations_max', 'from 1 to'],
    ['sslmode', 'require', 'sslmode', 'TLS is not built yet'],
    ['sslmode', 'verify-ca', 'sslmode', 'TLS is not built yet'],
    ['sslmode', 'on', 'sslmode', 'must be disable, allow, prefer'],
    ['gssencmode', 'require', 'gssencmode', 'GSSAPI encryption is not built'],
    ['gssencmode', 'on', 'gssencmode', 'must be disable, prefer or require'],
    ['minProtocolVersion', '3.1', 'min_protocol_version', 'reserved'],
    ['maxProtocolVersion', '2.0', 'max_protocol_version', "must be 3.0, 3.2 or 'latest'"],
    ['host', 'a,b', 'host', 'several hosts'],
    ['host', '@abstract', 'host', 'abstract socket'],
    ['user', 'a\0b', 'user', 'NUL'],
    ['password', 'a\0b', 'password', 'NUL'],
    ['options', '\udc00', 'options', 'lone surrogate'],
    ['password', new Secret('\ud800'), 'password', 'lone surrogate'],
  ])('for a %s that cannot be used: %s', (property, value, parameter, problem) => {
    const failure = refused({ [property]: value })
    expect(failure.parameter).toBe(parameter)
    expect(failure.problem).toContain(problem)
  })

  test.each([
    ['null', null],
    ['undefined', undefined],
    ['number', 5432],
    ['function', () => 'postgres://'],
  ])('if it is none, but of type %s', (type, target) => {
    expect(refused(target)).toMatchObject({ parameter: 'conninfo', problem: expect.stringContaining(`type ${type}`) })
  })

  test.each([
    ['a URL, whose parts stand in its prototype', new URL('postgres://host/db')],
    ['an array', ['postgres://host/db']],
    ['an object that inherits its host', Object.create({ host: 'evil' })],
    ['a boxed string', Object('postgres://host/db')],
  ])('if it is %s', (_, target) => {
    expect(refused(target).problem).toContain('must be a plain object')
  })

  test('if a getter throws, and what it threw is the cause', () => {
    const cause = new Error('no')
    const target = {
      get host(): string {
        throw cause
      },
    }
    const act = () => read(target)
    expect(refusal(act).problem).toContain('one of its properties throws')
    expect(act).toThrow(expect.objectContaining({ cause }))
  })
})

test('no object makes anything but settings or a config failure', () => {
  const names = ['host', 'port', 'user', 'password', 'sslmode', 'connectTimeout', 'service', '__proto__', 'toString']
  fc.assert(
    fc.property(fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), fc.anything()), (target) => {
      try {
        read(target)
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        expect(error.failure.kind).toBe('config')
      }
    }),
  )
})
