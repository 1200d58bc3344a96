/** The files of TLS, read once for all hosts; the name is each host's own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Runtime } from '../src/attempt.ts'
import { readSettings } from '../src/config/read-settings.ts'
import type { ConnectTarget } from '../src/config/target.ts'
import type { Endpoint } from '../src/net/endpoint.ts'
import type { TlsOptions } from '../src/net/transport.ts'
import { Fault } from '../src/protocol/failure.ts'
import { readTlsFiles } from '../src/tls-files.ts'
import { read } from './certificates/index.ts'
import { failureOf } from './hostile/failure.ts'
import { TLS } from './state/handshake/examples.ts'
import { worldOfHosts } from './support/hosts.ts'
import { lawful, type ScriptedServer } from './support/scripted-server.ts'

let folder: string
let root: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pg-deadline-tls-'))
  root = join(folder, 'root.crt')
  writeFileSync(root, read('ca.crt'))
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

const signal = new AbortController().signal

function settingsOf(target: ConnectTarget) {
  return readSettings({ user: 'alice', ...target })
}

describe('the files of TLS', () => {
  it('are the same for every host, and the name is its own', async () => {
    const settings = settingsOf({
      host: 'one,two',
      hostaddr: '192.0.2.1,192.0.2.2',
      sslmode: 'verify-full',
      sslrootcert: root,
    })
    const tlsOptionsFor = await readTlsFiles(settings, signal)
    const [one, two] = settings.hosts.map((endpoint) => tlsOptionsFor(endpoint) as TlsOptions)
    expect([one?.host, two?.host]).toEqual(['one', 'two'])
    expect([one?.verify, two?.verify]).toEqual(['chain and name', 'chain and name'])
    expect(one?.node.secureContext).toBe(two?.node.secureContext)
  })

  it('are nothing to a Unix-domain socket, and are read for the host beside it', async () => {
    const settings = settingsOf({ host: '/tmp,two', sslmode: 'verify-ca', sslrootcert: root })
    const tlsOptionsFor = await readTlsFiles(settings, signal)
    const [unix, tcp] = settings.hosts as readonly [Endpoint, Endpoint]
    expect(tlsOptionsFor(unix)).toBeNull()
    expect(tlsOptionsFor(tcp)).toMatchObject({ host: 'two', verify: 'the chain' })
  })

  it.each([
    ['there are Unix-domain sockets only', { host: '/tmp', sslmode: 'verify-full' }],
    ['sslmode wants no TLS', { host: 'one', sslmode: 'disable' }],
  ] as const)('are not looked at where %s', async (_what, target) => {
    const settings = settingsOf({ ...target, sslrootcert: join(folder, 'nowhere') })
    const tlsOptionsFor = await readTlsFiles(settings, signal)
    expect(settings.hosts.map(tlsOptionsFor)).toEqual([null])
  })

  it.each(['prefer', 'require', 'verify-full'] as const)(
    'that were named and are not there end it under %s',
    async (sslmode) => {
      const settings = settingsOf({ host: 'one,two', sslmode, sslrootcert: join(folder, 'nowhere') })
      const reading = readTlsFiles(settings, signal)
      await expect(reading).rejects.toMatchObject({ failure: { kind: 'config', parameter: 'sslrootcert' } })
    },
  )

  it('that nobody named wait for TLS with each host, and for none on a Unix-domain socket', async () => {
    const settings = settingsOf({ host: '/tmp,one,two', sslmode: 'prefer' })
    const own = {
      ...settings,
      tls: { ...settings.tls, rootCertificate: join(folder, 'nowhere'), found: ['sslrootcert'] },
    }
    const tlsOptionsFor = await readTlsFiles(own, signal)
    const [unix, one, two] = own.hosts.map(tlsOptionsFor)
    expect(unix).toBeNull()
    expect(one).toBeInstanceOf(Fault)
    expect(two).toBe(one)
    expect((one as Fault).failure).toMatchObject({
      parameter: 'sslrootcert',
      problem: expect.stringContaining('the file in the home directory'),
    })
    const required = { ...own, tls: { ...own.tls, mode: 'require' } } as const
    await expect(readTlsFiles(required, signal)).rejects.toMatchObject({ failure: { kind: 'config' } })
  })

  it('are not waited for beyond the deadline', async () => {
    const settings = settingsOf({ host: 'one', sslmode: 'verify-full', sslrootcert: root })
    const reason = new Error('too late')
    await expect(readTlsFiles(settings, AbortSignal.abort(reason))).rejects.toBe(reason)
  })
})

describe('with several hosts', () => {
  it('each attempt verifies the name of its own host', async () => {
    const names: string[] = []
    const noting = (server: ScriptedServer): Runtime['dial'] => {
      return async (destination, slice) => {
        const transport = await server.dial(destination, slice)
        return {
          ...transport,
          startTls: (options, tlsSignal) => {
            names.push(options.host)
            return transport.startTls(options, tlsSignal)
          },
        }
      }
    }
    const servers: readonly ScriptedServer[] = [
      lawful({ tlsReply: 'S', silentAt: 'AuthenticationSASL' }).onTls(async () => TLS),
      lawful({ tlsReply: 'S' }).onTls(async () => TLS),
    ]
    let dialed = 0
    const world = worldOfHosts(
      {},
      { dial: (destination, slice) => noting(servers[dialed++] as ScriptedServer)(destination, slice) },
    )
    const target = {
      host: 'one,two',
      user: 'alice',
      password: 'secret',
      sslmode: 'verify-full',
      sslrootcert: root,
    } as const
    const connecting = world.connect({ timeoutMs: 1_000 }, target)
    // Files are read in real time: until the first host has been reached.
    await expect.poll(() => servers[0]?.names).toEqual(['SSLRequest', 'StartupMessage'])
    world.clock.advance(500)
    const session = await connecting
    expect(session.attempts).toMatchObject([{ endpoint: 'one:5432', phase: 'AwaitingAuthentication' }])
    expect(names).toEqual(['one', 'two'])
  })

  it('a certificate of the wrong name is the end: the next host is not asked', async () => {
    const rejection = 'server certificate (Host: one is not in the cert)'
    const one = lawful({ tlsReply: 'S' }).onTls(async () => ({ ...TLS, rejection }))
    const two = lawful({ tlsReply: 'S' }).onTls(async () => TLS)
    const world = worldOfHosts({ one: [one], two: [two] })
    const target = {
      host: 'one,two',
      user: 'alice',
      password: 'secret',
      sslmode: 'verify-full',
      sslrootcert: root,
    } as const
    const error = await failureOf(world.connect({}, target))
    expect(error).toMatchObject({ phase: 'SecuringTransport', failure: { kind: 'unproven', what: rejection } })
    expect(two.dialed).toBe(0)
    expect(one.names).toEqual(['SSLRequest'])
  })
})
