/**
 * The entries of a capture with what can be known of each at its moment: the message, the state that holds, what is left of the
 * deadline. All formats begin here, so that they cannot disagree about what was said.
 */
import { Fault } from '../protocol/failure.ts'
import type { CaptureEntry, CaptureHeader, MessageEntry } from './capture.ts'
import { type Dissection, Dissector } from './dissect.ts'

export interface Heard {
  readonly entry: CaptureEntry
  /** The state that holds: of a state's entry, the new one. Empty before the first. */
  readonly state: string
  /** null: without a deadline. */
  readonly leftMs: number | null
}

/** A message that was understood, or what is wrong with it. */
export type Understood = { readonly dissection: Dissection } | { readonly problem: string }

const WITHHELD = 'withheld, since nobody knows what is in it (--show-secrets)'

export class Hearing {
  readonly #timeoutMs: number | null
  #dissector = new Dissector()
  #state = ''

  constructor({ timeoutMs }: CaptureHeader) {
    this.#timeoutMs = timeoutMs
  }

  hear(entry: CaptureEntry): Heard {
    if (entry.kind === 'state') this.#state = entry.state
    if (entry.kind === 'attempt') this.#dissector = new Dissector()
    const leftMs = this.#timeoutMs === null ? null : Math.max(0, this.#timeoutMs - entry.atMs)
    return { entry, state: this.#state, leftMs }
  }

  /** Once a message, in order: what was asked decides what an answer is. */
  understand({ direction, bytes, redacted }: MessageEntry): Understood {
    try {
      return { dissection: this.#dissector.dissect(direction, bytes) }
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      // What stands in their place must not be taken for what was said.
      const isWithheld = redacted.some(({ begin, end }) => begin === 0 && end === bytes.length)
      return { problem: isWithheld ? WITHHELD : describeFault(error) }
    }
  }
}

/** A malformed message in words: where, and what. */
export function describeFault({ failure }: Fault): string {
  if (failure.kind !== 'malformed') return failure.kind
  const where = [failure.message, failure.field].filter(Boolean).join('.')
  return `byte ${failure.offset}${where === '' ? '' : `, ${where}`}: ${failure.problem}`
}
