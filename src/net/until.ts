/**
 * Waits that end with their signal. Every promise in this folder that waits for the world is made here, so
 * that there is one place where listeners are added, and removed: that of `until` whatever happens first, that of `Changes`
 * when its owner has no more use for the signal.
 */

/**
 * Wait for what `start` sets in motion. `start` returns how to stop listening, which is called exactly once.
 * Rejects with `signal.reason` as soon as the signal is aborted.
 */
export function until<T>(
  signal: AbortSignal,
  start: (resolve: (value: T) => void, reject: (reason: unknown) => void) => () => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    let settled = false
    let stop: (() => void) | undefined
    const settle = () => {
      settled = true
      signal.removeEventListener('abort', onAbort)
      stop?.()
    }
    const onResult = (value: T) => {
      if (settled) return
      settle()
      resolve(value)
    }
    const onFailure = (reason: unknown) => {
      if (settled) return
      settle()
      reject(reason)
    }
    const onAbort = () => onFailure(signal.reason)

    signal.addEventListener('abort', onAbort)
    try {
      stop = start(onResult, onFailure)
    } catch (error) {
      onFailure(error)
    }
    // Settled before `start` had said how to stop.
    if (settled) stop?.()
  })
}

/**
 * Waits for what changes again and again, such as a connection. As long as they have the same signal they share one listener,
 * which stays between them: to add and remove it costs more than all the rest of a wait. Whoever owns this calls `forget` when
 * nobody will wait under that signal any more.
 */
export class Changes {
  #waiting: Waiting[] = []
  readonly #heard = new Set<AbortSignal>()

  /** The next change. Rejects with `signal.reason` as soon as the signal is aborted. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason)
        return
      }
      this.#waiting.push({ signal, resolve, reject })
      if (this.#heard.has(signal)) return
      // What the signal before was for is over.
      this.forget()
      this.#heard.add(signal)
      signal.addEventListener('abort', this.#onAbort)
    })
  }

  /** Something has changed: whoever waits is told. */
  tell(): void {
    if (this.#waiting.length === 0) return
    const told = this.#waiting
    this.#waiting = []
    for (const { resolve } of told) resolve()
  }

  /** Listen to no signal under which nobody waits. */
  forget(): void {
    for (const signal of this.#heard) {
      if (this.#waiting.some((one) => one.signal === signal)) continue
      this.#heard.delete(signal)
      signal.removeEventListener('abort', this.#onAbort)
    }
  }

  readonly #onAbort = () => {
    const waiting = this.#waiting
    this.#waiting = waiting.filter(({ signal }) => !signal.aborted)
    this.forget()
    for (const { signal, reject } of waiting) if (signal.aborted) reject(signal.reason)
  }
}

interface Waiting {
  readonly signal: AbortSignal
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}
