import { getEventListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { Changes, until } from '../../src/net/until.ts'

/** A wait under observation: what settles it, and how often it was told to stop. */
function wait(signal: AbortSignal) {
  const stop = vi.fn()
  let [resolve, reject] = [(_value: string) => {}, (_reason: unknown) => {}]
  const start = vi.fn((onValue: (value: string) => void, onReason: (reason: unknown) => void) => {
    resolve = onValue
    reject = onReason
    return stop
  })
  const promise = until<string>(signal, start)
  return { promise, start, stop, resolve, reject }
}

describe('a wait', () => {
  it.each(['resolve', 'reject', 'abort'] as const)('settles once, by what came first: %s', async (first) => {
    const caller = new AbortController()
    const { promise, stop, resolve, reject } = wait(caller.signal)
    const reason = new Error('enough')
    const acts = {
      resolve: () => resolve('a value'),
      reject: () => reject('a refusal'),
      abort: () => caller.abort(reason),
    }
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1)
    acts[first]()
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    for (const act of [acts.reject, acts.resolve, acts.abort]) act()

    const outcome = await promise.catch((error: unknown) => error)
    expect(outcome).toBe({ resolve: 'a value', reject: 'a refusal', abort: reason }[first])
    expect(stop).toHaveBeenCalledOnce()
  })

  it('starts nothing on a signal that is aborted already', async () => {
    const { promise, start, stop } = wait(AbortSignal.abort('before'))
    await expect(promise).rejects.toBe('before')
    expect(start).not.toHaveBeenCalled()
    expect(stop).not.toHaveBeenCalled()
  })

  it.each(['resolve', 'reject', 'abort'] as const)('may be settled while it is being started: %s', async (how) => {
    const caller = new AbortController()
    const stop = vi.fn()
    const promise = until<string>(caller.signal, (resolve, reject) => {
      if (how === 'resolve') resolve('at once')
      else if (how === 'reject') reject('at once')
      else caller.abort('at once')
      return stop
    })
    await expect(how === 'resolve' ? promise : promise.catch((reason: unknown) => reason)).resolves.toBe('at once')
    expect(stop).toHaveBeenCalledOnce()
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it('that cannot be started rejects, and leaves no listener', async () => {
    const caller = new AbortController()
    const promise = until(caller.signal, () => {
      throw new TypeError('no such thing')
    })
    await expect(promise).rejects.toThrow('no such thing')
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it('is told to stop before its caller hears of the end', async () => {
    const story: string[] = []
    const caller = new AbortController()
    const promise = until(caller.signal, () => () => story.push('stop')).catch(() => story.push('rejected'))
    caller.abort()
    expect(story).toEqual(['stop'])
    await promise
    expect(story).toEqual(['stop', 'rejected'])
  })
})

describe('waits for changes', () => {
  const heard = (caller: AbortController) => getEventListeners(caller.signal, 'abort')

  it('end with the next change, all of them, and it is told to those alone who wait', async () => {
    const changes = new Changes()
    const caller = new AbortController()
    changes.tell()
    const story: string[] = []
    const waits = ['a', 'b'].map((name) => changes.next(caller.signal).then(() => story.push(name)))
    await Promise.resolve()
    expect(story).toEqual([])
    changes.tell()
    await Promise.all(waits)
    expect(story).toEqual(['a', 'b'])
  })

  it('share a listener under the same signal, which stays between them until it is forgotten', async () => {
    const changes = new Changes()
    const caller = new AbortController()
    for (const _again of [1, 2, 3]) {
      const waits = [changes.next(caller.signal), changes.next(caller.signal)]
      expect(heard(caller)).toHaveLength(1)
      changes.forget()
      expect(heard(caller)).toHaveLength(1)
      changes.tell()
      await Promise.all(waits)
      expect(heard(caller)).toHaveLength(1)
    }
    changes.forget()
    expect(heard(caller)).toEqual([])
  })

  it('end with their own signal and no other', async () => {
    const changes = new Changes()
    const [first, second] = [new AbortController(), new AbortController()]
    const ended = changes.next(first.signal)
    const left = changes.next(second.signal)
    expect([heard(first).length, heard(second).length]).toEqual([1, 1])
    first.abort('enough')
    await expect(ended).rejects.toBe('enough')
    changes.forget()
    expect([heard(first).length, heard(second).length]).toEqual([0, 1])
    changes.tell()
    await left
    changes.forget()
    expect(heard(second)).toEqual([])
    await expect(changes.next(first.signal)).rejects.toBe('enough')
    expect(heard(first)).toEqual([])
  })

  it('end each for its own reason where one signal is aborted by the other', async () => {
    const changes = new Changes()
    const [outer, inner] = [new AbortController(), new AbortController()]
    outer.signal.addEventListener('abort', () => inner.abort('inner'), { once: true })
    const waits = [changes.next(inner.signal), changes.next(outer.signal)]
    outer.abort('outer')
    expect(await Promise.allSettled(waits)).toMatchObject([{ reason: 'inner' }, { reason: 'outer' }])
    expect([heard(outer).length, heard(inner).length]).toEqual([0, 0])
  })

  it('leave nothing behind if their signal is aborted when nobody waits', async () => {
    const changes = new Changes()
    const caller = new AbortController()
    const wait = changes.next(caller.signal)
    changes.tell()
    await wait
    caller.abort('enough')
    expect(heard(caller)).toEqual([])
  })

  it('under another signal take the listener away from the one before', async () => {
    const changes = new Changes()
    const [first, second] = [new AbortController(), new AbortController()]
    const before = changes.next(first.signal)
    changes.tell()
    await before
    const now = changes.next(second.signal)
    expect([heard(first).length, heard(second).length]).toEqual([0, 1])
    changes.tell()
    await now
  })

  it('may be asked for again by whoever is told', async () => {
    const changes = new Changes()
    const caller = new AbortController()
    const again = changes.next(caller.signal).then(() => changes.next(caller.signal))
    changes.tell()
    await Promise.resolve()
    await Promise.resolve()
    caller.abort('enough')
    await expect(again).rejects.toBe('enough')
    expect(heard(caller)).toEqual([])
  })
})
