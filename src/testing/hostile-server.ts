/**
 * A backend on a real socket that does what a script says, and reports what the client did. For authors of
 * clients, poolers and proxies; nothing of it is needed to use this library.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nameMessages } from './client-messages.ts'
import { ClientGone } from './line.ts'
import { Peer, type Script } from './peer.ts'
import { SocketLine } from './socket-line.ts'

/** What one connection was, as seen from here. */
export interface Visit {
  /** All that came outside TLS: what anybody on the path can read. */
  readonly receivedInClear: Buffer
  /** All that came inside TLS. */
  readonly receivedInTls: Buffer
  /** The names of the client's messages, those inside TLS behind those outside. */
  readonly messages: readonly string[]
  /** Whether the client has let go of its socket. */
  readonly isClosed: boolean
  /** What made the script end early, other than the client's leaving: a defect of the script. */
  readonly defect: unknown
}

export interface HostileServerOptions {
  /** Default: 'tcp', on 127.0.0.1. */
  readonly transport?: 'tcp' | 'unix' | undefined
}

/**
 * @example
 * await using server = await HostileServer.listen(async (peer) => {
 *   await peer.expectStartup()
 *   await peer.sendBytes('HTTP/1.1 400 Bad Request\r\n\r\n')
 * })
 * await connect(server.url({ sslmode: 'disable' })) // rejects: misbehaviour is answered at once
 */
export class HostileServer implements AsyncDisposable {
  /** An address, or the directory of a Unix-domain socket. */
  readonly host: string
  readonly port: number
  readonly #server: Server
  readonly #directory: string | null
  readonly #connections: Connection[] = []

  private constructor(server: Server, host: string, port: number, directory: string | null) {
    this.#server = server
    this.host = host
    this.port = port
    this.#directory = directory
  }

  /** Listen on a free port or a socket of its own. Every connection runs the script afresh. */
  static async listen(script: Script, { transport = 'tcp' }: HostileServerOptions = {}): Promise<HostileServer> {
    const server = createServer({ allowHalfOpen: true })
    const directory = transport === 'unix' ? await mkdtemp(join(tmpdir(), 'hostile-')) : null
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      if (directory === null) server.listen(0, '127.0.0.1', resolve)
      else server.listen(join(directory, '.s.PGSQL.5432'), resolve)
    })
    const port = directory === null ? (server.address() as AddressInfo).port : 5432
    const hostile = new HostileServer(server, directory ?? '127.0.0.1', port, directory)
    server.on('connection', (socket) => hostile.#connections.push(serve(new SocketLine(socket), script)))
    return hostile
  }

  /** Every connection so far, in order. */
  get visits(): readonly Visit[] {
    return this.#connections.map(({ line, state }) => ({
      receivedInClear: line.receivedInClear,
      receivedInTls: line.receivedInTls,
      messages: [...nameMessages(line.receivedInClear), ...nameMessages(line.receivedInTls)],
      ...state,
    }))
  }

  /**
   * A connection URI that leads here. `user` and `password` go where they belong, `host` is another name for this one, the
   * rest goes behind the question mark.
   */
  url({
    user = 'alice',
    password,
    host: name = this.host,
    ...parameters
  }: Readonly<Record<string, string>> = {}): string {
    const secret = password === undefined || password === '' ? '' : `:${encodeURIComponent(password)}`
    const query = new URLSearchParams(parameters).toString().replaceAll('+', '%20')
    const host = this.#directory === null ? `${name}:${this.port}` : encodeURIComponent(this.host)
    return `postgres://${encodeURIComponent(user)}${secret}@${host}/app?${query}`
  }

  /** Settles once every client so far has left and every script has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#connections.map(({ ended }) => ended))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const { line } of this.#connections) line.destroy()
    await closed
    if (this.#directory !== null) await rm(this.#directory, { recursive: true, force: true })
  }
}

interface Connection {
  readonly line: SocketLine
  readonly state: { isClosed: boolean; defect: unknown }
  readonly ended: Promise<void>
}

function serve(line: SocketLine, script: Script): Connection {
  const state = { isClosed: false, defect: null as unknown }
  return { line, state, ended: run() }

  async function run(): Promise<void> {
    try {
      await script(new Peer(line))
    } catch (error) {
      if (!(error instanceof ClientGone)) state.defect = error
    }
    line.drain()
    await line.gone
    state.isClosed = true
    line.destroy()
  }
}
