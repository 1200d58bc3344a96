/** sslmode x sslnegotiation x what the server has x what pg_hba.conf lets in: the outcome, and the server's own view of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectTarget, connect, type HandshakeError, Session } from '../../src/index.ts'
import { pathOf } from '../certificates/index.ts'
import { handshakeFailureOf } from './expect-failure.ts'
import { sentIn, steps, TlsServer } from './tls-server.ts'

const ROLES = ['either', 'tls_only', 'plain_only'] as const
type Role = (typeof ROLES)[number]
const HBA = [
  'hostssl all tls_only all scram-sha-256',
  'hostnossl all plain_only all scram-sha-256',
  'host all tls_only,plain_only all reject',
]
const setup = ROLES.map((role) => `create role ${role} login password 'app'`)

let withTls: TlsServer
let withoutTls: TlsServer

beforeAll(async () => {
  ;[withTls, withoutTls] = await Promise.all([
    TlsServer.start({ hba: HBA, setup }),
    TlsServer.start({ hba: HBA, setup, settings: { ssl: 'off' } }),
  ])
})

afterAll(async () => {
  await withTls?.[Symbol.asyncDispose]()
  await withoutTls?.[Symbol.asyncDispose]()
})

/** How one attempt goes: the states and messages until its end, what it fails with, and what the server writes of it. */
interface Course {
  readonly steps: readonly string[]
  readonly failed: readonly [phase: string, kind: string] | null
  readonly story: (tls: Session['tls']) => readonly string[]
}

const dialed = ['Disconnected', 'Dialing', 'Connected']
const asked = [...dialed, 'AwaitingTlsReply', 'SSLRequest']
const secured = [...asked, "'S'", 'SecuringTransport', 'Connected']
const securedDirectly = [...dialed, 'SecuringTransport', 'Connected']
const started = ['AwaitingAuthentication', 'StartupMessage']
const letIn = [
  ...[...started, 'AuthenticationSASL', 'AwaitingSaslChallenge', 'SASLInitialResponse', 'AuthenticationSASLContinue'],
  ...[
    'AwaitingSaslPassword',
    'DerivingSaslKey',
    'AwaitingSaslOutcome',
    'SASLResponse',
    'AuthenticationSASLFinal',
    'AwaitingVerdict',
  ],
  ...[
    'AuthenticationOk',
    'AwaitingReady',
    'ParameterStatus',
    'BackendKeyData',
    'ReadyForQuery',
    'CheckingSession',
    'Ready',
  ],
]
const rejected = [...started, 'ErrorResponse']
const REJECTED = ['AwaitingAuthentication', 'refused'] as const
const inTls = (tls: Session['tls']) => `let in: ${tls?.version} ${tls?.cipher}`

const COURSES = {
  plain: {
    steps: [...dialed, ...letIn],
    failed: null,
    story: () => ['authenticated by scram-sha-256', 'let in: plaintext'],
  },
  'plain rejected': {
    steps: [...dialed, ...rejected],
    failed: REJECTED,
    story: () => ['rejected: no encryption'],
  },
  tls: {
    steps: [...secured, ...letIn],
    failed: null,
    story: (tls) => ['SSLRequest accepted', 'authenticated by scram-sha-256', inTls(tls)],
  },
  'tls rejected': {
    steps: [...secured, ...rejected],
    failed: REJECTED,
    story: () => ['SSLRequest accepted', 'rejected: SSL encryption'],
  },
  'no, so plain': {
    steps: [...asked, "'N'", 'Connected', ...letIn],
    failed: null,
    story: () => ['SSLRequest rejected', 'authenticated by scram-sha-256', 'let in: plaintext'],
  },
  'no, so plain, rejected': {
    steps: [...asked, "'N'", 'Connected', ...rejected],
    failed: REJECTED,
    story: () => ['SSLRequest rejected', 'rejected: no encryption'],
  },
  no: {
    steps: [...asked, "'N'"],
    failed: ['AwaitingTlsReply', 'policy'],
    story: () => ['SSLRequest rejected'],
  },
  'direct tls': {
    steps: [...securedDirectly, ...letIn],
    failed: null,
    story: (tls) => ['direct SSL connection accepted', 'authenticated by scram-sha-256', inTls(tls)],
  },
  'direct tls rejected': {
    steps: [...securedDirectly, ...rejected],
    failed: REJECTED,
    story: () => ['direct SSL connection accepted', 'rejected: SSL encryption'],
  },
  // The server knows a ClientHello when it sees one, and hangs up.
  'direct no': {
    steps: [...dialed, 'SecuringTransport'],
    failed: ['SecuringTransport', 'lost'],
    story: () => ['direct SSL connection rejected'],
  },
} as const satisfies Record<string, Course>
type CourseName = keyof typeof COURSES

/** What libpq does: #LIBPQ-SSL-PROTECTION. For `either`, `tls_only` and `plain_only`, the attempts in order. */
const EXPECTED: readonly (readonly [
  mode: string,
  negotiation: 'postgres' | 'direct',
  withTls: Readonly<Record<Role, readonly CourseName[]>>,
  withoutTls: Readonly<Record<Role, readonly CourseName[]>>,
])[] = [
  [
    'disable',
    'postgres',
    { either: ['plain'], tls_only: ['plain rejected'], plain_only: ['plain'] },
    { either: ['plain'], tls_only: ['plain rejected'], plain_only: ['plain'] },
  ],
  [
    'allow',
    'postgres',
    { either: ['plain'], tls_only: ['plain rejected', 'tls'], plain_only: ['plain'] },
    { either: ['plain'], tls_only: ['plain rejected', 'no'], plain_only: ['plain'] },
  ],
  [
    'prefer',
    'postgres',
    { either: ['tls'], tls_only: ['tls'], plain_only: ['tls rejected', 'plain'] },
    { either: ['no, so plain'], tls_only: ['no, so plain, rejected'], plain_only: ['no, so plain'] },
  ],
  ...(['require', 'verify-ca', 'verify-full'] as const).flatMap((mode) => [
    [
      mode,
      'postgres',
      { either: ['tls'], tls_only: ['tls'], plain_only: ['tls rejected'] },
      { either: ['no'], tls_only: ['no'], plain_only: ['no'] },
    ] as const,
    [
      mode,
      'direct',
      { either: ['direct tls'], tls_only: ['direct tls'], plain_only: ['direct tls rejected'] },
      { either: ['direct no'], tls_only: ['direct no'], plain_only: ['direct no'] },
    ] as const,
  ]),
]

const CASES = EXPECTED.flatMap(([sslmode, sslnegotiation, ...servers]) =>
  servers.flatMap((expected, index) =>
    ROLES.map((user) => ({
      sslmode: sslmode as NonNullable<ConnectTarget['sslmode']>,
      sslnegotiation,
      user,
      has: index === 0 ? ('on' as const) : ('off' as const),
      courses: expected[user],
    })),
  ),
)

describe('sslmode', () => {
  it.each(CASES)(
    '$sslmode ($sslnegotiation), ssl $has, $user: $courses',
    async ({ sslmode, sslnegotiation, user, has, courses }) => {
      const it = has === 'on' ? withTls : withoutTls
      const { host, port } = it.server
      const sslrootcert = sslmode.startsWith('verify') ? pathOf('ca.crt') : undefined
      await it.heed()
      const outcome = await outcomeOf(
        connect({ host, port, user, dbname: 'postgres', password: 'app', sslmode, sslnegotiation, sslrootcert }),
      )

      const expected: Course[] = courses.map((name) => COURSES[name])
      expect(steps(outcome)).toEqual(expected.flatMap((course) => course.steps))
      const failed = expected.flatMap((course) => (course.failed === null ? [] : [course.failed]))
      if (outcome instanceof Session) {
        const encrypted = courses.at(-1)?.endsWith('tls')
        const tls = { version: 'TLSv1.3', cipher: expect.stringMatching(/^TLS_/), alpnProtocol: 'postgresql' }
        expect(outcome.tls).toEqual(encrypted ? tls : null)
        // Said by us, by the log and by the server when it is asked.
        const [result] = await outcome.query(
          'select ssl, version, cipher from pg_stat_ssl where pid = pg_backend_pid()',
        )
        const { version, cipher } = outcome.tls ?? { version: null, cipher: null }
        expect(result?.objects()).toEqual([{ ssl: encrypted ? 't' : 'f', version, cipher }])
        await outcome.close()
      } else {
        expect(outcome.attempts.map(({ phase, failure }) => [phase, failure.kind])).toEqual(failed)
        expect([outcome.phase, outcome.failure.kind]).toEqual(failed.at(-1))
      }
      const tls = outcome instanceof Session ? outcome.tls : null
      expect(await it.stories()).toEqual(expected.map((course) => course.story(tls)))
    },
  )

  it.each(['disable', 'allow', 'prefer'] as const)(
    '%s is too weak for direct TLS: nobody is dialed',
    async (sslmode) => {
      await withTls.heed()
      const { host, port } = withTls.server
      const error = await handshakeFailureOf(connect({ host, port, user: 'either', sslmode, sslnegotiation: 'direct' }))
      expect(error).toMatchObject({ phase: 'Disconnected', failure: { kind: 'config', parameter: 'sslnegotiation' } })
      expect(await withTls.stories()).toEqual([])
    },
  )

  it('is prefer unless something is said', async () => {
    const { host, port } = withTls.server
    await using session = await connect({ host, port, user: 'either', dbname: 'postgres', password: 'app' })
    expect(session.tls).toMatchObject({ alpnProtocol: 'postgresql' })
  })

  it('has no meaning on a Unix-domain socket, where there is never TLS', async ({ skip }) => {
    const { socketDirectory, port } = withTls.server
    if (socketDirectory === null) return skip('the socket is in a container')
    for (const sslmode of ['prefer', 'require', 'verify-full'] as const) {
      const sslrootcert = pathOf('ca.crt')
      await using session = await connect({
        host: socketDirectory,
        ...{ port, user: 'either', dbname: 'postgres', password: 'app', sslmode, sslrootcert },
      })
      expect(session.tls).toBe(null)
      expect(sentIn(session)[0]).toBe('StartupMessage')
    }
  })
})

describe('the versions of TLS', () => {
  const target = (changes: ConnectTarget): ConnectTarget => {
    const { host, port } = withTls.server
    return { host, port, user: 'either', dbname: 'postgres', password: 'app', sslmode: 'require', ...changes }
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('can be held to %s from both ends', async (version) => {
    await withTls.heed()
    const session = await connect(target({ sslMinProtocolVersion: version, sslMaxProtocolVersion: version }))
    expect(session.tls?.version).toBe(version)
    await session.close()
    expect((await withTls.stories())[0]?.at(-1)).toBe(`let in: ${version} ${session.tls?.cipher}`)
  })

  it('that the server does not speak end in SecuringTransport, and no StartupMessage has left', async () => {
    await withTls.heed()
    const error = await handshakeFailureOf(
      connect(target({ sslMinProtocolVersion: 'TLSv1', sslMaxProtocolVersion: 'TLSv1.1' })),
    )
    expect(error).toMatchObject({ phase: 'SecuringTransport', failure: { kind: 'lost' } })
    expect(sentIn(error)).toEqual(['SSLRequest'])
    const [story] = await withTls.stories()
    expect(story).not.toContain('let in: plaintext')
  })
})

async function outcomeOf(connecting: Promise<Session>): Promise<Session | HandshakeError> {
  const session = await connecting.catch(() => null)
  return session ?? handshakeFailureOf(connecting)
}
