/**
 * A TCP or Unix-domain socket as a transport. What comes is kept until it is taken, up to a bound: beyond it nothing is read, and
 * the peer feels it.
 */
import { connect, type NetConnectOpts, type OnReadOpts, type Socket } from 'node:net'
import { Fault } from '../protocol/failure.ts'
import { LIMITS } from '../protocol/limits.ts'
import type { TlsFacts } from '../state/handshake/states.ts'
import { type Deadline, watch } from './deadline.ts'
import { COUNT_EVERY_MS, secure } from './tls.ts'
import { lost as describeLost } from './tls-error.ts'
import { type Remote, type TlsOptions, type Transport, TransportError } from './transport.ts'
import { Changes } from './until.ts'

/** Received bytes that may wait here; above it the socket is paused, and the peer feels it. */
const QUEUED_BYTES_MAX = 256 * 1024

/**
 * What Node reads into, for all connections: it is read, called back, copied and wiped in one go. Otherwise every read of some ten
 * bytes takes 64 KB of its own, and goes through a stream that has nothing to add.
 */
const READ_BUFFER = Buffer.alloc(64 * 1024)

/** Where to: the path of a Unix-domain socket, or an address, of this family if one is said, and a port. */
export type SocketAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number; readonly family?: number }

/** Whether an idle connection is probed, and after how long; 0: after what is the system's default. */
export interface KeepAlive {
  readonly keepAlive: boolean
  readonly keepAliveIdleMs: number
}

/** What the opening of a socket ends with: a deadline, or a part of one. */
export type Ending = Pick<Deadline, 'signal' | 'onEnd'>

/** Open a socket. Rejects with `ending.signal.reason` or TransportError; in either case the socket is gone. */
export function openSocket(to: SocketAddress, keeping: KeepAlive, ending: Ending): Promise<Transport> {
  return SocketTransport.open(to, keeping, ending)
}

class SocketTransport implements Transport {
  readonly remote: Remote
  /** The one that is spoken through: in TLS, a socket around the first one. */
  #socket: Socket
  #stopListening: () => void
  readonly #queue: Buffer[] = []
  #queuedBytes = 0
  #isPaused = false
  #ended = false
  #error: TransportError | Fault | null = null
  /** Nothing more can come; why is told to whoever asks, since after an orderly end nobody does. */
  #isClosed = false
  /** Of messages, since TLS began. */
  #messageBytes = 0
  #stopCounting = () => {}
  #tell = () => {}

  private constructor(socket: Socket, remote: Remote) {
    this.#socket = socket
    this.remote = remote
    // For as long as the socket lives: the error that Node reports in the tick of an abort must not find nobody listening.
    socket.on('error', () => {})
    this.#stopListening = this.#listenTo(socket)
  }

  static async open(to: SocketAddress, keeping: KeepAlive, ending: Ending): Promise<SocketTransport> {
    ending.signal.throwIfAborted()
    let transport: SocketTransport
    const callback = (bytes: number) => {
      const received = READ_BUFFER.subarray(0, bytes)
      // Not of Node's pool, which all buffers of the process share, and which a small value would keep alive.
      const chunk = Buffer.allocUnsafeSlow(bytes)
      chunk.set(received)
      received.fill(0)
      transport.#receive(chunk)
      return true
    }
    const socket = connect(optionsFor(to, keeping, { buffer: READ_BUFFER, callback }))
    transport = new SocketTransport(socket, 'path' in to ? to : { address: to.host, port: to.port })
    const stopListening = ending.onEnd(() => transport.destroy())
    const changes = new Changes()
    transport.onChange(() => changes.tell())
    let isOpen = false
    socket.once('connect', () => {
      isOpen = true
      changes.tell()
    })
    try {
      while (!isOpen) {
        await changes.next()
        ending.signal.throwIfAborted()
        transport.#throwIfBroken()
      }
      return transport
    } catch (error) {
      transport.destroy()
      throw error
    } finally {
      stopListening()
    }
  }

  #listenTo(socket: Socket): () => void {
    const onEnd = () => {
      this.#ended = true
      this.#tell()
    }
    const onError = (error: NodeJS.ErrnoException) => {
      this.#error = lost(error)
      this.#tell()
    }
    const onClose = () => {
      this.#isClosed = true
      this.#tell()
    }
    const onDrain = () => this.#tell()
    socket.on('end', onEnd).on('error', onError).on('close', onClose).on('drain', onDrain)
    return () => {
      socket.off('end', onEnd).off('error', onError).off('close', onClose).off('drain', onDrain)
    }
  }

  /** Bytes are taken over as they come: an error later would make Node drop what it still held. */
  #receive(chunk: Buffer): void {
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.length
    this.#messageBytes += chunk.length
    if (this.#queuedBytes >= QUEUED_BYTES_MAX) {
      this.#isPaused = true
      this.#socket.pause()
    }
    this.#tell()
  }

  async startTls(options: TlsOptions, signal: AbortSignal): Promise<TlsFacts> {
    signal.throwIfAborted()
    // CVE-2021-23222: what is here already came in plaintext, and must not pass for what TLS will bring.
    if (this.#queuedBytes > 0) {
      const received = `${this.#queuedBytes} bytes in plaintext`
      throw new Fault({ kind: 'misbehaved', expected: ['nothing before TLS'], received })
    }
    this.#throwIfBroken()
    this.#stopListening()
    const below = this.#socket
    const { socket, tls } = await secure(below, options, signal)
    this.#socket = socket
    this.#messageBytes = 0
    this.#stopCounting = this.#boundOverhead(below)
    this.#stopListening = this.#listenTo(socket)
    // Node has no onread for a socket around another.
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    return tls
  }

  /** Of what TLS takes and keeps to itself Node tells nobody, as in the handshake. */
  #boundOverhead(below: Socket): () => void {
    const bytesBefore = below.bytesRead
    return watch(() => {
      const received = below.bytesRead - bytesBefore - this.#messageBytes
      const limit = LIMITS.tlsOverheadBytesMax
      if (received <= limit) return
      this.#error ??= new Fault({ kind: 'limit', what: 'bytes of TLS that bring no message', limit, received })
      // Nobody may be reading.
      this.destroy()
    }, COUNT_EVERY_MS)
  }

  enterSession(): void {
    this.#stopCounting()
  }

  take(): Buffer | 'nothing yet' | 'end' {
    const chunk = this.#queue.shift()
    if (chunk !== undefined) {
      this.#queuedBytes -= chunk.length
      if (this.#isPaused && this.#queue.length === 0) {
        this.#isPaused = false
        this.#socket.resume()
      }
      return chunk
    }
    // Whatever was received comes first: the reason for which a server hung up is in its last bytes.
    if (this.#ended) return 'end'
    this.#throwIfBroken()
    return 'nothing yet'
  }

  onChange(listener: () => void): void {
    this.#tell = listener
  }

  #throwIfBroken(): void {
    if (this.#error !== null) throw this.#error
    if (this.#isClosed) throw new TransportError('ECLOSED', 'the connection was closed on our side')
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** Of a destroyed socket it is false: nobody waits for one that broke. */
  isFull(): boolean {
    return this.#socket.writableNeedDrain
  }

  destroy(): void {
    this.#stopCounting()
    this.#socket.destroy()
    // Node says so a little later. Whoever reads must not wait for that.
    this.#isClosed = true
    this.#tell()
  }
}

/** All of them by name: Node looks for each, and what is spread together takes V8's slow path there, too. */
function optionsFor(to: SocketAddress, { keepAlive, keepAliveIdleMs }: KeepAlive, onread: OnReadOpts): NetConnectOpts {
  if ('path' in to) return { path: to.path, onread }
  const { host, port, family } = to
  // Node would race the addresses of a name under a timer of its own; here is one address and no such timer.
  const autoSelectFamily = false
  const keepAliveInitialDelay = keepAliveIdleMs
  return { host, port, family, autoSelectFamily, noDelay: true, keepAlive, keepAliveInitialDelay, onread }
}

function lost(error: NodeJS.ErrnoException): TransportError {
  return describeLost(error, 'EUNKNOWN')
}
