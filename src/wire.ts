/**
 * The transport as messages: frames in, messages out, and a note of each in the timeline. It does not know
 * which message may come when.
 */
import type { Remote, TlsOptions, Transport } from './net/transport.ts'
import type { Spoken } from './observation.ts'
import { type BackendMessage, decodeBackend } from './protocol/backend.ts'
import { type Frame, FrameReader } from './protocol/frame.ts'
import { encodeFrontend, type FrontendMessage } from './protocol/frontend.ts'
import { printable } from './protocol/printable.ts'
import { encodeStartup, type StartupPacket } from './protocol/startup.ts'
import { decodeTlsReply } from './protocol/tls-reply.ts'
import type { EventOf } from './state/handshake/events.ts'
import type { TlsFacts } from './state/handshake/states.ts'

type EndOfStream = EventOf<'TransportLost'>
const END_OF_STREAM: EndOfStream = { type: 'TransportLost', code: 'FIN', detail: 'end of stream' }

type TlsReplyEvent = EventOf<'TlsAccepted' | 'TlsRefused' | 'ErrorResponse'>

/** Told of every message: for the timeline. */
export type Note = (direction: 'sent' | 'received', name: string, bytes: number) => void

/** Told of every message and of all its bytes, if somebody looks on. */
export type Witness = (spoken: Spoken) => void

export class Wire {
  readonly #transport: Transport
  readonly #reader = new FrameReader()
  #note: Note | undefined
  #witness: Witness | undefined
  /** How many there were, and whether the last one is the server's: it goes on until we speak. */
  #flights = 0
  #isListening = false

  constructor(transport: Transport, note: Note, witness?: Witness) {
    this.#transport = transport
    this.#note = note
    this.#witness = witness
  }

  /** The other end, as it was dialed. */
  get remote(): Remote {
    return this.#transport.remote
  }

  /**
   * From ReadyForQuery on, messages may be large. Bytes that came behind it stay where they are. The timeline and whoever looked
   * on are those of the connect, which is over.
   */
  enterSession(): void {
    this.#note = undefined
    this.#witness = undefined
    this.#reader.enterSession()
    this.#transport.enterSession()
  }

  /**
   * The next message that has been received, or that the server has closed its side; null: nothing yet.
   * Throws Fault and TransportError.
   */
  take(): BackendMessage | EndOfStream | null {
    const frame = this.poll()
    if (frame === null || 'type' in frame) return frame
    const message = this.#decode(frame)
    this.#note?.('received', message.type, frame.lengthBytes)
    if (this.#witness !== undefined) this.#showReceived(message.type, wholeOf(frame), message)
    return message
  }

  /** The one byte that answers SSLRequest, as an event. The rest is as of `take`. */
  takeTlsReply(): TlsReplyEvent | EndOfStream | null {
    const received = this.#transport.take()
    if (received === 'end') return END_OF_STREAM
    if (received === 'nothing yet') return null
    if (this.#witness !== undefined) this.#showReceived(quoted(received), received, null)
    const reply = decodeTlsReply(received)
    this.#note?.('received', `'${reply}'`, 1)
    if (reply === 'E') return { type: 'ErrorResponse', fields: [] }
    return { type: reply === 'S' ? 'TlsAccepted' : 'TlsRefused' }
  }

  /** Go on in TLS. Throws Fault, TransportError, `signal.reason`. */
  startTls(options: TlsOptions, signal: AbortSignal): Promise<TlsFacts> {
    return this.#transport.startTls(options, signal)
  }

  /** As `take`, but a message is left in its frame. */
  poll(): Frame | EndOfStream | null {
    for (;;) {
      const frame = this.#reader.next()
      if (frame !== null) return frame
      const chunk = this.#transport.take()
      if (chunk === 'nothing yet') return null
      if (chunk === 'end') return END_OF_STREAM
      this.#reader.push(chunk)
    }
  }

  /** Whom to call when there may be something to take, or room: the one who was named last. */
  onChange(listener: () => void): void {
    this.#transport.onChange(listener)
  }

  /** What was sent has to go first: whoever has more to send waits. */
  isFull(): boolean {
    return this.#transport.isFull()
  }

  /** In one flight. Throws `signal.reason`, and RangeError for a message that cannot be sent. */
  send(messages: readonly (StartupPacket | FrontendMessage)[], signal: AbortSignal): void {
    // All of them before one is noted: what cannot be sent was not sent.
    const parts = messages.map(encode)
    this.#isListening = false
    for (const [index, message] of messages.entries()) {
      const bytes = parts[index] as Buffer
      this.#witness?.({ direction: 'sent', name: message.type, bytes, message, flight: this.#flights })
    }
    this.#flights += 1
    // Behind those who look on: an abort of theirs is in time, and nothing was sent.
    signal.throwIfAborted()
    for (const [index, message] of messages.entries()) {
      this.#note?.('sent', message.type, (parts[index] as Buffer).length)
    }
    const [only] = parts
    this.#transport.write(only !== undefined && parts.length === 1 ? only : Buffer.concat(parts))
  }

  destroy(): void {
    this.#transport.destroy()
  }

  /** What cannot be read is shown all the same: it is what the attempt ends with. */
  #decode(frame: Frame): BackendMessage {
    try {
      return decodeBackend(frame.tag, frame.body)
    } catch (error) {
      if (this.#witness !== undefined) {
        const bytes = wholeOf(frame)
        this.#showReceived(quoted(bytes), bytes, null)
      }
      throw error
    }
  }

  #showReceived(name: string, bytes: Buffer, message: BackendMessage | null): void {
    if (!this.#isListening) this.#flights += 1
    this.#isListening = true
    this.#witness?.({ direction: 'received', name, bytes, message, flight: this.#flights - 1 })
  }
}

/** The message with its header, which says nothing that the frame does not. */
function wholeOf({ tag, body, lengthBytes }: Frame): Buffer {
  const whole = Buffer.allocUnsafe(lengthBytes)
  whole.write(tag, 'latin1')
  whole.writeInt32BE(lengthBytes - 1, 1)
  body.copy(whole, lengthBytes - body.length)
  return whole
}

/** What has no name is called by its first byte. */
function quoted(bytes: Buffer): string {
  return `'${printable(bytes.toString('latin1', 0, 1))}'`
}

function encode(message: StartupPacket | FrontendMessage): Buffer {
  return isStartup(message) ? encodeStartup(message) : encodeFrontend(message)
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
