import { describe, expect, test } from 'vitest'
import { findPassword } from '../../src/config/passfile.ts'
import { readSettings } from '../../src/config/read-settings.ts'
import type { ConnectTarget } from '../../src/config/target.ts'
import { machine } from './machine.ts'

const KEY = { host: 'one', port: '5432', database: 'app', user: 'me' }

// #LIBPQ-PGPASS; test/libpq asks libpq for many more.
describe('in a password file', () => {
  test.each([
    ['a line that fits', 'one:5432:app:me:secret', 'secret'],
    ['the first of them counts', 'one:5432:app:me:first\none:5432:app:me:second', 'first'],
    ['wildcards fit everything', '*:*:*:*:secret', 'secret'],
    ['another host does not fit', 'two:5432:app:me:secret', null],
    ['the beginning of a host does not fit', 'on:5432:app:me:secret', null],
    ['a host that goes on does not fit', 'one.example:5432:app:me:secret', null],
    ['another port does not fit', '*:5433:*:*:secret', null],
    ['another database does not fit', '*:*:postgres:*:secret', null],
    ['another user does not fit', '*:*:*:you:secret', null],
    ['a backslash takes a character as it is', '\\one:5432:app:m\\e:s\\:e\\\\cret', 's:e\\cret'],
    ['the password ends at a colon', '*:*:*:*:se:cret', 'se'],
    ['a backslash at the end is one', '*:*:*:*:secret\\', 'secret\\'],
    ['blanks count', '*:*:*:*: secret ', ' secret '],
    ['a carriage return does not', '*:*:*:*:secret\r\r\n', 'secret'],
    ['a comment is none', '#:*:*:*:x\n# *:*:*:*:x\n*:*:*:*:secret', 'secret'],
    ['a # is only a comment where it comes first', '*:*:*:*:#secret', '#secret'],
    ['an empty password is none, and no line behind it counts', '*:*:*:*:\n*:*:*:*:secret', null],
    ['a line that is too short is passed over', '*:*:*:*\none\n\n*:*:*:*:secret', 'secret'],
    ['a * with something behind is one', '*o:*:*:*:x\n\\*:*:*:*:x\n**:*:*:*:x', null],
  ])('%s', (_, text, expected) => {
    expect(findPassword(text, KEY)).toBe(expected)
  })

  test('what has to be escaped is found escaped', () => {
    const key = { ...KEY, host: '::1', user: 'a\\b', database: '*' }
    expect(findPassword('\\:\\:1:5432:\\*:a\\\\b:secret', key)).toBe('secret')
    expect(findPassword('\\*:5432:app:me:secret', { ...KEY, host: '*' })).toBe('secret')
  })
})

describe('the password file', () => {
  const read = (target: ConnectTarget, environment: Record<string, string> | null = null, platform = 'linux') =>
    readSettings(target, machine(platform, ['/var/run/postgresql']), environment).passfile

  test('is none unless it is named or the environment is handed over', () => {
    expect(read({})).toBeNull()
    expect(read({ passfile: '/file' })?.path).toBe('/file')
    expect(read({}, {})?.path).toBe('/home/osuser/.pgpass')
    expect(read({}, {}, 'win32')?.path).toBe('/home/osuser/postgresql/pgpass.conf')
    expect(read({}, { PGPASSFILE: '/variable' })?.path).toBe('/variable')
    expect(read({ passfile: '/file' }, { PGPASSFILE: '/variable' })?.path).toBe('/file')
  })

  test('is none without a home directory', () => {
    expect(readSettings({}, { ...machine(), homeDirectory: () => null }, {}).passfile).toBeNull()
  })

  test('is none if there is a password', () => {
    expect(read({ password: 'secret', passfile: '/file' })).toBeNull()
    expect(read({ password: () => 'secret' }, {})).toBeNull()
    expect(read({ passfile: '/file' }, { PGPASSWORD: 'secret' })).toBeNull()
    expect(read({ password: '' }, {})).not.toBeNull()
  })

  test('has every host under its name, or its address if it has none', () => {
    const target = { host: ['one', '', '', '/tmp', '/var/run/postgresql'], hostaddr: ['::1', '::1', '', '', ''] }
    expect(read({ ...target, port: [1, 2, 3, 4, 5], user: 'me', dbname: 'app', passfile: '/file' })?.entries).toEqual([
      { host: 'one', port: '1', database: 'app', user: 'me' },
      { host: '::1', port: '2', database: 'app', user: 'me' },
      // The default directory of sockets is localhost.
      { host: 'localhost', port: '3', database: 'app', user: 'me' },
      { host: '/tmp', port: '4', database: 'app', user: 'me' },
      { host: 'localhost', port: '5', database: 'app', user: 'me' },
    ])
    expect(readSettings({ passfile: '/file' }, machine()).passfile?.entries).toEqual([
      { host: 'localhost', port: '5432', database: 'osuser', user: 'osuser' },
    ])
  })
})
