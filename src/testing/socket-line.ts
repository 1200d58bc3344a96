/** A line over a real TCP or Unix-domain socket. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { ClientGone, type Line } from './line.ts'
import { type ServerTlsOptions, serverTls } from './server-tls.ts'
import { RecordSealer } from './tls-record.ts'

/** Node's server sends two tickets behind the handshake, a record each. */
const RECORDS_OF_TICKETS = 2

export class SocketLine implements Line {
  readonly gone: Promise<void>
  readonly #socket: Socket
  #secured: TLSSocket | null = null
  #sealer: RecordSealer | null = null
  readonly #inClear: Buffer[] = []
  readonly #inTls: Buffer[] = []
  readonly #queue: Buffer[] = []
  #isGone = false
  #tellGone: () => void = () => {}
  readonly #readers = new Set<() => void>()

  constructor(socket: Socket) {
    this.#socket = socket
    this.gone = new Promise((resolve) => {
      this.#tellGone = resolve
    })
    socket.setNoDelay(true)
    socket.on('error', () => this.#leave())
    socket.on('close', () => this.#leave())
    socket.on('end', () => this.#leave())
    socket.on('data', this.#takeClear)
  }

  get receivedInClear(): Buffer {
    return Buffer.concat(this.#inClear)
  }

  get receivedInTls(): Buffer {
    return Buffer.concat(this.#inTls)
  }

  write(bytes: Buffer): Promise<void> {
    return this.#writeTo(this.#secured ?? this.#socket, bytes)
  }

  writeOutsideTls(bytes: Buffer): Promise<void> {
    return this.#writeTo(this.#socket, bytes)
  }

  async writeRecord(contentType: number, content: Buffer): Promise<void> {
    const [secured, sealer] = [this.#secured, this.#sealer]
    if (secured === null || sealer === null) throw new TypeError('there is no TLS 1.3 to write a record in')
    // Nothing, and with it what Node still holds back: its tickets must not come behind a record of ours.
    await this.#writeTo(secured, Buffer.alloc(0))
    await this.writeOutsideTls(sealer.seal(contentType, content))
  }

  #writeTo(stream: Socket, bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isGone) {
        reject(new ClientGone())
        return
      }
      stream.write(bytes, (error) => (error ? reject(new ClientGone()) : resolve()))
    })
  }

  async read(): Promise<Buffer | null> {
    for (;;) {
      const chunk = this.#queue.shift()
      if (chunk !== undefined) return chunk
      if (this.#isGone) return null
      await new Promise<void>((resolve) => this.#readers.add(resolve))
    }
  }

  fin(): void {
    // Inside TLS a FIN without close_notify, as from a process that was killed.
    this.#socket.end()
  }

  reset(): void {
    this.#socket.resetAndDestroy()
  }

  stopReading(): void {
    this.#socket.pause()
  }

  /** Go on reading, so that the client's end is noticed. */
  drain(): void {
    ;(this.#secured ?? this.#socket).resume()
  }

  destroy(): void {
    this.#secured?.destroy()
    this.#socket.destroy()
  }

  async startTls(options: ServerTlsOptions): Promise<void> {
    this.#socket.off('data', this.#takeClear)
    this.#socket.pause()
    // A ClientHello that came early belongs to TLS, and was not sent in the clear to be read.
    for (const chunk of this.#queue.splice(0).reverse()) {
      this.#socket.unshift(chunk)
      this.#inClear.pop()
    }
    const secured = serverTls(this.#socket, options)
    this.#secured = secured
    secured.on('data', (chunk: Buffer) => {
      this.#inTls.push(chunk)
      this.#enqueue(chunk)
    })
    secured.on('keylog', (line: Buffer) => {
      const [label, , secret = ''] = line.toString().trim().split(' ')
      if (label === 'SERVER_TRAFFIC_SECRET_0') {
        this.#sealer = new RecordSealer(Buffer.from(secret, 'hex'), RECORDS_OF_TICKETS)
      }
    })
    secured.on('end', () => this.#leave())
    secured.on('close', () => this.#leave())
    await new Promise<void>((resolve, reject) => {
      secured.once('secure', resolve)
      // A client that refuses our certificate says so and leaves: what it was sent for.
      secured.on('error', () => {
        this.#leave()
        reject(new ClientGone())
      })
      void this.gone.then(() => reject(new ClientGone()))
    })
  }

  readonly #takeClear = (chunk: Buffer): void => {
    this.#inClear.push(chunk)
    this.#enqueue(chunk)
  }

  #enqueue(chunk: Buffer): void {
    this.#queue.push(chunk)
    this.#tell()
  }

  #leave(): void {
    this.#isGone = true
    this.#tellGone()
    this.#tell()
  }

  #tell(): void {
    for (const resolve of [...this.#readers]) {
      this.#readers.delete(resolve)
      resolve()
    }
  }
}
