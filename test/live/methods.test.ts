/** Authentication against a real server: every method, over TCP and over the Unix-domain socket, and every refusal. */
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectTarget, connect, type HandshakeError, type Session } from '../../src/index.ts'
import { startServer, type TestServer } from '../servers/server.ts'
import { handshakeFailureOf } from './expect-failure.ts'

const PASSWORD = 'correct horse battery staple'
const WRONG = 'wrong horse battery staple'

/** A role each, named after the method that pg_hba.conf asks of it; `method` is what the server then does. */
const ROLES = [
  { user: 'by_trust', hba: 'trust', method: 'none' },
  { user: 'by_password', hba: 'password', method: 'password' },
  { user: 'by_md5', hba: 'md5', method: 'md5' },
  { user: 'by_scram', hba: 'scram-sha-256', method: 'scram-sha-256' },
  // #AUTH-PASSWORD: if md5 is asked for and the stored password is a SCRAM one, SCRAM is used.
  { user: 'by_md5_or_better', hba: 'md5', method: 'scram-sha-256' },
] as const

let server: TestServer

beforeAll(async () => {
  server = await startServer({
    settings: {
      max_connections: '10',
      superuser_reserved_connections: '3',
      autovacuum: 'off',
      log_disconnections: 'on',
    },
    hba: [
      ...ROLES.flatMap(({ user, hba }) => [`local all ${user} ${hba}`, `host all ${user} all ${hba}`]),
      'local all by_reject reject',
      'host all by_reject all reject',
      'host all no_such_role all trust',
      'host all watched all password',
    ],
    setup: [
      // Roles take their password in the form that holds when it is set.
      "set password_encryption = 'md5'",
      `create role by_md5 login password '${PASSWORD}'`,
      'reset password_encryption',
      ...ROLES.filter(({ user }) => user !== 'by_md5').map(
        ({ user }) => `create role ${user} login password '${PASSWORD}'`,
      ),
      `create role by_reject login password '${PASSWORD}'`,
      `create role watched login password '${PASSWORD}'`,
      'create role no_password login',
      'create role no_login',
      `alter role no_login password '${PASSWORD}'`,
    ],
  })
})

afterAll(() => server?.stop())

function target(user: string, changes: ConnectTarget = {}): ConnectTarget {
  return {
    host: server.host,
    port: server.port,
    user,
    dbname: 'postgres',
    password: PASSWORD,
    allowCleartextPassword: true,
    sslmode: 'disable',
    ...changes,
  }
}

/** TCP, and the socket file where this process can reach it. */
function hosts(): string[] {
  return server.socketDirectory === null ? [server.host] : [server.host, server.socketDirectory]
}

/** Nothing secret in anything that a program could print. */
function expectNoSecret(error: HandshakeError): void {
  const shown = `${inspect(error, { depth: 10, showHidden: true })} ${JSON.stringify(error)} ${error.stack}`
  for (const secret of [PASSWORD, WRONG]) expect(shown).not.toContain(secret)
}

/** The messages that left this process, by name. */
function sentIn({ timeline }: HandshakeError): string[] {
  return timeline.flatMap(({ messages }) =>
    messages.filter(({ direction }) => direction === 'sent').map(({ name }) => name),
  )
}

describe('the right password', () => {
  it.each(ROLES)('lets $user in ($method) over TCP and over the Unix-domain socket', async ({ user, method }) => {
    for (const host of hosts()) {
      const session = await connect(target(user, { host }))
      expect(session.authenticationMethod).toBe(method)
      const [result] = await session.query('select current_user as name')
      expect(result?.objects()).toEqual([{ name: user }])
      await session.close()
    }
  })

  it.each(ROLES)('leads $user through the states of its method and no others', async ({ user, method }) => {
    const states = {
      none: [],
      password: ['AwaitingPassword', 'AwaitingVerdict'],
      md5: ['AwaitingPassword', 'AwaitingVerdict'],
      'scram-sha-256': [
        ...['AwaitingSaslChallenge', 'AwaitingSaslPassword', 'DerivingSaslKey'],
        ...['AwaitingSaslOutcome', 'AwaitingVerdict'],
      ],
    }[method]
    await using session = await connect(target(user))
    expect(session.timeline.map(({ state }) => state)).toEqual([
      'Disconnected',
      'Dialing',
      'Connected',
      'AwaitingAuthentication',
      ...states,
      'AwaitingReady',
      'CheckingSession',
      'Ready',
    ])
  })
})

describe('a wrong password', () => {
  it.each([
    ['by_password', 'AwaitingVerdict'],
    ['by_md5', 'AwaitingVerdict'],
    ['by_scram', 'AwaitingSaslOutcome'],
    ['by_md5_or_better', 'AwaitingSaslOutcome'],
  ] as const)('is refused: %s in %s', async (user, phase) => {
    for (const host of hosts()) {
      const error = await handshakeFailureOf(connect(target(user, { host, password: WRONG })))
      expect(error).toMatchObject({
        name: 'HandshakeError',
        phase,
        failure: { kind: 'refused', severity: 'FATAL', sqlstate: '28P01' },
      })
      expect(error.message).toBe(
        `the server refused in ${phase}: password authentication failed for user "${user}" (FATAL, SQLSTATE 28P01); check user and password`,
      )
      expectNoSecret(error)
    }
  })

  it('does not matter where the server asks for none', async () => {
    await using session = await connect(target('by_trust', { password: WRONG }))
    expect(session.authenticationMethod).toBe('none')
  })

  it('and a role that is not there look alike under SCRAM: the server tells nobody which roles it has', async () => {
    for (const user of ['nobody_at_all', 'no_password']) {
      const error = await handshakeFailureOf(connect(target(user)))
      expect(error).toMatchObject({ phase: 'AwaitingSaslOutcome', failure: { kind: 'refused', sqlstate: '28P01' } })
      expect(error.message).toContain(`password authentication failed for user "${user}"`)
      expectNoSecret(error)
    }
  })
})

describe('the server refuses', () => {
  it.each(ROLES)('a database that is not there once it has let us in: 3D000 ($user)', async ({ user }) => {
    const error = await handshakeFailureOf(connect(target(user, { dbname: 'no such database' })))
    expect(error).toMatchObject({ phase: 'AwaitingReady', failure: { kind: 'refused', sqlstate: '3D000' } })
    expect(error.message).toBe(
      'the server refused in AwaitingReady: database "no such database" does not exist (FATAL, SQLSTATE 3D000); check the name of the database',
    )
    expectNoSecret(error)
  })

  it('whom pg_hba.conf does not let in before it asks for anything: 28000', async () => {
    const error = await handshakeFailureOf(connect(target('by_reject')))
    expect(error).toMatchObject({ phase: 'AwaitingAuthentication', failure: { kind: 'refused', sqlstate: '28000' } })
    expect(error.message).toMatch(
      /^the server refused in AwaitingAuthentication: pg_hba\.conf rejects connection for host "[^"]+", user "by_reject", database "postgres", no encryption \(FATAL, SQLSTATE 28000\); check the user, and that the server's pg_hba\.conf lets it in from here$/,
    )
    expect(sentIn(error)).toEqual(['StartupMessage'])
    expectNoSecret(error)
  })

  it.each([
    ['no_such_role', 'role "no_such_role" does not exist'],
    ['no_login', 'role "no_login" is not permitted to log in'],
  ])('a role that may not be used, after all authentication: 28000 (%s)', async (user, message) => {
    const error = await handshakeFailureOf(connect(target(user)))
    expect(error).toMatchObject({ phase: 'AwaitingReady', failure: { kind: 'refused', sqlstate: '28000', message } })
    expectNoSecret(error)
  })

  it('a setting that it does not know, in AwaitingReady: 42704', async () => {
    const error = await handshakeFailureOf(connect(target('by_scram', { options: '-c no_such_setting=1' })))
    expect(error).toMatchObject({ phase: 'AwaitingReady', failure: { kind: 'refused', sqlstate: '42704' } })
    expect(error.message).toContain('unrecognized configuration parameter "no_such_setting"')
  })

  it.each(ROLES)(
    'when all connections are taken, to each in the state in which it finds out: 53300 ($user)',
    async ({ user }) => {
      const sessions: Session[] = []
      try {
        const refused = await connectUntilRefused(target(user), sessions)
        // The last ones are kept for superusers, and who is one is known after authentication only.
        expect(refused).toMatchObject({ phase: 'AwaitingReady', failure: { kind: 'refused', sqlstate: '53300' } })
        expect(refused.message).toMatch(
          /^the server refused in AwaitingReady: remaining connection slots are reserved .*\(FATAL, SQLSTATE 53300\); all connections are taken: use fewer, or raise max_connections$/,
        )
        expect(sessions.length).toBeGreaterThan(0)

        const refusedSuperuser = await connectUntilRefused(server.url(), sessions)
        expect(refusedSuperuser).toMatchObject({
          phase: 'AwaitingAuthentication',
          failure: { kind: 'refused', sqlstate: '53300', message: 'sorry, too many clients already' },
        })
        expectNoSecret(refusedSuperuser)
      } finally {
        await Promise.all(sessions.map((session) => session.close()))
      }
      await using _again = await connect(target(user))
    },
  )
})

/** Takes connections until there are none left. */
async function connectUntilRefused(to: string | ConnectTarget, sessions: Session[]): Promise<HandshakeError> {
  for (let tries = 0; tries < 20; tries += 1) {
    const outcome = await connect(to).catch((error: unknown) => error)
    if (outcome instanceof Error) return handshakeFailureOf(Promise.reject(outcome))
    sessions.push(outcome as Session)
  }
  throw new Error('twenty connections to a server that has ten')
}

describe('we refuse', () => {
  it('to send a password in the clear unless told to: none arrives', async () => {
    const error = await handshakeFailureOf(connect(target('watched', { allowCleartextPassword: false })))
    expect(error).toMatchObject({ phase: 'AwaitingAuthentication', failure: { kind: 'policy' } })
    expect(error.message).toBe(
      'refused for your safety in AwaitingAuthentication: the server asked for the password in the clear, on a connection without TLS; it was not sent; ' +
        'use TLS (sslmode=verify-full), let the server use scram-sha-256 (pg_hba.conf), or set allowCleartextPassword if you trust every hop of the path',
    )
    expect(sentIn(error)).toEqual(['StartupMessage'])
    expectNoSecret(error)

    // It was the right one. The same log does tell of a password that arrives.
    await handshakeFailureOf(connect(target('watched', { password: WRONG })))
    await expect.poll(() => server.log()).toContain('password authentication failed for user "watched"')
    const log = await server.log()
    expect(log.split('password authentication failed for user "watched"')).toHaveLength(2)
    expect(log).not.toContain('identity="watched"')
    expect(log).toContain('identity="by_scram"')
  })

  it('to go on without a password where one is asked for', async () => {
    for (const [user, method] of [
      ['by_password', 'password'],
      ['by_md5', 'md5'],
      ['by_scram', 'scram-sha-256'],
    ] as const) {
      const error = await handshakeFailureOf(connect(target(user, { password: undefined })))
      expect(error).toMatchObject({
        phase: 'AwaitingAuthentication',
        failure: { kind: 'config', parameter: 'password' },
        message: `password: the server asked for a password (${method}) and none was given`,
      })
      expect(sentIn(error)).toEqual(['StartupMessage'])
    }
  })
})
