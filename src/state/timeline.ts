/**
 * What happened, state by state, as data: the same shape on success and on failure. Times are handed in, so
 * this stays as pure as what it records. Names and sizes only: nothing that was said.
 */
import { AWAITED, type StateName } from './handshake/table.ts'

export interface TimelineMessage {
  readonly direction: 'sent' | 'received'
  /** The message's name in the manual. */
  readonly name: string
  /** How many of them in a row. */
  readonly count: number
  /** Bytes on the wire, all of them together. */
  readonly bytes: number
  /** When the first of them was sent or read, in milliseconds since the connect began. */
  readonly atMs: number
}

export interface TimelineEntry {
  /** Which attempt it was, from 0 on: several hosts, and sslmode allow and prefer, may make more than one. */
  readonly attempt: number
  readonly state: StateName
  /** Milliseconds since the connect began. */
  readonly enteredMs: number
  readonly leftMs: number
  /** What the state waited for, in words; null if the next move was ours. */
  readonly awaited: string | null
  /** What the attempt was given of the deadline, in milliseconds: two at one host share it. Infinity if there is no deadline. */
  readonly sliceMs: number
  /** How late our own event loop was while the state held, at most, in milliseconds: what is long here was no waiting for the server. */
  readonly loopLagMs: number
  /** Bytes of whole messages, each way. */
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly messages: readonly TimelineMessage[]
}

export type Timeline = readonly TimelineEntry[]

type Draft<T> = { -readonly [K in keyof T]: T[K] }
type DraftEntry = Omit<Draft<TimelineEntry>, 'messages'> & { messages: Draft<TimelineMessage>[] }

/** What a recorder needs of the world. */
export interface TimelineSource {
  /** Milliseconds on any monotonic scale. */
  readonly now: () => number
  /** The moment that the timeline counts from, on that scale. */
  readonly startedMs: number
  /** How late the event loop was since this was last asked, at most, in milliseconds. */
  readonly takeLoopLag: () => number
}

/** Writes a timeline while things happen. */
export class TimelineRecorder {
  readonly #source: TimelineSource
  readonly #entries: DraftEntry[] = []
  #attempt = -1
  #sliceMs = Number.POSITIVE_INFINITY

  constructor(source: TimelineSource) {
    this.#source = source
  }

  /** The attempt that is under way, from 0 on. */
  get attempt(): number {
    return this.#attempt
  }

  /** Another attempt, with this much of the deadline. */
  begin(sliceMs: number): void {
    this.#attempt += 1
    this.#sliceMs = sliceMs
    this.#push('Disconnected')
  }

  /** The state from now on. To enter the state that holds already is nothing new. */
  enter(state: StateName): void {
    if (this.#entries.at(-1)?.state !== state) this.#push(state)
  }

  /** The state is left at this moment. Until another one is entered, it may be left again, later. */
  leave(): TimelineEntry {
    this.#leave(this.elapsedMs())
    return this.#entries.at(-1) as DraftEntry
  }

  #push(state: StateName): void {
    // What came before the first attempt, reading the configuration, belongs to it.
    const enteredMs = this.#entries.length === 0 ? 0 : this.elapsedMs()
    this.#leave(enteredMs)
    this.#entries.push({
      attempt: this.#attempt,
      state,
      enteredMs,
      leftMs: enteredMs,
      awaited: AWAITED[state],
      sliceMs: this.#sliceMs,
      loopLagMs: 0,
      bytesSent: 0,
      bytesReceived: 0,
      messages: [],
    })
  }

  #leave(leftMs: number): void {
    const last = this.#entries.at(-1)
    if (last === undefined) return
    last.leftMs = leftMs
    last.loopLagMs = Math.max(last.loopLagMs, this.#source.takeLoopLag())
  }

  /** Note a message in the state that holds now. */
  readonly note = (direction: TimelineMessage['direction'], name: string, bytes: number): void => {
    const entry = this.#entries.at(-1) as DraftEntry
    if (direction === 'sent') entry.bytesSent += bytes
    else entry.bytesReceived += bytes
    const last = entry.messages.at(-1)
    if (last?.direction === direction && last.name === name) {
      last.count += 1
      last.bytes += bytes
    } else {
      entry.messages.push({ direction, name, count: 1, bytes, atMs: this.elapsedMs() })
    }
  }

  /** The timeline until now; the last state is left at this moment. */
  finish(): Timeline {
    this.#leave(this.elapsedMs())
    return this.#entries
  }

  /** Milliseconds since the connect began. */
  elapsedMs(): number {
    return this.#source.now() - this.#source.startedMs
  }
}
