import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Secret } from '../../src/auth/secret.ts'
import { readSettings } from '../../src/config/read-settings.ts'
import type { ConnectTarget } from '../../src/config/target.ts'
import { Fault } from '../../src/protocol/failure.ts'
import { BASE64_KEY, machine, refusal, revealedPassword } from './machine.ts'

// What TypeScript would not let through is the point of half of these tests.
const read = (target: unknown) => readSettings(target as ConnectTarget, machine())
const refused = (target: unknown) => refusal(() => read(target))

describe('an object', () => {
  test('says everything that a URI can say', () => {
    const settings = read({
      host: 'db.example',
      hostaddr: '192.0.2.1',
      port: 6432,
      dbname: 'app',
      user: 'me',
      password: 'secret',
      connectTimeout: 1.5,
      targetSessionAttrs: 'read-write',
      loadBalanceHosts: 'random',
      keepalives: true,
      keepalivesIdle: 30,
      applicationName: 'mine',
      options: '-c geqo=off',
      minProtocolVersion: '3.0',
      maxProtocolVersion: '3.2',
      sslmode: 'verify-full',
      sslnegotiation: 'direct',
      sslrootcert: 'system',
      sslcert: '/cert',
      sslkey: '/key',
      sslpassword: new Secret('open'),
      sslcertmode: 'allow',
      sslcrl: '/crl',
      sslsni: false,
      sslMinProtocolVersion: 'TLSv1.3',
      sslMaxProtocolVersion: 'TLSv1.3',
      tls: { ciphers: 'TLS_AES_256_GCM_SHA384' },
      channelBinding: 'disable',
      requireAuth: 'md5',
      allowCleartextPassword: true,
      scramIterationsMin: 1,
      scramIterationsMax: 1,
      scramClientKey: BASE64_KEY,
      scramServerKey: BASE64_KEY,
      scramKeyCache: false,
      earlySasl: false,
      rememberServers: true,
    } satisfies ConnectTarget)
    expect(settings).toEqual({
      hosts: [{ transport: 'tcp', host: 'db.example', address: '192.0.2.1', port: 6432 }],
      loadBalanceHosts: 'random',
      targetSessionAttrs: 'read-write',
      user: 'me',
      database: 'app',
      password: new Secret('secret'),
      passfile: null,
      runtimeParameters: [
        ['client_encoding', 'UTF8'],
        ['application_name', 'mine'],
        ['options', '-c geqo=off'],
      ],
      minProtocolVersion: '3.0',
      maxProtocolVersion: '3.2',
      connectTimeoutMs: 1_500,
      keepalives: { enabled: true, idleMs: 30_000 },
      tls: {
        mode: 'verify-full',
        negotiation: 'direct',
        rootCertificate: 'system',
        certificate: '/cert',
        key: '/key',
        keyPassword: new Secret('open'),
        revocationList: '/crl',
        found: [],
        sendServerName: false,
        certificateMode: 'allow',
        minVersion: 'TLSv1.3',
        maxVersion: 'TLSv1.3',
        nodeOptions: { ciphers: 'TLS_AES_256_GCM_SHA384' },
      },
      channelBinding: 'disable',
      requireAuth: { allowed: new Set(['md5']) },
      allowCleartextPassword: true,
      scramIterationsMin: 1,
      scramIterationsMax: 1,
      scramKeys: { clientKey: new Secret(BASE64_KEY), serverKey: new Secret(BASE64_KEY) },
      keyCache: false,
      earlySasl: false,
      rememberServers: true,
    })
    expect(revealedPassword(settings)).toBe('secret')
  })

  test('whose property is undefined or empty has not given it', () => {
    expect(
      read({
        host: undefined,
        port: undefined,
        user: '',
        password: '',
        sslmode: '',
        service: '',
        passfile: undefined,
        hostaddr: '',
      }),
    ).toEqual(read({}))
  })

  test('may have no prototype', () => {
    expect(read(Object.assign(Object.create(null), { user: 'me' })).user).toBe('me')
  })

  test('may hold its password in a Secret', () => {
    expect(revealedPassword(read({ password: new Secret('secret') }))).toBe('secret')
    expect(read({ password: new Secret('') }).password).toBeNull()
  })

  test('may have a function for its password, which is not called here', () => {
    const password = () => {
      throw new Error('called')
    }
    expect(read({ password }).password).toBe(password)
  })

  test('has every property read once, so that a getter cannot change its mind', () => {
    let reads = 0
    const target = {
      get host() {
        reads += 1
        return reads === 1 ? 'good' : 'evil'
      },
    }
    expect(read(target).hosts).toMatchObject([{ host: 'good' }])
    expect(reads).toBe(1)
  })

  test('has every element of an array read once', () => {
    let reads = 0
    const host = Object.defineProperty(['a', 'b'], 1, {
      get() {
        reads += 1
        return reads === 1 ? 'good' : 'evil'
      },
    })
    expect(read({ host }).hosts).toMatchObject([{ host: 'a' }, { host: 'good' }])
    expect(reads).toBe(1)
  })

  test.each([
    [{ host: ['a', 'b'], port: [1, 2] }, 'postgres://a:1,b:2'],
    [{ host: 'a,b', port: '1,2' }, 'postgres://a:1,b:2'],
    [{ host: 'a,b', port: 3 }, 'postgres://a:3,b:3'],
    [{ host: ['a', 'b'], port: [3] }, 'postgres://a:3,b:3'],
    [{ host: ['a', ''], port: '1,' }, 'postgres://a:1,'],
    [{ host: [''], port: '' }, 'postgres://'],
    [{ host: 'a,b', hostaddr: ['::1', ''] }, 'postgres://a,b?hostaddr=::1,'],
    [{ port: '5433' }, 'postgres://:5433'],
  ])('may name several hosts: %o', (target, uri) => {
    expect(read(target)).toEqual(readSettings(uri, machine()))
  })

  test.each([
    { requiressl: '0', krbsrvname: 'postgres', tcpUserTimeout: '0', sslcompression: '1', gssdelegation: '0' },
    { tcpUserTimeout: 0, sslcompression: 0 },
    { sslcompression: false, replication: false, gssdelegation: false },
  ])('may name parameters that are not built if they ask for what happens anyway: %o', (target) => {
    expect(read(target)).toEqual(read({}))
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

  test.each(['oauthIssuer', 'sslcrldir', 'sslkeylogfile', 'keepalivesInterval', 'keepalivesCount', 'requiressl'])(
    'for %s, which libpq knows and is not built',
    (property) => expect(refused({ [property]: 'require' }).problem).toContain('not built here yet'),
  )

  test.each([
    ['replication', 'replication', true],
    ['tcpUserTimeout', 'tcp_user_timeout', 1000],
  ])('for %s, which is not built, with a value that asks for something: %o', (property, parameter, value) =>
    expect(refused({ [property]: value })).toMatchObject({
      parameter,
      problem: expect.stringContaining('not built here yet'),
    }),
  )

  test.each([
    ['host', 1, 'host', 'must be a string or an array; what came is of type number'],
    ['host', null, 'host', 'must be a string or an array; what came is of type null'],
    ['host', [], 'host', 'is an array without elements; leave it out'],
    ['host', ['a', undefined], 'host', 'must be a string; what came is of type undefined'],
    ['host', ['a', ['b']], 'host', 'must be a string; what came is of type object'],
    ['host', Array(65).fill('a'), 'host', 'has more than 64 entries'],
    ['host', new Set(['a']), 'host', 'must be a string or an array; what came is of type object'],
    ['hostaddr', ['::1', 'localhost'], 'hostaddr', 'a name belongs in host'],
    ['hostaddr', ['::1,::2'], 'hostaddr', 'must be IP addresses in full'],
    ['port', { 0: 1 }, 'port', 'must be a number, a string or an array; what came is of type object'],
    ['port', true, 'port', 'must be a number, a string or an array; what came is of type boolean'],
    ['port', ['5432'], 'port', 'must be a number; what came is of type string'],
    ['port', 'x', 'port', 'must be one decimal integer'],
    ['port', [5432, 0], 'port', 'from 1 to 65535'],
    ['port', [1, 2], 'port', 'has 2 entries for 1 hosts'],
    ['targetSessionAttrs', 'master', 'target_session_attrs', 'must be any, read-write, read-only, primary, standby or'],
    ['loadBalanceHosts', true, 'load_balance_hosts', 'must be a string; what came is of type boolean'],
    ['keepalives', 1, 'keepalives', 'must be a boolean; what came is of type number'],
    ['keepalivesIdle', 0.5, 'keepalives_idle', 'from 0 to 32767'],
    ['keepalivesIdle', '30', 'keepalives_idle', 'must be a number; what came is of type string'],
    ['password', 1234, 'password', 'must be a string, a Secret or a function; what came is of type number'],
    ['password', null, 'password', 'must be a string, a Secret or a function; what came is of type null'],
    ['sslpassword', () => 'x', 'sslpassword', 'must be a string or a Secret; what came is of type function'],
    ['allowCleartextPassword', 1, 'allow_cleartext_password', 'must be a boolean; what came is of type number'],
    ['clientEncoding', 'LATIN1', 'client_encoding', "must be UTF8 or 'auto'"],
    ['connectTimeout', Number.NaN, 'connect_timeout', 'is NaN'],
    ['port', 0, 'port', 'from 1 to 65535'],
    ['port', 65_536, 'port', 'from 1 to 65535'],
    ['port', 5432.5, 'port', 'from 1 to 65535'],
    ['scramIterationsMax', 0, 'scram_iterations_max', 'from 1 to'],
    ['scramIterationsMax', 2 ** 31, 'scram_iterations_max', 'from 1 to'],
    ['sslmode', 'on', 'sslmode', 'must be disable, allow, prefer, require, verify-ca or verify-full'],
    ['sslmode', 'Require', 'sslmode', 'must be disable'],
    ['sslmode', true, 'sslmode', 'must be a string; what came is of type boolean'],
    ['sslnegotiation', 'requiredirect', 'sslnegotiation', 'must be postgres or direct'],
    ['sslcertmode', 'require', 'sslcertmode', 'Node does not tell whether a server asks; use allow'],
    ['sslcertmode', 'on', 'sslcertmode', 'must be disable or allow'],
    ['sslkey', 'pkcs11:me', 'sslkey', 'OpenSSL engine; give the path of a file'],
    ['sslkey', ':key', 'sslkey', 'OpenSSL engine'],
    ['sslcert', 'a\0b', 'sslcert', 'NUL'],
    ['sslsni', 1, 'sslsni', 'must be a boolean; what came is of type number'],
    ['sslMinProtocolVersion', 'TLSv1.0', 'ssl_min_protocol_version', 'must be one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3'],
    ['sslMaxProtocolVersion', 'SSLv3', 'ssl_max_protocol_version', 'must be one of TLSv1'],
    ['tls', true, 'tls', 'must be an object with options of node:tls; whether to use TLS says sslmode'],
    ['tls', null, 'tls', 'must be an object with options of node:tls'],
    ['tls', new URL('postgres://host'), 'tls', 'must be a plain object'],
    ['channelBinding', 'on', 'channel_binding', 'must be disable, prefer or require'],
    ['requireAuth', 'scram', 'require_auth', 'cannot be read: expected a comma-separated list of password'],
    ['requireAuth', 'md5,!password', 'require_auth', 'cannot be mixed'],
    ['scramIterationsMin', 0, 'scram_iterations_min', 'from 1 to'],
    ['scramClientKey', 'QUJD', 'scram_client_key', 'base64 of 32 bytes'],
    ['scramServerKey', BASE64_KEY.slice(0, -1), 'scram_server_key', 'base64 of 32 bytes'],
    ['scramServerKey', new Uint8Array(32), 'scram_server_key', 'must be a string or a Secret'],
    ['scramKeyCache', 'off', 'scram_key_cache', 'must be a boolean'],
    ['earlySasl', 'off', 'early_sasl', 'must be a boolean'],
    ['rememberServers', 1, 'remember_servers', 'must be a boolean'],
    ['gssencmode', 'require', 'gssencmode', 'GSSAPI encryption is not built'],
    ['gssencmode', 'on', 'gssencmode', 'must be disable, prefer or require'],
    ['minProtocolVersion', '3.1', 'min_protocol_version', 'reserved'],
    ['maxProtocolVersion', '2.0', 'max_protocol_version', "must be 3.0, 3.2 or 'latest'"],
    ['host', ['a,b'], 'host', 'holds a comma in one element of the array'],
    ['host', '@abstract', 'host', 'abstract socket'],
    ['host', 'a,b\0', 'host', 'NUL'],
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

  test('if an array is as long as one can be, of which little is read', () => {
    expect(refused({ host: Array(2 ** 32 - 1) }).problem).toBe('has more than 64 entries; give fewer')
  })

  test('if an element of an array throws, and what it threw is the cause', () => {
    const cause = new Error('no')
    const host = Object.defineProperty(['a', 'b'], 1, {
      get() {
        throw cause
      },
    })
    const act = () => read({ host })
    expect(refusal(act)).toMatchObject({ parameter: 'host', problem: expect.stringContaining('elements throws') })
    expect(act).toThrow(expect.objectContaining({ cause }))
    const { proxy, revoke } = Proxy.revocable([], {})
    revoke()
    expect(refused({ host: proxy }).problem).toContain('elements throws')
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
  const names = [
    'tls',
    'sslrootcert',
    'scramClientKey',
    'requireAuth',
    'sslsni',
    'keepalives',
    'host',
    'hostaddr',
    'port',
    'user',
    'password',
    'sslmode',
    'connectTimeout',
    'service',
    '__proto__',
    'toString',
  ]
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
