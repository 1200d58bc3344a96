/** TLS, fallbacks and the password's function in the driver, against a scripted server in which TLS is a phase. */
import { getEventListeners } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ConnectTarget } from '../src/config/target.ts'
import { TransportError } from '../src/net/transport.ts'
import { HandshakeError } from '../src/state/errors.ts'
import { read } from './certificates/index.ts'
import { TLS } from './state/handshake/examples.ts'
import { lawful, type Profile, ScriptedServer } from './support/scripted-server.ts'
import { settle } from './support/virtual-clock.ts'
import { worldOf } from './support/world.ts'

const TARGET = 'postgres://alice:secret@db.example/app'
const OBJECT = { host: 'db.example', user: 'alice', dbname: 'app', sslmode: 'disable' } as const

async function failureOf(connecting: Promise<unknown>): Promise<HandshakeError> {
  const error = await connecting.then(
    () => new Error('the connect succeeded'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof HandshakeError)) throw error
  return error
}

/** A world in which each attempt meets the next server of the list. */
function worldOfServers(...servers: ScriptedServer[]) {
  let dialed = 0
  const world = worldOf(servers[0] as ScriptedServer, {
    dial: (destination, deadline) => (servers[dialed++] as ScriptedServer).dial(destination, deadline),
  })
  return { ...world, dialed: () => dialed }
}

const inTls = (profile: Profile = {}) => lawful({ tlsReply: 'S', ...profile }).onTls(async () => TLS)

describe('sslmode', () => {
  it.each(['prefer', 'require'])('%s uses TLS where the server speaks it', async (sslmode) => {
    const server = inTls()
    const session = await worldOf(server).connect({}, `${TARGET}?sslmode=${sslmode}`)
    expect(session.tls).toEqual({ version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', alpnProtocol: 'postgresql' })
    expect(server.names.slice(0, 2)).toEqual(['SSLRequest', 'StartupMessage'])
    expect(session.timeline.map(({ state }) => state).slice(0, 8)).toEqual([
      'Disconnected',
      'ResolvingHost',
      'Dialing',
      'Connected',
      'AwaitingTlsReply',
      'SecuringTransport',
      'Connected',
      'AwaitingAuthentication',
    ])
    await session.close()
  })

  it('prefer goes on in plaintext, on the same connection, where the server does not', async () => {
    const server = lawful({ tlsReply: 'N' })
    const session = await worldOf(server).connect({}, TARGET)
    expect(session.tls).toBeNull()
    expect(server.dialed).toBe(1)
    expect(server.names.slice(0, 2)).toEqual(['SSLRequest', 'StartupMessage'])
  })

  it('require ends at N, and no StartupMessage has left', async () => {
    const server = lawful({ tlsReply: 'N' })
    const error = await failureOf(worldOf(server).connect({}, `${TARGET}?sslmode=require`))
    expect(error).toMatchObject({ phase: 'AwaitingTlsReply', failure: { kind: 'policy' } })
    expect(server.names).toEqual(['SSLRequest'])
    expect(server.destroyed).toBe(true)
  })

  it('with direct negotiation sends no SSLRequest', async () => {
    const server = inTls()
    const session = await worldOf(server).connect({}, `${TARGET}?sslmode=require&sslnegotiation=direct`)
    expect(server.names[0]).toBe('StartupMessage')
    await session.close()
  })

  it('disable, and a Unix-domain socket whatever sslmode says, send no SSLRequest', async () => {
    for (const target of [`${TARGET}?sslmode=disable`, 'postgres://alice:secret@%2Ftmp/app?sslmode=require']) {
      const server = lawful()
      await worldOf(server).connect({}, target)
      expect(server.names[0]).toBe('StartupMessage')
    }
  })

  it.each([
    ['plaintext behind S', 'SZ\0\0\0\x05I', { kind: 'misbehaved' }],
    ['another byte', 'H', { kind: 'misbehaved', received: '0x48' }],
  ])('%s in answer to SSLRequest is the end, with no second attempt', async (_name, tlsReply, failure) => {
    const server = inTls({ tlsReply })
    const world = worldOfServers(server)
    await expect(failureOf(world.connect({}, TARGET))).resolves.toMatchObject({ phase: 'AwaitingTlsReply', failure })
    expect(world.dialed()).toBe(1)
    expect(server.names).toEqual(['SSLRequest'])
  })

  it('an error in answer to SSLRequest shows none of its text', async () => {
    const tlsReply = 'E\0\0\0\x20SFATAL\0Mlook at http://evil.example\0\0'
    const error = await failureOf(worldOf(inTls({ tlsReply })).connect({}, `${TARGET}?sslmode=require`))
    expect(error).toMatchObject({ phase: 'AwaitingTlsReply', failure: { kind: 'refused' } })
    expect(`${inspect(error, { depth: 10 })} ${error.stack}`).not.toContain('evil')
  })

  it('an end of the connection in answer to SSLRequest is named', async () => {
    const server = inTls({ tlsReply: '' })
    const connecting = failureOf(worldOf(server).connect({}, `${TARGET}?sslmode=require`))
    await settle()
    server.end()
    await expect(connecting).resolves.toMatchObject({
      phase: 'AwaitingTlsReply',
      failure: { kind: 'lost', code: 'FIN' },
    })
  })
})

describe('a second attempt', () => {
  const broken = () =>
    lawful({ tlsReply: 'S' }).onTls(() => Promise.reject(new TransportError('EPROTO', 'wrong version number')))

  it('under prefer follows TLS that fails, on a new connection, in plaintext', async () => {
    const [first, second] = [broken(), lawful()]
    const world = worldOfServers(first, second)
    const caller = new AbortController()
    const session = await world.connect({ signal: caller.signal }, TARGET)
    expect(session.tls).toBeNull()
    expect([first.destroyed, second.destroyed]).toEqual([true, false])
    expect(first.names).toEqual(['SSLRequest'])
    expect(second.names[0]).toBe('StartupMessage')
    expect(session.timeline.filter(({ state }) => state === 'Disconnected')).toHaveLength(2)
    expect(world.clock.timersMax).toBe(1)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it('under require does not follow, and the error has its cause', async () => {
    const world = worldOfServers(broken())
    const error = await failureOf(world.connect({}, `${TARGET}?sslmode=require`))
    expect(error).toMatchObject({ phase: 'SecuringTransport', failure: { kind: 'lost', code: 'EPROTO' } })
    expect(error.cause).toMatchObject({ name: 'TransportError' })
    expect(error.attempts).toEqual([
      {
        endpoint: 'db.example:5432',
        encryption: 'required',
        sliceMs: 10_000,
        phase: 'SecuringTransport',
        failure: error.failure,
      },
    ])
  })

  it('under allow follows a refusal in plaintext, in TLS, with a nonce of its own', async () => {
    const refusing = new ScriptedServer((self, { type }) => {
      if (type === 'StartupMessage') self.send({ type: 'ErrorResponse', fields: [{ code: 'C', value: '28000' }] })
    })
    const nonces: number[] = []
    let dialed = 0
    const servers = [refusing, inTls()]
    const world = worldOf(refusing, {
      dial: (destination, deadline) => (servers[dialed++] as ScriptedServer).dial(destination, deadline),
      randomBytes: (lengthBytes) => Buffer.alloc(lengthBytes, nonces.push(0)),
    })
    const session = await world.connect({}, `${TARGET}?sslmode=allow`)
    expect(session.tls).not.toBeNull()
    expect(refusing.names).toEqual(['StartupMessage'])
    expect(refusing.destroyed).toBe(true)
    expect(nonces).toHaveLength(2)
  })

  it('has a cause of its own, not that of the first one', async () => {
    const error = await failureOf(worldOfServers(broken(), lawful({ password: 'another' })).connect({}, TARGET))
    expect(error).toMatchObject({ failure: { kind: 'refused', sqlstate: '28P01' } })
    expect(error.attempts).toMatchObject([{ failure: { kind: 'lost' } }, { failure: { kind: 'refused' } }])
    expect(error.cause).toBeUndefined()
  })

  it('that fails too leaves both in the error, the last one in front', async () => {
    const wrong = () => inTls({ password: 'another' })
    const error = await failureOf(worldOfServers(wrong(), lawful({ password: 'another' })).connect({}, TARGET))
    expect(error).toMatchObject({ phase: 'AwaitingSaslOutcome', failure: { kind: 'refused', sqlstate: '28P01' } })
    expect(error.attempts).toMatchObject([
      { phase: 'AwaitingSaslOutcome', failure: { sqlstate: '28P01' } },
      { phase: 'AwaitingSaslOutcome', failure: { sqlstate: '28P01' } },
    ])
  })

  it('has what is left of the one deadline, and no more', async () => {
    const [first, second] = [broken(), lawful({ silentAt: 'AuthenticationSASL' })]
    let fail: () => void = () => {}
    first.onTls(
      () =>
        new Promise((_resolve, reject) => {
          fail = () => reject(new TransportError('EPROTO', 'late'))
        }),
    )
    const world = worldOfServers(first, second)
    const connecting = failureOf(world.connect({ timeoutMs: 1_000 }, TARGET))
    await settle()
    world.clock.advance(900)
    fail()
    await settle()
    expect(world.dialed()).toBe(2)
    world.clock.advance(100)
    await expect(connecting).resolves.toMatchObject({ name: 'TimeoutError', phase: 'AwaitingAuthentication' })
    expect(second.destroyed).toBe(true)
    expect(world.clock.timersMax).toBe(1)
  })
})

describe.skipIf(process.platform === 'win32')("a defect of the user's own files", () => {
  let home: string

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'pg-deadline-home-'))
    mkdirSync(join(home, '.postgresql'))
    vi.stubEnv('HOME', home)
  })

  afterEach(() => {
    vi.unstubAllEnvs()
    rmSync(home, { recursive: true })
  })

  function own(name: string, content: string, mode = 0o600): void {
    const path = join(home, '.postgresql', name)
    writeFileSync(path, content)
    chmodSync(path, mode)
  }

  const DEFECTS: readonly (readonly [what: string, parameter: string, make: () => void])[] = [
    ['root.crt holds none', 'sslrootcert', () => own('root.crt', 'garbage')],
    [
      'postgresql.crt holds none',
      'sslcert',
      () => {
        own('postgresql.crt', 'garbage')
        own('postgresql.key', read('client.key'))
      },
    ],
    ['postgresql.key is missing', 'sslkey', () => own('postgresql.crt', read('client.crt'))],
    [
      'postgresql.key can be read by others',
      'sslkey',
      () => {
        own('postgresql.crt', read('client.crt'))
        own('postgresql.key', read('client.key'), 0o644)
      },
    ],
    [
      'postgresql.key is locked',
      'sslpassword',
      () => {
        own('postgresql.crt', read('client.crt'))
        own('postgresql.key', read('client-encrypted.key'))
      },
    ],
    [
      'root.crl holds no list',
      'sslcrl',
      () => {
        own('root.crt', read('ca.crt'))
        own('root.crl', read('ca.crt'))
      },
    ],
  ]

  it.each(DEFECTS)('does not matter, as to libpq, where the server has no TLS: %s', async (_what, _parameter, make) => {
    make()
    for (const sslmode of ['prefer', 'allow']) {
      const server = lawful({ tlsReply: 'N' })
      const session = await worldOf(server).connect({}, `${TARGET}?sslmode=${sslmode}`)
      expect(session.tls).toBeNull()
      expect(server.dialed).toBe(1)
    }
  })

  it.each(DEFECTS)('is told once TLS begins, and nothing follows in plaintext: %s', async (_what, parameter, make) => {
    make()
    const server = inTls()
    const world = worldOfServers(server, lawful())
    const error = await failureOf(world.connect({}, TARGET))
    expect(error).toMatchObject({
      phase: 'SecuringTransport',
      failure: { kind: 'config', parameter, problem: expect.stringContaining('the file in the home directory') },
    })
    expect(world.dialed()).toBe(1)
    expect(server.names).toEqual(['SSLRequest'])
    expect(server.destroyed).toBe(true)
  })

  it.each(DEFECTS)('is told at once where there must be TLS: %s', async (_what, parameter, make) => {
    make()
    const server = inTls()
    const error = await failureOf(worldOf(server).connect({}, `${TARGET}?sslmode=require`))
    expect(error).toMatchObject({ phase: 'Disconnected', failure: { kind: 'config', parameter } })
    expect(server.dialed).toBe(0)
  })

  it('is told behind the refusal that made allow try TLS', async () => {
    own('root.crt', 'garbage')
    const refusing = new ScriptedServer((self, { type }) => {
      if (type === 'StartupMessage') self.send({ type: 'ErrorResponse', fields: [{ code: 'C', value: '28000' }] })
    })
    const error = await failureOf(worldOfServers(refusing, inTls()).connect({}, `${TARGET}?sslmode=allow`))
    expect(error.attempts).toMatchObject([
      { phase: 'AwaitingAuthentication', failure: { kind: 'refused' } },
      { phase: 'SecuringTransport', failure: { kind: 'config', parameter: 'sslrootcert' } },
    ])
  })

  it('is another thing in a file that was named: it is told at once', async () => {
    own('root.crt', 'garbage')
    const named = join(home, '.postgresql', 'root.crt')
    for (const sslmode of ['prefer', 'allow']) {
      const server = lawful({ tlsReply: 'N' })
      const target = { ...OBJECT, sslmode, sslrootcert: named } as ConnectTarget
      const error = await failureOf(worldOf(server).connect({}, target))
      expect(error).toMatchObject({ phase: 'Disconnected', failure: { kind: 'config', parameter: 'sslrootcert' } })
      expect(server.dialed).toBe(0)
    }
  })
})

describe('a password that is a function', () => {
  const connectWith = (
    server: ScriptedServer,
    password: ConnectTarget['password'],
    more: Partial<ConnectTarget> = {},
  ) => worldOf(server).connect({}, { ...OBJECT, password, ...more } as ConnectTarget)

  it('is asked once, with the signal, and what it gives is used', async () => {
    const password = vi.fn(async (signal: AbortSignal) => (signal.aborted ? 'never' : 'secret'))
    const session = await connectWith(lawful(), password)
    expect(session.authenticationMethod).toBe('scram-sha-256')
    expect(password).toHaveBeenCalledOnce()
    expect(session.timeline.map(({ state }) => state)).toContain('AwaitingSaslPassword')
  })

  it.each([
    ['fails', () => Promise.reject(new Error('the vault is closed'))],
    ['never answers', () => new Promise<string>(() => {})],
  ])('that %s does not matter to a server that asks for no password', async (_what, password) => {
    const session = await connectWith(lawful({ method: 'trust' }), password)
    expect(session.authenticationMethod).toBe('none')
  })

  it('that hangs does not hide what the server says meanwhile', async () => {
    const server = lawful()
    const connecting = failureOf(connectWith(server, () => new Promise<string>(() => {})))
    await settle()
    server.send({ type: 'NoticeResponse', fields: [{ code: 'M', value: 'still here' }] })
    await settle()
    server.send({ type: 'ErrorResponse', fields: [{ code: 'C', value: '57P01' }] })
    await expect(connecting).resolves.toMatchObject({
      phase: 'AwaitingSaslPassword',
      failure: { kind: 'refused', sqlstate: '57P01' },
    })
    expect(server.destroyed).toBe(true)
  })

  it('that answers while a read is under way leaves nothing of it behind, and nothing is read twice', async () => {
    const server = lawful()
    let give: (password: string) => void = () => {}
    const password = () =>
      new Promise<string>((resolve) => {
        give = resolve
      })
    const connecting = connectWith(server, password)
    await settle()
    server.send({ type: 'NoticeResponse', fields: [{ code: 'M', value: 'once' }] })
    await settle()
    give('secret')
    const session = await connecting
    expect(session.notices.map(({ message }) => message)).toEqual(['once'])
  })

  it('is not waited for before the first message of SCRAM has left', async () => {
    const server = lawful()
    let give: (password: string) => void = () => {}
    const password = () =>
      new Promise<string>((resolve) => {
        give = resolve
      })
    const connecting = connectWith(server, password)
    await settle()
    expect(server.names).toEqual(['StartupMessage', 'SASLInitialResponse'])
    give('secret')
    await expect(connecting).resolves.toMatchObject({ authenticationMethod: 'scram-sha-256' })
  })

  it.each(['an error', 'success'])('is told to stop when the connect has settled without it: %s', async (how) => {
    let given: AbortSignal | undefined
    const password = (signal: AbortSignal) => {
      given = signal
      return how === 'success' ? 'secret' : new Promise<string>(() => {})
    }
    if (how === 'success') await connectWith(lawful(), password)
    else {
      const target = { ...OBJECT, sslmode: 'require', password } as const
      await failureOf(worldOf(lawful({ tlsReply: 'N' })).connect({}, target))
    }
    expect(given?.aborted).toBe(true)
    expect(given?.reason).toMatchObject({ name: 'AbortError' })
  })

  it('may answer at once, and is asked once for two attempts', async () => {
    const password = vi.fn(() => 'another')
    const servers = [inTls(), lawful()]
    const world = worldOfServers(...servers)
    const error = await failureOf(world.connect({}, { ...OBJECT, sslmode: 'prefer', password }))
    expect(error.attempts).toHaveLength(2)
    expect(password).toHaveBeenCalledOnce()
  })

  it('is not told to stop while it is wanted for the next host', async () => {
    let given: AbortSignal | undefined
    let give: (password: string) => void = () => {}
    const password = vi.fn((signal: AbortSignal) => {
      given = signal
      return new Promise<string>((resolve) => {
        give = resolve
      })
    })
    const silent = new ScriptedServer(() => {})
    const world = worldOfServers(silent, lawful())
    const hosts = { ...OBJECT, host: 'one.example,two.example', password } as const
    const connecting = world.connect({ timeoutMs: 1_000 }, hosts)
    await settle()
    world.clock.advance(500)
    await settle()
    expect(silent.destroyed).toBe(true)
    expect(given?.aborted).toBe(false)
    give('secret')
    const session = await connecting
    expect(session.attempts).toHaveLength(1)
    expect(password).toHaveBeenCalledOnce()
    expect(given?.aborted).toBe(true)
  })

  it('is told to stop at the deadline, and why', async () => {
    let given: AbortSignal | undefined
    const password = (signal: AbortSignal) => {
      given = signal
      return new Promise<string>(() => {})
    }
    const world = worldOf(lawful())
    const connecting = failureOf(world.connect({ timeoutMs: 1_000 }, { ...OBJECT, password }))
    await settle()
    world.clock.advance(1_000)
    await expect(connecting).resolves.toMatchObject({ name: 'TimeoutError', phase: 'AwaitingSaslPassword' })
    expect(given?.reason).toMatchObject({ name: 'TimeoutError' })
  })

  it('is not asked if require_auth leaves nothing that takes one', async () => {
    const password = vi.fn(() => 'secret')
    await connectWith(lawful({ method: 'trust' }), password, { requireAuth: 'none' })
    expect(password).not.toHaveBeenCalled()
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('the vault is closed')), /failed/],
    [
      'throws',
      () => {
        throw new Error('the vault is closed')
      },
      /failed/,
    ],
    ['gives no string', () => 5 as never, /gave number, not a string/],
    ['gives a string with NUL', () => 'a\0b', /NUL/],
    ['gives half of a surrogate pair', () => '\ud800', /surrogate/],
    ['gives an empty string', () => '', /an empty string/],
  ])('that %s is a config failure', async (_what, password, problem) => {
    const server = lawful()
    const error = await failureOf(connectWith(server, password))
    expect(error.failure).toMatchObject({
      kind: 'config',
      parameter: 'password',
      problem: expect.stringMatching(problem),
    })
    expect(server.destroyed).toBe(true)
    if (problem.source === 'failed') expect(error.cause).toMatchObject({ message: 'the vault is closed' })
  })

  it('whose failure nobody waits for any more is no unhandled rejection', async () => {
    const server = lawful()
    const caller = new AbortController()
    let fail: (reason: Error) => void = () => {}
    const password = () =>
      new Promise<string>((_resolve, reject) => {
        fail = reject
      })
    const connecting = failureOf(worldOf(server).connect({ signal: caller.signal }, { ...OBJECT, password }))
    await settle()
    caller.abort()
    await expect(connecting).resolves.toMatchObject({ name: 'AbortError', phase: 'AwaitingSaslPassword' })
    fail(new Error('too late'))
    await settle()
  })
})

describe('SCRAM keys', () => {
  it.each([
    ['are remembered', '', true],
    ['are derived anew for whoever switches the cache off', '&scram_key_cache=false', false],
  ])('%s', async (_what, parameter, remember) => {
    const asked: unknown[] = []
    const world = worldOf(lawful(), {
      deriveKeys: async (input) => {
        asked.push(input.remember)
        throw new Error('enough')
      },
    })
    await expect(world.connect({}, `${TARGET}?sslmode=disable${parameter}`)).rejects.toThrow('enough')
    expect(asked).toEqual([remember])
  })
})
