/** leastMs: a connect that has no time to succeed in is not begun. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { ConnectOptions } from '../src/wait-options.ts'
import { failureOf } from './hostile/failure.ts'
import { lawful } from './support/scripted-server.ts'
import { worldOf } from './support/world.ts'

const TARGET = 'postgres://alice:secret@db.example/app?sslmode=disable'

async function refusedWith(options: ConnectOptions, parameters = '') {
  const server = lawful()
  const world = worldOf(server)
  const error = await failureOf(world.connect(options, `${TARGET}${parameters}`))
  expect(server.dialed).toBe(0)
  expect(world.clock.activeTimers).toBe(0)
  return error
}

describe('leastMs', () => {
  it('refuses a connect that has less time, before anybody is dialed, and says why', async () => {
    const caller = new AbortController()
    const error = await refusedWith({ timeoutMs: 49, leastMs: 50, signal: caller.signal })
    expect(error).toMatchObject({ name: 'TimeoutError', phase: 'Disconnected', attempts: [] })
    expect(error.failure).toEqual({ kind: 'deadline', timeoutMs: 49, leastMs: 50 })
    expect(error.message).toBe(
      'not begun: 49 ms are left, and leastMs says that a connect takes at least 50 ms; give it more time, or try when there is less to do',
    )
    expect(error.timeline).toMatchObject([{ attempt: 0, state: 'Disconnected', sliceMs: 49 }])
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it.each<[string, ConnectOptions, string]>([
    ['just as much', { timeoutMs: 50, leastMs: 50 }, ''],
    ['more', { timeoutMs: 51, leastMs: 50 }, ''],
    ['no end', { timeoutMs: Number.POSITIVE_INFINITY, leastMs: Number.POSITIVE_INFINITY }, ''],
    ['just as much by connect_timeout', { leastMs: 2_000 }, '&connect_timeout=2'],
    ['just as much by default', { leastMs: 10_000 }, ''],
    ['any, if it asks for none', { timeoutMs: 1, leastMs: 0 }, ''],
    ['any, if it asks for less than none', { timeoutMs: 1, leastMs: -1 }, ''],
  ])('lets one begin that has %s', async (_what, options, parameters) => {
    const session = await worldOf(lawful()).connect(options, `${TARGET}${parameters}`)
    await session.close()
  })

  it('does not count the fraction of a millisecond that reading the configuration takes', async () => {
    // In a world whose clock goes on by itself.
    let nowMs = 0
    const clock = { now: () => (nowMs += 0.01), setTimer: () => () => {}, afterPoll: () => () => {} }
    const session = await worldOf(lawful(), { clock }).connect({ timeoutMs: 50, leastMs: 50 }, TARGET)
    expect(session.phase).toBe('Idle')
    await expect(
      failureOf(worldOf(lawful(), { clock }).connect({ timeoutMs: 48.5, leastMs: 50 }, TARGET)),
    ).resolves.toMatchObject({ failure: { kind: 'deadline', timeoutMs: 49, leastMs: 50 } })
  })

  it.each<[string, ConnectOptions, string, number]>([
    ['connect_timeout', { leastMs: 2_001 }, '&connect_timeout=2', 2_000],
    ['the shorter of both', { timeoutMs: 3_000, leastMs: 2_500 }, '&connect_timeout=2', 2_000],
    ['the default', { leastMs: 10_001 }, '', 10_000],
  ])('is held against %s', async (_what, options, parameters, timeoutMs) => {
    const error = await refusedWith(options, parameters)
    expect(error.failure).toEqual({ kind: 'deadline', timeoutMs, leastMs: options.leastMs })
  })

  it('has nothing to say of what is over already', async () => {
    const reason = new Error('before')
    const aborted = await refusedWith({ timeoutMs: 10, leastMs: 50, signal: AbortSignal.abort(reason) })
    expect(aborted).toMatchObject({ name: 'AbortError', failure: { kind: 'aborted' } })
    expect(aborted.cause).toBe(reason)
    const over = await refusedWith({ timeoutMs: 0, leastMs: 50 })
    expect(over.failure).toEqual({ kind: 'deadline', timeoutMs: 0 })
  })

  it.each([
    [Number.NaN, 'expected a number of milliseconds, got NaN'],
    ['50', 'expected a number of milliseconds, got string'],
    [null, 'expected a number of milliseconds, got null'],
  ])('of %s is a config failure', async (leastMs, problem) => {
    const error = await refusedWith({ leastMs: leastMs as never })
    expect(error.failure).toEqual({ kind: 'config', parameter: 'leastMs', problem })
  })

  it('is found beside a limit that is misspelt or unusable', async () => {
    const misspelt = await refusedWith({ leastMS: 50 } as never)
    expect(misspelt.failure).toEqual({
      kind: 'config',
      parameter: 'leastMS',
      problem: 'is no option; there are timeoutMs, signal, leastMs, firstQuery and environment',
    })
    const unusable = await refusedWith({ timeoutMs: Number.NaN, leastMs: Number.NaN })
    expect(unusable.failure).toMatchObject({ kind: 'config', parameter: 'timeoutMs' })
  })
})
