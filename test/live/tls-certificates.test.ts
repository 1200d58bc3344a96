/** Who the server is, and who we are: certificates of both ends, against a real server. */
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectTarget, connect } from '../../src/index.ts'
import { KEY_PASSWORD, pathOf } from '../certificates/index.ts'
import { handshakeFailureOf } from './expect-failure.ts'
import { type ServerCertificate, sentIn, steps, TlsServer } from './tls-server.ts'

let live: TlsServer

beforeAll(async () => {
  live = await TlsServer.start({
    hba: [
      'hostssl all certified all cert',
      'hostssl all certified_too all scram-sha-256 clientcert=verify-ca',
      'hostssl all mapped all scram-sha-256 clientcert=verify-full',
    ],
    setup: ['app', 'certified', 'certified_too', 'mapped'].map((role) => `create role ${role} login password 'app'`),
  })
})

afterAll(() => live?.[Symbol.asyncDispose]())

function target(changes: ConnectTarget = {}): ConnectTarget {
  const { host, port } = live.server
  return { host, port, user: 'app', dbname: 'postgres', password: 'app', ...changes }
}

const REQUIRED = { sslmode: 'require' } as const
const REQUIRED_OF_CA = { sslmode: 'require', sslrootcert: pathOf('ca.crt') } as const
const CA = { sslmode: 'verify-ca', sslrootcert: pathOf('ca.crt') } as const
const FULL = { sslmode: 'verify-full', sslrootcert: pathOf('ca.crt') } as const
const crl = { sslcrl: pathOf('ca.crl') }
const localhost = { host: 'localhost' }
const otherCa = { sslrootcert: pathOf('other-ca.crt') }

/** The server sends its authority along, which is nobody to us. */
const STRANGER = /SELF_SIGNED_CERT_IN_CHAIN/

/** What the server shows, what we ask for, and why not; null: it is believed. */
const PROOFS: readonly (readonly [ServerCertificate, readonly (readonly [ConnectTarget, why: RegExp | null])[]])[] = [
  [
    'server',
    [
      [REQUIRED, null],
      [REQUIRED_OF_CA, null],
      [CA, null],
      [{ ...CA, ...crl }, null],
      [FULL, null],
      [{ ...FULL, ...crl }, null],
      [{ ...FULL, ...localhost }, null],
      [{ ...REQUIRED_OF_CA, ...otherCa }, STRANGER],
      [{ ...CA, ...otherCa }, STRANGER],
      [{ ...FULL, ...otherCa }, STRANGER],
      // A private authority is not one of those that Node trusts.
      [{ sslrootcert: 'system' }, STRANGER],
      // A list of somebody else's says nothing about this one, and it is not assumed that nothing is revoked.
      [{ ...CA, ...otherCa, ...crl }, STRANGER],
    ],
  ],
  [
    'wrong-host',
    [
      [REQUIRED, null],
      [REQUIRED_OF_CA, null],
      [CA, null],
      [FULL, /does not match .*127\.0\.0\.1/],
      [{ ...FULL, ...localhost }, /does not match .*localhost/],
    ],
  ],
  [
    'common-name',
    [
      [CA, null],
      [{ ...FULL, ...localhost }, null],
      [FULL, /does not match .*127\.0\.0\.1/],
    ],
  ],
  [
    'expired',
    [
      [REQUIRED, null],
      [REQUIRED_OF_CA, /CERT_HAS_EXPIRED/],
      [CA, /CERT_HAS_EXPIRED/],
      [FULL, /CERT_HAS_EXPIRED/],
    ],
  ],
  [
    'self-signed',
    [
      [REQUIRED, null],
      [REQUIRED_OF_CA, /DEPTH_ZERO_SELF_SIGNED_CERT/],
      [CA, /DEPTH_ZERO_SELF_SIGNED_CERT/],
      [FULL, /DEPTH_ZERO_SELF_SIGNED_CERT/],
      // Trusted by name it is as good as any.
      [{ ...FULL, sslrootcert: pathOf('self-signed.crt') }, null],
    ],
  ],
  [
    'revoked',
    [
      [REQUIRED, null],
      [FULL, null],
      [{ ...REQUIRED_OF_CA, ...crl }, /CERT_REVOKED/],
      [{ ...CA, ...crl }, /CERT_REVOKED/],
      [{ ...FULL, ...crl }, /CERT_REVOKED/],
    ],
  ],
]

describe.each(PROOFS)('a server with the certificate `%s`', (certificate, cases) => {
  beforeAll(() => live.show(certificate))

  it.each(cases.map(([changes, why]) => ({ name: nameOf(changes), verdict: why ?? 'believed', changes, why })))(
    'under $name: $verdict',
    async ({ changes, why }) => {
      for (const sslnegotiation of ['postgres', 'direct'] as const) {
        await live.heed()
        const accepted = sslnegotiation === 'direct' ? 'direct SSL connection accepted' : 'SSLRequest accepted'
        const connecting = connect(target({ ...changes, sslnegotiation }))
        if (why === null) {
          const session = await connecting
          await session.close()
          expect((await live.stories())[0]?.[0]).toBe(accepted)
          continue
        }
        const error = await handshakeFailureOf(connecting)
        expect(error).toMatchObject({ phase: 'SecuringTransport', failure: { kind: 'unproven' } })
        expect(error.message).toMatch(why)
        expect(error.attempts).toHaveLength(1)
        expect(sentIn(error)).toEqual(sslnegotiation === 'direct' ? [] : ['SSLRequest'])
        // It never heard whom we wanted to be; we may have hung up before it had finished its part of the handshake.
        expect(UNHEARD[sslnegotiation]).toContainEqual((await live.stories()).flat())
      }
    },
  )
})

const EOF = 'could not accept SSL connection: EOF detected'
const UNHEARD = {
  postgres: [['SSLRequest accepted'], ['SSLRequest accepted', EOF]],
  direct: [['direct SSL connection accepted'], [EOF, 'direct SSL connection rejected']],
}

function nameOf({ host, sslmode, sslrootcert, sslcrl }: ConnectTarget): string {
  const file = (path: string | undefined) => path?.split('/').at(-1)
  return [host, sslmode, file(sslrootcert), file(sslcrl)].filter(Boolean).join(', ')
}

describe('a server that cannot prove who it is', () => {
  beforeAll(() => live.show('expired'))

  it('is spoken to in plaintext under prefer, as libpq does: prefer protects from nobody who is active', async () => {
    await live.heed()
    const session = await connect(target({ sslmode: 'prefer', sslrootcert: pathOf('ca.crt') }))
    expect(session.tls).toBe(null)
    expect(steps(session).filter((step) => step === 'SecuringTransport' || step === 'Dialing')).toEqual([
      'Dialing',
      'SecuringTransport',
      'Dialing',
    ])
    await session.close()
    const [first, second] = await live.stories()
    expect(UNHEARD.postgres).toContainEqual(first)
    expect(second).toEqual(['authenticated by scram-sha-256', 'let in: plaintext'])
  })
})

describe('files', () => {
  beforeAll(() => live.show('server'))

  it('that are missing are an error before anybody is dialed', async () => {
    await live.heed()
    for (const [parameter, changes] of [
      ['sslrootcert', { sslrootcert: '/no/such/file' }],
      ['sslcert', { sslcert: '/no/such/file', sslkey: pathOf('client.key') }],
      ['sslkey', { sslcert: pathOf('client.crt'), sslkey: '/no/such/file' }],
      ['sslcrl', { ...CA, sslcrl: '/no/such/file' }],
    ] as const) {
      const error = await handshakeFailureOf(connect(target({ sslmode: 'require', ...changes })))
      expect(error).toMatchObject({ phase: 'Disconnected', failure: { kind: 'config', parameter } })
      expect(error.message).toContain('ENOENT')
    }
    expect(await live.stories()).toEqual([])
  })

  it('that hold something else are an error, which names the parameter, before anybody is dialed', async () => {
    await live.heed()
    for (const [parameter, changes] of [
      ['sslrootcert', { sslrootcert: pathOf('client.key') }],
      ['sslcert', { sslcert: pathOf('ca.crl'), sslkey: pathOf('client.key') }],
      ['sslkey', { sslcert: pathOf('client.crt'), sslkey: pathOf('client.crt') }],
      // Of another certificate: of the same algorithm, and of another one.
      ['sslkey', { sslcert: pathOf('client.crt'), sslkey: pathOf('server.key') }],
      ['sslkey', { sslcert: pathOf('client.crt'), sslkey: pathOf('rsa.key') }],
      ['sslcrl', { ...CA, sslcrl: pathOf('ca.crt') }],
      ['tls', { tls: { ciphers: 'none-such' } }],
    ] as const) {
      const error = await handshakeFailureOf(connect(target({ sslmode: 'require', ...changes })))
      expect(error).toMatchObject({ phase: 'Disconnected', failure: { kind: 'config', parameter } })
    }
    expect(await live.stories()).toEqual([])
  })
})

describe('a client certificate', () => {
  const ours = { sslcert: pathOf('client.crt'), sslkey: pathOf('client.key') }
  const encrypted = { ...ours, sslkey: pathOf('client-encrypted.key') }
  const certified = { user: 'certified', password: undefined, ...FULL } as const

  beforeAll(() => live.show('server'))

  it.each([
    ['from files', ours],
    ['with an encrypted key', { ...encrypted, sslpassword: KEY_PASSWORD }],
    [
      'from memory, by the options of node:tls',
      { tls: { cert: readFileSync(ours.sslcert), key: readFileSync(ours.sslkey) } },
    ],
  ] as const)('logs in without a password where the method is cert: %s', async (_name, changes) => {
    for (const sslMaxProtocolVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      await live.heed()
      const session = await connect(target({ ...certified, ...changes, sslMaxProtocolVersion }))
      // The server has asked for nothing but what TLS already gave.
      expect(session.authenticationMethod).toBe('none')
      const [result] = await session.query('select client_dn from pg_stat_ssl where pid = pg_backend_pid()')
      expect(result?.rows).toEqual([['/CN=certified']])
      await session.close()
      expect((await live.stories())[0]?.slice(0, 2)).toEqual(['SSLRequest accepted', 'authenticated by cert'])
    }
  })

  it('that is not sent is missed', async () => {
    for (const changes of [{}, { ...ours, sslcertmode: 'disable' }] as const) {
      const error = await handshakeFailureOf(connect(target({ ...certified, ...changes })))
      expect(error).toMatchObject({ phase: 'AwaitingAuthentication', failure: { kind: 'refused', sqlstate: '28000' } })
      expect(error.message).toContain('connection requires a valid client certificate')
    }
  })

  it('is asked for besides the password under clientcert, and its name only under verify-full', async () => {
    await using session = await connect(target({ ...FULL, ...ours, user: 'certified_too' }))
    expect(session.authenticationMethod).toBe('scram-sha-256')
    // It is for `certified`, and pg_ident.conf knows nothing of `mapped`.
    const error = await handshakeFailureOf(connect(target({ ...FULL, ...ours, user: 'mapped' })))
    expect(error).toMatchObject({ phase: 'AwaitingVerdict', failure: { kind: 'refused', sqlstate: '28P01' } })
    const without = await handshakeFailureOf(connect(target({ ...FULL, user: 'certified_too' })))
    expect(without.message).toContain('connection requires a valid client certificate')
  })

  it('of an authority that the server does not trust ends in the server, whenever it says so', async () => {
    const strange = { sslcert: pathOf('self-signed.crt'), sslkey: pathOf('self-signed.key') }
    // TLS 1.2: within the handshake. TLS 1.3: we are through when the server finds out.
    for (const [sslMaxProtocolVersion, phase] of [
      ['TLSv1.2', 'SecuringTransport'],
      ['TLSv1.3', 'AwaitingAuthentication'],
    ] as const) {
      await live.heed()
      const error = await handshakeFailureOf(connect(target({ ...FULL, ...strange, sslMaxProtocolVersion })))
      expect(error).toMatchObject({ phase, failure: { kind: 'lost' } })
      expect(error.message).toMatch(/alert unknown ca/i)
      const [story] = await live.stories()
      expect(story?.[1]).toMatch(/could not accept SSL connection: certificate verify failed/)
    }
  })

  it('whose key is encrypted needs the right password, which is shown nowhere', async () => {
    for (const sslpassword of [undefined, 'open barley']) {
      const error = await handshakeFailureOf(connect(target({ ...certified, ...encrypted, sslpassword })))
      expect(error).toMatchObject({ phase: 'Disconnected', failure: { kind: 'config', parameter: 'sslpassword' } })
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('barley')
    }
  })
})
