/**
 * Every promise in this folder that waits for the world is made here: those that end with their signal, so that there is one place
 * where listeners are added, and removed whatever happens first; and those for a change, which end with what they are about.
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
 * Waits for what changes again and again, such as a connection. Whoever waits looks first whether there is anything to wait for: a
 * change that came before is not told again.
 */
export class Changes {
  #waiting: ((nothing: null) => void)[] = []

  /** Settles with the next change; null says nothing of what it was. */
  next(): Promise<null> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  /** Something has changed: whoever waits is told. */
  tell(): void {
    if (this.#waiting.length === 0) return
    const told = this.#waiting
    this.#waiting = []
    for (const resolve of told) resolve(null)
  }
}
