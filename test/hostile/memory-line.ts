/** A line in memory, and the transport at its other end: the same scripts without sockets, so that time can stand still. */
import { type Transport, TransportError } from '../../src/net/transport.ts'
import { ClientGone, type Line } from '../../src/testing/index.ts'
import { takeFrom } from '../support/transport.ts'

/** What may wait unread, as in a socket's buffer. */
const QUEUED_BYTES_MAX = 256 * 1024

export class MemoryLine implements Line {
  readonly gone: Promise<void>
  #leave: () => void = () => {}
  #isGone = false
  #end: TransportError | 'FIN' | null = null
  readonly #toClient: Buffer[] = []
  readonly #toServer: Buffer[] = []
  readonly #received: Buffer[] = []
  /** Told when something has changed. */
  readonly #waiting = new Set<() => void>()

  #listener = () => {}

  constructor() {
    this.gone = new Promise((resolve) => {
      this.#leave = resolve
    })
  }

  get receivedInClear(): Buffer {
    return Buffer.concat(this.#received)
  }

  get receivedInTls(): Buffer {
    return Buffer.alloc(0)
  }

  get isClosed(): boolean {
    return this.#isGone
  }

  async write(bytes: Buffer): Promise<void> {
    while (!this.#isGone && this.#toClient.reduce((sum, { length }) => sum + length, 0) > QUEUED_BYTES_MAX)
      await this.#change()
    if (this.#isGone || this.#end !== null) throw new ClientGone()
    this.#toClient.push(Buffer.from(bytes))
    this.#tell()
  }

  async read(): Promise<Buffer | null> {
    for (;;) {
      const chunk = this.#toServer.shift()
      if (chunk !== undefined) return chunk
      if (this.#isGone) return null
      await this.#change()
    }
  }

  fin(): void {
    this.#end = 'FIN'
    this.#tell()
  }

  reset(): void {
    this.#toClient.splice(0)
    this.#end = new TransportError('ECONNRESET', 'read ECONNRESET')
    this.#tell()
  }

  stopReading(): void {}

  writeOutsideTls(): Promise<void> {
    throw new TypeError('there is no TLS in memory')
  }

  writeRecord(): Promise<void> {
    throw new TypeError('there is no TLS in memory')
  }

  startTls(): Promise<void> {
    throw new TypeError('there is no TLS in memory')
  }

  /** The client's end. */
  readonly transport: Transport = {
    remote: { address: '192.0.2.1', port: 5432 },
    take: () => {
      const taken = takeFrom(this.#toClient, this.#end)
      // There is room again.
      if (typeof taken !== 'string') this.#tell()
      return taken
    },
    onChange: (listener) => {
      this.#listener = listener
    },
    isFull: () => false,
    write: (bytes) => {
      this.#received.push(Buffer.from(bytes))
      this.#toServer.push(Buffer.from(bytes))
      this.#tell()
    },
    enterSession: () => {},
    startTls: () => Promise.reject(new TypeError('there is no TLS in memory')),
    destroy: () => {
      this.#isGone = true
      this.#leave()
      this.#tell()
    },
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  #tell(): void {
    // As from a network: not while he who is told is still taking or writing.
    queueMicrotask(this.#listener)
    for (const resolve of [...this.#waiting]) {
      this.#waiting.delete(resolve)
      resolve()
    }
  }
}
