/**
 * Time that passes only when the simulation says so. What the client asks for and what the world does stand in one agenda,
 * but are told apart: what is left of the client's when it is done is a leak.
 */
import type { Clock } from '../../net/deadline.ts'

interface Entry {
  readonly atMs: number
  readonly isClients: boolean
  readonly callback: () => void
}

export class SimulatedClock implements Clock {
  #nowMs = 0
  /** In the order in which they are due. */
  readonly #agenda: Entry[] = []
  readonly #polls = new Set<() => void>()

  readonly now = (): number => this.#nowMs

  setTimer(callback: () => void, delayMs: number): () => void {
    if (!(delayMs >= 0 && delayMs <= 2 ** 31 - 1)) throw new RangeError(`no timer counts ${delayMs} ms`)
    return this.#add(delayMs, callback, true)
  }

  afterPoll(callback: () => void): () => void {
    const once = () => callback()
    this.#polls.add(once)
    return () => this.#polls.delete(once)
  }

  /** Something of the world's, so much later. */
  later(delayMs: number, callback: () => void): void {
    this.#add(delayMs, callback, false)
  }

  /** The client's timers that are armed, polls that are waited for among them. */
  get clientTimers(): number {
    return this.#polls.size + this.#agenda.filter(({ isClients }) => isClients).length
  }

  /** The client's event loop is busy for so long: time passes and nobody is called. */
  block(ms: number): void {
    this.#nowMs += ms
  }

  /** Do what is due next. False: nothing is left. Late timers come first and polls last, as in a real event loop. */
  proceed(): boolean {
    const entry = this.#takeNext()
    if (entry === undefined) return this.#poll()
    this.#nowMs = Math.max(this.#nowMs, entry.atMs)
    entry.callback()
    return true
  }

  #takeNext(): Entry | undefined {
    const [first] = this.#agenda
    if (first === undefined || (first.atMs > this.#nowMs && this.#polls.size > 0)) return undefined
    const isLate = first.atMs < this.#nowMs
    const late = isLate ? this.#agenda.findIndex(({ isClients, atMs }) => isClients && atMs <= this.#nowMs) : 0
    return this.#agenda.splice(Math.max(0, late), 1)[0]
  }

  #poll(): boolean {
    const [poll] = this.#polls
    if (poll === undefined) return false
    this.#polls.delete(poll)
    poll()
    return true
  }

  #add(delayMs: number, callback: () => void, isClients: boolean): () => void {
    const entry: Entry = { atMs: this.#nowMs + delayMs, isClients, callback }
    let index = this.#agenda.length
    while (index > 0 && (this.#agenda[index - 1] as Entry).atMs > entry.atMs) index -= 1
    this.#agenda.splice(index, 0, entry)
    return () => {
      const found = this.#agenda.indexOf(entry)
      if (found >= 0) this.#agenda.splice(found, 1)
    }
  }
}
