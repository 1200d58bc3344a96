/** The other end: a real listening socket on the loopback interface or in the file system. */
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class Listener implements AsyncDisposable {
  readonly #server: Server
  readonly #directory: string | null
  readonly #accepted: Socket[] = []
  readonly #waiting: ((socket: Socket) => void)[] = []
  readonly #open = new Set<Socket>()

  private constructor(directory: string | null) {
    this.#directory = directory
    // Nothing is read from a peer before a test says so.
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      this.#open.add(socket)
      socket.on('error', () => {}).once('close', () => this.#open.delete(socket))
      const waiting = this.#waiting.shift()
      if (waiting === undefined) this.#accepted.push(socket)
      else waiting(socket)
    })
  }

  static tcp(host = '127.0.0.1', port = 0): Promise<Listener> {
    return new Listener(null).#listen({ host, port })
  }

  static unix(): Promise<Listener> {
    const directory = mkdtempSync(join(tmpdir(), 'pg-deadline-net-'))
    return new Listener(directory).#listen({ path: join(directory, 'socket') })
  }

  /** A port of the loopback interface on which nobody listens. */
  static async closedPort(): Promise<number> {
    await using listener = await Listener.tcp()
    return listener.port
  }

  async #listen(where: { host: string; port: number } | { path: string }): Promise<Listener> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(where, resolve)
    })
    return this
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get path(): string {
    return this.#server.address() as string
  }

  /** The connections that are open now. */
  get connections(): number {
    return this.#open.size
  }

  /** The next connection, in the order in which they came. */
  accept(): Promise<Socket> {
    const socket = this.#accepted.shift()
    if (socket !== undefined) return Promise.resolve(socket)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
    if (this.#directory !== null) rmSync(this.#directory, { recursive: true, force: true })
  }
}
