/**
 * One deadline. The only file of the project that sets a timer.
 *
 * Three laws: expiry aborts; abort cancels the timer; the owner disposes of timer and listener when done.
 *
 * Not built from AbortSignal.any and AbortSignal.timeout: on Node 20 composites over a long-lived signal
 * pile up, a platform timeout cannot be driven by a virtual clock, and nobody can read how much time is left.
 */

/** Where time comes from. Monotonic: a wall clock that is set must not move a deadline. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number
  /** Call back once, `delayMs` from now (0 to 2^31 - 1). What is returned cancels it. */
  setTimer(callback: () => void, delayMs: number): () => void
}

export const monotonicClock: Clock = {
  now: () => performance.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}

export interface DeadlineOptions {
  /** How long from now, in milliseconds. Infinity: no time limit. Zero or less: already over. */
  readonly timeoutMs?: number | undefined
  /** Aborts the deadline's signal too, with the same reason. */
  readonly signal?: AbortSignal | undefined
  readonly clock?: Clock | undefined
  /** The moment from which `timeoutMs` counts, on the clock's scale. Default: now. */
  readonly startedMs?: number | undefined
}

/** What setTimeout can count; it takes more for 1 ms. */
const TIMER_MS_MAX = 2 ** 31 - 1

/**
 * A moment after which nothing may go on, and the signal that says so.
 *
 * @example
 * using deadline = new Deadline({ timeoutMs: 500 })
 * await session.query('select 1', { signal: deadline.signal })
 */
export class Deadline implements Disposable {
  /** The whole budget in milliseconds. */
  readonly timeoutMs: number
  readonly #controller = new AbortController()
  readonly #clock: Clock
  readonly #expiresAtMs: number
  readonly #callerSignal: AbortSignal | undefined
  #cancelTimer: (() => void) | null = null
  #unsubscribe: (() => void) | null = null
  #expired = false

  /** Throws RangeError if `timeoutMs` is not a number, TypeError if `signal` is no AbortSignal. */
  constructor({
    timeoutMs = Number.POSITIVE_INFINITY,
    signal,
    clock = monotonicClock,
    startedMs = clock.now(),
  }: DeadlineOptions = {}) {
    if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs)) {
      throw new RangeError(`timeoutMs: expected a number of milliseconds, got ${String(timeoutMs)}`)
    }
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new TypeError(`signal: expected an AbortSignal, got ${signal === null ? 'null' : typeof signal}`)
    }
    this.timeoutMs = timeoutMs
    this.#clock = clock
    this.#expiresAtMs = startedMs + timeoutMs
    this.#callerSignal = signal
    if (signal?.aborted) {
      this.#controller.abort(signal.reason)
      return
    }
    if (signal !== undefined) this.#unsubscribe = subscribe(signal, this.#onCallerAbort)
    this.#arm()
  }

  /** Aborted at the deadline, with a TimeoutError, or with the caller's signal, with its reason. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Whether it was time that ended it, and not the caller. */
  get expired(): boolean {
    return this.#expired
  }

  /** Milliseconds left: 0 when it is over, Infinity when there is no limit. */
  remaining(): number {
    return this.signal.aborted ? 0 : Math.max(0, this.#expiresAtMs - this.#clock.now())
  }

  /** Take the timer and the listener away. The signal stays as it is. */
  [Symbol.dispose](): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
    this.#unsubscribe?.()
    this.#unsubscribe = null
  }

  readonly #onCallerAbort = () => {
    this[Symbol.dispose]()
    this.#controller.abort(this.#callerSignal?.reason)
  }

  /** A timer can be early by a fraction of a millisecond, and cannot count beyond 24.8 days: it is armed again. */
  readonly #arm = () => {
    this.#cancelTimer = null
    const remainingMs = this.#expiresAtMs - this.#clock.now()
    if (remainingMs <= 0) {
      this.#expired = true
      this[Symbol.dispose]()
      this.#controller.abort(new DOMException(`the deadline of ${this.timeoutMs} ms has passed`, 'TimeoutError'))
    } else if (remainingMs < Number.POSITIVE_INFINITY) {
      this.#cancelTimer = this.#clock.setTimer(this.#arm, Math.min(Math.ceil(remainingMs), TIMER_MS_MAX))
    }
  }
}

/** For every signal that somebody listens to: who does, and our one listener. */
const audiences = new WeakMap<AbortSignal, { readonly members: Set<() => void>; readonly onAbort: () => void }>()

/**
 * Hear of a signal's abort; what is returned ends the subscription. However many deadlines share a signal, it has
 * one listener of ours, and none once the last of them is disposed of: a service that hands its shutdown signal
 * to a thousand connects is right to do so, and must get no warning about listeners.
 */
function subscribe(signal: AbortSignal, callback: () => void): () => void {
  let audience = audiences.get(signal)
  if (audience === undefined) {
    const members = new Set<() => void>()
    const onAbort = () => {
      for (const member of [...members]) member()
    }
    audience = { members, onAbort }
    audiences.set(signal, audience)
    signal.addEventListener('abort', onAbort)
  }
  const { members, onAbort } = audience
  members.add(callback)
  return () => {
    members.delete(callback)
    if (members.size > 0) return
    audiences.delete(signal)
    signal.removeEventListener('abort', onAbort)
  }
}

/**
 * Call `check` every so often until it is stopped; what is returned stops it, also from within `check`. For what Node
 * counts and announces to nobody.
 */
export function watch(check: () => void, everyMs: number, clock: Clock = monotonicClock): () => void {
  let cancelTimer: () => void
  const arm = () => {
    cancelTimer = clock.setTimer(onTime, everyMs)
  }
  const onTime = () => {
    // First of all: `check` may stop what was armed.
    arm()
    check()
  }
  arm()
  return () => cancelTimer()
}
