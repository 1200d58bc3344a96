import { getEventListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { Deadline, monotonicClock, watch } from '../../src/net/deadline.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

describe('a deadline', () => {
  it('expires when its time has passed, not before, with a TimeoutError', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ timeoutMs: 250, clock })
    clock.advance(249)
    expect(deadline.signal.aborted).toBe(false)
    expect(deadline.remaining()).toBe(1)
    clock.advance(1)
    expect(deadline.signal.aborted).toBe(true)
    expect(deadline.signal.reason).toBeInstanceOf(DOMException)
    expect(deadline.signal.reason).toMatchObject({ name: 'TimeoutError', message: expect.stringContaining('250 ms') })
    expect(deadline.expired).toBe(true)
    expect(deadline.remaining()).toBe(0)
    expect(clock.activeTimers).toBe(0)
  })

  it('passes the reason of the caller on, and cancels its timer', () => {
    const clock = new VirtualClock()
    const caller = new AbortController()
    const deadline = new Deadline({ timeoutMs: 250, clock, signal: caller.signal })
    const reason = new Error('enough')
    caller.abort(reason)
    expect(deadline.signal.reason).toBe(reason)
    expect(deadline.expired).toBe(false)
    expect(deadline.remaining()).toBe(0)
    expect(clock.activeTimers).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it('is over at once on a signal that is aborted already, and arms nothing', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ timeoutMs: 250, clock, signal: AbortSignal.abort('before') })
    expect(deadline.signal.reason).toBe('before')
    expect(clock.timersMax).toBe(0)
  })

  it.each([0, -5, Number.NEGATIVE_INFINITY])('is over at once with a timeout of %s', (timeoutMs) => {
    const clock = new VirtualClock()
    const caller = new AbortController()
    const deadline = new Deadline({ timeoutMs, clock, signal: caller.signal })
    expect(deadline.signal.aborted).toBe(true)
    expect(deadline.expired).toBe(true)
    expect(clock.timersMax).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it('without a timeout has no timer, and all the time in the world', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ clock })
    expect(deadline.remaining()).toBe(Number.POSITIVE_INFINITY)
    expect(deadline.timeoutMs).toBe(Number.POSITIVE_INFINITY)
    expect(clock.timersMax).toBe(0)
  })

  it('counts beyond what one timer can', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ timeoutMs: 2 ** 33, clock })
    clock.advance(2 ** 33 - 1)
    expect(deadline.signal.aborted).toBe(false)
    clock.advance(1)
    expect(deadline.signal.aborted).toBe(true)
    expect(clock.timersMax).toBe(1)
  })

  it('arms its timer again if that was early: a deadline is never short', () => {
    let nowMs = 0
    let due: (() => void) | undefined
    const clock = {
      now: () => nowMs,
      setTimer(callback: () => void) {
        due = callback
        return () => {}
      },
    }
    const deadline = new Deadline({ timeoutMs: 100, clock })
    nowMs = 99.6
    due?.()
    expect(deadline.signal.aborted).toBe(false)
    nowMs = 100.1
    due?.()
    expect(deadline.signal.aborted).toBe(true)
  })

  it('leaves nothing behind when it is disposed of, and its signal as it was', () => {
    const clock = new VirtualClock()
    const caller = new AbortController()
    const deadline = new Deadline({ timeoutMs: 100, clock, signal: caller.signal })
    deadline[Symbol.dispose]()
    deadline[Symbol.dispose]()
    expect(clock.activeTimers).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    clock.advance(1_000)
    caller.abort()
    expect(deadline.signal.aborted).toBe(false)
  })

  it('whichever is first counts, if time and caller meet', () => {
    const clock = new VirtualClock()
    const caller = new AbortController()
    const byTime = new Deadline({ timeoutMs: 100, clock, signal: caller.signal })
    clock.advance(100)
    caller.abort('too late')
    expect(byTime.expired).toBe(true)
    expect(byTime.signal.reason).toMatchObject({ name: 'TimeoutError' })
  })

  it('refuses what is no number', () => {
    expect(() => new Deadline({ timeoutMs: Number.NaN })).toThrow(
      /^timeoutMs: expected a number of milliseconds, got NaN$/,
    )
    expect(() => new Deadline({ timeoutMs: '5' as never })).toThrow(RangeError)
    for (const signal of [null, {}, 'signal']) {
      expect(() => new Deadline({ signal: signal as never })).toThrow(/^signal: expected an AbortSignal, got /)
    }
  })

  it('can count from a moment that has passed', () => {
    const clock = new VirtualClock()
    const startedMs = clock.now()
    clock.advance(30)
    const deadline = new Deadline({ timeoutMs: 100, clock, startedMs })
    expect(deadline.remaining()).toBe(70)
    clock.advance(70)
    expect(deadline.expired).toBe(true)
  })

  it('shares one listener with all others on the same signal, and the last one takes it away', () => {
    const caller = new AbortController()
    const deadlines = Array.from({ length: 20 }, () => new Deadline({ signal: caller.signal }))
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1)
    for (const deadline of deadlines.slice(1)) deadline[Symbol.dispose]()
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1)
    deadlines[0]?.[Symbol.dispose]()
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])

    const again = [new Deadline({ signal: caller.signal }), new Deadline({ signal: caller.signal })]
    caller.abort('all of them')
    expect(again.map(({ signal }) => signal.reason)).toEqual(['all of them', 'all of them'])
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })
})

describe('the clock of the machine', () => {
  it('goes forward, calls back, and can be cancelled', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const before = monotonicClock.now()
      const called = vi.fn()
      monotonicClock.setTimer(called, 50)
      const cancelled = vi.fn()
      monotonicClock.setTimer(cancelled, 50)()
      vi.advanceTimersByTime(50)
      expect(called).toHaveBeenCalledOnce()
      expect(cancelled).not.toHaveBeenCalled()
      expect(monotonicClock.now() - before).toBe(50)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('a watch', () => {
  it('checks every so often, with one timer, until it is stopped', () => {
    const clock = new VirtualClock()
    const check = vi.fn()
    const stop = watch(check, 10, clock)
    expect(check).not.toHaveBeenCalled()
    clock.advance(9)
    expect(check).not.toHaveBeenCalled()
    clock.advance(21)
    expect(check).toHaveBeenCalledTimes(3)
    expect(clock.timersMax).toBe(1)
    stop()
    stop()
    expect(clock.activeTimers).toBe(0)
    clock.advance(100)
    expect(check).toHaveBeenCalledTimes(3)
  })

  it('can be stopped by its own check', () => {
    const clock = new VirtualClock()
    const check = vi.fn(() => stop())
    const stop = watch(check, 10, clock)
    clock.advance(100)
    expect(check).toHaveBeenCalledOnce()
    expect(clock.activeTimers).toBe(0)
  })
})
