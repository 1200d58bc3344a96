import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readSettings } from '../../src/config/read-settings.ts'
import type { ConnectTarget } from '../../src/config/target.ts'
import type { Endpoint } from '../../src/net/endpoint.ts'
import { Fault } from '../../src/protocol/failure.ts'
import { BASE64_KEY, machine, refusal, revealedPassword } from './machine.ts'

const read = (uri: string) => readSettings(uri, machine())
const refused = (uri: string) => refusal(() => read(uri))

const tcp = (host: string, port = 5432): Endpoint => ({ transport: 'tcp', host, address: null, port })
const unix = (directory: string, port = 5432): Endpoint => ({
  transport: 'unix',
  path: `${directory}/.s.PGSQL.${port}`,
})
const LOCAL = tcp('localhost')
const at = (address: string, host = address, port = 5432): Endpoint => ({ transport: 'tcp', host, address, port })

interface Expected {
  readonly hosts: readonly Endpoint[]
  readonly user?: string
  readonly database?: string
  readonly password?: string
}

// The facts are those of libpq's own regression test, src/interfaces/libpq/t/001_uri.pl; what is not named in a
// case is at its default. Key: the URI.
const UNDERSTOOD: Readonly<Record<string, Expected>> = {
  'postgresql://uri-user:secret@host:12345/db': {
    hosts: [tcp('host', 12345)],
    user: 'uri-user',
    password: 'secret',
    database: 'db',
  },
  'postgresql://uri-user@host:12345/db': { hosts: [tcp('host', 12345)], user: 'uri-user', database: 'db' },
  'postgresql://uri-user@host/db': { hosts: [tcp('host')], user: 'uri-user', database: 'db' },
  'postgresql://host:12345/db': { hosts: [tcp('host', 12345)], database: 'db' },
  'postgresql://host/db': { hosts: [tcp('host')], database: 'db' },
  'postgresql://uri-user@host:12345/': { hosts: [tcp('host', 12345)], user: 'uri-user' },
  'postgresql://uri-user@host/': { hosts: [tcp('host')], user: 'uri-user' },
  'postgresql://uri-user@': { hosts: [LOCAL], user: 'uri-user' },
  'postgresql://host:12345/': { hosts: [tcp('host', 12345)] },
  'postgresql://host:12345': { hosts: [tcp('host', 12345)] },
  'postgresql://host/': { hosts: [tcp('host')] },
  'postgresql://host': { hosts: [tcp('host')] },
  'postgresql://': { hosts: [LOCAL] },
  'postgresql://%68ost/': { hosts: [tcp('host')] },
  'postgresql://host/db?user=uri-user': { hosts: [tcp('host')], user: 'uri-user', database: 'db' },
  'postgresql://host/db?user=uri-user&port=12345': {
    hosts: [tcp('host', 12345)],
    user: 'uri-user',
    database: 'db',
  },
  'postgresql://host/db?u%73er=someotheruser&port=12345': {
    hosts: [tcp('host', 12345)],
    user: 'someotheruser',
    database: 'db',
  },
  'postgresql://host:12345?user=uri-user': { hosts: [tcp('host', 12345)], user: 'uri-user' },
  'postgresql://host?user=uri-user': { hosts: [tcp('host')], user: 'uri-user' },
  'postgresql://host?': { hosts: [tcp('host')] },
  'postgresql://[::1]:12345/db': { hosts: [tcp('::1', 12345)], database: 'db' },
  'postgresql://[::1]/db': { hosts: [tcp('::1')], database: 'db' },
  'postgresql://[2001:db8::1234]/': { hosts: [tcp('2001:db8::1234')] },
  // Not an address; but whoever resolves it has to say so.
  'postgresql://[200z:db8::1234]/': { hosts: [tcp('200z:db8::1234')] },
  'postgresql://[::1]': { hosts: [tcp('::1')] },
  'postgres://': { hosts: [LOCAL] },
  'postgres:///': { hosts: [LOCAL] },
  'postgres:///db': { hosts: [LOCAL], database: 'db' },
  'postgres://uri-user@/db': { hosts: [LOCAL], user: 'uri-user', database: 'db' },
  'postgres://?host=/path/to/socket/dir': { hosts: [unix('/path/to/socket/dir')] },
  'postgres://@host': { hosts: [tcp('host')] },
  'postgres://host:/': { hosts: [tcp('host')] },
  'postgres://:12345/': { hosts: [tcp('localhost', 12345)] },
  'postgres://otheruser@?host=/no/such/directory': { hosts: [unix('/no/such/directory')], user: 'otheruser' },
  'postgres://otheruser@/?host=/no/such/directory': { hosts: [unix('/no/such/directory')], user: 'otheruser' },
  'postgres://otheruser@:12345?host=/no/such/socket/path': {
    hosts: [unix('/no/such/socket/path', 12345)],
    user: 'otheruser',
  },
  'postgres://otheruser@:12345/db?host=/path/to/socket': {
    hosts: [unix('/path/to/socket', 12345)],
    user: 'otheruser',
    database: 'db',
  },
  'postgres://:12345/db?host=/path/to/socket': { hosts: [unix('/path/to/socket', 12345)], database: 'db' },
  'postgres://:12345?host=/path/to/socket': { hosts: [unix('/path/to/socket', 12345)] },
  'postgres://%2Fvar%2Flib%2Fpostgresql/dbname': { hosts: [unix('/var/lib/postgresql')], database: 'dbname' },
  'postgresql://host?sslmode=disable': { hosts: [tcp('host')] },
  'postgresql://host?sslmode=prefer': { hosts: [tcp('host')] },

  // Ours, by the same grammar.
  'postgres://u:p:w@host': { hosts: [tcp('host')], user: 'u', password: 'p:w' },
  'postgres://u:@host': { hosts: [tcp('host')], user: 'u' },
  'postgres://:pw@host': { hosts: [tcp('host')], password: 'pw' },
  'postgres://h%C3%B6st/d%c3%a4ta%2Fb': { hosts: [tcp('höst')], database: 'däta/b' },
  'postgres://höst/däta/b': { hosts: [tcp('höst')], database: 'däta/b' },
  'postgres://[fe80::1%25eth0]:1?dbname=a&': { hosts: [tcp('fe80::1%eth0', 1)], database: 'a' },
  'postgres://host/db?user=me@tenant': { hosts: [tcp('host')], user: 'me@tenant', database: 'db' },
}

describe('a connection URI', () => {
  test.each(Object.entries(UNDERSTOOD))('%s is understood as libpq understands it', (uri, expected) => {
    const settings = read(uri)
    const user = expected.user ?? 'osuser'
    expect(settings).toMatchObject({ hosts: expected.hosts, user, database: expected.database ?? user })
    expect(revealedPassword(settings)).toBe(expected.password)
  })

  test('an empty value in the query is not given', () => {
    expect(
      read(
        'postgres://host?user=&port=&dbname=&password=&sslmode=&connect_timeout=&allow_cleartext_password=&service=' +
          '&sslrootcert=&sslsni=&ssl_min_protocol_version=&tls=&require_auth=&channel_binding=&scram_client_key=' +
          '&hostaddr=&target_session_attrs=&load_balance_hosts=&keepalives=&keepalives_idle=',
      ),
    ).toEqual(read('postgres://host'))
  })

  test('a plus sign is a plus sign, and no space', () => {
    expect(read('postgres://?application_name=a+b').runtimeParameters).toContainEqual(['application_name', 'a+b'])
  })

  test('every parameter but those of the authority is read from the query', () => {
    const settings = read(
      'postgres://?connect_timeout=%20+7%20&client_encoding=utf-8&options=-c%20geqo%3Doff&application_name=app' +
        '&fallback_application_name=other&gssencmode=disable&min_protocol_version=3.0&max_protocol_version=latest' +
        '&allow_cleartext_password=on&scram_iterations_max=5000&target_session_attrs=prefer-standby' +
        '&load_balance_hosts=random&keepalives=0&keepalives_idle=30',
    )
    expect(settings).toMatchObject({
      connectTimeoutMs: 7_000,
      targetSessionAttrs: 'prefer-standby',
      loadBalanceHosts: 'random',
      keepalives: { enabled: false, idleMs: 30_000 },
      runtimeParameters: [
        ['client_encoding', 'UTF8'],
        ['application_name', 'app'],
        ['options', '-c geqo=off'],
      ],
      minProtocolVersion: '3.0',
      maxProtocolVersion: '3.2',
      allowCleartextPassword: true,
      scramIterationsMax: 5_000,
    })
  })

  test('the parameters of TLS and of authentication are read from the query', () => {
    const key = encodeURIComponent(BASE64_KEY)
    const settings = read(
      'postgres://?sslmode=verify-full&sslnegotiation=direct&sslrootcert=%2Fca.pem&sslcert=me.pem&sslkey=me.key' +
        '&sslpassword=open&sslcertmode=allow&sslcrl=%2Fcrl.pem&sslsni=0&ssl_min_protocol_version=tlsv1.1' +
        '&ssl_max_protocol_version=TLSv1.3&channel_binding=require&require_auth=scram-sha-256&scram_iterations_min=4096' +
        `&scram_client_key=${key}&scram_server_key=${key}&scram_key_cache=off&early_sasl=off&remember_servers=on`,
    )
    expect(settings).toMatchObject({
      tls: {
        mode: 'verify-full',
        negotiation: 'direct',
        rootCertificate: '/ca.pem',
        certificate: 'me.pem',
        key: 'me.key',
        revocationList: '/crl.pem',
        sendServerName: false,
        certificateMode: 'allow',
        minVersion: 'TLSv1.1',
        maxVersion: 'TLSv1.3',
        nodeOptions: null,
      },
      channelBinding: 'require',
      requireAuth: { allowed: new Set(['scram-sha-256']) },
      scramIterationsMin: 4096,
      keyCache: false,
      earlySasl: false,
      rememberServers: true,
    })
    expect(settings.tls.keyPassword?.reveal()).toBe('open')
    expect(settings.scramKeys?.clientKey.reveal()).toBe(BASE64_KEY)
    expect(settings.scramKeys?.serverKey.reveal()).toBe(BASE64_KEY)
  })

  test('ssl=true is JDBC for sslmode=require', () => {
    expect(read('postgres://host?ssl=tru%65')).toEqual(read('postgres://host?sslmode=require'))
  })

  test('sslsni=1 is the default', () => {
    expect(read('postgres://host?sslsni=1')).toEqual(read('postgres://host'))
  })

  test.each(['false', 'off', 'no', '0'])('%s turns a parameter off', (text) => {
    expect(read(`postgres://?allow_cleartext_password=${text}`).allowCleartextPassword).toBe(false)
  })
})

// As psql 15 tries them. Key: the URI.
const SEVERAL: Readonly<Record<string, readonly Endpoint[]>> = {
  'postgresql://a:1,b:2/db': [tcp('a', 1), tcp('b', 2)],
  'postgresql://me:secret@a,b': [tcp('a'), tcp('b')],
  'postgresql://a:1,b': [tcp('a', 1), tcp('b')],
  'postgresql://a,b:2': [tcp('a'), tcp('b', 2)],
  'postgresql://a:,b:2': [tcp('a'), tcp('b', 2)],
  'postgresql://a:1,a:1': [tcp('a', 1), tcp('a', 1)],
  'postgresql://[::1]:1,[::2],c': [tcp('::1', 1), tcp('::2'), tcp('c')],
  'postgresql://a,[::1]?port=3': [tcp('a', 3), tcp('::1', 3)],
  'postgresql://,': [LOCAL, LOCAL],
  'postgresql://,b': [LOCAL, tcp('b')],
  'postgresql://a,/db': [tcp('a'), LOCAL],
  'postgresql://:1,:2': [tcp('localhost', 1), tcp('localhost', 2)],
  'postgresql://a,%2Ftmp:1': [tcp('a'), unix('/tmp', 1)],
  'postgresql://?host=a,b': [tcp('a'), tcp('b')],
  'postgresql://?host=a%2Cb&port=1%2C2': [tcp('a', 1), tcp('b', 2)],
  'postgresql://?host=a,,/tmp&port=1,,3': [tcp('a', 1), LOCAL, unix('/tmp', 3)],
  'postgresql://:7?host=a,b': [tcp('a', 7), tcp('b', 7)],
  'postgresql://a,b?port=1,2': [tcp('a', 1), tcp('b', 2)],
  'postgresql://a,b?port=1,': [tcp('a', 1), tcp('b')],
  'postgresql://a,b?port=+1%20,%202': [tcp('a', 1), tcp('b', 2)],
  'postgresql://a,b?hostaddr=127.0.0.1,::1&port=1': [at('127.0.0.1', 'a', 1), at('::1', 'b', 1)],
  'postgresql://?hostaddr=127.0.0.1': [at('127.0.0.1')],
  'postgresql://:1,:2?hostaddr=127.0.0.1,127.0.0.2': [at('127.0.0.1', '127.0.0.1', 1), at('127.0.0.2', '127.0.0.2', 2)],
  'postgresql://a,,c?hostaddr=::1,::2,': [at('::1', 'a'), at('::2'), tcp('c')],
  'postgresql://?host=,&hostaddr=,': [LOCAL, LOCAL],
  // The name is the server's for TLS and no directory: the address says how to get there.
  'postgresql://%2Ftmp?hostaddr=127.0.0.1': [at('127.0.0.1', '/tmp')],
  'postgresql://a?hostaddr=fe80::1%25eth0': [at('fe80::1%eth0', 'a')],
}

describe('several hosts', () => {
  test.each(Object.entries(SEVERAL))('%s is understood as libpq understands it', (uri, hosts) => {
    expect(read(uri).hosts).toEqual(hosts)
  })

  test('may be 64', () => {
    expect(read(`postgres://${'a,'.repeat(63)}b`).hosts).toHaveLength(64)
  })
})

// What is wrong, the URI, the parameter that is named, and a piece of what is said.
const REFUSED: readonly (readonly [string, string, string, string])[] = [
  // libpq's own regression cases.
  ['a parameter that nobody knows', 'postgresql://host/db?u%7aer=someotheruser&port=12345', 'conninfo', 'is user'],
  ['the same without a value', 'postgresql://host?uzer=', 'conninfo', 'position 19; the nearest known one is user'],
  ['a scheme that is not ours', 'postgre://', 'conninfo', 'begins with neither postgresql:// nor postgres://'],
  ['an IPv6 address without its end', 'postgres://[::1', 'host', 'position 12 without'],
  ['an empty IPv6 address', 'postgres://[]', 'host', 'an empty IPv6 address at position 13'],
  ['anything behind an IPv6 address', 'postgres://[::1]z', 'host', 'position 17'],
  ['a query parameter without =', 'postgresql://host?zzz', 'conninfo', "without '=' at position 19"],
  ['two query parameters without =', 'postgresql://host?value1&value2', 'conninfo', "without '=' at position 19"],
  ['a query parameter with a second =', 'postgresql://host?key=key=value', 'conninfo', "second '='"],
  ['a % before other letters', 'postgres://host?dbname=%XXfoo', 'dbname', 'position 24'],
  ['a percent-encoded NUL', 'postgresql://a%00b', 'host', '%00 at position 15'],
  ['a % before other letters in the host', 'postgresql://%zz', 'host', 'position 14'],
  ['a % before one digit', 'postgresql://%1', 'host', 'position 14'],
  ['a % at the end', 'postgresql://%', 'host', 'position 14'],
  [
    'verify-full with nothing to verify with',
    'postgresql://host?sslmode=verify-full',
    'sslrootcert',
    'verify-full has to',
  ],

  // libpq 18 trims spaces, libpq 15 keeps them.
  ['white space', 'postgresql://host?  user = uri-user', 'conninfo', 'position 19'],
  ['a line break at the end', 'postgresql://host\n', 'conninfo', 'control character at position 18'],
  ['a NUL as it is', 'postgresql://host/d\0b', 'conninfo', 'position 20'],
  ['a lone surrogate', 'postgresql://host/\ud800', 'conninfo', 'lone surrogate'],

  // What two parsers read differently.
  ['#', 'postgres://good#@evil/db', 'conninfo', "'#' at position 16"],
  ['a ? in the user', 'postgres://one?user=a@two', 'conninfo', "'?' at position 15 before an '@'"],
  ['a second @ in the host', 'postgres://user:p@ss@host/db', 'host', "'@' at position 21"],
  ['an @ in the port', 'postgres://user:p@ho:st@t/db', 'port', "'@' at position 24"],
  ['an @ in a bracketed host', 'postgres://u@[a@b]', 'host', "'@' at position 16"],
  ['an @ behind a / in the password', 'postgres://user:1/2@host/db', 'dbname', "'@' at position 20"],
  ['a parameter twice in the query', 'postgres://?user=a&user=b', 'user', 'second time at position 20'],
  ['a parameter twice, alike', 'postgres://?user=a&user=a', 'user', 'second time'],
  ['a parameter twice, once empty', 'postgres://?user=a&user=', 'user', 'second time'],
  ['a user in both places', 'postgres://a@host?user=b', 'user', 'second time at position 19'],
  ['a host in both places', 'postgres://good/db?host=evil', 'host', 'second time'],
  ['a host in both places, once empty', 'postgres://good/db?host=', 'host', 'second time'],
  ['a password in both places', 'postgres://u:p@h?password=q', 'password', 'second time'],
  ['sslmode and JDBC ssl', 'postgres://?sslmode=disable&ssl=true', 'sslmode', 'second time'],
  ['a harmless parameter twice', 'postgres://?service=&service=', 'service', 'second time'],

  // The parts.
  ['a user that is no UTF-8', 'postgres://%ff@host', 'user', 'something else than UTF-8'],
  ['a password with a broken %', 'postgres://u:a%b%@host', 'password', 'position 15'],
  ['a query name with a broken %', 'postgres://?us%er=a', 'conninfo', 'position 15'],
  ['a query value with a broken %', 'postgres://?nobody=%', 'conninfo', 'position 20'],
  ['an empty query parameter in between', 'postgres://?user=a&&port=1', 'conninfo', "without '=' at position 20"],
  ['a percent-encoded comma in the host', 'postgres://a%2Cb', 'host', 'percent-encoded comma at position 12'],
  ['a percent-encoded comma in a bracketed host', 'postgres://x,[::1%2c::2]', 'host', 'comma at position 15'],
  ['a percent-encoded comma in the port', 'postgres://a,b:1%2C2', 'port', 'percent-encoded comma at position 16'],
  ['an @ in a later host', 'postgres://u:p@a,b@c', 'host', "'@' at position 19"],
  ['an IPv6 address without its end behind others', 'postgres://a,[::1', 'host', 'position 14 without'],
  ['an empty IPv6 address behind others', 'postgres://a,[]', 'host', 'an empty IPv6 address at position 15'],
  ['anything behind an IPv6 address between others', 'postgres://[::1]z,a', 'host', 'position 17'],
  ['hosts in both places', 'postgres://a,b?host=c,d', 'host', 'second time'],
  ['empty hosts and others in the query', 'postgres://:1,:2?host=c,d', 'host', 'second time'],
  ['ports in both places', 'postgres://a:1,b?port=2', 'port', 'second time'],
  ['a later port that is no number', 'postgres://a:1,b:x', 'port', 'decimal integer'],
  ['a later port 0', 'postgres://a:1,b:0', 'port', 'from 1 to 65535'],
  ['a later abstract socket', 'postgres:///?host=a,@b', 'host', 'abstract socket'],
  ['fewer ports than hosts', 'postgres://a,b,c?port=1,2', 'port', 'has 2 entries for 3 hosts; give one for each'],
  ['more ports than hosts', 'postgres://a?port=1,2', 'port', 'has 2 entries for 1 hosts'],
  ['more ports than no host', 'postgres://?port=1,', 'port', 'has 2 entries for 1 hosts'],
  ['fewer addresses than hosts', 'postgres://a,b?hostaddr=::1', 'hostaddr', 'has 1 entries, and host has 2'],
  ['more addresses than hosts', 'postgres://a?hostaddr=::1,::2', 'hostaddr', 'has 2 entries, and host has 1'],
  ['a name for an address', 'postgres://a?hostaddr=localhost', 'hostaddr', 'a name belongs in host'],
  ['an address in brackets', 'postgres://a?hostaddr=[::1]', 'hostaddr', 'without brackets'],
  ['an address that only inet_aton reads', 'postgres://a?hostaddr=127.1', 'hostaddr', 'addresses in full'],
  ['65 hosts', `postgres://${'a,'.repeat(64)}b`, 'host', 'has more than 64 entries'],
  ['65 ports', `postgres://a?port=${'1,'.repeat(64)}1`, 'port', 'has more than 64 entries'],
  ['65 addresses', `postgres://?hostaddr=${'::1,'.repeat(64)}`, 'hostaddr', 'has more than 64 entries'],
  [
    'an unknown kind of session',
    'postgres://?target_session_attrs=master',
    'target_session_attrs',
    'must be any, read-',
  ],
  ['an unknown balance', 'postgres://?load_balance_hosts=1', 'load_balance_hosts', 'must be disable or random'],
  ['keepalives that libpq takes for a 1', 'postgres://?keepalives=2', 'keepalives', 'one of 1, or one of 0'],
  ['negative idleness', 'postgres://?keepalives_idle=-1', 'keepalives_idle', 'from 0 to 32767'],
  ['more idleness than Linux takes', 'postgres://?keepalives_idle=32768', 'keepalives_idle', 'from 0 to 32767'],
  ['an abstract socket', 'postgres:///?host=@name', 'host', 'abstract socket'],
  ['options of node:tls', 'postgres://?tls=true', 'tls', 'whether to use TLS says sslmode'],
  ['an sslsni of another kind than libpq reads', 'postgres://?sslsni=true', 'sslsni', 'one of 1, or one of 0'],
  ['a key whose + became a space', 'postgres://?scram_server_key=a%20b', 'scram_server_key', 'base64 of 32 bytes'],
  ['another ssl', 'postgres://?ssl=false', 'conninfo', 'the nearest known one is sslmode'],
  ['a misspelt parameter', 'postgres://?sslmod=disable', 'conninfo', 'the nearest known one is sslmode'],
  ['a parameter in camelCase', 'postgres://?connectTimeout=1', 'conninfo', 'is connect_timeout'],
  ['a name of node-postgres', 'postgres://?database=a', 'conninfo', 'is dbname'],
  ['a parameter that resembles nothing', 'postgres://?zzzzzzzz=1', 'conninfo', 'parameter at position 13'],
  ['a property of every object', 'postgres://?constructor=1', 'conninfo', 'unknown query parameter'],
  ['a very long unknown name', `postgres://?${'user'.repeat(17)}=1`, 'conninfo', 'unknown query parameter'],
  ['a port that is no number', 'postgres://host:abc', 'port', 'decimal integer'],
  ['a hexadecimal port', 'postgres://host:0x10', 'port', 'decimal integer'],
  ['port 0', 'postgres://host:0', 'port', 'from 1 to 65535'],
  ['port 65536', 'postgres://host:65536', 'port', 'from 1 to 65535'],
  ['a number of 33 bits', 'postgres://?connect_timeout=2147483648', 'connect_timeout', 'at most 32 bits'],
  ['a fractional number', 'postgres://?connect_timeout=1.5', 'connect_timeout', 'decimal integer'],
  [
    'a flag that is no flag',
    'postgres://?allow_cleartext_password=2',
    'allow_cleartext_password',
    'true, on, yes, 1, or',
  ],

  // Other forms of string.
  ['an empty string', '', 'conninfo', 'is empty; for everything by default pass {}'],
  ['a string of blanks', ' \n', 'conninfo', 'is empty'],
  ['a host by itself', 'localhost', 'conninfo', "is neither a URI nor of pairs with '='"],
  ['a scheme that is not ours, and a query', 'http://host/?user=me', 'conninfo', 'begins with neither'],
  ['a scheme in capitals', 'POSTGRES://host', 'conninfo', 'begins with neither'],
]

describe('a connection string is refused', () => {
  test.each(REFUSED)('for %s', (_, uri, parameter, problem) => {
    const failure = refused(uri)
    expect(failure.parameter).toBe(parameter)
    expect(failure.problem).toContain(problem)
  })
})

// A text that a String of the protocol can carry.
const text = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((s) => !s.includes('\0') && s.isWellFormed())
const host = text.filter((s) => !s.includes(',') && !s.startsWith('@'))

test('whatever is percent-encoded into a URI reads back equal, and equal to the object that says the same', () => {
  const encode = encodeURIComponent
  fc.assert(
    fc.property(text, text, host, fc.integer({ min: 1, max: 65_535 }), text, text, text, (...parts) => {
      const [user, password, hostName, port, dbname, applicationName, options] = parts
      const fromUri = read(
        `postgresql://${encode(user)}:${encode(password)}@${encode(hostName)}:${port}/${encode(dbname)}` +
          `?application_name=${encode(applicationName)}&options=${encode(options)}`,
      )
      const target: ConnectTarget = { user, password, host: hostName, port, dbname, applicationName, options }
      expect(fromUri).toEqual(readSettings(target, machine()))
      expect(fromUri).toMatchObject({ user, database: dbname })
      expect(revealedPassword(fromUri)).toBe(password)
      expect(fromUri.hosts).toEqual([hostName.startsWith('/') ? unix(hostName, port) : tcp(hostName, port)])
      expect(fromUri.runtimeParameters).toEqual([
        ['client_encoding', 'UTF8'],
        ['application_name', applicationName],
        ['options', options],
      ])
    }),
  )
})

const ipAddress = fc.oneof(fc.ipV4(), fc.ipV6())
const endpoints = fc.array(
  fc.record({
    host: fc.oneof(host, fc.constant('')),
    hostaddr: fc.oneof(ipAddress, fc.constant('')),
    port: fc.integer({ min: 1, max: 65_535 }),
  }),
  { minLength: 1, maxLength: 64 },
)

test('a list of hosts is the same in the authority, in the query, and in an object as arrays or with commas', () => {
  const encode = encodeURIComponent
  fc.assert(
    fc.property(endpoints, fc.boolean(), (entries, samePort) => {
      const host = entries.map((entry) => entry.host)
      const hostaddr = entries.map((entry) => entry.hostaddr)
      const port = entries.map((entry) => (samePort ? 6432 : entry.port))
      const addresses = `hostaddr=${encode(hostaddr.join(','))}`
      const expected = entries.map((entry, index): Endpoint => {
        if (entry.hostaddr !== '') return at(entry.hostaddr, entry.host || entry.hostaddr, port[index])
        if (entry.host.startsWith('/')) return unix(entry.host, port[index])
        return tcp(entry.host || 'localhost', port[index])
      })
      const written = samePort ? '6432' : port.join(',')
      const authority = entries.map((_, index) => `${encode(host[index] as string)}:${port[index]}`).join(',')
      expect(read(`postgres://${authority}?${addresses}`).hosts).toEqual(expected)
      expect(read(`postgres://?host=${encode(host.join(','))}&port=${written}&${addresses}`).hosts).toEqual(expected)
      const fromObject = (target: ConnectTarget) => readSettings(target, machine()).hosts
      expect(fromObject({ host, hostaddr, port })).toEqual(expected)
      expect(fromObject({ host: host.join(','), hostaddr: hostaddr.join(','), port: written })).toEqual(expected)
      if (samePort) expect(fromObject({ host, hostaddr, port: 6432 })).toEqual(expected)
    }),
  )
})

// Values that the parameters of TLS and authentication can have, as text and as a property.
const base64Key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64'))
const trusted = fc.record(
  {
    sslmode: fc.constantFrom('disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'),
    sslrootcert: text.filter((path) => path !== 'system'),
    sslcert: text,
    sslkey: text.filter((path) => !path.includes(':')),
    sslpassword: text,
    sslcertmode: fc.constantFrom('disable', 'allow'),
    sslcrl: text,
    sslsni: fc.boolean(),
    sslMinProtocolVersion: fc.constantFrom('TLSv1', 'TLSv1.1', 'TLSv1.2'),
    sslMaxProtocolVersion: fc.constantFrom('TLSv1.2', 'TLSv1.3'),
    channelBinding: fc.constantFrom('disable', 'prefer', 'require'),
    requireAuth: fc.constantFrom('none', 'scram-sha-256,md5', '!password', '!none,!md5'),
    scramIterationsMin: fc.integer({ min: 1, max: 100_000 }),
    scramClientKey: base64Key,
    scramServerKey: base64Key,
    scramKeyCache: fc.boolean(),
    earlySasl: fc.boolean(),
    rememberServers: fc.boolean(),
  },
  { requiredKeys: ['sslrootcert', 'sslkey', 'scramClientKey', 'scramServerKey'] },
)

test('a URI about TLS and authentication says the same as the object, and neither shows a secret', () => {
  fc.assert(
    fc.property(trusted, (target) => {
      const query = Object.entries(target).map(([property, value]) => {
        const name = property.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
        const written = property === 'sslsni' ? String(Number(value)) : String(value)
        return `${name}=${encodeURIComponent(written)}`
      })
      const fromUri = read(`postgres://host?${query.join('&')}`)
      const fromObject = readSettings({ host: 'host', ...target } as ConnectTarget, machine())
      expect(fromUri).toEqual(fromObject)
      // Secrets are equal whatever they hold, as far as the line above can see.
      expect(fromUri.tls.keyPassword?.reveal()).toBe(target.sslpassword)
      expect(fromObject.tls.keyPassword?.reveal()).toBe(target.sslpassword)
      for (const { scramKeys } of [fromUri, fromObject]) {
        expect(scramKeys?.clientKey.reveal()).toBe(target.scramClientKey)
        expect(scramKeys?.serverKey.reveal()).toBe(target.scramServerKey)
      }
      expect(inspect(fromUri, { depth: null })).not.toContain(target.scramClientKey)
      expect(JSON.stringify(fromUri)).not.toContain(target.scramClientKey)
    }),
  )
})

// Strings that are nearly URIs: the grammar's own characters and words, in any order.
const nearlyUri = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...'@:/?&=%,[]#+\0\n ',
        'hostaddr=::1',
        '%2',
        '%41',
        '%00',
        '%ff',
        'host',
        'port=1',
        'ssl=true',
        'sslrootcert=system',
      ),
      text,
    ),
  )
  .map((pieces) => `postgres://${pieces.join('')}`)

test('no string makes anything but settings or a config failure', () => {
  fc.assert(
    fc.property(fc.oneof(nearlyUri, fc.string({ unit: 'binary' }), fc.string()), (conninfo) => {
      try {
        expect(read(conninfo).user).not.toBe('')
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        expect(error.failure).toMatchObject({ kind: 'config', parameter: /./, problem: /./ })
      }
    }),
    { numRuns: 500 },
  )
})

test('a password that was not percent-encoded is not quoted in the failure, wherever its pieces end up', () => {
  const piece = 'Tr0ub4dor'
  const password = fc
    .array(fc.constantFrom(piece, piece, ...'@:/?&=%,[]# ', 'port=', 'sslmode=', '1'))
    .map((p) => p.join(''))
  fc.assert(
    fc.property(password, (raw) => {
      try {
        read(`postgres://user:${raw}@host/db`)
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        expect(JSON.stringify(error.failure)).not.toContain(piece)
        expect(error.stack).not.toContain(piece)
        expect(String(error.cause)).not.toContain(piece)
      }
    }),
    { numRuns: 500 },
  )
})
