/**
 * A PostgreSQL server that has TLS, shows any of our certificates, and writes down how it saw each connection: what it says
 * happened must be what we say happened.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { HandshakeError, Session } from '../../src/index.ts'
import { read } from '../certificates/index.ts'
import { type ServerOptions, startServer, type TestServer } from '../servers/server.ts'

/** Certificates of servers by name; those without a key of their own share server.key. */
export const SERVER_CERTIFICATES = {
  server: 'server.key',
  'wrong-host': 'server.key',
  'common-name': 'server.key',
  expired: 'server.key',
  revoked: 'server.key',
  'self-signed': 'self-signed.key',
  rsa: 'rsa.key',
  'rsa-pss': 'rsa-pss.key',
  'ecdsa-p-256': 'ecdsa-p-256.key',
  'ecdsa-p-384': 'ecdsa-p-384.key',
  ed25519: 'ed25519.key',
} as const
export type ServerCertificate = keyof typeof SERVER_CERTIFICATES

export class TlsServer implements AsyncDisposable {
  readonly server: TestServer
  #heard = 0

  private constructor(server: TestServer) {
    this.server = server
  }

  static async start({ settings, files, ...options }: ServerOptions = {}): Promise<TlsServer> {
    const pairs = Object.entries(SERVER_CERTIFICATES).flatMap(([name, key]) => [`${name}.crt`, key])
    const server = await startServer({
      ...options,
      settings: {
        ssl: 'on',
        ssl_cert_file: 'server.crt',
        ssl_key_file: 'server.key',
        ssl_ca_file: 'ca.crt',
        ...((options.version ?? '18') >= '17' && { trace_connection_negotiation: 'on' }),
        log_connections: (options.version ?? '18') >= '18' ? 'receipt,authentication,authorization' : 'on',
        // The postmaster then tells of every backend that it has forked and of its end.
        log_min_messages: 'debug2',
        log_line_prefix: '%p ',
        ...settings,
      },
      files: {
        ...Object.fromEntries(['ca.crt', ...new Set(pairs)].map((file) => [file, read(file)])),
        ...files,
      },
    })
    const started = new TlsServer(server)
    await started.heed()
    return started
  }

  /** Show another certificate from now on. */
  async show(name: ServerCertificate): Promise<void> {
    await this.server.sql(`alter system set ssl_cert_file = '${name}.crt'`)
    await this.server.sql(`alter system set ssl_key_file = '${SERVER_CERTIFICATES[name]}'`)
    await this.server.sql('select pg_reload_conf()')
    const wanted = read(`${name}.crt`)
    await eventually(async () => (await this.#shown()) === wanted || null, `the server shows ${name}.crt`)
    await this.stories()
    await this.heed()
  }

  #shown(): Promise<string> {
    return new Promise((resolve, reject) => {
      const { host, port } = this.server
      const socket = connectTls({ host, port, ALPNProtocols: ['postgresql'], rejectUnauthorized: false }, () => {
        resolve(socket.getPeerX509Certificate()?.toString() ?? '')
        socket.end()
      })
      socket.once('error', reject)
    })
  }

  /** Stories are told from here. */
  async heed(): Promise<void> {
    this.#heard = (await this.server.log()).length
  }

  /**
   * What the server wrote of each connection since `heed`, in the order in which they came, once all of them have ended:
   * what it does not say then it will never say.
   */
  async stories(): Promise<string[][]> {
    return eventually(async () => {
      const { stories, unfinished } = tell((await this.server.log()).slice(this.#heard))
      return unfinished.length === 0 ? stories : null
    }, 'all backends have ended')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server.stop()
  }
}

/** What `find` finds, once it does. Fails after five seconds. */
async function eventually<T>(find: () => Promise<T | null>, what: string): Promise<T> {
  const giveUpAtMs = performance.now() + 5_000
  for (;;) {
    const found = await find()
    if (found !== null) return found
    if (performance.now() > giveUpAtMs) throw new Error(`still not true after five seconds: ${what}`)
    await sleep(5)
  }
}

function tell(log: string): { stories: string[][]; unfinished: number[] } {
  const stories = new Map<number, string[]>()
  const ended = new Set<number>()
  for (const line of log.split('\n')) {
    const [, pid, text] = line.match(/^(\d+) [A-Z\d]+: {2}(.*)$/) ?? []
    if (pid === undefined || text === undefined) continue
    const [, forked] = text.match(/^forked new (?:client )?backend, pid=(\d+)/) ?? []
    const [, gone] = text.match(/^(?:client backend|server process) \(PID (\d+)\) (?:exited|was terminated)/) ?? []
    if (gone !== undefined) ended.add(Number(gone))
    const known = Number(forked ?? pid)
    // The backend's own lines may come before the postmaster's.
    if (forked !== undefined || text.startsWith('connection received')) stories.set(known, stories.get(known) ?? [])
    const sentence = shorten(text)
    if (forked === undefined && sentence !== null) stories.get(known)?.push(sentence)
  }
  return { stories: [...stories.values()], unfinished: [...stories.keys()].filter((pid) => !ended.has(pid)) }
}

const SENTENCES: readonly (readonly [RegExp, string])[] = [
  [/^((?:SSLRequest|direct SSL connection) (?:accepted|rejected).*)/, '$1'],
  [/^connection authenticated: identity=".*" method=(\S+).*/, 'authenticated by $1'],
  [/^connection authenticated: user=".*" method=(\S+).*/, 'authenticated by $1'],
  [/^connection authorized: .*SSL enabled \(protocol=(\S+), cipher=(\S+),.*/, 'let in: $1 $2'],
  [/^connection authorized: .*/, 'let in: plaintext'],
  [/^pg_hba.conf rejects connection for .*(no encryption|SSL encryption)$/, 'rejected: $1'],
  [
    /^((?:could not accept SSL connection|password authentication failed|SCRAM|connection requires|certificate).*)/,
    '$1',
  ],
]

function shorten(text: string): string | null {
  for (const [pattern, sentence] of SENTENCES) {
    if (pattern.test(text)) return text.replace(pattern, sentence)
  }
  return null
}

/** States and messages of every attempt, as they came; a message behind its state. */
export function steps({ timeline }: HandshakeError | Session): string[] {
  return timeline.flatMap(({ state, messages }) => [state, ...messages.map(({ name }) => name)])
}

/** The messages that left this process, by name. */
export function sentIn({ timeline }: HandshakeError | Session): string[] {
  return timeline.flatMap(({ messages }) =>
    messages.filter(({ direction }) => direction === 'sent').map(({ name }) => name),
  )
}
