/**
 * `--format libpq` against libpq itself: our trace of our handshake is libpq's of the same handshake, but for what is made anew for
 * each (nonces, proofs, salts, keys, process ids); and of libpq's own bytes it is libpq's to the last character.
 */

import { once } from 'node:events'
import { createServer, connect as dialTcp, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Act, play, type StageRuntime } from '../../docs/wire/stage.ts'
import type { CaptureEntry, CaptureHeader } from '../../src/cli/capture.ts'
import { type Direction, Dissector } from '../../src/cli/dissect.ts'
import { formatLibpq } from '../../src/cli/format-libpq.ts'
import { readOn } from '../../src/cli/guess-direction.ts'
import { Screen } from '../../src/cli/screen.ts'
import type { ConnectTarget } from '../../src/config/target.ts'
import { createKnownServers } from '../../src/known-servers.ts'
import { monotonicClock } from '../../src/net/deadline.ts'
import { dial } from '../../src/net/dial.ts'
import { deriveKeys } from '../../src/net/kdf.ts'
import { resolveHost } from '../../src/net/resolve.ts'
import { read } from '../certificates/index.ts'
import { type LibpqTrace, openLibpq, TRACE_FLAGS } from '../oracles/libpq-trace.ts'
import { startServer, type TestServer } from '../servers/server.ts'

const PASSWORD = 'looking glass'
const USERS = ['trust', 'password', 'md5', 'scram']
const METHOD = { trust: 'trust', password: 'password', md5: 'md5', scram: 'scram-sha-256' } as const
const SETUP = USERS.map((user) => {
  const kept = user === 'md5' ? 'md5' : 'scram-sha-256'
  return `set password_encryption = '${kept}'; create role by_${user} login password '${PASSWORD}'`
})
const HBA = Object.entries(METHOD).map(([user, method]) => `host all by_${user} all ${method}`)

interface Case {
  readonly name: string
  readonly user: string
  readonly target?: ConnectTarget
  readonly conninfo?: Readonly<Record<string, string>>
  /** Only libpq 18, or only with a server of 18. */
  readonly libpq?: '18'
  readonly server?: '18'
  readonly query?: string
}

const CASES: readonly Case[] = [
  { name: 'trust', user: 'by_trust' },
  { name: 'a password in plaintext', user: 'by_password', target: { allowCleartextPassword: true } },
  { name: 'MD5', user: 'by_md5' },
  { name: 'SCRAM', user: 'by_scram' },
  { name: 'a wrong password', user: 'by_scram', target: { password: 'rabbit hole' } },
  { name: 'a database that is not there', user: 'by_scram', target: { dbname: 'wonderland' } },
  { name: 'TLS, and SCRAM that is bound to it', user: 'by_scram', target: { sslmode: 'require' } },
  {
    name: 'direct TLS',
    user: 'by_scram',
    target: { sslmode: 'require', sslnegotiation: 'direct' },
    conninfo: { sslnegotiation: 'direct' },
    libpq: '18',
    server: '18',
  },
  {
    name: 'protocol 3.2',
    user: 'by_trust',
    target: { maxProtocolVersion: '3.2' },
    conninfo: { max_protocol_version: '3.2' },
    libpq: '18',
  },
  { name: 'a query', user: 'by_trust', query: "select 1 as one, null as nothing, 'x'::text, 2.5 as sum" },
  { name: 'a query that fails', user: 'by_trust', query: 'select 1 / 0' },
]

/** What libpq alone does, too: everything that a trace can hold. */
const QUERIES = [
  'select 1 as one, null as nothing',
  'extended:select 1 as one',
  'extended:select 1 / 0',
  "do $$ begin raise notice 'well, well'; end $$",
  'listen wonder',
  "notify wonder, 'land'",
  'copy (select 1) to stdout',
  'create temp table rabbits (n int)',
  'copy rabbits from stdin',
  '',
]

describe.each(['15', '18'] as const)('with a server of PostgreSQL %s', (version) => {
  let server: TestServer | null = null
  let problem = ''

  beforeAll(async () => {
    const files = { 'server.crt': read('server.crt'), 'server.key': read('server.key') }
    const started = startServer({ version, hba: HBA, setup: SETUP, files, settings: { ssl: 'on' } })
    // Another major than the one that npm installed: from a cache, or from npm.
    server = await started.catch((error: unknown) => {
      problem = String(error)
      return null
    })
  })

  afterAll(() => server?.stop())

  describe.each(['15', '18'] as const)('the trace of libpq %s', (dialect) => {
    const needed = CASES.filter(({ libpq, server: needs }) => dialect >= (libpq ?? '15') && version >= (needs ?? '15'))

    it.for(needed)('is ours: $name', async (one, { skip }) => {
      const libpq = await openLibpq(dialect)
      if (server === null) return skip(problem)
      if ('missing' in libpq) return skip(libpq.missing)
      const [ours, theirs] = await Promise.all([traceOurs(server, one, dialect), traceTheirs(libpq, server, one)])
      expect(ours.map(alike)).toEqual(theirs.map(alike))
      // The shortest is that of a wrong password by libpq 15, which traces only what it says itself.
      expect(theirs.length).toBeGreaterThanOrEqual(5)
    })

    it.for([false, true])(
      'of its own bytes is ours to the last character (regress mode: %s)',
      async (regressMode, { skip }) => {
        const libpq = await openLibpq(dialect)
        if (server === null) return skip(problem)
        if ('missing' in libpq) return skip(libpq.missing)
        await using wiretap = await Wiretap.listen(server)
        const conninfo = { ...conninfoOf(wiretap, { name: '', user: 'by_scram' }), sslmode: 'disable' }
        const theirs = await libpq.trace(flagsOf(regressMode), conninfo, QUERIES)
        expect(format(wiretap.entries, dialect, regressMode)).toEqual(theirs)
        expect(theirs.length).toBeGreaterThan(50)
      },
    )

    it('begins with the time unless it is told not to', async ({ skip }) => {
      const libpq = await openLibpq(dialect)
      if (server === null) return skip(problem)
      if ('missing' in libpq) return skip(libpq.missing)
      const theirs = await libpq.trace(0, { ...conninfoOf(server, { name: '', user: 'by_trust' }), sslmode: 'disable' })
      const header: CaptureHeader = { server: '', startedAtMs: Date.now(), timeoutMs: null, secrets: 'shown' }
      const libpqOptions = { dialect, suppressTimestamps: false, regressMode: false }
      const screen = new Screen({ env: {}, isTerminal: false })
      const ours = formatLibpq({ header, screen, libpq: libpqOptions, hasTimes: true })
      const [line = ''] = ours.entry(message('sent', Buffer.from('0000000804d2162f', 'hex')))
      const shape = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\t[FB]\t/
      for (const one of [line, ...theirs]) expect(one).toMatch(shape)
    })
  })
})

async function traceOurs(server: TestServer, one: Case, dialect: '15' | '18'): Promise<string[]> {
  const runtime: StageRuntime = {
    clock: monotonicClock,
    resolveHost,
    dial,
    deriveKeys,
    knownServers: createKnownServers(),
    isAsleep: async () => {},
  }
  const base: ConnectTarget = {
    host: server.host,
    port: server.port,
    user: one.user,
    dbname: 'postgres',
    password: PASSWORD,
  }
  const facts = {
    server: server.version,
    target: { ...base, sslmode: 'disable', ...one.target } satisfies ConnectTarget,
    randomBytes: '00'.repeat(18),
  }
  const act: Act = async (session) => {
    if (one.query !== undefined) await session.query(one.query).catch(() => {})
  }
  const { sections } = await play(runtime, facts, act)
  const messages = sections.flatMap(({ steps }) =>
    steps.flatMap(({ direction, bytes }) => (bytes === null ? [] : [message(direction, bytes)])),
  )
  return format(messages, dialect, false)
}

function traceTheirs(libpq: LibpqTrace, server: TestServer, one: Case): Promise<string[]> {
  const queries = one.query === undefined ? [] : [one.query]
  return libpq.trace(flagsOf(false), conninfoOf(server, one), queries)
}

/** What we always say, said by libpq as well. */
function conninfoOf(server: { host: string; port: number }, { user, target, conninfo }: Case): Record<string, string> {
  return {
    host: server.host,
    port: String(server.port),
    user,
    password: PASSWORD,
    dbname: 'postgres',
    client_encoding: 'UTF8',
    sslmode: 'disable',
    gssencmode: 'disable',
    ...(target?.password !== undefined && { password: String(target.password) }),
    ...(target?.dbname !== undefined && { dbname: target.dbname }),
    ...(target?.sslmode !== undefined && { sslmode: target.sslmode }),
    ...conninfo,
  }
}

function flagsOf(regressMode: boolean): number {
  return TRACE_FLAGS.suppressTimestamps + (regressMode ? TRACE_FLAGS.regressMode : 0)
}

function format(entries: readonly CaptureEntry[], dialect: '15' | '18', regressMode: boolean): string[] {
  const header: CaptureHeader = { server: '', startedAtMs: null, timeoutMs: null, secrets: 'shown' }
  const screen = new Screen({ env: {}, isTerminal: false })
  const libpq = { dialect, suppressTimestamps: true, regressMode }
  const { entry, finish } = formatLibpq({ header, screen, libpq, hasTimes: true })
  return [...entries.flatMap((one) => entry(one)), ...finish()]
}

/** A line without what is made anew for each connection. */
function alike(line: string): string {
  return line
    .replace(/\br=[^,']+/, 'r=…')
    .replace(/\b([spv])=[A-Za-z0-9+/]+=*(?=[,'])/g, '$1=…')
    .replace(/"md5[0-9a-f]{32}"/, '"md5…"')
    .replace(/(BackendKeyData\t) -?\d+ -?\d+/, '$1 … …')
}

function message(direction: Direction, bytes: Buffer): CaptureEntry {
  return { kind: 'message', atMs: 0, direction, bytes, redacted: [] }
}

/** A proxy that keeps what each side says, message by message, in the order in which it came. */
class Wiretap implements AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly entries: CaptureEntry[] = []
  readonly #dissector = new Dissector()
  readonly #rests: Record<Direction, Buffer> = { sent: Buffer.alloc(0), received: Buffer.alloc(0) }
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer()

  static async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<Wiretap> {
    const wiretap = new Wiretap()
    wiretap.#server.on('connection', (client) => {
      const server = dialTcp({ host, port })
      wiretap.#pass(client, server, 'sent')
      wiretap.#pass(server, client, 'received')
    })
    wiretap.#server.listen(0, wiretap.host)
    await once(wiretap.#server, 'listening')
    return wiretap
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  #pass(from: Socket, to: Socket, direction: Direction): void {
    this.#sockets.add(from)
    from.on('error', () => to.destroy())
    from.on('end', () => to.end())
    from.on('data', (chunk: Buffer) => {
      const { messages, rest, fault } = readOn(
        direction,
        Buffer.concat([this.#rests[direction], chunk]),
        this.#dissector,
      )
      if (fault !== null) throw fault
      this.#rests[direction] = rest
      for (const { bytes } of messages) this.entries.push(message(direction, bytes))
      to.write(chunk)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
