/** trace: what it shows, on which stream, and with which code it ends. Times stand still. */
import { describe, expect, it } from 'vitest'
import { parseCapture } from '../../src/cli/capture-file.ts'
import { trace } from '../../src/cli/trace.ts'
import { lawful, ScriptedServer } from '../support/scripted-server.ts'
import { settle, type VirtualClock } from '../support/virtual-clock.ts'
import { expectLeft, worldWith } from './network-io.ts'

const WHERETO = ['-h', 'db.example', '-d', 'app']

/** As text, and in hexadecimal digits. */
const HUNTER = /hunter42|68756e7465723432|68 75 6e 74 65 72 34 32/

describe('trace', () => {
  it('shows every state and message in order, then the states and the round trips', async () => {
    const { io, out, err } = worldWith(lawful())
    expect(await trace([...WHERETO, '--timeout', '3s'], io)).toBe(0)
    expect(err()).toBe('')
    const names = [...out().matchAll(/^ +[\d,.]+ +[\d,]+ {2,}(?:([→←]) +[\d,]+ +)?(\w+)/gm)].map(
      ([, arrow = '', name]) => arrow + name,
    )
    expect(names).toEqual([
      'Disconnected',
      'ResolvingHost',
      'Dialing',
      'Connected',
      'AwaitingTlsReply',
      '→SSLRequest',
      '←TLS',
      'Connected',
      'AwaitingAuthentication',
      '→StartupMessage',
      '←AuthenticationSASL',
      'AwaitingSaslChallenge',
      '→SASLInitialResponse',
      '←AuthenticationSASLContinue',
      'AwaitingSaslPassword',
      'DerivingSaslKey',
      'AwaitingSaslOutcome',
      '→SASLResponse',
      '←AuthenticationSASLFinal',
      'AwaitingVerdict',
      '←AuthenticationOk',
      'AwaitingReady',
      '←ParameterStatus',
      '←ParameterStatus',
      '←BackendKeyData',
      '←ReadyForQuery',
      'CheckingSession',
      'Ready',
    ])
    expect(out()).toContain('db.example:5432, a deadline of 3,000 ms')
    expect(out()).toMatch(/5 round trips/)
  })

  it('says once that there is no password, and where it could come from', async () => {
    const { io, out, err } = worldWith(lawful(), { env: { PGUSER: 'alice', HOME: '/nonexistent' } })
    expect(await trace([...WHERETO, '--timeout', '3s'], io)).toBe(3)
    expect(out()).toContain('none was given')
    expect(err()).toBe('Give one in PGPASSWORD, in ~/.pgpass (mode 600), or in the connection string.\n')
  })

  it.each(['text', 'hex', 'json'])('does not take what stands for secrets for what was said (%s)', async (format) => {
    const server = new ScriptedServer((self) => self.sendBytes(Buffer.from('hunter42')))
    const { io, out } = worldWith(server)
    expect(await trace([...WHERETO, '--format', format], io)).toBe(4)
    expect(out()).toContain('withheld, since nobody knows what is in it')
    expect(out()).not.toContain("begins with 'x'")
    const shown = worldWith(new ScriptedServer((self) => self.sendBytes(Buffer.from('hunter42'))))
    await trace([...WHERETO, '--format', format, '--show-secrets'], shown.io)
    expect(shown.out()).toContain("no message of a server begins with 'h'")
  })

  it('as JSON has no more digits than microseconds', async () => {
    const { io, out } = worldWith(lawful())
    let ms = 0
    Object.assign(io.runtime.clock, {
      now: () => {
        ms += 1 / 3000
        return ms
      },
    })
    expect(await trace([...WHERETO, '--format', 'ndjson'], io)).toBe(0)
    const times = [...out().matchAll(/"(?:atMs|leftMs|sliceMs)":([\d.]+)/g)].map(([, digits = '']) => digits)
    expect(times.length).toBeGreaterThan(50)
    expect(times.filter((digits) => (digits.split('.')[1] ?? '').length > 3)).toEqual([])
  })

  it('shows no secret unless it is told to', async () => {
    for (const format of ['text', 'json', 'ndjson', 'hex', 'libpq']) {
      const env = { PGUSER: 'alice', PGPASSWORD: 'hunter42' }
      const { io, out } = worldWith(lawful({ method: 'password' }), { env })
      const args = ['host=db.example dbname=app allow_cleartext_password=1 sslmode=disable', '--format', format]
      expect(await trace(args, io)).toBe(0)
      expect(out()).not.toMatch(HUNTER)
      const shown = worldWith(lawful({ method: 'password' }), { env })
      expect(await trace([...args, '--show-secrets'], shown.io)).toBe(0)
      expect(shown.out()).toMatch(HUNTER)
    }
  })

  it.each([
    [
      'refused',
      ['--format', 'libpq'],
      lawful({ password: 'other' }),
      1,
      /refused in AwaitingSaslOutcome: password authentication failed/,
    ],
    [
      'a violation',
      ['--format', 'json'],
      new ScriptedServer((server) => server.sendBytes(Buffer.from('X'))),
      4,
      /broke the protocol|no message/,
    ],
    ['a refusal of ours', ['--format', 'hex'], lawful({ method: 'password' }), 5, /in the clear/],
    [
      'a connection that ends',
      ['--format', 'ndjson'],
      new ScriptedServer((server) => server.end()),
      2,
      /closed the connection/,
    ],
  ])('%s: the sentence is on stderr, the code says whose fault it was', async (_, args, server, code, sentence) => {
    const { io, err } = worldWith(server)
    expect(await trace([...WHERETO, ...args], io)).toBe(code)
    expect(err()).toMatch(/^pg-deadline trace: /)
    expect(err()).toMatch(sentence)
  })

  it('for people the sentence stands below the picture', async () => {
    const { io, out, err } = worldWith(lawful({ password: 'other' }))
    expect(await trace(WHERETO, io)).toBe(1)
    expect(err()).toBe('')
    expect(out()).toMatch(/check user and password/)
  })

  it('the deadline ends it, with the state in which it waited', async () => {
    const { io, out } = worldWith(lawful({ silentAt: 'AuthenticationSASLContinue' }))
    const tracing = trace([...WHERETO, '-t', '500ms'], io)
    await settle()
    ;(io.runtime.clock as VirtualClock).advance(500)
    await settle()
    ;(io.runtime.clock as VirtualClock).advance(0)
    expect(await tracing).toBe(2)
    expect(out().replaceAll(/\s+/g, ' ')).toContain('the deadline of 500 ms passed in AwaitingSaslChallenge')
  })

  it.each(['after a second', 'at Ctrl-C'] as const)('a server that does not heed Terminate is left %s', (end) =>
    expectLeft(trace, WHERETO, end),
  )

  it('Ctrl-C ends it', async () => {
    const { io, out, interrupt } = worldWith(lawful({ silentAt: 'AuthenticationSASL' }))
    const tracing = trace(WHERETO, io)
    await settle()
    interrupt()
    expect(await tracing).toBe(130)
    expect(out()).toContain('AwaitingAuthentication')
  })

  it('keeps a capture, without secrets, that can be read again', async () => {
    const { io, files } = worldWith(lawful({ method: 'md5' }))
    expect(await trace([...WHERETO, '--save', 'here.capture'], io)).toBe(0)
    const { header, entries } = parseCapture(files.get('here.capture') ?? '')
    expect(header).toMatchObject({ server: 'db.example:5432', secrets: 'redacted', startedAtMs: io.wallClock() })
    expect(entries.at(-1)).toMatchObject({ kind: 'end', state: 'Ready', problem: null })
  })

  it('a capture is kept of what failed, too', async () => {
    const { io, files } = worldWith(lawful({ password: 'other' }))
    expect(await trace([...WHERETO, '--save', 'here.capture'], io)).toBe(1)
    expect(parseCapture(files.get('here.capture') ?? '').entries.at(-1)).toMatchObject({
      kind: 'end',
      state: 'AwaitingSaslOutcome',
    })
  })

  it.each([
    [['-h', 'db.example', '-p', 'x'], /^pg-deadline trace: .*port.*\n$/s],
    [['--format', 'xml'], /--format: expected text.*Try: pg-deadline trace --help/s],
    [['--nope'], /Unknown option '--nope'.*Try: pg-deadline trace --help/s],
    [['--save', ''], /--save: expected the name of a file/],
  ])('%j is called wrongly', async (args, sentence) => {
    const { io, out, err } = worldWith(lawful())
    expect(await trace(args, io)).toBe(3)
    expect(err()).toMatch(sentence)
    expect(out()).toBe('')
  })

  it('a file that cannot be written is told of', async () => {
    const writeFile = async () => {
      throw Object.assign(new Error('no'), { code: 'EACCES' })
    }
    const { io, err } = worldWith(lawful(), { writeFile })
    expect(await trace([...WHERETO, '--save', '/root/x'], io)).toBe(3)
    expect(err()).toContain('--save: /root/x cannot be written (EACCES)')
  })

  it('tells what it can do, examples first', async () => {
    const { io, out } = worldWith(lawful())
    expect(await trace(['--help'], io)).toBe(0)
    expect(out().indexOf('pg-deadline trace postgres://')).toBeLessThan(out().indexOf('Usage:'))
    expect(
      Math.max(
        ...out()
          .split('\n')
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(100)
  })
})
