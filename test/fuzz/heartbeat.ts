/** How long the event loop was blocked, and when: measured by the test itself, not by the library under test. */
const BEAT_MS = 5
/** Gaps are remembered for longer than any connect takes. */
const REMEMBERED_MS = 60_000

export class Heartbeat implements Disposable {
  readonly #timer: NodeJS.Timeout
  #gaps: { readonly atMs: number; readonly gapMs: number }[] = []
  #lastMs = performance.now()

  constructor() {
    this.#timer = setInterval(() => this.#beat(), BEAT_MS)
  }

  /** For how long since then nothing could be called, all in all; what still lasts is included. */
  blockedSince(sinceMs: number): number {
    this.#beat()
    return this.#gaps.reduce((sum, { atMs, gapMs }) => (atMs >= sinceMs ? sum + gapMs : sum), 0)
  }

  #beat(): void {
    const nowMs = performance.now()
    const gapMs = nowMs - this.#lastMs - BEAT_MS
    this.#lastMs = nowMs
    if (gapMs <= 0) return
    this.#gaps = this.#gaps.filter(({ atMs }) => atMs > nowMs - REMEMBERED_MS)
    this.#gaps.push({ atMs: nowMs, gapMs })
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
