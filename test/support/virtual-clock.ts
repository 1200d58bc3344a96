/** Time that passes only when a test says so. */
import type { Clock } from '../../src/net/deadline.ts'

interface Timer {
  readonly atMs: number
  readonly callback: () => void
}

export class VirtualClock implements Clock {
  #nowMs = 1_000_000
  readonly #timers = new Set<Timer>()
  /** The most timers that were ever armed at once. */
  timersMax = 0

  readonly now = (): number => this.#nowMs

  setTimer(callback: () => void, delayMs: number): () => void {
    if (!(delayMs >= 0 && delayMs <= 2 ** 31 - 1)) throw new RangeError(`no timer counts ${delayMs} ms`)
    const timer = { atMs: this.#nowMs + delayMs, callback }
    this.#timers.add(timer)
    this.timersMax = Math.max(this.timersMax, this.#timers.size)
    return () => this.#timers.delete(timer)
  }

  get activeTimers(): number {
    return this.#timers.size
  }

  /** Let time pass, with everything that falls due in it, in order. */
  advance(ms: number): void {
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
}

/** Let every promise that can go on do so. */
export async function settle(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve))
}
