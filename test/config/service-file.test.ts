import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Environment } from '../../src/config/environment.ts'
import { readSettings } from '../../src/config/read-settings.ts'
import { SYSTEM } from '../../src/config/surroundings.ts'
import type { ConnectTarget } from '../../src/config/target.ts'
import { LIMITS } from '../../src/protocol/limits.ts'
import { machine, refusal } from './machine.ts'

const OWN = '/home/osuser/.pg_service.conf'

function read(texts: Record<string, string>, target: string | ConnectTarget, environment: Environment | null = null) {
  return readSettings(target, machine('linux', [], [], texts), environment)
}

const refused = (...all: Parameters<typeof read>) => refusal(() => read(...all))

const FILE = `# services

[other]
nonsense
host=other
 [mine]   # what stands behind the bracket does not count
\thost=served\t
user=first
user=second
  # a comment
password=s=e c'r\\e#t
application_name=
[mine]
user=late
`

describe('a service', () => {
  test('has its parameters, as they are', () => {
    const settings = read({ [OWN]: FILE }, 'service=mine')
    expect(settings).toMatchObject({ hosts: [{ host: 'served' }], user: 'first', database: 'first' })
    expect(settings.password).toHaveProperty('reveal')
    expect((settings.password as { reveal(): string }).reveal()).toBe("s=e c'r\\e#t")
  })

  test('may end its lines as on Windows, and the file without a line break', () => {
    expect(read({ [OWN]: '[a]\r\nhost=one\r\nport=1' }, 'postgres://?service=a').hosts).toMatchObject([
      { host: 'one', port: 1 },
    ])
  })

  test('may be empty', () => {
    expect(read({ [OWN]: '[a]\n[b]\nhost=one' }, { service: 'a' })).toEqual(read({}, {}))
  })

  test('counts less than what is given, and more than the environment', () => {
    const environment = { PGUSER: 'env', PGDATABASE: 'env', PGHOST: 'env', PGAPPNAME: 'env', PGSERVICE: 'mine' }
    const settings = read({ [OWN]: FILE }, { user: 'me' }, environment)
    expect(settings).toMatchObject({ hosts: [{ host: 'served' }], user: 'me', database: 'env' })
    // An empty text stands in front of the environment's.
    expect(settings.runtimeParameters).toEqual([['client_encoding', 'UTF8']])
  })

  test('is not looked at where something else is given', () => {
    expect(read({ [OWN]: '[a]\nport=broken' }, { service: 'a', port: 1 }).hosts).toMatchObject([{ port: 1 }])
  })

  test('that is given counts more than PGSERVICE, and an empty one in a string means none', () => {
    const texts = { [OWN]: '[a]\nhost=a\n[b]\nhost=b' }
    expect(read(texts, 'service=a', { PGSERVICE: 'b' }).hosts).toMatchObject([{ host: 'a' }])
    expect(read(texts, {}, { PGSERVICE: 'b' }).hosts).toMatchObject([{ host: 'b' }])
    expect(read(texts, "service='' host=c", { PGSERVICE: 'b' }).hosts).toMatchObject([{ host: 'c' }])
  })

  test('is looked for in the file that PGSERVICEFILE names instead of the own one, then in PGSYSCONFDIR', () => {
    const texts = {
      [OWN]: '[a]\nhost=own',
      '/named': '[b]\nhost=named',
      '/etc/pg_service.conf': '[a]\nhost=shared\n[b]',
    }
    const named = { PGSERVICEFILE: '/named', PGSYSCONFDIR: '/etc' }
    expect(read(texts, { service: 'a' }, { PGSYSCONFDIR: '/etc' }).hosts).toMatchObject([{ host: 'own' }])
    expect(read(texts, { service: 'b' }, named).hosts).toMatchObject([{ host: 'named' }])
    expect(read(texts, { service: 'a' }, named).hosts).toMatchObject([{ host: 'shared' }])
    expect(
      read({ '/etc/pg_service.conf': '[a]\nhost=shared' }, { service: 'a' }, { PGSYSCONFDIR: '/etc' }).hosts,
    ).toMatchObject([{ host: 'shared' }])
    expect(read(texts, { service: 'a' }, { PGSERVICEFILE: '' }).hosts).toMatchObject([{ host: 'own' }])
  })

  test('is found on Windows in the folder of the application', () => {
    const texts = { '/home/osuser/postgresql/.pg_service.conf': '[a]\nhost=one' }
    expect(readSettings({ service: 'a' }, machine('win32', [], [], texts)).hosts).toMatchObject([{ host: 'one' }])
  })

  test.each([
    ['that is in no file', {}, null, 'is not defined in .pg_service.conf in the home directory'],
    ['that the file does not have', { [OWN]: '[mine\n[mi]\n#[a]\nmine]' }, null, 'is not defined in .pg_service.conf'],
    [
      'that is in none of two files',
      { [OWN]: '[b]' },
      { PGSYSCONFDIR: '/etc' },
      'is not defined in .pg_service.conf in the home directory, or pg_service.conf in PGSYSCONFDIR',
    ],
    ['in a file that is not there', {}, { PGSERVICEFILE: '/named' }, 'there is no file that PGSERVICEFILE names'],
    ['with another service in it', { [OWN]: '\n[a]\nservice=b' }, null, 'names another service in line 3 of'],
    [
      'with an unknown parameter',
      { [OWN]: '[a]\nhots=one' },
      null,
      'line 2 of the .pg_service.conf in the home directory is not',
    ],
    ['with a blank in front of =', { [OWN]: '[a]\nhost =one' }, null, 'without blanks between'],
    ['with a line without =', { [OWN]: '[a]\nhost' }, null, 'line 2 of'],
    ['with a line without a name', { [OWN]: '[a]\n=one' }, null, 'line 2 of'],
    ['in LDAP', { [OWN]: '[a]\nldap://host/dn?host=' }, null, 'LDAP, says line 2 of'],
  ])('%s is refused', (_, texts, environment, problem) => {
    const failure = refused(texts as Record<string, string>, { service: 'a' }, environment)
    expect(failure).toMatchObject({ parameter: 'service', problem: expect.stringContaining(problem) })
  })

  test('is refused without a home directory', () => {
    const nowhere = { ...machine(), homeDirectory: () => null }
    expect(refusal(() => readSettings({ service: 'a' }, nowhere)).problem).toContain('there is no home directory')
  })

  test('names the line of what cannot be used, and does not quote it', () => {
    const failure = refused({ [OWN]: '[a]\nport=Tr0ub4dor' }, { service: 'a' })
    expect(failure).toEqual({
      kind: 'config',
      parameter: 'port',
      problem:
        'must be one decimal integer of at most 32 bits (so says line 2 of the .pg_service.conf in the home directory)',
    })
  })

  test('is refused in what is no file of text, and the cause is kept', () => {
    const cause = new Error('it is not a regular file')
    const surroundings = {
      ...machine(),
      readText: () => {
        throw cause
      },
    }
    const act = () => readSettings({ service: 'a' }, surroundings)
    expect(refusal(act)).toMatchObject({ parameter: 'service', problem: expect.stringContaining('cannot be read') })
    expect(act).toThrow(expect.objectContaining({ cause }))
  })
})

describe('a text of this machine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'service-file-'))
  const path = join(folder, 'file')
  afterAll(() => rmSync(folder, { recursive: true }))

  test('is a regular file of UTF-8 that is not too long, or null', () => {
    expect(SYSTEM.readText(path)).toBeNull()
    writeFileSync(path, '\ufeffé🐘')
    expect(SYSTEM.readText(path)).toBe('\ufeffé🐘')
    writeFileSync(path, Buffer.of(0xff))
    expect(() => SYSTEM.readText(path)).toThrow(TypeError)
    writeFileSync(path, Buffer.alloc(LIMITS.configurationFileBytesMax, 'a'))
    expect(SYSTEM.readText(path)).toHaveLength(LIMITS.configurationFileBytesMax)
    writeFileSync(path, Buffer.alloc(LIMITS.configurationFileBytesMax + 1, 'a'))
    expect(() => SYSTEM.readText(path)).toThrow('it has more than')
    expect(() => SYSTEM.readText(folder)).toThrow('it is not a regular file')
  })
})
