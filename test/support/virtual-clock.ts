/** Time that passes only when a test says so. */
import type { Clock } from '../../src/net/deadline.ts'

interface Timer {
  readonly atMs: number
  readonly callback: () => void
}

export class VirtualClock implements Clock {
  #nowMs = 1_000_000
  readonly #timers = new Set<Timer>()
  readonly #polls = new Set<{ readonly callback: () => void }>()
  /** The most timers that were ever armed at once; a poll that is waited for counts as one. */
  timersMax = 0

  readonly now = (): number => this.#nowMs

  setTimer(callback: () => void, delayMs: number): () => void {
    if (!(delayMs >= 0 && delayMs <= 2 ** 31 - 1)) throw new RangeError(`no timer counts ${delayMs} ms`)
    return this.#add(this.#timers, { atMs: this.#nowMs + delayMs, callback })
  }

  /** The poll ends when the test next advances, be it by 0: what it delivers before that has arrived in time. */
  afterPoll(callback: () => void): () => void {
    return this.#add(this.#polls, { callback })
  }

  get activePolls(): number {
    return this.#polls.size
  }

  /** Polls that are waited for among them. */
  get activeTimers(): number {
    return this.#timers.size + this.#polls.size
  }

  /** Let time pass, with everything that falls due in it, in order. */
  advance(ms: number): void {
    for (const poll of this.#polls) {
      this.#polls.delete(poll)
      poll.callback()
    }
    const end = this.#nowMs + ms
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.callback()
    }
    this.#nowMs = end
  }

  /** Block the event loop: time passes, and nobody is called. What falls due in it is late. */
  block(ms: number): void {
    this.#nowMs += ms
  }

  #add<T>(set: Set<T>, one: T): () => void {
    set.add(one)
    this.timersMax = Math.max(this.timersMax, this.activeTimers)
    return () => set.delete(one)
  }
}

/** Let every promise that can go on do so. */
export async function settle(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve))
}
