/** NODE_DEBUG=pg-deadline: what a person reads who asks where a connect hangs. */
import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { printTo } from '../src/debug.ts'
import { failureOf } from './hostile/failure.ts'
import { TLS } from './state/handshake/examples.ts'
import { lawful, ScriptedServer } from './support/scripted-server.ts'
import { settle } from './support/virtual-clock.ts'
import { worldOf } from './support/world.ts'

function printed(server: ScriptedServer) {
  const lines: string[] = []
  return { lines, ...worldOf(server, { observe: printTo((line) => lines.push(line), 7) }) }
}

describe('the lines', () => {
  it('tell every state and message, with the time and what is left, and no secret', async () => {
    const { lines, connect } = printed(lawful({ tlsReply: 'S' }).onTls(async () => TLS))
    await connect({ timeoutMs: 3_000 }, 'postgres://alice:secret@db.example/app?sslmode=require')
    expect(lines.map((line) => line.replace('#7 0 ms, 3000 ms left: ', ''))).toEqual([
      'attempt 0 to db.example:5432, TLS required, given 3000 ms',
      'Disconnected',
      'ResolvingHost: waiting for the addresses of the host (name lookup)',
      'found 192.0.2.1',
      'Dialing: waiting for the connection to be opened (TCP, or the Unix-domain socket)',
      'connected to 192.0.2.1 port 5432',
      'Connected',
      'AwaitingTlsReply: waiting for the server to say whether it speaks TLS',
      '-> SSLRequest, 8 bytes',
      "<- 'S', 1 byte",
      'SecuringTransport: waiting for the TLS handshake',
      `${TLS.version}, ${TLS.cipher}`,
      'Connected',
      'AwaitingAuthentication: waiting for the server to say how it wants us to authenticate',
      '-> StartupMessage, 54 bytes; protocolVersion "3.0"; user "alice"; database "app"; parameters ["user","database","client_encoding"]',
      '<- AuthenticationSASL, 24 bytes; mechanisms ["SCRAM-SHA-256"]',
      "AwaitingSaslChallenge: waiting for the server's SCRAM challenge: nonce, salt and iterations",
      '-> SASLInitialResponse, 55 bytes; mechanism "SCRAM-SHA-256"',
      '<- AuthenticationSASLContinue, 70 bytes; iterations 16',
      'AwaitingSaslPassword: waiting for the password, from the function that was given for it',
      'DerivingSaslKey: waiting for our own computation of the salted password (PBKDF2)',
      "AwaitingSaslOutcome: waiting for the server's SCRAM signature, which proves that it knows the password",
      '-> SASLResponse, 88 bytes',
      '<- AuthenticationSASLFinal, 55 bytes',
      'AwaitingVerdict: waiting for the server to accept or refuse our authentication',
      '<- AuthenticationOk, 9 bytes',
      'AwaitingReady: waiting for the server to start a backend and to report its parameters',
      '<- ParameterStatus, 25 bytes; name "server_version"; value "18.4"',
      '<- ParameterStatus, 29 bytes; name "TimeZone"; value "Europe/Zürich"',
      '<- BackendKeyData, 13 bytes; processId 4711',
      '<- ReadyForQuery, 6 bytes; status "I"',
      'CheckingSession',
      'Ready',
      'done',
    ])
  })

  it('tell how it ended, on one line', async () => {
    const server = new ScriptedServer((self) => {
      const fields = [
        { code: 'S', value: 'FATAL' },
        { code: 'C', value: '53300' },
        { code: 'M', value: 'sorry,\n#8 0 ms: a line that is none' },
      ]
      self.send({ type: 'ErrorResponse', fields })
    })
    const { lines, connect } = printed(server)
    await failureOf(connect())
    expect(lines.at(-1)).toMatch(
      /: failed: HandshakeError: the server refused in AwaitingAuthentication: sorry, #8 0 ms/,
    )
    expect(lines.join()).not.toContain('\n')
  })

  it('tell what is left when time passes', async () => {
    const { lines, connect, clock } = printed(lawful({ silentAt: 'ReadyForQuery' }))
    const failed = failureOf(connect({ timeoutMs: 1_000.25 }))
    await settle()
    clock.advance(1_001)
    await failed
    expect(lines[0]).toMatch(/^#7 0 ms, 1000.3 ms left: /)
    expect(lines.at(-1)).toMatch(/^#7 1001 ms, 0 ms left: failed: TimeoutError: /)
  })

  it('say that there is no limit where there is none', async () => {
    const { lines, connect } = printed(lawful())
    await connect({ timeoutMs: Number.POSITIVE_INFINITY })
    expect(lines[0]).toBe('#7 0 ms, any ms left: attempt 0 to db.example:5432, TLS off, given any ms')
  })

  it('tell of a cancel request, and of a Unix-domain socket', async () => {
    const path = '/run/postgresql/.s.PGSQL.5432'
    const lines: string[] = []
    const { answer } = lawful({ method: 'trust' })
    const server = new ScriptedServer((self, message) => {
      if (message.type === 'CancelRequest') self.end()
      else answer(self, message)
    })
    const world = worldOf(server, {
      observe: printTo((line) => lines.push(line), 7),
      dial: async (destination, slice) => ({ ...(await server.dial(destination, slice)), remote: { path } }),
    })
    const session = await world.connect({}, { host: '/run/postgresql', user: 'alice', dbname: 'app' })
    server.received.length = 0
    lines.length = 0
    await session.cancel()
    expect(lines.map((line) => line.replace('#7 0 ms, 5000 ms left: ', ''))).toEqual([
      `cancel request to ${path}, TLS off, given 5000 ms`,
      'Disconnected',
      'Dialing: waiting for the connection to be opened (TCP, or the Unix-domain socket)',
      `connected to ${path}`,
      'Connected',
      'AwaitingCancelClose: waiting for the server to close the connection, once it has read the cancel request',
      '-> CancelRequest, 16 bytes; processId 4711',
      'Cancelled',
      'done',
    ])
  })
})

/** A process that compiles what it runs takes its time on a busy machine. */
const PATIENCE_MS = 60_000

describe('NODE_DEBUG', () => {
  const program = `
    import { connect } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)}
    for (let times = 0; times < 2; times += 1) {
      await connect('postgres://alice:correct-horse@127.0.0.1:1/app?sslmode=disable', { timeoutMs: 0 }).catch(() => {})
    }`

  const run = (section: string) =>
    spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, NODE_DEBUG: section },
      encoding: 'utf8',
    })

  it(
    'prints them on standard error, connect by connect',
    () => {
      const { stdout, stderr } = run('pg-deadline')
      expect(stdout).toBe('')
      const lines = stderr
        .trim()
        .split('\n')
        .map((line) => line.replace(/^PG-DEADLINE \d+: /, ''))
      expect(lines).toEqual(
        [1, 2].flatMap((number) => [
          expect.stringMatching(
            new RegExp(`^#${number} \\S+ ms, 0 ms left: attempt 0 to 127.0.0.1:1, TLS off, given 0 ms$`),
          ),
          expect.stringMatching(new RegExp(`^#${number} \\S+ ms, 0 ms left: Disconnected$`)),
          expect.stringMatching(
            new RegExp(`^#${number} \\S+ ms, 0 ms left: failed: TimeoutError: the deadline of 0 ms passed`),
          ),
        ]),
      )
    },
    PATIENCE_MS,
  )

  it(
    'prints nothing for other sections',
    () => {
      expect(run('net').stderr).not.toContain('PG-DEADLINE')
    },
    PATIENCE_MS,
  )
})
