/**
 * A network in between, of which a test knows what passes and which it can break: a TCP proxy before a real server. It passes on
 * what comes, remembers what clients have sent, and on demand goes silent for whoever comes next.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

interface Place {
  readonly host: string
  readonly port: number
}

export class Relay implements AsyncDisposable {
  readonly host = '127.0.0.1'
  /** What the client of each connection has sent, as it went over the network; in the order in which they came. */
  readonly sent: Buffer[] = []
  /** From now on new connections are accepted and read, and nothing is passed on. */
  isSilent = false
  readonly #server: Server
  readonly #closed: Promise<unknown>
  readonly #sockets = new Set<Socket>()

  private constructor(target: Place) {
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#serve(client, target))
    this.#closed = once(this.#server, 'close')
  }

  static async listen(target: Place): Promise<Relay> {
    const relay = new Relay(target)
    relay.#server.listen(0, relay.host)
    await once(relay.#server, 'listening')
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Whoever comes next is refused; those who are here go on. */
  refuse(): void {
    this.#server.close()
  }

  #serve(client: Socket, target: Place): void {
    const index = this.sent.push(Buffer.alloc(0)) - 1
    client.on('data', (chunk: Buffer) => {
      this.sent[index] = Buffer.concat([this.sent[index] as Buffer, chunk])
    })
    this.#keep(client)
    if (this.isSilent) {
      client.once('end', () => client.end())
      return
    }
    const server = connect({ ...target, noDelay: true, allowHalfOpen: true })
    this.#keep(server)
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('data', (chunk: Buffer) => other.write(chunk))
      one.once('end', () => other.end())
      one.once('close', () => other.destroySoon())
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {}) // 'close' follows.
    socket.once('close', () => this.#sockets.delete(socket))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await this.#closed
  }
}
