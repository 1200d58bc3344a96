import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { getEventListeners, once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type TlsOptions as ServerOptions, type TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Secret } from '../../src/auth/secret.ts'
import { Deadline } from '../../src/net/deadline.ts'
import { openSocket } from '../../src/net/socket.ts'
import { COUNT_EVERY_MS, readTlsOptions, secure as secureSocket, type TlsParameters } from '../../src/net/tls.ts'
import { type Transport, TransportError } from '../../src/net/transport.ts'
import { Fault } from '../../src/protocol/failure.ts'
import { LIMITS } from '../../src/protocol/limits.ts'
import type { TlsFacts } from '../../src/state/handshake/states.ts'
import { issueCertificate } from '../../src/testing/certificate.ts'
import { honest } from '../../src/testing/identities.ts'
import { HostileServer } from '../../src/testing/index.ts'
import { APPLICATION_RECORD, HANDSHAKE_RECORD, newSessionTicket } from '../../src/testing/tls-record.ts'
import { KEY_PASSWORD, pathOf, read } from '../certificates/index.ts'
import { handOver, NO_PROBES, receive } from '../support/transport.ts'
import { Listener } from './listener.ts'
import { expectNoMoreThan, openResources, turn, untilTrue } from './resources.ts'

const REASON = new Error('enough')
const PLAIN: TlsParameters = {
  mode: 'require',
  rootCertificate: null,
  certificate: null,
  key: null,
  keyPassword: null,
  revocationList: null,
  sendServerName: true,
  certificateMode: 'allow',
  minVersion: 'TLSv1.2',
  maxVersion: null,
  nodeOptions: null,
}

let before: string[]
let caller: AbortController
const open: Transport[] = []
const warnings: Error[] = []
const onWarning = (warning: Error) => warnings.push(warning)

beforeEach(() => {
  before = openResources()
  caller = new AbortController()
  process.on('warning', onWarning)
})

/** After every test of this file: nobody listens to the caller, no socket is open, Node has complained of nothing. */
afterEach(async () => {
  for (const transport of open.splice(0)) transport.destroy()
  await expectNoMoreThan(before)
  expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  process.off('warning', onWarning)
  expect(warnings.splice(0)).toEqual([])
})

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => new Error('expected a failure, but all went well'),
    (error: unknown) => error,
  )
}

function readOptions(changes: Partial<TlsParameters>, host = 'localhost') {
  return readTlsOptions({ ...PLAIN, ...changes }, host, caller.signal)
}

/** A server of Node's own, and what it saw of each client. */
class TlsListener implements AsyncDisposable {
  readonly clients: TLSSocket[] = []
  readonly #server

  constructor(options: ServerOptions) {
    this.#server = createServer(
      { cert: read('server.crt'), key: read('server.key'), ALPNProtocols: ['postgresql'], ...options },
      (client) => {
        client.on('error', () => {})
        this.clients.push(client)
      },
    ).on('tlsClientError', () => {})
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Of a client that is through before us the server does not know yet.
    for (const transport of open) transport.destroy()
    for (const client of this.clients) client.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

function listen(options: ServerOptions = {}): Promise<TlsListener> {
  return new TlsListener(options).listen()
}

async function dial({ port }: { readonly port: number }): Promise<Transport> {
  const transport = await openSocket({ host: '127.0.0.1', port }, NO_PROBES, new Deadline())
  open.push(transport)
  return transport
}

async function secure(
  to: { readonly port: number },
  changes: Partial<TlsParameters> = {},
  host?: string,
): Promise<{ transport: Transport; tls: TlsFacts }> {
  const options = await readOptions(changes, host)
  const transport = await dial(to)
  return { transport, tls: await transport.startTls(options, caller.signal) }
}

describe('the files of the configuration', () => {
  it.each([
    ['sslrootcert', { rootCertificate: '/no/such/file' }],
    ['sslcert', { certificate: '/no/such/file', key: pathOf('client.key') }],
    ['sslkey', { certificate: pathOf('client.crt'), key: '/no/such/file' }],
    ['sslcrl', { revocationList: '/no/such/file' }],
  ])('are an error of %s if they are missing', async (parameter, changes) => {
    const error = await failureOf(readOptions(changes))
    expect(error).toBeInstanceOf(Fault)
    expect(error).toMatchObject({
      failure: { kind: 'config', parameter, problem: 'its file cannot be read (ENOENT)' },
      cause: { code: 'ENOENT' },
    })
  })

  it.each([
    // Node would take it, and trust nobody.
    ['sslrootcert', { rootCertificate: pathOf('client.key') }],
    ['sslcert', { certificate: pathOf('client.key'), key: pathOf('client.key') }],
    ['sslkey', { certificate: pathOf('client.crt'), key: pathOf('client.crt') }],
    ['sslpassword', { certificate: pathOf('client.crt'), key: pathOf('client-encrypted.key') }],
    [
      'sslpassword',
      {
        certificate: pathOf('client.crt'),
        key: pathOf('client-encrypted.key'),
        keyPassword: new Secret('open barley'),
      },
    ],
    ['sslcrl', { revocationList: pathOf('ca.crt') }],
    ['tls', { nodeOptions: { ciphers: 'none-such' } }],
  ])('are an error of %s if they do not hold what they should', async (parameter, changes) => {
    const error = await failureOf(readOptions(changes))
    expect(error).toMatchObject({ failure: { kind: 'config', parameter } })
    expect((error as Error).message).not.toContain('barley')
  })

  it('are an error if they hold DER where Node reads PEM, and would trust nobody', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pg-deadline-tls-'))
    const path = join(directory, 'ca.der')
    writeFileSync(path, new X509Certificate(read('ca.crt')).raw)
    const error = await failureOf(readOptions({ rootCertificate: path }))
    expect(error).toMatchObject({ failure: { kind: 'config', parameter: 'sslrootcert' } })
    rmSync(directory, { recursive: true })
  })

  it('are an error if certificate and key are not a pair, whatever their algorithms', async () => {
    for (const key of ['server.key', 'rsa.key']) {
      const error = await failureOf(readOptions({ certificate: pathOf('client.crt'), key: pathOf(key) }))
      expect(error).toMatchObject({
        failure: { kind: 'config', parameter: 'sslkey', problem: 'is not the key of sslcert' },
      })
    }
  })

  it('may hold an encrypted key, if the password opens it', async () => {
    const pair = { certificate: pathOf('client.crt'), key: pathOf('client-encrypted.key') }
    await expect(readOptions({ ...pair, keyPassword: new Secret(KEY_PASSWORD) })).resolves.toBeDefined()
  })

  it('are not read if our certificate is not to be sent', async () => {
    const missing = { certificate: '/no/such/file', key: '/no/such/file', certificateMode: 'disable' } as const
    await expect(readOptions(missing)).resolves.toBeDefined()
  })

  it('are not read for a caller who is gone', async () => {
    caller.abort(REASON)
    expect(await failureOf(readOptions({ rootCertificate: pathOf('ca.crt') }))).toBe(REASON)
    expect(await failureOf(readOptions({}))).toBe(REASON)
  })

  it.skipIf(process.platform === 'win32')(
    'that are no files are refused at once: a pipe would be waited for',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'pg-deadline-tls-'))
      const pipe = join(directory, 'pipe')
      execFileSync('/usr/bin/mkfifo', [pipe])
      for (const path of [pipe, directory]) {
        const error = await failureOf(readOptions({ rootCertificate: path }))
        expect((error as Fault).failure).toEqual({
          kind: 'config',
          parameter: 'sslrootcert',
          problem: 'its file is not a regular file',
        })
      }
      rmSync(directory, { recursive: true })
    },
  )

  it.skipIf(process.platform === 'win32')(
    "that are keys must be their owner's alone, or of root and its group",
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'pg-deadline-tls-'))
      const key = join(directory, 'client.key')
      writeFileSync(key, read('client.key'))
      const parameters = { certificate: pathOf('client.crt'), key }
      const isRoots = process.getuid?.() === 0
      for (const [mode, lawful] of [
        [0o600, true],
        [0o400, true],
        [0o640, isRoots],
        [0o660, false],
        [0o604, false],
        [0o644, false],
      ] as const) {
        chmodSync(key, mode)
        const outcome = await readOptions(parameters).catch((error: unknown) => error)
        if (lawful) expect(outcome).not.toBeInstanceOf(Error)
        else expect((outcome as Fault).failure).toMatchObject({ kind: 'config', parameter: 'sslkey' })
      }
      rmSync(directory, { recursive: true })
    },
  )
})

describe('what was parsed', () => {
  const contextOf = async (changes: Partial<TlsParameters>) => (await readOptions(changes)).node.secureContext

  it('serves again for the same bytes and settings', async () => {
    const first = await contextOf({ rootCertificate: pathOf('ca.crt') })
    expect(await contextOf({ rootCertificate: pathOf('ca.crt') })).toBe(first)
    expect(await contextOf({ rootCertificate: pathOf('other-ca.crt') })).not.toBe(first)
    expect(await contextOf({ rootCertificate: pathOf('ca.crt'), minVersion: 'TLSv1.3' })).not.toBe(first)
    expect(await contextOf({ rootCertificate: pathOf('ca.crt'), nodeOptions: {} })).toBe(first)
  })

  it('serves again for the same options of Node’s, but not for one that cannot be compared', async () => {
    const ca = read('ca.crt')
    const first = await contextOf({ nodeOptions: { ca, honorCipherOrder: true } })
    expect(await contextOf({ nodeOptions: { ca, honorCipherOrder: true } })).toBe(first)
    expect(await contextOf({ nodeOptions: { ca, honorCipherOrder: false } })).not.toBe(first)
    expect(await contextOf({ nodeOptions: { ca: [ca], honorCipherOrder: true } })).not.toBe(first)
    expect(await contextOf({ nodeOptions: { ca: Buffer.from(ca), honorCipherOrder: true } })).not.toBe(first)
    // A list is not the text of a list, and what stands in a buffer may have changed since.
    const list = Buffer.from(ca)
    const second = await contextOf({ nodeOptions: { ca: [list] } })
    expect(await contextOf({ nodeOptions: { ca: [Buffer.from(ca)] } })).toBe(second)
    list.set(Buffer.from(read('other-ca.crt')).subarray(0, list.length))
    expect(await contextOf({ nodeOptions: { ca: [list] } }).catch((error: unknown) => error)).not.toBe(second)
    const pskCallback = () => null
    const third = await contextOf({ nodeOptions: { ca, pskCallback } })
    expect(await contextOf({ nodeOptions: { ca, pskCallback } })).not.toBe(third)
    const nested = { nodeOptions: { ca, cert: read('client.crt'), key: [{ pem: read('client.key') }] } }
    const fourth = await contextOf(nested)
    expect(await contextOf(nested)).not.toBe(fourth)
  })

  it('does not serve for a file that has changed, nor for another password', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pg-deadline-tls-'))
    const path = join(directory, 'ca.crt')
    writeFileSync(path, read('ca.crt'))
    const first = await contextOf({ rootCertificate: path })
    writeFileSync(path, read('other-ca.crt'))
    expect(await contextOf({ rootCertificate: path })).not.toBe(first)
    rmSync(directory, { recursive: true })

    const locked = { certificate: pathOf('client.crt'), key: pathOf('client-encrypted.key') }
    await contextOf({ ...locked, keyPassword: new Secret(KEY_PASSWORD) })
    await expect(contextOf({ ...locked, keyPassword: new Secret('another') })).rejects.toBeInstanceOf(Fault)
  })

  it('is forgotten after eight others', async () => {
    const first = await contextOf({ rootCertificate: pathOf('ca.crt') })
    const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const
    for (const minVersion of versions) {
      for (const file of ['ca.crt', 'other-ca.crt', 'self-signed.crt']) {
        await contextOf({ rootCertificate: pathOf(file), minVersion, maxVersion: 'TLSv1.3' })
      }
    }
    expect(await contextOf({ rootCertificate: pathOf('ca.crt') })).not.toBe(first)
  })
})

describe('what of the certificate must be believed', () => {
  const roots = { rootCertificate: pathOf('ca.crt') }
  const ca = { nodeOptions: { ca: read('ca.crt') } }

  it.each([
    ['allow', {}, 'nothing'],
    ['prefer', {}, 'nothing'],
    ['require', {}, 'nothing'],
    // #LIBPQ-SSL-CERTIFICATES: for compatibility, require with a root certificate is verify-ca.
    ['prefer', roots, 'the chain'],
    ['require', roots, 'the chain'],
    ['require', ca, 'the chain'],
    ['verify-ca', roots, 'the chain'],
    ['verify-ca', ca, 'the chain'],
    ['verify-full', roots, 'chain and name'],
    ['verify-full', { rootCertificate: 'system' }, 'chain and name'],
    ['verify-full', ca, 'chain and name'],
  ] as const)('under %s with %o is %s', async (mode, changes, verify) => {
    await expect(readOptions({ mode, ...changes })).resolves.toMatchObject({ verify })
  })

  it.each(['verify-ca', 'verify-full'] as const)('needs somebody to trust under %s', async (mode) => {
    const error = await failureOf(readOptions({ mode }))
    expect(error).toMatchObject({ failure: { kind: 'config', parameter: 'sslrootcert' } })
  })

  it.each([
    ['nothing', { mode: 'require' }, 'expired.crt', null],
    ['the chain', { mode: 'verify-ca', ...roots }, 'server.crt', null],
    ['the chain', { mode: 'verify-ca', ...roots }, 'wrong-host.crt', null],
    ['the chain', { mode: 'verify-ca', ...roots }, 'expired.crt', 'CERT_HAS_EXPIRED'],
    ['its name', { mode: 'verify-full', ...roots }, 'server.crt', null],
    ['its name', { mode: 'verify-full', ...roots }, 'wrong-host.crt', 'does not match'],
    ['its name and the chain', { mode: 'verify-full', ...roots }, 'expired.crt', 'CERT_HAS_EXPIRED'],
    ['what was revoked', { mode: 'verify-ca', ...roots, revocationList: pathOf('ca.crl') }, 'revoked.crt', 'REVOKED'],
    ['what was not', { mode: 'verify-ca', ...roots, revocationList: pathOf('ca.crl') }, 'server.crt', null],
    ['a private authority', { mode: 'verify-full', rootCertificate: 'system' }, 'server.crt', 'UNABLE_TO_VERIFY'],
    // The escape hatch may say whom to trust, not whether.
    [
      'what Node was told to ignore',
      { mode: 'verify-ca', ...roots, nodeOptions: { rejectUnauthorized: false } },
      'expired.crt',
      'CERT_HAS_EXPIRED',
    ],
    [
      'what Node was told to ignore',
      { mode: 'verify-full', ...roots, nodeOptions: { checkServerIdentity: () => undefined } },
      'wrong-host.crt',
      'does not match',
    ],
  ] as const)('is %s: %o, %s', async (_what, changes, certificate, rejection) => {
    await using listener = await listen({ cert: read(certificate) })
    const { tls } = await secure(listener, changes)
    expect(tls.rejection).toEqual(rejection === null ? null : expect.stringContaining(rejection))
    const { raw } = new X509Certificate(read(certificate))
    expect(Buffer.from(tls.serverCertificate ?? []).equals(raw)).toBe(true)
  })

  it('cannot be trusted where there is none: keys that were shared beforehand are no certificate', async () => {
    const psk = Buffer.alloc(32, 7)
    const options = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const
    await using listener = await listen({ ...options, cert: undefined, key: undefined, pskCallback: () => psk })
    const nodeOptions = { ...options, pskCallback: () => ({ psk, identity: 'us' }) }
    for (const mode of ['verify-ca', 'verify-full'] as const) {
      const { tls } = await secure(listener, { mode, ...roots, nodeOptions })
      expect(tls).toMatchObject({ serverCertificate: null, rejection: 'server certificate (there is none)' })
    }
  })

  it('is told in a bounded sentence', async () => {
    await using listener = await listen()
    const { tls } = await secure(listener, { mode: 'verify-full', ...roots }, `${'a'.repeat(300)}.example`)
    expect(tls.rejection).toMatch(/^server certificate \(.{199}…\)$/)
  })

  it('is the address, if that is what was dialed', async () => {
    const full = { mode: 'verify-full', ...roots } as const
    await using listener = await listen()
    expect((await secure(listener, full, '127.0.0.1')).tls.rejection).toBe(null)
    expect((await secure(listener, full, '127.0.0.2')).tls.rejection).toContain('127.0.0.2')
    await using byName = await listen({ cert: read('common-name.crt') })
    expect((await secure(byName, full, 'localhost')).tls.rejection).toBe(null)
    expect((await secure(byName, full, '127.0.0.1')).tls.rejection).toContain('127.0.0.1')
  })
})

describe('a star in a certificate', () => {
  const authority = issueCertificate({ commonName: 'authority of stars', isAuthority: true })
  const full = { mode: 'verify-full', nodeOptions: { ca: authority.certificate } } as const

  async function rejectionOf(host: string, names: { readonly commonName: string; readonly names?: readonly string[] }) {
    const { certificate, privateKey } = issueCertificate({ ...names, issuer: authority })
    await using listener = await listen({ cert: certificate, key: privateKey })
    return (await secure(listener, full, host)).tls.rejection
  }

  // The pattern stands in subjectAltName, and then, where there is none, in the common name.
  const everywhere = (pattern: string) => [{ commonName: 'x', names: [pattern] }, { commonName: pattern }]

  it.each([
    ['*.a.example', 'db.a.example'],
    ['*.a.example', 'DB.A.Example'],
    ['*.a.example', 'db.a.example.'],
    ['*.a.example', 'xn--bcher-kva.a.example'],
    // libpq and Node let it stand for these; X509Certificate.checkHost does not.
    ['*.a.example', 'db_1.a.example'],
    ['*.a_b.example', 'db.a_b.example'],
    ['db.a.example', 'db.a.example'],
  ])('may be the first label: %s is %s', async (pattern, host) => {
    for (const names of everywhere(pattern)) expect(await rejectionOf(host, names)).toBe(null)
  })

  it.each([
    ['f*.a.example', 'foo.a.example'],
    ['f*.a.example', 'foo.a.example.'],
    ['*o.a.example', 'foo.a.example'],
    ['f*o.a.example', 'foo.a.example'],
    ['f*.a.example', 'f_1.a.example'],
    // The star may stand for nothing.
    ['db*.a.example', 'db.a.example'],
  ])('may not be a part of it, and the sentence says so: %s is not %s', async (pattern, host) => {
    for (const names of everywhere(pattern)) {
      const rejection = await rejectionOf(host, names)
      expect(rejection).toContain('matches only by a wildcard for part of a label, which does not count')
      expect(rejection).toContain(host)
      expect(rejection).toContain(pattern)
    }
  })

  it.each([
    ['a.*.example', 'a.b.example'],
    ['*.a.example', 'b.b.a.example'],
    ['*.a.example', 'a.example'],
    ['*.*.example', 'b.a.example'],
    ['**.a.example', 'b.a.example'],
    ['*.example', 'a.example'],
  ])('stands for nothing else: %s is not %s', async (pattern, host) => {
    for (const names of everywhere(pattern)) expect(await rejectionOf(host, names)).toContain('does not match')
  })

  it('in part of a label takes nothing from the names beside it', async () => {
    const names = ['f*.a.example', 'foo.a.example', '*.b.example']
    expect(await rejectionOf('foo.a.example', { commonName: 'x', names })).toBe(null)
    expect(await rejectionOf('foo.b.example', { commonName: 'x', names })).toBe(null)
    expect(await rejectionOf('fob.a.example', { commonName: 'x', names })).toContain('does not count')
  })

  it('in the common name is not looked at where there is another name', async () => {
    const names = { commonName: '*.a.example', names: ['db.b.example'] }
    expect(await rejectionOf('db.a.example', names)).toContain('does not match')
  })

  it('does not come out of a name that holds a comma: CVE-2021-44532', async () => {
    const names = { commonName: 'x', names: ['db.b.example, DNS:*.a.example'] }
    expect(await rejectionOf('db.a.example', names)).toContain('does not match')
  })

  it('does not concern an address', async () => {
    const names = { commonName: 'x', names: ['f*.a.example', '127.0.0.1'] }
    expect(await rejectionOf('127.0.0.1', names)).toBe(null)
    expect(await rejectionOf('127.0.0.2', names)).toContain('127.0.0.2')
  })
})

describe('the name in the clear', () => {
  it.each([
    ['is sent', 'db.example', {}, 'db.example'],
    ['is not sent if it shall not be', 'db.example', { sendServerName: false }, false],
    ['is never an IPv4 address', '127.0.0.1', {}, false],
    ['is never an IPv6 address', '::1', {}, false],
    [
      'can be another one by the options of node:tls',
      'db.example',
      { nodeOptions: { servername: 'a.example' } },
      'a.example',
    ],
  ] as const)('%s', async (_what, host, changes, servername) => {
    await using listener = await listen()
    await secure(listener, changes, host)
    await untilTrue(() => listener.clients.length === 1, 'the server is through, too')
    expect(listener.clients[0]?.servername).toBe(servername)
  })

  it('is not what is verified', async () => {
    await using listener = await listen()
    const changes = { mode: 'verify-full', rootCertificate: pathOf('ca.crt') } as const
    const { tls } = await secure(listener, { ...changes, nodeOptions: { servername: 'localhost' } }, 'db.example')
    expect(tls.rejection).toContain('db.example')
  })
})

describe('ALPN', () => {
  it('says postgresql, and tells what the server took', async () => {
    await using listener = await listen()
    const { tls } = await secure(listener)
    expect(tls.alpnProtocol).toBe('postgresql')
  })

  it('is nothing with a server that does not know it', async () => {
    await using listener = await listen({ ALPNProtocols: [] })
    const { tls } = await secure(listener)
    expect(tls.alpnProtocol).toBe(null)
  })

  it('with a server of other protocols ends the handshake', async () => {
    await using listener = await listen({ ALPNProtocols: ['http/1.1'] })
    const error = await failureOf(secure(listener))
    expect(error).toBeInstanceOf(TransportError)
    expect((error as Error).message).toMatch(/no application protocol/i)
  })
})

describe('the version of TLS', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is %s if both say so', async (version) => {
    await using listener = await listen()
    const { tls } = await secure(listener, { minVersion: version, maxVersion: version })
    expect(tls.version).toBe(version)
    expect(tls.cipher).toMatch(version === 'TLSv1.3' ? /^TLS_/ : /^ECDHE-/)
  })

  it.each([
    ['below', { maxVersion: 'TLSv1.2' }, { minVersion: 'TLSv1.3' }],
    ['above', { minVersion: 'TLSv1.3' }, { maxVersion: 'TLSv1.2' }],
  ] as const)('%s what the server speaks ends the handshake', async (_what, ours, theirs) => {
    await using listener = await listen(theirs)
    const error = await failureOf(secure(listener, ours))
    expect(error).toBeInstanceOf(TransportError)
    expect((error as TransportError).code).toMatch(/^ERR_SSL_|^EPROTO/)
  })
})

describe("the options of Node's own", () => {
  it('are merged over the files', async () => {
    await using listener = await listen({ requestCert: true, rejectUnauthorized: false, ca: read('ca.crt') })
    const pair = { certificate: pathOf('self-signed.crt'), key: pathOf('self-signed.key') }
    const nodeOptions = { cert: read('client.crt'), key: read('client.key') }
    await secure(listener, { ...pair, nodeOptions })
    await untilTrue(() => listener.clients.length === 1, 'the server is through, too')
    expect(listener.clients[0]?.authorized).toBe(true)
    expect(listener.clients[0]?.getPeerCertificate().subject.CN).toBe('certified')
  })

  it('are not quoted where Node would: a passphrase may be among them', async () => {
    const nodeOptions = { key: read('client-encrypted.key'), passphrase: 20241234 as unknown as string }
    const error = await failureOf(readOptions({ nodeOptions }))
    expect(error).toMatchObject({ failure: { problem: 'cannot be used (ERR_INVALID_ARG_TYPE)' } })
    expect((error as Error).cause).toBeUndefined()
  })

  it('alone bring a key exchange over a prime of the server', async () => {
    const ciphers = 'DHE-RSA-AES128-GCM-SHA256'
    const rsa = { cert: read('rsa.crt'), key: read('rsa.key'), dhparam: 'auto' }
    await using listener = await listen({ ...rsa, ciphers, maxVersion: 'TLSv1.2' })
    expect(await failureOf(secure(listener))).toBeInstanceOf(TransportError)
    expect((await secure(listener, { nodeOptions: { ciphers } })).tls.cipher).toBe(ciphers)
  })

  it('choose the cipher', async () => {
    await using listener = await listen()
    const nodeOptions = { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }
    const { tls } = await secure(listener, { maxVersion: 'TLSv1.2', nodeOptions })
    expect(tls.cipher).toBe(nodeOptions.ciphers)
  })
})

describe('a transport in TLS', () => {
  it('says which certificate is missed', async () => {
    await using listener = await listen({ requestCert: true, ca: read('ca.crt') })
    const { transport } = await secure(listener, { minVersion: 'TLSv1.3' })
    expect(await failureOf(receive(transport))).toMatchObject({
      message: 'the server wants a client certificate: give sslcert and sslkey',
    })
  })

  it('is read and written as before, byte for byte', async () => {
    await using listener = await listen()
    const { transport } = await secure(listener)
    await untilTrue(() => listener.clients.length === 1, 'the server is through, too')
    listener.clients[0]?.pipe(listener.clients[0])
    const sent = Buffer.alloc(1024 * 1024, 'pg-deadline')
    const writing = handOver(transport, sent)
    const received: Buffer[] = []
    for (let length = 0; length < sent.length; length += received.at(-1)?.length ?? 0) {
      const chunk = await receive(transport)
      if (chunk === null) break
      received.push(chunk)
    }
    await writing
    expect(Buffer.concat(received).equals(sent)).toBe(true)
  })

  it('has what the server says in the same breath as its handshake', async () => {
    await using listener = await listen()
    const connecting = secure(listener, { maxVersion: 'TLSv1.2' })
    await untilTrue(() => listener.clients.length === 1, 'the server is through')
    listener.clients[0]?.write('hello')
    const { transport } = await connecting
    await turn()
    await expect(receive(transport)).resolves.toEqual(Buffer.from('hello'))
  })

  it('ends where the server ends it', async () => {
    await using listener = await listen()
    const { transport } = await secure(listener)
    await untilTrue(() => listener.clients.length === 1, 'the server is through, too')
    listener.clients[0]?.end('bye')
    await expect(receive(transport)).resolves.toEqual(Buffer.from('bye'))
    await expect(receive(transport)).resolves.toBe(null)
  })

  it('is destroyed as a whole, and whoever reads is told', async () => {
    await using listener = await listen()
    const { transport } = await secure(listener)
    await untilTrue(() => listener.clients.length === 1, 'the server is through, too')
    const closed = new Promise((resolve) => listener.clients[0]?.once('close', resolve).resume())
    const reading = failureOf(receive(transport))
    transport.destroy()
    expect(await reading).toMatchObject({ name: 'TransportError', code: 'ECLOSED' })
    await closed
  })

  it('never was one for a caller who is gone', async () => {
    await using listener = await Listener.tcp()
    const options = await readOptions({})
    const transport = await dial(listener)
    caller.abort(REASON)
    expect(await failureOf(transport.startTls(options, caller.signal))).toBe(REASON)
    const peer = await listener.accept()
    transport.destroy()
    let received = 0
    peer.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    peer.resume()
    await once(peer, 'close')
    expect(received).toBe(0)
  })

  it('does not begin behind bytes in plaintext: CVE-2021-23222', async () => {
    await using listener = await Listener.tcp()
    const options = await readOptions({})
    const transport = await dial(listener)
    const peer = await listener.accept()
    peer.write('S')
    await receive(transport)
    peer.write('injected')
    for (let turns = 0; turns < 20; turns += 1) await turn()
    expect(await failureOf(transport.startTls(options, caller.signal))).toMatchObject({
      failure: { kind: 'misbehaved', received: '8 bytes in plaintext' },
    })
  })
})

describe('a handshake', () => {
  /** Our end has said ClientHello, and theirs has read it. */
  async function begin(
    listener: Listener,
  ): Promise<{ peer: Socket; transport: Transport; securing: Promise<unknown> }> {
    const options = await readOptions({})
    const transport = await dial(listener)
    const peer = await listener.accept()
    const securing = failureOf(transport.startTls(options, caller.signal))
    peer.resume()
    await once(peer, 'data')
    return { peer, transport, securing }
  }

  it.each([
    ['an HTTP banner', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    // An ErrorResponse, from a server that does not know TLS.
    ['an ErrorResponse', Buffer.from('45000000164d6e6f20746c73206865726500000000', 'hex')],
    // record: handshake, TLS 1.2, 4 bytes: ServerHello that ends at once
    ['a ServerHello of no length', Buffer.from('160303000402000000', 'hex')],
    // record: handshake, TLS 1.2, 65535 bytes, more than any record may have
    ['a record that is too long', Buffer.from('160303ffff', 'hex')],
    // alert: fatal, handshake_failure
    ['an alert', Buffer.from('15030300020228', 'hex')],
    ['zeros', Buffer.alloc(64)],
  ])('answered by %s fails at once', async (_what, answer) => {
    await using listener = await Listener.tcp()
    const { peer, securing } = await begin(listener)
    peer.write(answer)
    const error = await securing
    expect(error).toBeInstanceOf(TransportError)
    expect((error as TransportError).code).toMatch(/^ERR_SSL_|^EPROTO/)
    expect((error as TransportError).cause).toBeInstanceOf(Error)
    expect((error as Error).message).not.toMatch(/openssl\/|\n/)
    if (String(answer).startsWith('HTTP')) expect((error as Error).message).toContain('is not TLS')
  })

  it.each([
    ['FIN', (peer: Socket) => peer.end()],
    ['RST', (peer: Socket) => peer.resetAndDestroy()],
    ['FIN in the middle of a record', (peer: Socket) => peer.end(Buffer.from('1603030100', 'hex'))],
    [
      'RST in the middle of a record',
      (peer: Socket) => peer.write(Buffer.from('1603030100', 'hex'), () => peer.resetAndDestroy()),
    ],
  ])('that the server ends by %s fails at once', async (_what, end) => {
    await using listener = await Listener.tcp()
    const { peer, securing } = await begin(listener)
    end(peer)
    expect(await securing).toMatchObject({ name: 'TransportError', code: 'ECONNRESET' })
  })

  it.each([
    ['FIN', (peer: Socket) => peer.end()],
    ['RST', (peer: Socket) => peer.resetAndDestroy()],
  ])('that the server ended by %s before it began fails at once', async (_what, end) => {
    await using listener = await Listener.tcp()
    const options = await readOptions({})
    const transport = await dial(listener)
    const peer = await listener.accept()
    peer.resume()
    end(peer)
    for (let turns = 0; turns < 20; turns += 1) await turn()
    expect(await failureOf(transport.startTls(options, caller.signal))).toBeInstanceOf(TransportError)
  })

  it.each([
    ['nothing', ''],
    ['half of a record', Buffer.from('160303010002', 'hex')],
  ])('answered by %s ends with the signal: its reason, and the socket is left to its owner', async (_what, answer) => {
    await using listener = await Listener.tcp()
    const { peer, transport, securing } = await begin(listener)
    if (answer !== '') peer.write(answer)
    for (let turns = 0; turns < 20; turns += 1) await turn()
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1)
    caller.abort(REASON)
    expect(await securing).toBe(REASON)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(listener.connections).toBe(1)
    transport.destroy()
    await untilTrue(() => listener.connections === 0, 'the server has seen the end')
  })

  it('that the owner destroys fails at once', async () => {
    await using listener = await Listener.tcp()
    const { transport, securing } = await begin(listener)
    transport.destroy()
    expect(await securing).toMatchObject({ name: 'TransportError' })
    await untilTrue(() => listener.connections === 0, 'the server has seen the end')
  })

  it('whose end and abort come in one turn is aborted or done, and nothing is left', async () => {
    await using listener = await listen()
    const options = await readOptions({})
    for (let delay = 0; delay < 40; delay += 1) {
      const controller = new AbortController()
      const transport = await dial(listener)
      const securing = transport.startTls(options, controller.signal).catch((error: unknown) => error)
      for (let turns = 0; turns < delay; turns += 1) await turn()
      controller.abort(REASON)
      const outcome = await securing
      expect(outcome === REASON || (outcome as TlsFacts).alpnProtocol === 'postgresql').toBe(true)
      expect(getEventListeners(controller.signal, 'abort')).toEqual([])
      transport.destroy()
    }
  })
})

describe('a second handshake', () => {
  it('is refused: whose certificate it shows nobody would ask', async () => {
    await using listener = await listen({ maxVersion: 'TLSv1.2' })
    const { transport } = await secure(listener)
    await untilTrue(() => listener.clients.length === 1, 'the server is through, too')
    listener.clients[0]?.renegotiate({}, () => {})
    const error = await failureOf(receive(transport))
    expect(error).toBeInstanceOf(TransportError)
  })
})

describe('the bytes of a handshake', () => {
  const LIMIT = LIMITS.tlsHandshakeBytesMax
  // record: handshake, TLS 1.2, 4 bytes: HelloRequest, which OpenSSL drops
  const helloRequest = Buffer.from('160303000400000000', 'hex')

  afterEach(() => {
    vi.useRealTimers()
  })

  /** A socket that is ours to look at, with a handshake under way whose watch runs when a test says so. */
  async function begin(listener: Listener) {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const options = await readOptions({})
    const socket = connect({ host: '127.0.0.1', port: listener.port })
    socket.on('error', () => {})
    const peer = await listener.accept()
    peer.write('S')
    await once(socket, 'data')
    const settled = vi.fn()
    const securing = failureOf(secureSocket(socket, options, caller.signal)).finally(settled)
    peer.resume()
    await once(peer, 'data')
    return { socket, peer, securing, settled }
  }

  async function receive({ socket, peer }: { socket: Socket; peer: Socket }, bytes: Buffer): Promise<void> {
    const before = socket.bytesRead
    peer.write(bytes)
    await untilTrue(() => socket.bytesRead === before + bytes.length, 'all of it is read')
  }

  it('may be as many as the limit says, and one more is a failure, told with both numbers', async () => {
    await using listener = await Listener.tcp()
    const handshake = await begin(listener)
    await receive(handshake, Buffer.alloc(LIMIT, helloRequest))
    vi.advanceTimersByTime(1_000)
    await turn()
    expect(handshake.settled).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(1)

    await receive(handshake, Buffer.alloc(1, helloRequest.subarray(LIMIT % helloRequest.length)))
    vi.advanceTimersByTime(COUNT_EVERY_MS)
    expect(await handshake.securing).toMatchObject({
      failure: { kind: 'limit', what: 'bytes of the TLS handshake', limit: LIMIT, received: LIMIT + 1 },
    })
    expect(vi.getTimerCount()).toBe(0)
    handshake.socket.destroy()
  })

  it.each([
    ['an abort', () => caller.abort(REASON)],
    ['the end of the connection', (peer: Socket) => peer.end()],
    ['a reset', (peer: Socket) => peer.resetAndDestroy()],
    ['an error of TLS', (peer: Socket) => peer.write('HTTP/1.1 400 Bad Request')],
  ])('are not counted any more after %s', async (_what, end) => {
    await using listener = await Listener.tcp()
    const { socket, peer, securing } = await begin(listener)
    expect(vi.getTimerCount()).toBe(1)
    end(peer)
    await securing
    expect(vi.getTimerCount()).toBe(0)
    socket.destroy()
  })

  it('suffice for nearly the longest list of certificates that OpenSSL takes, 100 KB', async () => {
    const authority = read('ca.crt')
    const { raw } = new X509Certificate(authority)
    const chain = authority.repeat(Math.floor(95_000 / raw.length))
    await using listener = await listen({ cert: `${read('server.crt')}${chain}` })
    const options = await readOptions({})
    const socket = connect({ host: '127.0.0.1', port: listener.port })
    await secureSocket(socket, options, caller.signal)
    expect(socket.bytesRead).toBeGreaterThan(95_000)
    expect(socket.bytesRead).toBeLessThan(LIMIT / 2)
    socket.destroy()
  })
})

describe('the bytes of TLS that bring no message', () => {
  const LIMIT = LIMITS.tlsOverheadBytesMax
  /** Records of some 16 KB. */
  const LAWFUL = 15
  const BEYOND = 2

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })

  afterEach(() => {
    vi.useRealTimers()
  })

  /** TLS in which the server has sent as many tickets as are lawful, and a message that we have read: all of them are here. */
  async function begin() {
    let goOn = () => {}
    const waiting = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const server = await HostileServer.listen(async (peer) => {
      const send = async (tickets: number, message: string) => {
        for (let sent = 0; sent < tickets; sent += 1) {
          await peer.sendRecord(HANDSHAKE_RECORD, newSessionTicket(16_000))
        }
        await peer.sendRecord(APPLICATION_RECORD, Buffer.from(message))
      }
      await peer.startTls(honest())
      await send(LAWFUL, 'first')
      await waiting
      await send(BEYOND, 'second')
    })
    const { transport } = await secure(server)
    expect(String(await receive(transport))).toBe('first')
    return { server, transport, goOn }
  }

  it('may be as many as the limit says, and more are the end, though nobody reads', async () => {
    const { server, transport, goOn } = await begin()
    vi.advanceTimersByTime(1_000)
    expect(vi.getTimerCount()).toBe(1)
    goOn()
    await untilTrue(() => {
      vi.advanceTimersByTime(COUNT_EVERY_MS)
      return server.visits[0]?.isClosed === true
    }, 'the connection is gone')
    // What had been received comes first.
    const received = await failureOf(receive(transport))
    const error = received instanceof Fault ? received : await failureOf(receive(transport))
    expect(error).toMatchObject({
      failure: { kind: 'limit', what: 'bytes of TLS that bring no message', limit: LIMIT },
    })
    expect(vi.getTimerCount()).toBe(0)
    await server[Symbol.asyncDispose]()
  })

  it('are not counted any more once the session is ready', async () => {
    const { server, transport, goOn } = await begin()
    expect(vi.getTimerCount()).toBe(1)
    transport.enterSession()
    expect(vi.getTimerCount()).toBe(0)
    goOn()
    expect(String(await receive(transport))).toBe('second')
    transport.destroy()
    await server[Symbol.asyncDispose]()
  })

  it('are not counted any more once the connection is given up', async () => {
    const { server, transport } = await begin()
    expect(vi.getTimerCount()).toBe(1)
    transport.destroy()
    expect(vi.getTimerCount()).toBe(0)
    await server[Symbol.asyncDispose]()
  })

  it('are not those of messages, however many', async () => {
    await using listener = await listen()
    const { transport } = await secure(listener)
    await untilTrue(() => listener.clients.length === 1, 'the server is through, too')
    listener.clients[0]?.write(Buffer.alloc(2 * LIMIT))
    for (let received = 0; received < 2 * LIMIT; ) {
      received += (await receive(transport))?.length ?? 0
      vi.advanceTimersByTime(10)
    }
  })
})
