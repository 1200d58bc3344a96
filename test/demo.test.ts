/**
 * The demo, as a visitor without a terminal runs it: it tells its story, in plain text, and leaves nothing behind,
 * also when it is interrupted.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TABLE } from '../src/state/handshake/table.ts'

const WITHIN_MS = 30_000

/** What a connect to an address, without TLS, to any kind of server, does not come to. */
const ELSEWHERE = [
  ...[
    'ResolvingHost',
    'AwaitingTlsReply',
    'SecuringTransport',
    'AwaitingSaslOffer',
    'AwaitingPassword',
    'AwaitingSessionCheck',
  ],
  ...['AwaitingCancelClose', 'Cancelled', 'Failed'],
]

describe('the demo', () => {
  /** Where it keeps its server. Short and open, or the server's fixture would choose another place. */
  let directory: string
  let demo: Run

  beforeEach(() => {
    directory = mkdtempSync(join(process.platform === 'win32' ? tmpdir() : '/tmp', 'pg-demo-'))
    chmodSync(directory, 0o711)
  })
  afterEach(() => {
    demo.child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })

  it('shows a connect, a deadline, an abort and a second host, in plain text', { timeout: WITHIN_MS }, async () => {
    demo = run(directory)
    await demo.hasSaid('2  The same server')
    const pid = postmasterOf(directory)

    expect(await demo.ended, demo.errors()).toBe(0)
    const text = demo.text()
    for (const state of Object.keys(TABLE).filter((name) => !ELSEWHERE.includes(name)))
      expect(text).toContain(` ${state}`)
    for (const line of [
      /^ {2}ready in [\d.]+ ms .* of 3,000 ms left$/m,
      /← ParameterStatus × \d+ +\d+/,
      /^ {2}PostgreSQL \d.*protocol 3.0, scram-sha-256, backend \d+$/m,
      /^ {2}authentication_timeout {2}60 +s$/m,
      /^✗ AwaitingSaslChallenge +[\d,]+ /m,
      /← nothing$/m,
      /TimeoutError: the deadline of 1200 ms passed in AwaitingSaslChallenge/,
      /AbortError: the caller aborted in AwaitingSaslChallenge/,
      /^ {2}attempt 1, given \d+ ms of the deadline\n.*\n✗ Dialing +\d+ +← nothing .*\n {2}attempt 2, given \d+ ms of/m,
      /^ {2}127\.0\.0\.1:\d+ {2}Dialing: deadline, of the \d+ ms that it was given$/m,
      /error\.cause +Error: the user navigated away \(the very object given\)/,
    ]) {
      expect(text).toMatch(line)
    }
    expect(text.match(/(sockets|backends) +\d+ while it waited, 0 now/g)).toHaveLength(4)
    expect(text).not.toContain('\x1b')
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    expectNothingLeft(directory, pid)
  })

  it.skipIf(process.platform === 'win32')(
    'ends with 130 after a Ctrl-C in the midst of a connect',
    { timeout: WITHIN_MS },
    async () => {
      demo = run(directory)
      await demo.hasSaid('│ await connect(')
      const pid = postmasterOf(directory)
      demo.child.kill('SIGINT')

      expect(await demo.ended, demo.errors()).toBe(130)
      expect(demo.text()).toContain('Interrupted.')
      expect(demo.text()).not.toContain('TimeoutError')
      expectNothingLeft(directory, pid)
    },
  )
})

interface Run {
  readonly child: ChildProcess
  /** Its exit code. */
  readonly ended: Promise<number | null>
  text(): string
  errors(): string
  hasSaid(text: string): Promise<void>
}

function run(directory: string): Run {
  const { FORCE_COLOR: _, PG_DEADLINE_SERVER_URL: __, ...environment } = process.env
  const child = spawn(process.execPath, ['--import', 'tsx', 'demo/demo.ts'], {
    cwd: join(import.meta.dirname, '..'),
    env: { ...environment, TMPDIR: directory, TEMP: directory, PG_DEADLINE_PROVIDER: 'embedded' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk
  })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return {
    child,
    ended,
    text: () => text,
    errors: () => errors,
    async hasSaid(expected) {
      while (!text.includes(expected)) {
        const next = await Promise.race([once(child.stdout, 'data'), ended.then(() => 'ended')])
        if (next === 'ended') throw new Error(`it ended before it said ${JSON.stringify(expected)}:\n${text}${errors}`)
      }
    },
  }
}

function postmasterOf(directory: string): number {
  const [home = ''] = homesIn(directory)
  const [pid] = readdirSync(join(directory, home)).flatMap((room) => {
    try {
      return readFileSync(join(directory, home, room, 'data', 'postmaster.pid'), 'utf8').split('\n')
    } catch {
      return []
    }
  })
  return Number(pid)
}

function expectNothingLeft(directory: string, pid: number): void {
  expect(homesIn(directory)).toEqual([])
  expect(pid).toBeGreaterThan(0)
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
}

function homesIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith('pg-deadline-'))
}
