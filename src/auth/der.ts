/**
 * As much of DER (ITU-T X.690) as it takes to walk to one place in a certificate: tags of one byte, definite lengths, and
 * no understanding of what the contents mean. Whether a certificate is to be trusted is judged by TLS, not here.
 *
 * Total: whatever the bytes, every method gives a value or throws a Fault (`malformed`). Nothing is copied and nothing
 * recurses, so the work is bounded by the number of calls, not by the bytes.
 */
import { Fault } from '../protocol/failure.ts'

/** Universal tags, and the one context-specific tag that is met here. Bit 0x20 says: made of further elements. */
export const TAG = { bitString: 0x03, objectIdentifier: 0x06, sequence: 0x30, explicit0: 0xa0 } as const

/** The elements between two offsets, read from the first to the last. */
export class DerReader {
  readonly #message: string
  readonly #bytes: Uint8Array
  readonly #end: number
  #offset: number

  /** `message` names the whole in failures. */
  constructor(message: string, bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.#message = message
    this.#bytes = bytes
    this.#offset = offset
    this.#end = end
  }

  /** What is left to read, as it stands. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#offset, this.#end)
  }

  isAtEnd(): boolean {
    return this.#offset === this.#end
  }

  isNext(tag: number): boolean {
    return !this.isAtEnd() && this.#bytes[this.#offset] === tag
  }

  /** Goes past the next element, which must have this tag, and gives a reader of its contents. */
  take(tag: number, field: string): DerReader {
    if (!this.isNext(tag)) throw this.#malformed(field, `is missing, or is not tagged 0x${hexadecimal(tag)}`)
    this.#offset += 1
    const lengthBytes = this.#readLength(field)
    if (lengthBytes > this.#end - this.#offset) throw this.#malformed(field, 'is longer than what it stands in')
    const content = new DerReader(this.#message, this.#bytes, this.#offset, this.#offset + lengthBytes)
    this.#offset += lengthBytes
    return content
  }

  /** Nothing may stand behind what was read. */
  finish(field: string): void {
    if (!this.isAtEnd()) throw this.#malformed(field, 'has bytes behind its end')
  }

  /** X.690 section 8.1.3, and 10.1: the length is definite and written in as few bytes as it can be. */
  #readLength(field: string): number {
    const first = this.#readByte(field)
    if (first < LONG_FORM) return first
    const count = first - LONG_FORM
    // 0x80 begins the indefinite form, which DER has not; three bytes hold what a TLS Certificate message can (RFC 8446
    // section 4.4.2: 2^24 - 1), so a fourth is either padding or a lie.
    if (count < 1 || count > LENGTH_BYTES_MAX) throw this.#malformed(field, 'has a length of a form that is not DER')
    let length = 0
    for (let index = 0; index < count; index++) length = length * 256 + this.#readByte(field)
    if (length < LONG_FORM || length < 256 ** (count - 1)) {
      throw this.#malformed(field, 'has a length in more bytes than it needs')
    }
    return length
  }

  #readByte(field: string): number {
    if (this.isAtEnd()) throw this.#malformed(field, 'ends in its length')
    const byte = this.#bytes[this.#offset] as number
    this.#offset += 1
    return byte
  }

  #malformed(field: string, problem: string): Fault {
    return new Fault({ kind: 'malformed', message: this.#message, field, offset: this.#offset, problem })
  }
}

const LONG_FORM = 0x80
const LENGTH_BYTES_MAX = 3

function hexadecimal(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}
