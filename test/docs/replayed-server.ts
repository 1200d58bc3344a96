/**
 * A transcript as a server: what it says was recorded, and it says it when everything has happened that stands before it. What the
 * client sends must be, byte for byte, what was sent when it was recorded.
 */
import type { Section } from '../../docs/wire/transcript.ts'
import type { Transport } from '../../src/net/transport.ts'
import type { TlsFacts } from '../../src/state/handshake/states.ts'

interface Line {
  readonly connection: number
  readonly direction: 'sent' | 'received'
  /** null: the server closes the connection. */
  readonly bytes: Buffer | null
}

export class ReplayedServer {
  readonly #script: Line[]
  readonly #tls: TlsFacts | null
  /** By connection. */
  readonly #listeners = new Map<number, () => void>()
  #connections = 0
  /** Bytes of the client that are no whole message yet. */
  #pending = Buffer.alloc(0)

  constructor(sections: readonly Section[], tls: TlsFacts | null) {
    this.#script = sections.flatMap(({ connection, steps }) => steps.map((step) => ({ connection, ...step })))
    this.#tls = tls
  }

  /** What has not happened. */
  get left(): number {
    return this.#script.length
  }

  /** For Runtime. */
  readonly dial = async (): Promise<Transport> => {
    this.#connections += 1
    const connection = this.#connections
    return {
      remote: { address: '192.0.2.1', port: 5432 },
      take: () => this.#next(connection),
      onChange: (listener) => {
        this.#listeners.set(connection, listener)
      },
      isFull: () => false,
      write: (bytes) => this.#take(connection, bytes),
      startTls: async (_options, signal) => {
        signal.throwIfAborted()
        if (this.#tls === null) throw new Error('there was no TLS when this was recorded')
        return this.#tls
      },
      enterSession: () => {},
      destroy: () => this.#tell(),
    }
  }

  #next(connection: number): Buffer | 'nothing yet' | 'end' {
    const [next] = this.#script
    if (next?.connection !== connection || next.direction !== 'received') return 'nothing yet'
    this.#script.shift()
    this.#tell()
    return next.bytes ?? 'end'
  }

  #take(connection: number, bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, bytes])
    while (this.#pending.length > 0) {
      const [next] = this.#script
      const expected = next?.connection === connection && next.direction === 'sent' ? next.bytes : null
      if (expected == null) throw new Error(`the client sent ${bytes.toString('hex')} out of turn`)
      const received = this.#pending.subarray(0, expected.length)
      if (!received.equals(expected)) {
        throw new Error(`the client sent ${received.toString('hex')}, recorded is ${expected.toString('hex')}`)
      }
      this.#pending = this.#pending.subarray(expected.length)
      this.#script.shift()
    }
    this.#tell()
  }

  #tell(): void {
    // As from a network: not while he who is told is still writing.
    for (const listener of this.#listeners.values()) queueMicrotask(listener)
  }
}
