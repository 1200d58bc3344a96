/**
 * The transport as messages: frames in, messages out, and a note of each in the timeline. It does not know
 * which message may come when.
 */
import type { Remote, TlsOptions, Transport } from './net/transport.ts'
import { type BackendMessage, decodeBackend } from './protocol/backend.ts'
import { type Frame, FrameReader } from './protocol/frame.ts'
import { encodeFrontend, type FrontendMessage } from './protocol/frontend.ts'
import { encodeStartup, type StartupPacket } from './protocol/startup.ts'
import { decodeTlsReply } from './protocol/tls-reply.ts'
import type { EventOf } from './state/handshake/events.ts'
import type { TlsFacts } from './state/handshake/states.ts'

type TlsReplyEvent = EventOf<'TlsAccepted' | 'TlsRefused' | 'ErrorResponse'>

/** Told of every message: for the timeline. */
export type Note = (direction: 'sent' | 'received', name: string, bytes: number) => void

export class Wire {
  readonly #transport: Transport
  readonly #reader = new FrameReader()
  #note: Note | undefined

  constructor(transport: Transport, note: Note) {
    this.#transport = transport
    this.#note = note
  }

  /** The other end, as it was dialed. */
  get remote(): Remote {
    return this.#transport.remote
  }

  /**
   * From ReadyForQuery on, messages may be large. Bytes that came behind it stay where they are. The timeline is that of the
   * connect, which is over.
   */
  enterSession(): void {
    this.#note = undefined
    this.#reader.enterSession()
    this.#transport.enterSession()
  }

  /** The next message, or null once the server has closed its side. Throws Fault, TransportError, `signal.reason`. */
  async next(signal: AbortSignal): Promise<BackendMessage | null> {
    for (;;) {
      const frame = this.poll()
      if (frame !== null) {
        const message = decodeBackend(frame.tag, frame.body)
        this.#note?.('received', message.type, frame.lengthBytes)
        return message
      }
      if (!(await this.fill(signal))) return null
    }
  }

  /** The one byte that answers SSLRequest, as an event. null once the server has closed its side. Throws as next does. */
  async nextTlsReply(signal: AbortSignal): Promise<TlsReplyEvent | null> {
    const received = await this.#transport.read(signal)
    if (received === null) return null
    const reply = decodeTlsReply(received)
    this.#note?.('received', `'${reply}'`, 1)
    if (reply === 'E') return { type: 'ErrorResponse', fields: [] }
    return { type: reply === 'S' ? 'TlsAccepted' : 'TlsRefused' }
  }

  /** Go on in TLS. Throws Fault, TransportError, `signal.reason`. */
  startTls(options: TlsOptions, signal: AbortSignal): Promise<TlsFacts> {
    return this.#transport.startTls(options, signal)
  }

  /** The next frame that has been received already, or null. Throws Fault. */
  poll(): Frame | null {
    return this.#reader.next()
  }

  /** Wait for bytes. False once the server has closed its side. Throws TransportError, `signal.reason`. */
  async fill(signal: AbortSignal): Promise<boolean> {
    const chunk = await this.#transport.read(signal)
    if (chunk === null) return false
    this.#reader.push(chunk)
    return true
  }

  /** In one flight. Throws TransportError, `signal.reason`, and RangeError for a message that cannot be sent. */
  async send(messages: readonly (StartupPacket | FrontendMessage)[], signal: AbortSignal): Promise<void> {
    const flight = messages.map((message) => {
      const bytes = isStartup(message) ? encodeStartup(message) : encodeFrontend(message)
      return { name: message.type, bytes }
    })
    for (const { name, bytes } of flight) this.#note?.('sent', name, bytes.length)
    const [first] = flight
    const bytes =
      flight.length === 1 && first !== undefined ? first.bytes : Buffer.concat(flight.map((one) => one.bytes))
    await this.#transport.write(bytes, signal)
  }

  destroy(): void {
    this.#transport.destroy()
  }
}

function isStartup(message: StartupPacket | FrontendMessage): message is StartupPacket {
  switch (message.type) {
    case 'StartupMessage':
    case 'SSLRequest':
    case 'GSSENCRequest':
    case 'CancelRequest':
      return true
    default:
      return false
  }
}
