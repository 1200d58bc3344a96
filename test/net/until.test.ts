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
  it('end with the next change, all of them, and it is told to those alone who wait', async () => {
    const changes = new Changes()
    changes.tell()
    const story: string[] = []
    const waits = ['a', 'b'].map((name) => changes.next().then(() => story.push(name)))
    await Promise.resolve()
    expect(story).toEqual([])
    changes.tell()
    await Promise.all(waits)
    expect(story).toEqual(['a', 'b'])
  })

  it('may be asked for again by whoever is told', async () => {
    const changes = new Changes()
    const story: string[] = []
    const again = changes.next().then(() => {
      story.push('first')
      return changes.next()
    })
    changes.tell()
    await Promise.resolve()
    expect(story).toEqual(['first'])
    changes.tell()
    await expect(again).resolves.toBeNull()
  })
})
