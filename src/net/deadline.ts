/**
 * One deadline. The only file of the project that sets a timer.
 *
 * Three laws: expiry aborts; abort cancels the timer; the owner disposes of timer and listener when done.
 *
 * When two ends meet, whichever is delivered first counts and the other changes nothing: the reason is set once. A caller who
 * aborts in the tick of the expiry is too late if the timer was called before, and in time if it was not. Of a slice and its
 * parent that are both past when the timer is called, the parent ends first: nobody is told to go on in time that is gone.
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
  /** From a timer: call back once what has arrived by now has been delivered. What is returned cancels it. */
  afterPoll(callback: () => void): () => void
}

export const monotonicClock: Clock = {
  now: () => performance.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
  // The event loop's order is timers, poll, setImmediate: between a timer and its setImmediate lies one poll.
  afterPoll(callback) {
    const immediate = setImmediate(callback)
    return () => clearImmediate(immediate)
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
  /**
   * Arm the timer for this long at most, so that `loopLagMs` knows of an event loop that was blocked and is free again before
   * the deadline. Default: no longer than needed.
   */
  readonly heartbeatMs?: number | undefined
}

/** What setTimeout can count; it takes more for 1 ms. */
const TIMER_MS_MAX = 2 ** 31 - 1

/**
 * Later than this, the event loop was starved. libuv counts whole milliseconds and a turn takes a few; what delays a timer
 * for longer has delayed an answer, too, which may be here already.
 */
const LATE_MS = 10

/**
 * What the deadline was for has come to be, and lives on under the same signal, which whoever holds this ends from now on: the
 * deadline is disposed of. One that has ended meanwhile has come too late, and what lives on has a signal of its own.
 *
 * Not a method: whoever merely uses a deadline has its signal.
 */
export function handOver(deadline: Deadline): AbortController {
  deadline[Symbol.dispose]()
  const controller = controllerOf(deadline)
  return controller.signal.aborted ? new AbortController() : controller
}

let controllerOf: (deadline: Deadline) => AbortController

/**
 * A moment after which nothing may go on, and the signal that says so.
 *
 * If the event loop was blocked at that moment, what has arrived meanwhile is delivered first; then it is over.
 *
 * @example
 * using deadline = new Deadline({ timeoutMs: 500 })
 * await session.query('select 1', { signal: deadline.signal })
 */
export class Deadline implements Disposable {
  static {
    controllerOf = (deadline) => deadline.#controller
  }

  /** The whole budget in milliseconds. */
  readonly timeoutMs: number
  readonly #controller = new AbortController()
  /** Shared by a deadline and its slices. */
  readonly #timetable: Timetable
  readonly #callerSignal: AbortSignal | undefined
  /** How to take away what hangs on this deadline: timers, listeners, slices. */
  readonly #belongings = new Set<() => void>()
  /** Who is called when it ends. */
  readonly #audience = new Set<() => void>()
  /** The one that this is a slice of. */
  #parent: Deadline | undefined
  #cancelExpiry = () => {}
  #expiresAtMs: number
  #expired = false
  /** As its signal has it, which is not made before somebody asks for it: most deadlines of a query are disposed of before. */
  #ended = false
  #disposed = false

  /** Throws RangeError if `timeoutMs` is not a number, TypeError if `signal` is no AbortSignal. */
  constructor({
    timeoutMs = Number.POSITIVE_INFINITY,
    signal,
    clock = monotonicClock,
    startedMs = clock.now(),
    heartbeatMs = Number.POSITIVE_INFINITY,
  }: DeadlineOptions = {}) {
    refuseUnlessNumber('timeoutMs', timeoutMs)
    if (!(heartbeatMs > 0)) throw new RangeError(`heartbeatMs: expected more than 0, got ${String(heartbeatMs)}`)
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new TypeError(`signal: expected an AbortSignal, got ${signal === null ? 'null' : typeof signal}`)
    }
    this.timeoutMs = timeoutMs
    this.#timetable = clock instanceof Timetable ? clock : new Timetable(clock, heartbeatMs)
    this.#expiresAtMs = startedMs + timeoutMs
    this.#callerSignal = signal
    // Before the signal is looked at: the clock may be anybody's, who may abort in it.
    const isPast = this.remaining() === 0
    if (signal?.aborted) {
      this.#end(signal.reason)
    } else if (isPast) {
      this.#expire()
    } else {
      if (signal !== undefined) this.#keep(subscribe(signal, this.#onCallerAbort))
      this.#cancelExpiry = this.#keep(this.#timetable.callAt(this.#expiresAtMs, this.#expire))
    }
  }

  /** Aborted at the deadline, with a TimeoutError, or with the caller's signal, with its reason. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Whether it was its own time that ended it, and not the caller, nor the deadline that it is a slice of. */
  get expired(): boolean {
    return this.#expired
  }

  /** Milliseconds left: 0 when it is over, Infinity when there is no limit. */
  remaining(): number {
    return this.#ended ? 0 : Math.max(0, this.#expiresAtMs - this.#timetable.now())
  }

  /** The latest that the timer was ever called after it was due, in milliseconds: how long our own event loop was blocked. */
  get loopLagMs(): number {
    return this.#timetable.lagMaxMs
  }

  /** The same since this was last called. A deadline and its slices have one timer, and one account of it. */
  takeLoopLag(): number {
    return this.#timetable.takeLag()
  }

  /**
   * Call back once, in the tick in which it ends, be it now; not if it is disposed of before. What is returned cancels it. As an
   * abort listener of `signal`, but a signal costs more than the deadline itself.
   */
  onEnd(callback: () => void): () => void {
    // Of its own for every call: the same function may be given twice.
    const member = () => callback()
    if (this.#ended) {
      call(member)
      return () => {}
    }
    this.#audience.add(member)
    return this.#keep(() => this.#audience.delete(member))
  }

  /**
   * Call back once, `delayMs` from now, unless the deadline ends or is disposed of before. What is returned cancels it.
   * Several that are due when the timer is called are called in the order in which they were asked for.
   */
  after(delayMs: number, callback: () => void): () => void {
    refuseUnlessNumber('delayMs', delayMs)
    const forget = this.#keep(
      this.#timetable.callAt(this.#timetable.now() + delayMs, () => {
        forget()
        callback()
      }),
    )
    return forget
  }

  /**
   * A part of this deadline: it ends with it, for the same reason, or after `timeoutMs` alone, while this one goes on. Whoever
   * asked for it disposes of it; it goes with its parent at the latest. A slice that would last as long as its parent or
   * longer never expires of itself: the failure is the parent's.
   */
  slice(timeoutMs: number): Deadline {
    const lastsAsLong = timeoutMs >= this.remaining()
    const startedMs = lastsAsLong ? Number.POSITIVE_INFINITY : undefined
    const slice = new Deadline({ timeoutMs, signal: this.signal, clock: this.#timetable, startedMs })
    if (lastsAsLong) {
      slice.#cancelExpiry()
      slice.#expiresAtMs = this.#expiresAtMs
    }
    slice.#parent = this
    slice.#keep(this.#keep(() => slice[Symbol.dispose]()))
    return slice
  }

  /**
   * End it now if its time is up though the timer has not been called yet: before something begins that could not end in time.
   * Of a slice and its parent that are both past, the parent ends first.
   */
  endIfPast(): void {
    this.#parent?.endIfPast()
    if (this.#ended || this.#disposed || this.remaining() > 0) return
    this.#timetable.noteLag()
    this.#expire()
  }

  /** End it now, for this reason. Once it is over or disposed of, nothing happens. */
  abort(reason: unknown): void {
    if (!this.#disposed) this.#end(reason)
  }

  /** Take the timer and the listener away, with everything that hangs on them. The signal stays as it is. */
  [Symbol.dispose](): void {
    this.#disposed = true
    for (const takeAway of this.#belongings) takeAway()
  }

  /** Kept until the end, and returned: how to take it away, once. After the end it is taken away at once. */
  #keep(takeAway: () => void): () => void {
    const once = () => {
      if (this.#belongings.delete(once)) takeAway()
    }
    this.#belongings.add(once)
    if (this.#disposed) once()
    return once
  }

  readonly #onCallerAbort = () => this.#end(this.#callerSignal?.reason)

  readonly #expire = () => {
    this.#expired = true
    this.#end(new DOMException(`the deadline of ${this.timeoutMs} ms has passed`, 'TimeoutError'))
  }

  /** First the signal, so that slices end with the same reason; then what would have ended it otherwise is taken away. */
  #end(reason: unknown): void {
    if (this.#ended) return
    this.#ended = true
    this.#controller.abort(reason)
    // One of them may take others out, who are not called then. Nobody comes in any more.
    for (const member of this.#audience) call(member)
    this[Symbol.dispose]()
  }
}

/** As a listener of a signal is called: what it throws ends nothing here, and is not overlooked. */
function call(callback: () => void): void {
  try {
    callback()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

/** A callback, and when it is due. */
interface Appointment {
  readonly atMs: number
  readonly callback: () => void
}

/** Any number of appointments under one armed timer. It is a clock itself: a slice is a deadline by the clock of its parent. */
class Timetable implements Clock {
  /** How late the timer was, at most. */
  lagMaxMs = 0
  #lagNotTakenMs = 0
  readonly #clock: Clock
  readonly #heartbeatMs: number
  /** In the order in which they were made: a deadline before its slices. */
  readonly #appointments = new Set<Appointment>()
  /** Until when it is told. */
  #lagTakenAtMs = Number.NEGATIVE_INFINITY
  /** The timer, for which moment, and when it is due at the latest; after a late one, the poll that is waited for. */
  #armed: { readonly forMs: number; readonly dueMs: number; readonly cancel: () => void } | null = null

  constructor(clock: Clock, heartbeatMs: number) {
    this.#clock = clock
    this.#heartbeatMs = heartbeatMs
  }

  now(): number {
    return this.#clock.now()
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    return this.callAt(this.now() + delayMs, callback)
  }

  afterPoll(callback: () => void): () => void {
    return this.#clock.afterPoll(callback)
  }

  callAt(atMs: number, callback: () => void): () => void {
    const appointment = { atMs, callback }
    this.#appointments.add(appointment)
    this.#arm()
    return () => {
      this.#appointments.delete(appointment)
      if (this.#appointments.size === 0) this.#disarm()
    }
  }

  /** How late the timer is by now, be it that it is called or that it should have been: the turn that keeps it waiting goes on. */
  noteLag(): number {
    const nowMs = this.now()
    const dueMs = this.#armed?.dueMs ?? nowMs
    const lagMs = nowMs - dueMs
    this.lagMaxMs = Math.max(this.lagMaxMs, lagMs)
    this.#lagNotTakenMs = Math.max(this.#lagNotTakenMs, nowMs - Math.max(dueMs, this.#lagTakenAtMs))
    return lagMs
  }

  takeLag(): number {
    this.noteLag()
    this.#lagTakenAtMs = this.now()
    const lagMs = this.#lagNotTakenMs
    this.#lagNotTakenMs = 0
    return lagMs
  }

  /** One that is armed too early for what is left is let be: when it is called it is armed again. */
  #arm(): void {
    if (this.#appointments.size === 0) return
    const nowMs = this.now()
    let forMs = nowMs + this.#heartbeatMs
    for (const { atMs } of this.#appointments) forMs = Math.min(forMs, atMs)
    if (forMs === Number.POSITIVE_INFINITY || (this.#armed !== null && this.#armed.forMs <= forMs)) return
    this.#disarm()
    const delayMs = Math.min(Math.max(0, Math.ceil(forMs - nowMs)), TIMER_MS_MAX)
    this.#armed = { forMs, dueMs: nowMs + delayMs, cancel: this.#clock.setTimer(this.#onTimer, delayMs) }
  }

  #disarm(): void {
    this.#armed?.cancel()
    this.#armed = null
  }

  readonly #onTimer = () => {
    if (this.noteLag() <= LATE_MS) {
      this.#callDue()
      return
    }
    const cancel = this.afterPoll(this.#callDue)
    this.#armed = { forMs: Number.NEGATIVE_INFINITY, dueMs: Number.POSITIVE_INFINITY, cancel }
  }

  /** A timer can be early by a fraction of a millisecond, or because it cannot count as far: then nothing is due. */
  readonly #callDue = () => {
    this.#armed = null
    const nowMs = this.now()
    try {
      for (const appointment of [...this.#appointments]) {
        // One that was called before it may have taken it away.
        if (appointment.atMs <= nowMs && this.#appointments.delete(appointment)) appointment.callback()
      }
    } finally {
      this.#arm()
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
      // One of them may take others out, who are not called then.
      for (const member of members) member()
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

function refuseUnlessNumber(name: string, value: number): void {
  if (typeof value === 'number' && !Number.isNaN(value)) return
  throw new RangeError(`${name}: expected a number of milliseconds, got ${String(value)}`)
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
