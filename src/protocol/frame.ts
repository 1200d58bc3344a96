/**
 * A stream of bytes becomes frames: one tag, one length, one body. By hand, because every byte that a
 * server sends passes here. It knows nothing of what a body means or of which message may come when.
 *
 * A body is a view into what was received wherever it arrived in one piece, and never changes afterwards:
 * bytes are only ever appended behind it, or copied elsewhere.
 *
 * Manual: #PROTOCOL-MESSAGE-CONCEPTS.
 */
import { isBackendTag, unknownTag } from './backend.ts'
import { Fault } from './failure.ts'
import { bodyBytesMax, type FramePhase } from './limits.ts'

const HEADER_BYTES = 5

export interface Frame {
  readonly tag: string
  /** What follows the length. A view: copy it if it must outlive its use by much. */
  readonly body: Buffer
  /** The whole message: tag, length and body. */
  readonly lengthBytes: number
}

export class FrameReader {
  #held: Buffer = Buffer.alloc(0)
  #start = 0
  #end = 0
  #phase: FramePhase = 'startup'

  /** From ReadyForQuery on, messages may be as large as a row. */
  enterSession(): void {
    this.#phase = 'session'
  }

  /** Bytes that were received and are not yet part of a frame that was handed out. */
  get pendingBytes(): number {
    return this.#end - this.#start
  }

  /** Take what the transport received. The chunk belongs to the reader from here on. */
  push(chunk: Buffer): void {
    if (this.pendingBytes === 0) {
      this.#held = chunk
      this.#start = 0
      this.#end = chunk.length
      return
    }
    // Only what was allocated here has room behind its end: a chunk ends where it ends, and is never written to.
    if (this.#end + chunk.length > this.#held.length) {
      // Doubling keeps a message that comes byte by byte linear; what a length only promises is not allocated.
      const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.pendingBytes, this.pendingBytes + chunk.length))
      this.#held.copy(grown, 0, this.#start, this.#end)
      this.#end = this.pendingBytes
      this.#start = 0
      this.#held = grown
    }
    chunk.copy(this.#held, this.#end)
    this.#end += chunk.length
  }

  /**
   * The next frame, or null until more bytes have come.
   * Throws Fault as soon as the bytes at hand show that no lawful frame can follow: an unknown tag at its
   * first byte, a bad length at its fifth.
   */
  next(): Frame | null {
    if (this.pendingBytes === 0) return null
    const tag = String.fromCharCode(this.#held[this.#start] as number)
    if (!isBackendTag(tag)) throw unknownTag(tag)
    if (this.pendingBytes < HEADER_BYTES) return null

    // The length counts itself but not the tag. Read as signed: 0xffffffff is -1, and not 4 GB.
    const length = this.#held.readInt32BE(this.#start + 1)
    const bodyMax = bodyBytesMax(tag, this.#phase)
    if (length < 4 || length - 4 > bodyMax) throw this.#badLength(tag, length, bodyMax)
    if (this.pendingBytes < 1 + length) return null

    const body = this.#held.subarray(this.#start + HEADER_BYTES, this.#start + 1 + length)
    this.#start += 1 + length
    return { tag, body, lengthBytes: 1 + length }
  }

  #badLength(tag: string, length: number, bodyMax: number): Fault {
    const seen = this.#held.toString('latin1', this.#start, Math.min(this.#end, this.#start + 200))
    const stranger = recognizeStranger(seen)
    if (this.#phase === 'startup' && stranger !== null) {
      return new Fault({ kind: 'malformed', message: 'unknown', field: 'tag', offset: 0, problem: stranger })
    }
    if (length < 4) {
      return new Fault({
        kind: 'malformed',
        message: `'${tag}'`,
        field: 'length',
        offset: 0,
        problem: `expected a length of 4 or more, got ${length}`,
      })
    }
    return new Fault({
      kind: 'limit',
      what: `bytes in the body of a message '${tag}'`,
      limit: bodyMax,
      received: length - 4,
    })
  }
}

/** Peers that are often met behind the wrong port, or in the wrong century. */
export function recognizeStranger(seen: string): string | null {
  if (seen.startsWith('HTTP/')) return 'an HTTP server answered; this is not the port of a PostgreSQL server'
  if (seen.startsWith('SSH-')) return 'an SSH server answered; this is not the port of a PostgreSQL server'
  // A postmaster that cannot fork writes its error as servers before 7.4 did: 'E', text, NUL, without a length.
  const text = /^E([\x20-\x7e]{4,})/.exec(seen)?.[1]
  return text === undefined ? null : `the server sent an error without a length, as before protocol 3.0: ${text}`
}
