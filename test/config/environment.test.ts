import { describe, expect, test, vi } from 'vitest'
import { type Environment, RUNTIME_VARIABLES, readVariable, VARIABLES } from '../../src/config/environment.ts'
import { NOT_BUILT, PARAMETERS } from '../../src/config/parameters.ts'
import { readSettings } from '../../src/config/read-settings.ts'
import type { ConnectTarget } from '../../src/config/target.ts'
import { machine, refusal, revealedPassword } from './machine.ts'

const read = (environment: Environment | null, target: string | ConnectTarget = {}) =>
  readSettings(target, machine(), environment)

// Everything that a variable may say, but for what stands in other files.
const EVERYTHING: Environment = {
  PGHOST: 'one,two',
  PGHOSTADDR: '192.0.2.1,192.0.2.2',
  PGPORT: '5433',
  PGDATABASE: 'app',
  PGUSER: 'me',
  PGPASSWORD: 'secret',
  PGCONNECT_TIMEOUT: '3',
  PGTARGETSESSIONATTRS: 'primary',
  PGLOADBALANCEHOSTS: 'random',
  PGCLIENTENCODING: 'utf-8',
  PGAPPNAME: 'mine',
  PGOPTIONS: '-c geqo=off',
  PGCHANNELBINDING: 'disable',
  PGREQUIREAUTH: 'md5',
  PGGSSENCMODE: 'disable',
  PGMINPROTOCOLVERSION: '3.0',
  PGMAXPROTOCOLVERSION: '3.2',
  PGSSLMODE: 'verify-ca',
  PGSSLNEGOTIATION: 'direct',
  PGSSLROOTCERT: '/root.crt',
  PGSSLCERT: '/cert',
  PGSSLKEY: '/key',
  PGSSLCERTMODE: 'allow',
  PGSSLCRL: '/crl',
  PGSSLSNI: '0',
  PGSSLMINPROTOCOLVERSION: 'TLSv1.3',
  PGSSLMAXPROTOCOLVERSION: 'TLSv1.3',
  PGDATESTYLE: 'ISO, DMY',
  PGTZ: 'Europe/Zurich',
  PGGEQO: 'off',
}

describe('the environment', () => {
  test('counts for nothing unless it is handed over', () => {
    expect(readSettings({}, machine())).toEqual(read(null))
    expect(read(null)).toMatchObject({ user: 'osuser', passfile: null })
  })

  test('says what the parameters say', () => {
    const settings = read(EVERYTHING)
    const { runtimeParameters, ...same } = read(
      null,
      'host=one,two hostaddr=192.0.2.1,192.0.2.2 port=5433 dbname=app user=me password=secret connect_timeout=3 ' +
        'target_session_attrs=primary load_balance_hosts=random channel_binding=disable require_auth=md5 ' +
        'min_protocol_version=3.0 max_protocol_version=3.2 sslmode=verify-ca sslnegotiation=direct sslrootcert=/root.crt ' +
        "sslcert=/cert sslkey=/key sslcrl=/crl sslsni=0 ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.3 application_name=mine options='-c geqo=off'",
    )
    expect(settings).toEqual({
      ...same,
      runtimeParameters: [
        ...runtimeParameters,
        ['datestyle', 'ISO, DMY'],
        ['timezone', 'Europe/Zurich'],
        ['geqo', 'off'],
      ],
    })
    expect(revealedPassword(settings)).toBe('secret')
  })

  test('has a variable for what is read here, and for nothing that is unknown', () => {
    const elsewhere = ['passfile', 'service', ...Object.keys(NOT_BUILT)]
    const read = Object.entries(VARIABLES).flatMap(([name, variable]) => (elsewhere.includes(name) ? [] : [variable]))
    expect([...read, ...Object.keys(RUNTIME_VARIABLES)].sort()).toEqual(Object.keys(EVERYTHING).sort())
    for (const name of Object.keys(VARIABLES)) expect({ ...PARAMETERS, ...NOT_BUILT }).toHaveProperty(name)
  })

  test('counts less than what is given, parameter by parameter, and is not looked at there', () => {
    const environment = { PGHOST: 'env', PGPORT: 'broken', PGUSER: 'env' }
    for (const target of ['postgres://mine:1', 'host=mine port=1', { host: 'mine', port: 1 }]) {
      expect(read(environment, target)).toMatchObject({ hosts: [{ host: 'mine', port: 1 }], user: 'env' })
    }
  })

  test('has only what is its own', () => {
    expect(read(Object.create({ PGUSER: 'inherited' }))).toEqual(read({}))
    vi.stubEnv('PGUSER', 'stub')
    expect(readVariable(process.env, 'PGUSER')).toBe('stub')
    vi.unstubAllEnvs()
  })

  test('is masked by an empty text in a string, and not by an empty property', () => {
    const environment = { PGUSER: 'env', PGDATABASE: 'env' }
    expect(read(environment, "user='' host=a")).toMatchObject({ user: 'osuser', database: 'env' })
    expect(read(environment, 'postgres://a?user=')).toMatchObject({ user: 'osuser', database: 'env' })
    expect(read(environment, { user: '', dbname: undefined })).toMatchObject({ user: 'env', database: 'env' })
  })

  test('says nothing where a variable is empty', () => {
    const empty = Object.fromEntries([...Object.keys(EVERYTHING), 'PGSERVICE'].map((name) => [name, '']))
    expect(read(empty)).toEqual(read({}))
  })

  test.each([
    ['PGPORT', 'x', 'port', 'must be one decimal integer of at most 32 bits (so says the environment variable PGPORT)'],
    ['PGSSLMODE', 'on', 'sslmode', '(so says the environment variable PGSSLMODE)'],
    ['PGCLIENTENCODING', 'LATIN1', 'client_encoding', "must be UTF8 or 'auto'"],
    [
      'PGREQUIREPEER',
      'root',
      'requirepeer',
      'not built here yet; leave it out (so says the environment variable PGREQUIREPEER)',
    ],
    ['PGTZ', 'a\0b', 'timezone', 'holds a NUL character'],
    ['PGHOST', 5432, 'environment', 'holds in PGHOST what is no string'],
  ])('is refused for %s=%j', (variable, value, parameter, problem) => {
    const failure = refusal(() => read({ [variable]: value } as Environment))
    expect(failure).toMatchObject({ parameter, problem: expect.stringContaining(problem) })
  })

  test.each([
    [{ PGREQUIRESSL: '1' }, {}, 'require'],
    [{ PGREQUIRESSL: '1x' }, {}, 'require'],
    [{ PGREQUIRESSL: '0' }, {}, 'prefer'],
    [{ PGREQUIRESSL: '1', PGSSLMODE: 'disable' }, {}, 'disable'],
    [{ PGREQUIRESSL: '1' }, { sslmode: 'allow' }, 'allow'],
  ] as const)('with %j and %j comes to sslmode=%s', (environment, target, mode) => {
    expect(read(environment, target).tls.mode).toBe(mode)
  })

  test("leaves out a run-time parameter that is to be the server's default", () => {
    expect(read({ PGTZ: 'Default', PGDATESTYLE: 'DEFAULT' }).runtimeParameters).toEqual([['client_encoding', 'UTF8']])
  })
})
