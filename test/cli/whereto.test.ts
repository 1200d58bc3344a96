/** Whereto a command goes: libpq's flags, a connection string, the environment, and which of them counts. */
import { describe, expect, it } from 'vitest'
import { parseDuration } from '../../src/cli/duration.ts'
import { readWhereto, withParameters } from '../../src/cli/whereto.ts'
import { readSettings } from '../../src/config/read-settings.ts'

function settingsOf(...[values, positionals = [], env = {}]: [object, string[]?, Record<string, string>?]) {
  const { target, options } = readWhereto(values, positionals, env)
  const { hosts, user, database } = readSettings(target, undefined, options.environment)
  return { hosts, user, database }
}

const db = { transport: 'tcp', host: 'db.example', address: null, port: 5432 }

describe('whereto', () => {
  it('flags say it', () => {
    const flags = { host: 'db.example', port: '6432', username: 'app', dbname: 'shop' }
    expect(settingsOf(flags)).toEqual({ hosts: [{ ...db, port: 6432 }], user: 'app', database: 'shop' })
  })

  it.each([
    ['a URI', 'postgres://app@db.example/shop'],
    ['pairs', 'host=db.example user=app dbname=shop'],
  ])('%s counts more than flags, and those more than the environment', (_, text) => {
    const env = { PGHOST: 'elsewhere', PGUSER: 'nobody', PGPORT: '1' }
    const seen = { hosts: [{ ...db, port: 7432 }], user: 'app', database: 'shop' }
    expect(settingsOf({ host: 'flag.example', username: 'flag', port: '7432' }, [text], env)).toEqual(seen)
    expect(settingsOf({ dbname: text, host: 'flag.example', port: '7432' }, [], env)).toEqual(seen)
  })

  it('the environment says what nothing else does', () => {
    const env = { PGHOST: 'db.example', PGUSER: 'app' }
    expect(settingsOf({}, ['shop'], env)).toEqual({ hosts: [db], user: 'app', database: 'shop' })
  })

  it.each([
    [{}, ['one', 'two'], 'expected one connection string, got 2'],
    [{ dbname: 'one' }, ['two'], 'a connection string and --dbname: give one of them'],
    [{ timeout: 'soon' }, [], "--timeout: expected a time above 0 such as 3s, 500ms or 1min, got 'soon'"],
  ])('%j with %j is called wrongly', (values, positionals, message) => {
    expect(() => readWhereto(values, positionals, {})).toThrow(expect.objectContaining({ name: 'UsageError', message }))
  })
})

describe('a time', () => {
  it.each([
    ['3s', 3_000],
    ['500ms', 500],
    ['1min', 60_000],
    ['0.5s', 500],
    ['4', 4_000],
  ])("'%s' is %d ms", (text, ms) => {
    expect(parseDuration('--timeout', text)).toBe(ms)
  })

  it.each(['', '0', '0ms', '-1s', '1h', 's', '1e3', 'NaN'])("'%s' is none", (text) => {
    expect(() => parseDuration('--timeout', text)).toThrow('expected a time above 0')
  })
})

describe('a target with other parameters', () => {
  const modeOf = (target: Parameters<typeof withParameters>[0]) => {
    const { tls, maxProtocolVersion } = readSettings(
      withParameters(target, { sslmode: 'require', max_protocol_version: '3.2' }),
    )
    return [tls.mode, maxProtocolVersion]
  }

  it.each([
    'postgres://app@db.example/shop',
    'postgres://app@db.example/shop?sslmode=disable',
    'postgres://app@db.example/shop?connect_timeout=3&ssl%6dode=disable&application_name=a%26b',
    'host=db.example user=app',
    "host=db.example sslmode=disable application_name='it\\'s'",
    { host: 'db.example', user: 'app', sslmode: 'disable' } as const,
  ])('%j', (target) => {
    expect(modeOf(target)).toEqual(['require', '3.2'])
  })

  it('leaves the others as they are', () => {
    const uri = withParameters('postgres://app@db.example/shop?application_name=a%26b&sslmode=disable', {
      sslmode: 'allow',
    })
    expect(readSettings(uri).runtimeParameters).toContainEqual(['application_name', 'a&b'])
  })

  it('a name that cannot be decoded is not its business', () => {
    expect(withParameters('postgres://h/?%zz=1', { sslmode: 'allow' })).toBe('postgres://h/?%zz=1&sslmode=allow')
  })

  it('a value is quoted', () => {
    const pairs = withParameters('host=h', { application_name: "it's \\ here" })
    expect(readSettings(pairs).runtimeParameters).toContainEqual(['application_name', "it's \\ here"])
  })
})
