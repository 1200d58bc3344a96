/**
 * A wait that ends with its signal. Every promise in this folder that waits for the world is made here, so
 * that there is one place where listeners are added, and removed whatever happens first.
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
    const onAbort = () => settle(() => reject(signal.reason))
    function settle(how: () => void): void {
      if (settled) return
      settled = true
      signal.removeEventListener('abort', onAbort)
      stop?.()
      how()
    }

    signal.addEventListener('abort', onAbort)
    try {
      stop = start(
        (value) => settle(() => resolve(value)),
        (reason) => settle(() => reject(reason)),
      )
    } catch (error) {
      settle(() => reject(error))
    }
    // Settled before `start` had said how to stop.
    if (settled) stop?.()
  })
}
