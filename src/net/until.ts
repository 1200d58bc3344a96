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
