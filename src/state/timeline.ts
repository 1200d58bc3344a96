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
  readonly state: StateName
  /** Milliseconds since the connect began. */
  readonly enteredMs: number
  readonly leftMs: number
  /** What the state waited for, in words; null if the next move was ours. */
  readonly awaited: string | null
  /** Bytes of whole messages, each way. */
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly messages: readonly TimelineMessage[]
}

export type Timeline = readonly TimelineEntry[]

type Draft<T> = { -readonly [K in keyof T]: T[K] }
type DraftEntry = Omit<Draft<TimelineEntry>, 'messages'> & { messages: Draft<TimelineMessage>[] }

/** Writes a timeline while things happen. `now` gives milliseconds on any monotonic scale. */
export class TimelineRecorder {
  readonly #now: () => number
  readonly #startedMs: number
  readonly #entries: DraftEntry[] = []

  constructor(now: () => number, first: StateName) {
    this.#now = now
    this.#startedMs = now()
    this.enter(first)
  }

  /** The state from now on. To enter the state that holds already is nothing new. */
  enter(state: StateName): void {
    const last = this.#entries.at(-1)
    if (last?.state === state) return
    const enteredMs = this.#elapsedMs()
    if (last !== undefined) last.leftMs = enteredMs
    this.#entries.push({
      state,
      enteredMs,
      leftMs: enteredMs,
      awaited: AWAITED[state],
      bytesSent: 0,
      bytesReceived: 0,
      messages: [],
    })
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
      entry.messages.push({ direction, name, count: 1, bytes, atMs: this.#elapsedMs() })
    }
  }

  /** Whether this state was entered since the last Disconnected: in the attempt that runs. */
  has(state: StateName): boolean {
    const begin = this.#entries.findLastIndex((entry) => entry.state === 'Disconnected')
    return this.#entries.slice(begin).some((entry) => entry.state === state)
  }

  /** The timeline until now; the last state is left at this moment. */
  finish(): Timeline {
    const last = this.#entries.at(-1) as DraftEntry
    last.leftMs = this.#elapsedMs()
    return this.#entries
  }

  #elapsedMs(): number {
    return this.#now() - this.#startedMs
  }
}
