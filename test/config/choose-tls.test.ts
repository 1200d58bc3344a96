import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { readSettings } from '../../src/config/read-settings.ts'
import type { Surroundings } from '../../src/config/surroundings.ts'
import type { ConnectTarget } from '../../src/config/target.ts'
import { machine, refusal } from './machine.ts'

const readTls = (target: ConnectTarget, surroundings = machine()) =>
  readSettings({ host: 'db.example', ...target }, surroundings).tls
const refused = (target: ConnectTarget, surroundings = machine()) => refusal(() => readTls(target, surroundings))

const DEFAULTS = ['root.crt', 'root.crl', 'postgresql.crt', 'postgresql.key']
const withFiles = (...files: readonly string[]) =>
  machine(
    'linux',
    [],
    files.map((file) => `/home/osuser/.postgresql/${file}`),
  )
const equipped = withFiles(...DEFAULTS)
const home = (file: string) => `/home/osuser/.postgresql/${file}`

const WEAK = ['disable', 'allow', 'prefer'] as const
const STRONG = ['require', 'verify-ca', 'verify-full'] as const

describe('sslmode', () => {
  test.each([...WEAK, ...STRONG])('%s is kept as it is', (sslmode) => {
    expect(readTls({ sslmode }, equipped).mode).toBe(sslmode)
  })

  test('is verify-full by default if the trusted certificates are those of the system', () => {
    expect(readTls({ sslrootcert: 'system' })).toMatchObject({ mode: 'verify-full', rootCertificate: 'system' })
    expect(readTls({ sslrootcert: 'system', sslmode: 'verify-full' }).mode).toBe('verify-full')
  })

  test.each([...WEAK, 'require', 'verify-ca'] as const)('%s is too weak for the certificates of the system', (mode) => {
    expect(refused({ sslrootcert: 'system', sslmode: mode }, equipped)).toMatchObject({
      parameter: 'sslrootcert',
      problem: `is system, which sslmode ${mode} is too weak for; use verify-full`,
    })
  })

  test('a file called system is given with a directory before it', () => {
    expect(readTls({ sslrootcert: './system' })).toMatchObject({ mode: 'prefer', rootCertificate: './system' })
  })
})

describe('sslnegotiation=direct', () => {
  test.each(STRONG)('goes with sslmode=%s', (sslmode) => {
    expect(readTls({ sslnegotiation: 'direct', sslmode }, equipped)).toMatchObject({
      mode: sslmode,
      negotiation: 'direct',
    })
  })

  test('goes with the mode that sslrootcert=system brings along', () => {
    expect(readTls({ sslnegotiation: 'direct', sslrootcert: 'system' }).negotiation).toBe('direct')
  })

  test.each([...WEAK, undefined])('does not go with sslmode=%s', (sslmode) => {
    expect(refused({ sslnegotiation: 'direct', sslmode })).toMatchObject({
      parameter: 'sslnegotiation',
      problem: expect.stringContaining(`sslmode ${sslmode ?? 'prefer'} is too weak for; use require`),
    })
  })
})

describe('on a Unix-domain socket', () => {
  test.each([...WEAK, ...STRONG])('there is no TLS, whatever sslmode says: %s', (sslmode) => {
    expect(readTls({ host: '/run', sslmode }, equipped)).toMatchObject({
      mode: 'disable',
      negotiation: 'postgres',
      rootCertificate: null,
      certificate: null,
      key: null,
      revocationList: null,
    })
  })

  test('every parameter of TLS is accepted', () => {
    expect(
      readTls({ host: '/run', sslmode: 'require', sslnegotiation: 'direct', sslcert: '/cert', sslsni: false }),
    ).toMatchObject({ mode: 'disable', negotiation: 'postgres', certificate: '/cert', sendServerName: false })
  })

  test('what libpq refuses is refused', () => {
    expect(refused({ host: '/run', sslnegotiation: 'direct' }).parameter).toBe('sslnegotiation')
    expect(refused({ host: '/run', sslrootcert: 'system', sslmode: 'require' }).parameter).toBe('sslrootcert')
    expect(refused({ host: '/run', sslMaxProtocolVersion: 'TLSv1' }).parameter).toBe('ssl_min_protocol_version')
  })
})

describe('several hosts', () => {
  test.each([['/run,db.example'], ['db.example,/run']])('%s have the TLS of those on TCP', (host) => {
    expect(readTls({ host, sslmode: 'require' }).mode).toBe('require')
  })

  test('have no TLS if all of them are Unix-domain sockets', () => {
    expect(readTls({ host: '/run,/tmp', sslmode: 'require' }).mode).toBe('disable')
  })

  test('have it if an address stands in for the socket', () => {
    expect(readTls({ host: '/run', hostaddr: '::1', sslmode: 'require' }).mode).toBe('require')
  })
})

describe('an address without a name', () => {
  const verified: ConnectTarget = { sslmode: 'verify-full', sslrootcert: '/ca' }
  test.each([
    { host: '', hostaddr: '192.0.2.1' },
    { host: 'a,', hostaddr: '192.0.2.1,192.0.2.2' },
    { host: ',', hostaddr: ',192.0.2.2' },
  ])('cannot be verified, and verify-full is refused: %o', (target) => {
    const problem = 'is not given beside hostaddr, but sslmode verify-full has to verify that name; give both'
    expect(refused({ ...verified, ...target })).toMatchObject({ parameter: 'host', problem })
    expect(refused({ ...target, sslrootcert: 'system' })).toMatchObject({ parameter: 'host', problem })
  })

  test.each([
    { host: 'a', hostaddr: '192.0.2.1' },
    { host: 'a,', hostaddr: '192.0.2.1,' },
    { host: '192.0.2.1', hostaddr: '192.0.2.1' },
    { host: '192.0.2.1' },
    { host: 'a,b' },
  ])('is none of these: %o', (target) => {
    expect(readTls({ ...verified, ...target }).mode).toBe('verify-full')
  })

  test.each(['allow', 'prefer', 'require', 'verify-ca'] as const)('is lawful with sslmode=%s', (sslmode) => {
    expect(readTls({ host: '', hostaddr: '192.0.2.1', sslmode, sslrootcert: '/ca' }).mode).toBe(sslmode)
  })
})

describe('the TLS version', () => {
  const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const
  for (const [low, least] of versions.entries()) {
    for (const [high, most] of versions.entries()) {
      test(`from ${least} to ${most} is ${low <= high ? 'lawful' : 'refused'}`, () => {
        const target: ConnectTarget = { sslMinProtocolVersion: least, sslMaxProtocolVersion: most }
        if (low <= high) expect(readTls(target)).toMatchObject({ minVersion: least, maxVersion: most })
        else expect(refused(target).problem).toBe(`is ${least}, above ssl_max_protocol_version; lower it`)
      })
    }
  }

  test('at most may not be below the default of the least', () => {
    expect(refused({ sslMaxProtocolVersion: 'TLSv1.1' })).toMatchObject({
      parameter: 'ssl_min_protocol_version',
      problem: 'is TLSv1.2, its default, above ssl_max_protocol_version; lower it',
    })
    expect(readTls({ sslMaxProtocolVersion: 'TLSv1.2' })).toMatchObject({
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
    })
  })

  test('is read as libpq reads it, in capitals or not', () => {
    const target = { sslMinProtocolVersion: 'tlsV1.1', sslMaxProtocolVersion: 'TLSV1.3' } as unknown as ConnectTarget
    expect(readTls(target)).toMatchObject({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.3' })
  })
})

describe("the user's own files", () => {
  test('are the defaults if they exist', () => {
    expect(readTls({}, equipped)).toMatchObject({
      rootCertificate: home('root.crt'),
      revocationList: home('root.crl'),
      certificate: home('postgresql.crt'),
      key: home('postgresql.key'),
    })
  })

  test('stand elsewhere on Windows', () => {
    const windows: Surroundings = {
      ...machine('win32', [], ['C:\\data/postgresql/root.crt']),
      homeDirectory: () => 'C:\\data',
    }
    expect(readTls({}, windows).rootCertificate).toBe('C:\\data/postgresql/root.crt')
  })

  test('are not looked for where their directory is not, which is looked for once', () => {
    const looks: string[] = []
    const exists = (path: string) => looks.push(path) === 0
    const tls = readTls({}, { ...machine(), exists })
    expect(tls).toMatchObject({ rootCertificate: null, revocationList: null, certificate: null, key: null })
    expect(looks).toEqual([home('').slice(0, -1)])
  })

  test('are looked for one by one where their directory is', () => {
    const looks: string[] = []
    const exists = (path: string) => looks.push(path) === 1
    const tls = readTls({}, { ...machine(), exists })
    expect(tls).toMatchObject({ rootCertificate: null, certificate: null })
    expect(looks).toEqual([home('').slice(0, -1), home('root.crt'), home('postgresql.crt')])
  })

  test('are not looked for without a home directory', () => {
    const homeless: Surroundings = { ...machine(), exists: () => true, homeDirectory: () => null }
    expect(readTls({}, homeless)).toMatchObject({ rootCertificate: null, certificate: null, key: null })
  })

  test.each([{ sslmode: 'disable' as const }, { host: '/run' }])('are not looked for without TLS: %o', (target) => {
    const untouched: Surroundings = {
      ...machine(),
      homeDirectory: () => {
        throw new Error('asked')
      },
    }
    expect(readTls(target, untouched)).toMatchObject({ rootCertificate: null, certificate: null, key: null })
  })

  test('are not looked for where a file was given, which is not looked for either', () => {
    expect(readTls({ sslrootcert: 'ca', sslcrl: 'crl', sslcert: 'cert', sslkey: 'key' }, equipped)).toMatchObject({
      rootCertificate: 'ca',
      revocationList: 'crl',
      certificate: 'cert',
      key: 'key',
    })
  })

  test('are told from those that were given', () => {
    expect(readTls({}, equipped).found).toEqual(['sslrootcert', 'sslcert', 'sslkey', 'sslpassword', 'sslcrl'])
    expect(readTls({}).found).toEqual([])
    expect(readTls({ sslrootcert: 'ca', sslcert: 'cert', sslkey: 'key', sslcrl: 'crl' }, equipped).found).toEqual([])
    expect(readTls({ sslrootcert: 'ca', sslkey: 'key' }, equipped).found).toEqual(['sslcert', 'sslcrl'])
    expect(readTls({ sslpassword: 'open' }, equipped).found).toEqual(['sslrootcert', 'sslcert', 'sslkey', 'sslcrl'])
    expect(readTls({ sslmode: 'disable' }, equipped).found).toEqual([])
  })

  test('hold no revoked certificates without trusted ones in a file', () => {
    expect(readTls({}, withFiles('root.crl')).revocationList).toBeNull()
    expect(readTls({ sslrootcert: 'system' }, equipped).revocationList).toBeNull()
    expect(readTls({ sslrootcert: 'ca' }, equipped).revocationList).toBe(home('root.crl'))
  })

  test('hold no key without a certificate', () => {
    expect(readTls({}, withFiles('postgresql.key'))).toMatchObject({ certificate: null, key: null })
    expect(readTls({ sslcert: 'cert' }, withFiles('postgresql.key'))).toMatchObject({
      certificate: 'cert',
      key: home('postgresql.key'),
    })
    expect(readTls({ sslkey: 'key' })).toMatchObject({ certificate: null, key: 'key' })
  })
})

describe('a key on Windows', () => {
  test('may have the letter of a drive', () => {
    expect(readTls({ sslcert: 'c', sslkey: 'C:\\me.key' }).key).toBe('C:\\me.key')
  })
})

describe('nothing to verify the server with', () => {
  test.each(['verify-ca', 'verify-full'] as const)('is refused with sslmode=%s', (sslmode) => {
    const failure = refused({ sslmode })
    expect(failure.parameter).toBe('sslrootcert')
    expect(failure.problem).toContain(`sslmode ${sslmode} has to verify the server; give a file, or 'system'`)
  })

  test.each(['allow', 'prefer', 'require'] as const)('is lawful with sslmode=%s', (sslmode) => {
    expect(readTls({ sslmode }).rootCertificate).toBeNull()
  })

  test('is not the case if it stands among the options of Node', () => {
    expect(readTls({ sslmode: 'verify-ca', tls: { ca: 'PEM' } }).rootCertificate).toBeNull()
    expect(refused({ sslmode: 'verify-ca', tls: { ciphers: 'HIGH' } }).parameter).toBe('sslrootcert')
  })
})

describe('a certificate without its key', () => {
  test.each([
    ['given', { sslcert: 'cert' }, machine()],
    ["the user's own", { sslmode: 'require' as const }, withFiles('postgresql.crt')],
  ])('is refused: %s', (_, target, surroundings) => {
    const failure = refused(target, surroundings)
    expect(failure.parameter).toBe('sslkey')
    expect(failure.problem).toContain('give its file, or sslcertmode disable')
  })

  test.each(['allow', 'prefer'] as const)(
    "is missed only when it is read, if the certificate is the user's own and sslmode is %s",
    (sslmode) => {
      expect(readTls({ sslmode }, withFiles('postgresql.crt'))).toMatchObject({
        certificate: home('postgresql.crt'),
        key: home('postgresql.key'),
        found: ['sslcert', 'sslkey', 'sslpassword'],
      })
      expect(refused({ sslmode, sslcert: 'cert' }, withFiles('postgresql.crt')).parameter).toBe('sslkey')
    },
  )

  test('does not matter without TLS', () => {
    expect(readTls({ sslmode: 'disable', sslcert: 'cert' })).toMatchObject({ certificate: 'cert', key: null })
  })

  test('does not matter if it may not be sent', () => {
    expect(readTls({ sslcertmode: 'disable', sslcert: 'cert' }, equipped)).toMatchObject({
      certificateMode: 'disable',
      certificate: null,
      key: null,
    })
  })

  test('does not matter if the key stands among the options of Node', () => {
    expect(readTls({ sslcert: 'cert', tls: { key: 'PEM' } })).toMatchObject({ certificate: 'cert', key: null })
  })

  test.each(['cert', 'pfx'])('is not looked for if Node is given %s', (option) => {
    const target = { tls: { [option]: 'PEM' } } as ConnectTarget
    expect(readTls(target, equipped)).toMatchObject({ certificate: null, key: null })
  })
})

describe('options of Node', () => {
  test('are copied, without those that are undefined', () => {
    const given = { ca: 'PEM', minVersion: undefined, servername: 'db.example' }
    const { nodeOptions } = readTls({ tls: given as NonNullable<ConnectTarget['tls']> })
    expect(nodeOptions).not.toBe(given)
    expect({ ...nodeOptions }).toStrictEqual({ ca: 'PEM', servername: 'db.example' })
  })

  test.each([
    ['socket', 'host and port'],
    ['host', 'the parameter host'],
    ['port', 'the parameter port'],
    ['path', 'the parameter host'],
    ['lookup', 'under the deadline'],
    ['timeout', 'use connect_timeout'],
    ['signal', 'pass the signal to connect'],
    ['onread', 'take the bytes away'],
    ['ALPNProtocols', "always 'postgresql'"],
    ['rejectUnauthorized', 'says sslmode'],
    ['checkServerIdentity', 'says sslmode'],
    ['session', 'not verified anew'],
    ['secureContext', 'place of sslrootcert'],
  ])('may not hold %s', (option, advice) => {
    const failure = refused({ tls: { [option]: 'x' } })
    expect(failure.parameter).toBe('tls')
    expect(failure.problem).toContain(`may not hold '${option}': `)
    expect(failure.problem).toContain(advice)
    expect(readTls({ tls: { [option]: undefined } }).nodeOptions).toEqual({})
  })

  test.each(['ca', 'crl', 'cert', 'key', 'pfx'])('may not hold an empty %s', (option) => {
    for (const value of [null, '', false, 0, [], [''], Buffer.alloc(0)]) {
      const failure = refused({ tls: { [option]: value } })
      expect(failure).toMatchObject({ parameter: 'tls', problem: `holds an empty '${option}'; leave it out` })
    }
  })

  test('that every object inherits are none', () => {
    expect(readTls({ tls: { constructor: 'x' } as NonNullable<ConnectTarget['tls']> }).nodeOptions).toEqual({
      constructor: 'x',
    })
  })

  test('show their names only', () => {
    const { nodeOptions } = readTls({ tls: { key: 'PEM', passphrase: 'open' } })
    expect(inspect(nodeOptions)).toBe('[node:tls options: key, passphrase]')
    expect(JSON.stringify(nodeOptions)).toBe('["key","passphrase"]')
  })

  test('are refused if reading them throws, and what was thrown is the cause', () => {
    const cause = new Error('no')
    const tls = {
      get ca(): string {
        throw cause
      },
    }
    expect(refused({ tls }).parameter).toBe('tls')
    expect(() => readTls({ tls })).toThrow(expect.objectContaining({ cause }))
  })
})
