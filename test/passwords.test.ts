/** The password of each host: the one that was given, or each its own from a password file, if that can be used. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readSettings } from '../src/config/read-settings.ts'
import type { ConnectTarget } from '../src/config/target.ts'
import type { Observation } from '../src/observation.ts'
import { readPasswords } from '../src/passwords.ts'
import { LIMITS } from '../src/protocol/limits.ts'
import { failureOf } from './hostile/failure.ts'
import { refusing, worldOfHosts } from './support/hosts.ts'
import { lawful } from './support/scripted-server.ts'

let folder: string
let passfile: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pg-deadline-passfile-'))
  passfile = join(folder, 'pgpass')
})

afterEach(() => rmSync(folder, { recursive: true }))

function write(content: string | Buffer, mode = 0o600): void {
  writeFileSync(passfile, content)
  chmodSync(passfile, mode)
}

const live = new AbortController().signal
const TARGET: ConnectTarget = { host: 'one,two', user: 'alice', dbname: 'app', sslmode: 'disable' }

async function passwordsFor(target: ConnectTarget, signal = live) {
  const settings = readSettings({ ...TARGET, passfile, ...target })
  const passwords = await readPasswords(settings, signal)
  const found = await Promise.all(
    settings.hosts.map(async (host) => {
      const request = passwords.of(host)
      return request.exists ? (await request.fetch(signal)).reveal() : null
    }),
  )
  passwords.end()
  return {
    found,
    whyNone: settings.hosts.map((host) => passwords.of(host).whyNone).find((why) => why !== null) ?? null,
  }
}

describe('a password file', () => {
  it('has a password of its own for each host, or none', async () => {
    write('one:*:*:*:first\nthree:5432:app:alice:third\n')
    const { found, whyNone } = await passwordsFor({ host: 'one,two,three' })
    expect(found).toEqual(['first', null, 'third'])
    expect(whyNone).toBe('the password file has none for this host, port, database and user')
  })

  it('is not read if there is a password, which is that of all', async () => {
    write(Buffer.of(0xff))
    expect(await passwordsFor({ password: 'given' })).toEqual({ found: ['given', 'given'], whyNone: null })
    expect(await passwordsFor({ password: () => 'asked' })).toEqual({ found: ['asked', 'asked'], whyNone: null })
  })

  it.each([
    [{ requireAuth: 'none' }, false],
    [{ requireAuth: 'gss,sspi' }, false],
    [{ requireAuth: 'none,md5' }, true],
    [{ requireAuth: 'password' }, true],
    [{ requireAuth: 'scram-sha-256' }, true],
    [{ requireAuth: '!none' }, true],
    [{}, true],
  ])('is read only if a method is left that takes one: %j', async (target, isRead) => {
    write('*:*:*:*:secret')
    const { found } = await passwordsFor(target)
    expect(found).toEqual(isRead ? ['secret', 'secret'] : [null, null])
  })

  it('is not read for SCRAM if its keys were given, and for MD5 all the same', async () => {
    write('*:*:*:*:secret')
    const key = Buffer.alloc(32).toString('base64')
    const keys = { scramClientKey: key, scramServerKey: key }
    expect((await passwordsFor({ ...keys, requireAuth: 'scram-sha-256' })).found).toEqual([null, null])
    expect((await passwordsFor({ ...keys, requireAuth: 'md5' })).found).toEqual(['secret', 'secret'])
  })

  it.runIf(process.platform !== 'win32').each([0o640, 0o604, 0o620, 0o601, 0o610])(
    'is not used with mode %o: others may read or write it',
    async (mode) => {
      write('*:*:*:*:secret', mode)
      const { found, whyNone } = await passwordsFor({})
      expect(found).toEqual([null, null])
      expect(whyNone).toContain(`can be read or written by others (mode ${mode.toString(8)}); make it 600`)
    },
  )

  it.each([
    ['that is not UTF-8', Buffer.from('*:*:*:*:\xff', 'latin1'), 'is not UTF-8'],
    ['with a NUL in it', '*:*:*:*:secret\0', 'holds a NUL character'],
    ['that is too long', Buffer.alloc(LIMITS.configurationFileBytesMax + 1, '#'), 'has more than 1048576 bytes'],
  ])('%s is not used', async (_, content, problem) => {
    write(content)
    const { found, whyNone } = await passwordsFor({})
    expect(found).toEqual([null, null])
    expect(whyNone).toContain(`the password file was not used: it ${problem}`)
  })

  it('may be as long as is allowed', async () => {
    const line = '\n*:*:*:*:secret'
    write(`${'#'.repeat(LIMITS.configurationFileBytesMax - line.length)}${line}`)
    expect((await passwordsFor({})).found).toEqual(['secret', 'secret'])
  })

  it('need not be there', async () => {
    expect(await passwordsFor({})).toEqual({ found: [null, null], whyNone: 'there is no password file' })
  })

  it('is no directory, and nothing that would be waited for', async () => {
    const whyNone = 'the password file was not used: it is not a regular file'
    expect(await passwordsFor({ passfile: folder })).toEqual({ found: [null, null], whyNone })
    if (process.platform === 'win32') return
    execFileSync('mkfifo', ['-m', '600', passfile])
    expect(await passwordsFor({})).toEqual({ found: [null, null], whyNone })
  })

  it('below what is no directory cannot be read, and is not used', async () => {
    write('')
    const { whyNone } = await passwordsFor({ passfile: `${passfile}/file` })
    expect(whyNone).toBe('the password file was not used: it cannot be read (ENOTDIR)')
  })

  it('is not waited for once the signal is aborted', async () => {
    write('*:*:*:*:secret')
    const controller = new AbortController()
    const reading = passwordsFor({}, controller.signal)
    controller.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    await expect(passwordsFor({}, controller.signal)).rejects.toThrow('enough')
  })
})

describe('a connect', () => {
  it('proves itself to each host with its own password', async () => {
    write('one:5432:app:alice:first\ntwo:5432:app:alice:second\n')
    const one = refusing('57P03')
    const world = worldOfHosts({ one: [one], two: [lawful({ password: 'second' })] })
    const session = await world.connect({}, { ...TARGET, passfile })
    expect(session.authenticationMethod).toBe('scram-sha-256')
    await session.close()
  })

  it('finds what the environment names, which it is handed', async () => {
    write('two:5432:app:alice:secret')
    const environment = {
      PGHOST: 'two',
      PGUSER: 'alice',
      PGDATABASE: 'app',
      PGSSLMODE: 'disable',
      PGPASSFILE: passfile,
    }
    const world = worldOfHosts({ two: [lawful()] })
    const session = await world.connect({ environment }, {})
    expect(world.visited.map(({ place }) => place)).toEqual(['two'])
    await session.close()
  })

  it('that misses a password says why there is none in the file, to whoever looks on too', async () => {
    write('*:*:*:*:secret', 0o644)
    const seen: Observation[] = []
    const world = worldOfHosts({ one: [lawful({ method: 'md5' })] }, { observe: (one) => seen.push(one) })
    const error = await failureOf(world.connect({}, { ...TARGET, host: 'one', passfile }))
    expect(error.failure).toMatchObject({ kind: 'config', parameter: 'password' })
    expect(error.message).toMatch(
      /asked for a password .* none was given; the password file was not used: it can be read/,
    )
    expect(error.attempts[0]?.failure).toEqual(error.failure)
    expect(seen).toContainEqual(expect.objectContaining({ type: 'attemptEnded', failure: error.failure }))
  })

  it('that was told of no file says no more than that there is no password', async () => {
    const world = worldOfHosts({ one: [lawful({ method: 'md5' })] })
    const error = await failureOf(world.connect({}, { ...TARGET, host: 'one' }))
    expect(error.message).not.toContain('file')
  })

  it('that fails for something else says nothing of the file', async () => {
    const world = worldOfHosts({ one: [refusing('28000')] })
    const error = await failureOf(world.connect({}, { ...TARGET, host: 'one', passfile }))
    expect(error.message).not.toContain('file')
  })

  it.each([null, 'PGHOST=one', 5])('is not begun with an environment that is none: %j', async (environment) => {
    const error = await failureOf(worldOfHosts({}).connect({ environment } as never, TARGET))
    expect(error.failure).toEqual({
      kind: 'config',
      parameter: 'environment',
      problem: `expected an object such as process.env, got ${environment === 'PGHOST=one' ? 'string' : environment}`,
    })
  })
})
