/**
 * A server from before its time: a TCP proxy before a real one, which withholds chosen ParameterStatus messages until the
 * first ReadyForQuery. PostgreSQL before 14 reports neither in_hot_standby nor default_transaction_read_only, and some
 * poolers never will.
 *
 * In the clear only: SSLRequest is answered here, with N. Messages are taken apart by hand (#PROTOCOL-MESSAGE-CONCEPTS), so
 * that this cannot be wrong in the same way as what it tests.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

interface Place {
  readonly host: string
  readonly port: number
}

// Int32(8), Int32(80877103)
const SSL_REQUEST = Buffer.from('0000000804d2162f', 'hex')
const TAG_BYTES = 1

export class StrippingProxy implements AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly #server: Server
  readonly #target: Place
  readonly #names: ReadonlySet<string>
  readonly #sockets = new Set<Socket>()

  private constructor(target: Place, names: readonly string[]) {
    this.#target = target
    this.#names = new Set(names)
    this.#server = createServer({ noDelay: true }, (client) => this.#serve(client))
  }

  /** Before `target`; without the parameters of these names. */
  static async listen(target: Place, names: readonly string[]): Promise<StrippingProxy> {
    const proxy = new StrippingProxy(target, names)
    proxy.#server.listen(0, proxy.host)
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #serve(client: Socket): void {
    const server = connect({ ...this.#target, noDelay: true })
    this.#join(client, server)
    client.on('data', (chunk: Buffer) => {
      // The client waits for the answer, so it comes alone, and in one piece on the loopback interface.
      if (chunk.equals(SSL_REQUEST)) client.write('N')
      else server.write(chunk)
    })
    const strip = this.#stripper()
    server.on('data', (chunk: Buffer) => client.write(strip(chunk)))
  }

  /** The end of one is the end of the other, in order or not. */
  #join(client: Socket, server: Socket): void {
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.on('end', () => other.end())
      one.on('close', () => {
        this.#sockets.delete(one)
        other.destroySoon()
      })
    }
  }

  /** What the server sent becomes what the client gets: whole messages until ReadyForQuery, then anything. */
  #stripper(): (chunk: Buffer) => Buffer {
    let held: Buffer = Buffer.alloc(0)
    let isReady = false
    return (chunk) => {
      if (isReady) return chunk
      held = Buffer.concat([held, chunk])
      const passed: Buffer[] = []
      while (!isReady && held.length > TAG_BYTES + 4) {
        const lengthBytes = TAG_BYTES + held.readInt32BE(TAG_BYTES)
        if (held.length < lengthBytes) break
        const message = held.subarray(0, lengthBytes)
        held = held.subarray(lengthBytes)
        if (!this.#isWithheld(message)) passed.push(message)
        isReady = message.toString('latin1', 0, TAG_BYTES) === 'Z'
      }
      if (isReady) passed.push(held)
      return Buffer.concat(passed)
    }
  }

  #isWithheld(message: Buffer): boolean {
    if (message.toString('latin1', 0, TAG_BYTES) !== 'S') return false
    const [name = ''] = message.toString('utf8', TAG_BYTES + 4).split('\0')
    return this.#names.has(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
