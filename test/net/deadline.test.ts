import { getEventListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { type Clock, Deadline, monotonicClock, watch } from '../../src/net/deadline.ts'
import { openSocket } from '../../src/net/socket.ts'
import { NO_PROBES, receive } from '../support/transport.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { Listener } from './listener.ts'
import { turn } from './resources.ts'

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
      afterPoll: () => () => {},
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

    // The same moment, but the caller is heard before the timer.
    const other = new AbortController()
    clock.setTimer(() => other.abort('in time'), 100)
    const byCaller = new Deadline({ timeoutMs: 100, clock, signal: other.signal })
    clock.advance(100)
    expect(byCaller.expired).toBe(false)
    expect(byCaller.signal.reason).toBe('in time')
  })

  it('refuses what is no number', () => {
    expect(() => new Deadline({ timeoutMs: Number.NaN })).toThrow(
      /^timeoutMs: expected a number of milliseconds, got NaN$/,
    )
    expect(() => new Deadline({ timeoutMs: '5' as never })).toThrow(RangeError)
    expect(() => new Deadline().slice(Number.NaN)).toThrow(RangeError)
    expect(() => new Deadline().after(Number.NaN, () => {})).toThrow(
      /^delayMs: expected a number of milliseconds, got NaN$/,
    )
    for (const heartbeatMs of [0, -1, Number.NaN]) {
      expect(() => new Deadline({ heartbeatMs })).toThrow(/^heartbeatMs: expected more than 0, got /)
    }
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

  it('does not end with that signal once another, which does, has disposed of it', () => {
    const caller = new AbortController()
    const [first, second] = [new Deadline({ signal: caller.signal }), new Deadline({ signal: caller.signal })]
    first.onEnd(() => second[Symbol.dispose]())
    caller.abort('the first of them')
    expect([first.signal.aborted, second.signal.aborted]).toEqual([true, false])
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })
})

describe('a wake-up', () => {
  it('comes after its delay, once, by the timer of the deadline', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ timeoutMs: 1_000, clock })
    const [late, early] = [vi.fn(), vi.fn()]
    deadline.after(500, late)
    deadline.after(250, early)
    clock.advance(249)
    expect(early).not.toHaveBeenCalled()
    clock.advance(1)
    expect(early).toHaveBeenCalledOnce()
    expect(late).not.toHaveBeenCalled()
    clock.advance(749)
    expect(early).toHaveBeenCalledOnce()
    expect(late).toHaveBeenCalledOnce()
    expect(deadline.signal.aborted).toBe(false)
    clock.advance(1)
    expect(deadline.expired).toBe(true)
    expect(clock.timersMax).toBe(1)
    expect(clock.activeTimers).toBe(0)
  })

  it('needs a timer of its own only where the deadline has none', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ clock })
    const cancel = deadline.after(250, vi.fn())
    deadline.after(Number.POSITIVE_INFINITY, vi.fn())
    expect(clock.activeTimers).toBe(1)
    cancel()
    clock.advance(250)
    expect(clock.activeTimers).toBe(0)
  })

  it('does not come if it is cancelled, be it by one that is due at the same time', () => {
    const clock = new VirtualClock()
    using deadline = new Deadline({ timeoutMs: 1_000, clock })
    const called = vi.fn()
    const cancel = deadline.after(250, called)
    cancel()
    cancel()
    deadline.after(300, () => cancelSecond())
    const cancelSecond = deadline.after(300, called)
    clock.advance(999)
    expect(called).not.toHaveBeenCalled()
  })

  it.each(['expiry', 'abort', 'disposal'] as const)('does not come after %s', (how) => {
    const clock = new VirtualClock()
    const caller = new AbortController()
    const deadline = new Deadline({ timeoutMs: 100, clock, signal: caller.signal })
    const called = vi.fn()
    deadline.after(100, called)
    deadline.after(200, called)
    if (how === 'abort') caller.abort()
    if (how === 'disposal') deadline[Symbol.dispose]()
    clock.advance(100)
    deadline.after(0, called)
    expect(clock.activeTimers).toBe(0)
    clock.advance(1_000)
    expect(called).not.toHaveBeenCalled()
  })

  it('that asks for the next one at once lets the event loop turn before', () => {
    let nowMs = 0
    let due = () => {}
    const clock: Clock = {
      now: () => nowMs,
      setTimer(callback) {
        due = callback
        return () => {}
      },
      afterPoll: () => () => {},
    }
    using deadline = new Deadline({ timeoutMs: 1_000, clock })
    const again = vi.fn(() => {
      if (again.mock.calls.length < 10) deadline.after(0, again)
    })
    deadline.after(10, again)
    nowMs = 10
    due()
    expect(again).toHaveBeenCalledTimes(1)
    due()
    expect(again).toHaveBeenCalledTimes(2)
  })

  it('that throws takes the deadline from nobody', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ timeoutMs: 100, clock })
    deadline.after(50, () => {
      throw new TypeError('a defect')
    })
    expect(() => clock.advance(50)).toThrow('a defect')
    clock.advance(50)
    expect(deadline.expired).toBe(true)
  })
})

describe('a slice', () => {
  it('ends after its own time, and its parent goes on', () => {
    const clock = new VirtualClock()
    const parent = new Deadline({ timeoutMs: 1_000, clock })
    clock.advance(100)
    const slice = parent.slice(250)
    expect(slice.timeoutMs).toBe(250)
    expect(slice.remaining()).toBe(250)
    clock.advance(249)
    expect(slice.signal.aborted).toBe(false)
    clock.advance(1)
    expect(slice.expired).toBe(true)
    expect(slice.remaining()).toBe(0)
    expect(slice.signal.reason).toMatchObject({ name: 'TimeoutError', message: expect.stringContaining('250 ms') })
    expect(parent.signal.aborted).toBe(false)
    expect(parent.remaining()).toBe(650)
    clock.advance(650)
    expect(parent.expired).toBe(true)
    expect(parent.signal.reason).not.toBe(slice.signal.reason)
    expect(clock.timersMax).toBe(1)
  })

  it.each([
    ['as long as its parent', 700],
    ['longer than its parent', 700.5],
    ['without an end', Number.POSITIVE_INFINITY],
  ])('%s ends with it: the failure is the parent’s', (_, timeoutMs) => {
    const clock = new VirtualClock()
    const parent = new Deadline({ timeoutMs: 1_000, clock })
    clock.advance(300)
    const slice = parent.slice(timeoutMs)
    expect(slice.remaining()).toBe(700)
    clock.advance(700)
    expect(parent.expired).toBe(true)
    expect(slice.signal.reason).toBe(parent.signal.reason)
    expect(slice.expired).toBe(false)
  })

  it('ends with its parent when the caller has enough, nested ones too, and nobody listens any more', () => {
    const clock = new VirtualClock()
    const caller = new AbortController()
    const parent = new Deadline({ timeoutMs: 1_000, clock, signal: caller.signal })
    const slice = parent.slice(500)
    const nested = slice.slice(200)
    const reason = new Error('enough')
    caller.abort(reason)
    expect([slice, nested].map(({ signal }) => signal.reason)).toEqual([reason, reason])
    expect([slice, nested].map(({ expired }) => expired)).toEqual([false, false])
    expect(clock.activeTimers).toBe(0)
    for (const { signal } of [caller, parent, slice, nested]) expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('of a slice ends first, and with the slice at the latest', () => {
    const clock = new VirtualClock()
    const parent = new Deadline({ timeoutMs: 1_000, clock })
    const slice = parent.slice(300)
    const short = slice.slice(100)
    const long = slice.slice(400)
    clock.advance(100)
    expect([short, slice, long, parent].map(({ expired }) => expired)).toEqual([true, false, false, false])
    clock.advance(200)
    expect([slice, long, parent].map(({ signal }) => signal.aborted)).toEqual([true, true, false])
    expect(long.signal.reason).toBe(slice.signal.reason)
    expect(clock.timersMax).toBe(1)
  })

  it.each([0, -1])('of %s ms is over at once, by itself, and its parent goes on', (timeoutMs) => {
    const clock = new VirtualClock()
    const parent = new Deadline({ timeoutMs: 1_000, clock })
    expect(parent.slice(timeoutMs).expired).toBe(true)
    expect(parent.signal.aborted).toBe(false)
    expect(getEventListeners(parent.signal, 'abort')).toEqual([])
  })

  it('of a deadline that is over is over for the same reason', () => {
    const parent = new Deadline({ signal: AbortSignal.abort('before') })
    for (const timeoutMs of [0, 100]) {
      const slice = parent.slice(timeoutMs)
      expect(slice.signal.reason).toBe('before')
      expect(slice.expired).toBe(false)
    }
  })

  it('can be disposed of alone, and goes with its parent', () => {
    const clock = new VirtualClock()
    const parent = new Deadline({ timeoutMs: 1_000, clock })
    const [slice, other] = [parent.slice(100), parent.slice(200)]
    slice[Symbol.dispose]()
    clock.advance(150)
    expect(slice.signal.aborted).toBe(false)
    const nested = other.slice(10)
    const called = vi.fn()
    nested.after(5, called)
    parent[Symbol.dispose]()
    const afterwards = parent.slice(10)
    expect(clock.activeTimers).toBe(0)
    expect(getEventListeners(parent.signal, 'abort')).toEqual([])
    expect(getEventListeners(other.signal, 'abort')).toEqual([])
    clock.advance(1_000)
    expect(called).not.toHaveBeenCalled()
    expect([other, nested, afterwards].map(({ signal }) => signal.aborted)).toEqual([false, false, false])
  })

  it('leaves nothing behind, though there are hundreds', () => {
    const clock = new VirtualClock()
    const caller = new AbortController()
    const parent = new Deadline({ timeoutMs: 100_000, clock, signal: caller.signal })
    for (let count = 0; count < 300; count += 1) {
      using slice = parent.slice(200)
      slice.slice(100)
      slice.after(50, () => {})
      clock.advance(count % 3 === 0 ? 250 : 60)
    }
    expect(getEventListeners(parent.signal, 'abort')).toEqual([])
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1)
    expect(clock.activeTimers).toBe(1)
    expect(clock.timersMax).toBe(1)
    parent[Symbol.dispose]()
    expect(clock.activeTimers).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })
})

describe('who wants to hear of the end of a deadline', () => {
  it('is called once, in its tick, after the listeners of the signal, and in the order of asking', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ timeoutMs: 100, clock })
    const heard: string[] = []
    deadline.onEnd(() => heard.push('one'))
    deadline.signal.addEventListener('abort', () => heard.push('signal'))
    deadline.onEnd(() => heard.push(`two, of ${deadline.timeoutMs} ms, ${deadline.expired}`))
    clock.advance(99)
    expect(heard).toEqual([])
    clock.advance(1)
    clock.advance(1_000)
    deadline.abort('again')
    expect(heard).toEqual(['signal', 'one', 'two, of 100 ms, true'])
  })

  it('is called at once if it is over', () => {
    const deadline = new Deadline({ timeoutMs: 0, clock: new VirtualClock() })
    const heard = vi.fn()
    deadline.onEnd(heard)
    expect(heard).toHaveBeenCalledOnce()
  })

  it('is not called once he does not want to any more, nor after the deadline was disposed of', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ timeoutMs: 100, clock })
    const heard = vi.fn()
    deadline.onEnd(heard)()
    clock.advance(50)
    deadline.onEnd(heard)
    deadline[Symbol.dispose]()
    clock.advance(100)
    deadline.onEnd(heard)
    expect(heard).not.toHaveBeenCalled()
  })

  it('hears of the end of a slice, and of its parent’s', () => {
    const parent = new Deadline({ timeoutMs: 100, clock: new VirtualClock() })
    const heard: unknown[] = []
    const slice = parent.slice(50)
    slice.onEnd(() => heard.push(slice.signal.reason))
    parent.abort('enough')
    expect(heard).toEqual(['enough'])
  })

  it('asks from within a listener of its signal, and is called once', () => {
    const deadline = new Deadline({ clock: new VirtualClock() })
    const heard = vi.fn()
    deadline.signal.addEventListener('abort', () => deadline.onEnd(heard))
    deadline.abort('enough')
    expect(heard).toHaveBeenCalledOnce()
  })

  it('is not called if one who is called before him takes him out', () => {
    const deadline = new Deadline({ clock: new VirtualClock() })
    const heard = vi.fn()
    let cancel = () => {}
    deadline.onEnd(() => cancel())
    cancel = deadline.onEnd(heard)
    deadline.onEnd(() => deadline[Symbol.dispose]())
    deadline.onEnd(heard)
    deadline.abort('enough')
    expect(heard).not.toHaveBeenCalled()
  })

  it('may ask twice with one function, and takes one of them back', () => {
    const deadline = new Deadline({ clock: new VirtualClock() })
    const heard = vi.fn()
    deadline.onEnd(heard)
    deadline.onEnd(heard)()
    deadline.abort('enough')
    expect(heard).toHaveBeenCalledOnce()
  })

  it('and fails keeps it from nobody else; the failure is nobody’s, and is not lost', async () => {
    const deadline = new Deadline({ clock: new VirtualClock() })
    const heard = vi.fn()
    const fail = () => {
      throw new Error('of his own')
    }
    const uncaught: unknown[] = []
    const onUncaught = (error: unknown) => uncaught.push(error)
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException').on('uncaughtException', onUncaught)
    try {
      deadline.onEnd(fail)
      deadline.onEnd(heard)
      deadline.abort('enough')
      deadline.onEnd(fail)
      await new Promise((resolve) => setImmediate(resolve))
    } finally {
      process.off('uncaughtException', onUncaught)
      for (const other of others) process.on('uncaughtException', other)
    }
    expect(heard).toHaveBeenCalledOnce()
    expect(uncaught).toMatchObject([{ message: 'of his own' }, { message: 'of his own' }])
  })
})

describe('a deadline that its owner ends', () => {
  it('ends with that reason, for its slices too, and has not expired; nothing is left', () => {
    const clock = new VirtualClock()
    const caller = new AbortController()
    const deadline = new Deadline({ timeoutMs: 1_000, clock, signal: caller.signal })
    const slice = deadline.slice(500)
    const called = vi.fn()
    deadline.after(100, called)
    const reason = new Error('the owner has changed his mind')
    deadline.abort(reason)
    expect([deadline, slice].map(({ signal }) => signal.reason)).toEqual([reason, reason])
    expect([deadline, slice].map(({ expired }) => expired)).toEqual([false, false])
    expect(deadline.remaining()).toBe(0)
    expect(clock.activeTimers).toBe(0)
    for (const { signal } of [caller, deadline, slice]) expect(getEventListeners(signal, 'abort')).toEqual([])
    clock.advance(2_000)
    expect(called).not.toHaveBeenCalled()
    expect(deadline.expired).toBe(false)
  })

  it('of a slice ends the slice alone', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ timeoutMs: 1_000, clock })
    const slice = deadline.slice(500)
    slice.abort('enough')
    expect(slice.signal.reason).toBe('enough')
    expect(deadline.signal.aborted).toBe(false)
    expect(deadline.remaining()).toBe(1_000)
    expect(clock.activeTimers).toBe(1)
  })

  it('is ended once: what came first stays', () => {
    const clock = new VirtualClock()
    const expired = new Deadline({ timeoutMs: 10, clock })
    clock.advance(10)
    expired.abort('too late')
    expect(expired.signal.reason).toMatchObject({ name: 'TimeoutError' })

    const caller = new AbortController()
    const ended = new Deadline({ signal: caller.signal })
    ended.abort('first')
    ended.abort('second')
    caller.abort('third')
    expect(ended.signal.reason).toBe('first')
  })

  it('and has disposed of stays as it is', () => {
    const deadline = new Deadline({ timeoutMs: 10, clock: new VirtualClock() })
    deadline[Symbol.dispose]()
    deadline.abort('too late')
    expect(deadline.signal.aborted).toBe(false)
  })
})

describe('if the event loop was blocked beyond the deadline', () => {
  /** 250 ms are due, 300 have passed, and the timer has been called. */
  function late() {
    const clock = new VirtualClock()
    const caller = new AbortController()
    const deadline = new Deadline({ timeoutMs: 250, clock, signal: caller.signal })
    clock.block(300)
    clock.advance(0)
    return { clock, caller, deadline }
  }

  it('what has arrived is delivered first, and then it is over', () => {
    const { clock, deadline } = late()
    expect(deadline.signal.aborted).toBe(false)
    expect(deadline.remaining()).toBe(0)
    clock.advance(0)
    expect(deadline.expired).toBe(true)
    expect(deadline.loopLagMs).toBe(50)
    expect(clock.timersMax).toBe(1)
    expect(clock.activeTimers).toBe(0)
  })

  it('an answer that arrived makes it a success: whoever has it disposes of the deadline', () => {
    const { clock, deadline } = late()
    deadline[Symbol.dispose]()
    expect(clock.activeTimers).toBe(0)
    clock.advance(1_000)
    expect(deadline.signal.aborted).toBe(false)
  })

  it('a caller who is heard before it is over ends it', () => {
    const { clock, caller, deadline } = late()
    caller.abort('enough')
    expect(clock.activeTimers).toBe(0)
    clock.advance(0)
    expect(deadline.signal.reason).toBe('enough')
    expect(deadline.expired).toBe(false)
  })

  it('what is asked for meanwhile waits for no second timer, and does not get it back', () => {
    const { clock, deadline } = late()
    const called = vi.fn()
    deadline.after(0, called)
    const slice = deadline.slice(100)
    expect(slice.remaining()).toBe(0)
    expect(clock.activePolls).toBe(1)
    expect(clock.timersMax).toBe(1)
    clock.advance(0)
    expect(slice.signal.reason).toBe(deadline.signal.reason)
    expect(called).not.toHaveBeenCalled()
  })

  it('and of a slice, the failure is the parent’s', () => {
    const clock = new VirtualClock()
    const parent = new Deadline({ timeoutMs: 250, clock })
    const slice = parent.slice(100)
    clock.block(300)
    clock.advance(0)
    clock.advance(0)
    expect(parent.expired).toBe(true)
    expect(slice.expired).toBe(false)
    expect(slice.signal.reason).toBe(parent.signal.reason)
  })

  it.each([0, 100])('and of a slice of %s ms that is taken meanwhile, the failure is the parent’s', (timeoutMs) => {
    const clock = new VirtualClock()
    const parent = new Deadline({ timeoutMs: 250, clock })
    clock.block(300)
    const slice = parent.slice(timeoutMs)
    expect(slice.timeoutMs).toBe(timeoutMs)
    expect(slice.signal.aborted).toBe(false)
    expect(slice.remaining()).toBe(0)
    clock.advance(0)
    clock.advance(0)
    expect(slice.expired).toBe(false)
    expect(slice.signal.reason).toBe(parent.signal.reason)
  })

  it('by no more than a timer is late at any time, it is over at once', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ timeoutMs: 250, clock })
    clock.block(260)
    clock.advance(0)
    expect(deadline.expired).toBe(true)
    expect(deadline.loopLagMs).toBe(10)
  })

  it('real bytes that have arrived are read, and real silence is the end', async () => {
    await using listener = await Listener.tcp()
    const transport = await openSocket({ host: '127.0.0.1', port: listener.port }, NO_PROBES, new Deadline())
    const peer = await listener.accept()
    for (const answer of ['in time', null]) {
      using deadline = new Deadline({ timeoutMs: 20 })
      const ended = new Promise((resolve) => deadline.onEnd(() => resolve(deadline.signal.reason)))
      const reading = Promise.race([receive(transport), ended])
      if (answer !== null) peer.write(answer)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60)
      const outcome = await reading
      if (answer === null) expect(outcome).toBe(deadline.signal.reason)
      else expect(outcome).toEqual(Buffer.from(answer))
      expect(deadline.expired).toBe(answer === null)
    }
    transport.destroy()
  })
})

describe('how late the event loop was', () => {
  it('is 0 as long as it is on time', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ timeoutMs: 250, clock, heartbeatMs: 50 })
    clock.advance(250)
    expect(deadline.loopLagMs).toBe(0)
    expect(deadline.takeLoopLag()).toBe(0)
  })

  it('is not known of a block that ends before any timer was due', () => {
    const clock = new VirtualClock()
    using deadline = new Deadline({ timeoutMs: 1_000, clock })
    clock.block(500)
    clock.advance(0)
    expect(deadline.loopLagMs).toBe(0)
  })

  it('is known from the heartbeat, to the slices too, and each is taken once', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ timeoutMs: 1_000, clock, heartbeatMs: 50 })
    const slice = deadline.slice(900)
    clock.advance(120)
    // Due at 150.
    clock.block(230)
    clock.advance(0)
    expect(slice.loopLagMs).toBe(200)
    expect(deadline.takeLoopLag()).toBe(200)
    expect(slice.takeLoopLag()).toBe(0)
    clock.advance(0)
    // Armed again at 350.
    clock.block(80)
    clock.advance(0)
    expect(deadline.takeLoopLag()).toBe(30)
    expect(deadline.loopLagMs).toBe(200)
    expect(deadline.signal.aborted).toBe(false)
    clock.advance(1_000)
    expect(deadline.expired).toBe(true)
    expect(clock.timersMax).toBe(1)
    expect(clock.activeTimers).toBe(0)
  })

  it('is known without a time limit, as long as somebody wants to know', () => {
    const clock = new VirtualClock()
    const deadline = new Deadline({ clock, heartbeatMs: 50 })
    clock.block(80)
    clock.advance(0)
    expect(deadline.loopLagMs).toBe(30)
    deadline[Symbol.dispose]()
    expect(clock.activeTimers).toBe(0)
  })
})

describe('the clock of the machine', () => {
  it('calls back after one poll, or not at all', async () => {
    const [called, cancelled] = [vi.fn(), vi.fn()]
    monotonicClock.afterPoll(cancelled)()
    monotonicClock.afterPoll(called)
    await Promise.resolve()
    expect(called).not.toHaveBeenCalled()
    await turn()
    expect(called).toHaveBeenCalledOnce()
    expect(cancelled).not.toHaveBeenCalled()
  })

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
