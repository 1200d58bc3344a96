import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Capture } from '../../src/cli/capture.ts'
import { writeCapture } from '../../src/cli/capture-file.ts'
import { replay } from '../../src/cli/replay.ts'
import { captureOf, NAMES, secretsIn } from './captures.ts'
import { fakeIo, type Given } from './fake-io.ts'

const FORMATS = ['text', 'json', 'ndjson', 'hex', 'libpq']

async function show(capture: Capture, args: readonly string[], given: Given = {}): Promise<string> {
  const io = fakeIo({ ...given, files: { capture: writeCapture(capture) } })
  const code = await replay([...args, 'capture'], io)
  expect({ code, err: io.err() }).toEqual({ code: 0, err: '' })
  return io.out()
}

const EVERY = NAMES.flatMap((name) => FORMATS.map((format) => [name, format] as const))

describe('every format', () => {
  it.each(EVERY)('hides the secrets of %s (%s)', async (name, format) => {
    const capture = captureOf(name)
    const out = await show(capture, ['--format', format])
    for (const secret of secretsIn(capture)) {
      expect(out).not.toContain(secret)
      expect(out.replaceAll(/\s/g, '')).not.toContain(Buffer.from(secret).toString('hex'))
    }
  })

  it.each(FORMATS)('shows them if it is asked to (%s)', async (format) => {
    const capture = captureOf('scram')
    const proof = secretsIn(capture).at(-2) ?? ''
    const given = { isTerminal: true, columns: 200 }
    const out = stripVTControlCharacters(await show(capture, ['--show-secrets', '--format', format], given))
    // As text, or as digits, of which a line of bytes has the first six behind 'v='.
    const digits = Buffer.from(proof).toString('hex', 0, 6)
    expect(out.includes(proof) || out.replaceAll(' ', '').includes(digits)).toBe(true)
  })

  it.each(NAMES.flatMap((name) => ['text', 'hex'].map((format) => [name, format] as const)))(
    'fits on a terminal of 80 columns: %s (%s)',
    async (name, format) => {
      const out = await show(captureOf(name), ['--format', format], { isTerminal: true, columns: 80 })
      const lines = stripVTControlCharacters(out).split('\n')
      expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80)
    },
  )

  it('has colours on a terminal only, and none with NO_COLOR', async () => {
    const capture = captureOf('scram')
    expect(await show(capture, [], { isTerminal: true, columns: 80 })).toContain('\x1b[')
    expect(await show(capture, [], { isTerminal: true, columns: 80, env: { NO_COLOR: '1' } })).not.toContain('\x1b[')
    expect(await show(capture, [])).not.toContain('\x1b[')
  })

  it.each(['text', 'json', 'ndjson', 'hex'])('lets nobody write to the terminal (%s)', async (format) => {
    const { header } = captureOf('trust')
    const evil = 'a\x1b[31m\x9b31m\u202eb'
    const body = Buffer.concat([Buffer.from(evil), Buffer.from('\0x\0')])
    const head = Buffer.alloc(5)
    head.write('S')
    head.writeInt32BE(body.length + 4, 1)
    const entry = {
      kind: 'message',
      atMs: 0,
      direction: 'received',
      bytes: Buffer.concat([head, body]),
      redacted: [],
    } as const
    const out = await show({ header, entries: [entry] }, ['--format', format])
    const bad = [...out].filter(
      (one) => one !== '\n' && (one < ' ' || (one >= '\x7f' && one <= '\x9f') || one === '\u202e'),
    )
    expect(bad).toEqual([])
  })
})

describe('as text', () => {
  it('a session is one line per state and message, a waterfall, and its round trips', async () => {
    const out = await show(captureOf('tls-scram-plus'), [], { isTerminal: true, columns: 80, env: { NO_COLOR: '1' } })
    const lines = out.split('\n')
    expect(lines.slice(0, 15)).toEqual([
      '127.0.0.1:5432, a deadline of 3,000 ms',
      '',
      '     ms    left  state, → message sent with its bytes, ← received',
      '    1.0   2,999  Disconnected',
      '    2.0   2,998  ResolvingHost',
      '    3.0   2,997  Dialing',
      '    4.0   2,996  Connected',
      '    5.0   2,995  AwaitingTlsReply',
      '    6.0   2,994    →   8  SSLRequest',
      "    7.0   2,993    ←   1  TLS reply  'S' yes: TLS begins now",
      '    8.0   2,992  SecuringTransport',
      '    9.0   2,991    TLSv1.3, TLS_AES_256_GCM_SHA384, ALPN postgresql',
      '   10.0   2,990  Connected',
      '   11.0   2,989  AwaitingAuthentication',
      '   12.0   2,988    →  59  StartupMessage  3.0 user=carol database=postgres clie…',
    ])
    expect(lines).toContain('   16.0   2,984    ←  93  AuthenticationSASLContinue  r=•••,s=•••,i=4096')
    expect(out).toMatch(/^ {2}AwaitingTlsReply {10}3\.0 {2} +[╸╺━]+$/m)
    expect(out).toContain('\n✓ Ready\n')
    expect(out).toContain(
      '  6 round trips, waiting for: TCP, TLS reply, TLS 1.3, AuthenticationSASL,\n    AuthenticationSASLContinue, AuthenticationSASLFinal\n',
    )
  })

  it('a failure says where it was and why', async () => {
    const out = await show(captureOf('wrong-password'), [])
    expect(out).toMatch(/← 102 {2}ErrorResponse {2}FATAL 28P01 password authentication failed for user "carol"/)
    expect(out).toMatch(/^✗ AwaitingSaslOutcome/m)
    expect(out).toMatch(/^ {2}over after 1[5-9]\.0 ms/m)
    expect(out).toContain('  the server refused in AwaitingSaslOutcome: wrong\n')
  })

  it('an attempt that failed is told before the next one', async () => {
    const { header } = captureOf('trust')
    const attempt = { kind: 'attempt', endpoint: 'one:5432', encryption: 'off', sliceMs: 500 } as const
    const out = await show(
      {
        header: { ...header, server: 'one:5432,two:5432' },
        entries: [
          { ...attempt, atMs: 0, attempt: 1 },
          { kind: 'state', atMs: 0, state: 'Dialing' },
          { kind: 'failed', atMs: 1, state: 'Dialing', problem: 'the connection failed in Dialing' },
          { ...attempt, atMs: 1, attempt: 2, endpoint: 'two:5432', sliceMs: null },
          { kind: 'state', atMs: 1, state: 'Dialing' },
          { kind: 'state', atMs: 2, state: 'Connected' },
          { kind: 'end', atMs: 3, state: 'Connected', problem: null },
        ],
      },
      [],
    )
    expect(out).toContain('\n  attempt 1: one:5432, TLS off, given 500 ms\n')
    expect(out).toContain('\n  ✗ the connection failed in Dialing\n\n  attempt 2: two:5432, TLS off\n')
    expect(out).toMatch(/^ {2}attempt 1\n✗ Dialing.*\n {2}attempt 2\n {2}Dialing/m)
    expect(out).toContain('1 round trip, waiting for: TCP')
  })

  it('is not cut where there is no terminal', async () => {
    expect(await show(captureOf('trust'), [])).toContain('3.0 user=alice database=postgres client_encoding=UTF8\n')
  })
})

describe('for programs', () => {
  it('json has every field, bytes as digits, and says what is redacted', async () => {
    const document = JSON.parse(await show(captureOf('scram'), ['--json']))
    expect(document).toMatchObject({ server: '127.0.0.1:5432', timeoutMs: 3000, secrets: 'redacted' })
    expect(document.roundTrips).toEqual([
      'TCP',
      'AuthenticationSASL',
      'AuthenticationSASLContinue',
      'AuthenticationSASLFinal',
    ])
    const messages = document.entries.filter(({ kind }: { kind: string }) => kind === 'message')
    expect(messages[0]).toMatchObject({
      state: 'AwaitingAuthentication',
      direction: 'sent',
      name: 'StartupMessage',
      lengthBytes: 59,
      fields: { protocolVersion: 196_608, parameters: [{ name: 'user', value: 'carol' }, {}, {}] },
    })
    expect(messages[3]).toMatchObject({ name: 'AuthenticationSASLContinue', redacted: ['data.nonce', 'data.salt'] })
  })

  it('ndjson has a line for each entry, and one that sums up', async () => {
    const capture = captureOf('trust')
    const lines = (await show(capture, ['--format', 'ndjson'])).trimEnd().split('\n')
    expect(lines).toHaveLength(capture.entries.length + 1)
    expect(lines.map((line) => JSON.parse(line).kind)).toEqual([...capture.entries.map(({ kind }) => kind), 'summary'])
  })
})

describe('as libpq writes it', () => {
  it('begins with the local time, to the microsecond', async () => {
    const capture = captureOf('trust')
    const header = { ...capture.header, startedAtMs: 1_700_000_000_000.25 }
    const [first] = (await show({ ...capture, header }, ['--format', 'libpq'])).split('\n')
    expect(first).toMatch(/^2023-11-1[45] \d\d:\d\d:20\.006250\tF\t59\tStartupMessage\t 3 0 "user" "alice"/)
  })
})
