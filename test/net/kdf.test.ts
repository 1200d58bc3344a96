import { pbkdf2Sync } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { scramKeys } from '../../src/auth/scram.ts'
import { Secret } from '../../src/auth/secret.ts'
import {
  createKeyDerivation,
  type DerivationInput,
  deriveKeys,
  type KeyDerivationOptions,
  type Pbkdf2,
} from '../../src/net/kdf.ts'
import { Account, orphans } from '../../src/net/orphans.ts'
import { turn, untilTrue } from './resources.ts'

// RFC 7677 section 3.
const PASSWORD = 'pencil'
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')

const input = (password = PASSWORD, salt: Uint8Array = SALT, iterations = 4_096): DerivationInput => ({
  password: new Secret(password),
  salt,
  iterations,
})
const never = () => new AbortController().signal
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** PBKDF2 that begins when it is told to, and ends when the test says so; one entry a computation, in order. */
function createThreads() {
  const begun: { password: string; salt: string; end: (error?: Error) => Promise<void> }[] = []
  const pbkdf2: Pbkdf2 = (password, salt, iterations, lengthBytes, digest, done) => {
    const key = pbkdf2Sync(password, salt, iterations, lengthBytes, digest)
    const end = (error?: Error) => {
      done(error ?? null, key)
      return turn()
    }
    begun.push({ password, salt: hex(salt), end })
  }
  return {
    begun,
    pbkdf2,
    passwords: () => begun.map(({ password }) => password),
    async end(index: number, error?: Error) {
      const computation = begun[index]
      if (computation === undefined) throw new Error(`only ${begun.length} computations have begun`)
      await computation.end(error)
    },
  }
}

function derivation(options: KeyDerivationOptions = {}) {
  const threads = createThreads()
  const derive = createKeyDerivation({ concurrency: 100, ...options, pbkdf2: threads.pbkdf2 })
  return { ...threads, derive, of: (password: string, signal = never()) => derive(input(password, SALT, 1), signal) }
}

describe('the keys', () => {
  it('of RFC 7677 come from PBKDF2-HMAC-SHA-256 of 32 bytes', async () => {
    const caller = new AbortController()
    const keys = await deriveKeys(input(), caller.signal)
    const salted = Buffer.from('c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d', 'hex')
    expect(pbkdf2Sync(PASSWORD, SALT, 4_096, 32, 'sha256')).toEqual(salted)
    expect(keys).toEqual(scramKeys(salted))
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it('come from the bytes of the password as UTF-8', async () => {
    const keys = await deriveKeys(input('pässwörd 🐘', SALT, 1), never())
    expect(keys).toEqual(scramKeys(pbkdf2Sync(Buffer.from('pässwörd 🐘', 'utf8'), SALT, 1, 32, 'sha256')))
  })

  it('come from the salt as it was, though its buffer is used again before they are computed', async () => {
    const threads = derivation({ concurrency: 1 })
    const salt = Buffer.from('the salt')
    const first = threads.of('first')
    const second = threads.derive(input('second', salt, 1), never())
    salt.fill(0)
    await threads.end(0)
    expect(threads.begun[1]?.salt).toBe(hex(Buffer.from('the salt')))
    await threads.end(1)
    expect(await second).toEqual(scramKeys(pbkdf2Sync('second', 'the salt', 1, 32, 'sha256')))
    await first
  })

  it('are not waited for once the signal is aborted, though their computation cannot be stopped', async () => {
    const caller = new AbortController()
    const reason = new Error('enough')
    // About 100 ms on one of libuv's threads.
    const deriving = deriveKeys(input(PASSWORD, SALT, 300_000), caller.signal).catch((error: unknown) => error)
    caller.abort(reason)
    await expect(Promise.race([deriving, turn()])).resolves.toBe(reason)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(orphans().derivations).toBe(1)
    // A key that is asked for behind it is not disturbed.
    await expect(deriveKeys(input('other', SALT, 1), never())).resolves.toBeDefined()
    await untilTrue(() => orphans().derivations === 0, 'the computation has ended')
  })

  it('are not begun on a signal that is aborted already', async () => {
    const threads = derivation()
    await expect(threads.of('one', AbortSignal.abort('before'))).rejects.toBe('before')
    expect(threads.begun).toEqual([])
  })

  it('are not given on a signal that is aborted already, though they are known', async () => {
    const threads = derivation()
    const known = threads.of('one')
    await threads.end(0)
    await known
    await expect(threads.of('one', AbortSignal.abort('before'))).rejects.toBe('before')
  })

  it('fail with what PBKDF2 fails with, thrown or told', async () => {
    // Node throws for a count beyond 2^31 - 1.
    await expect(deriveKeys(input(PASSWORD, SALT, 2 ** 31), never())).rejects.toThrow(RangeError)
    const threads = derivation()
    const failing = expect(threads.of('one')).rejects.toThrow('out of entropy')
    await threads.end(0, new Error('out of entropy'))
    await failing
  })
})

describe('a computation that nobody waits for', () => {
  it('is an orphan from its beginning to its end', async () => {
    const account = new Account()
    const threads = derivation({ concurrency: 1, account })
    const caller = new AbortController()
    const leaving = [threads.of('one', caller.signal), threads.of('two', caller.signal)]
    const gone = Promise.allSettled(leaving)
    expect(account).toMatchObject({ running: 1, orphaned: 0 })
    caller.abort('enough')
    await gone
    // The second had not begun, and never will.
    expect(account).toMatchObject({ running: 1, orphaned: 1 })
    const late = threads.of('one')
    expect(account).toMatchObject({ running: 1, orphaned: 0 })
    await threads.end(0)
    await late
    expect(account).toMatchObject({ running: 0, orphaned: 0 })
    expect(threads.passwords()).toEqual(['one'])
  })

  it('is none any more once it has failed, told or thrown', async () => {
    const account = new Account()
    const threads = derivation({ account })
    const failing = threads.of('one').catch((error: unknown) => error)
    await threads.end(0, new Error('out of entropy'))
    await failing
    const derive = createKeyDerivation({
      account,
      pbkdf2() {
        throw new RangeError('too many')
      },
    })
    await expect(derive(input(), never())).rejects.toThrow('too many')
    expect(account.running).toBe(0)
  })
})

describe('equal inputs', () => {
  it('are computed once while they are waited for', async () => {
    const threads = derivation()
    const all = [threads.of('one'), threads.of('one'), threads.of('one')]
    expect(threads.passwords()).toEqual(['one'])
    await threads.end(0)
    const [first, ...others] = await Promise.all(all)
    expect(first).toEqual(scramKeys(pbkdf2Sync('one', SALT, 1, 32, 'sha256')))
    for (const other of others) expect(other).toEqual(first)
  })

  it('are computed once and for all', async () => {
    const threads = derivation()
    const first = threads.of('one')
    await threads.end(0)
    expect(await threads.of('one')).toEqual(await first)
    expect(threads.passwords()).toEqual(['one'])
  })

  it('are those with the same password, salt and count, and no others', async () => {
    const inputs = [
      ...[input('a', Buffer.from('bc'), 1), input('ab', Buffer.from('c'), 1), input('', Buffer.from('abc'), 1)],
      ...[input('abc', Buffer.of(), 1), input('a', Buffer.from('bc'), 11), input('1:a', Buffer.from('bc'), 1)],
      ...[input('a', Buffer.from('1:bc'), 1), input(':a', Buffer.from('bc'), 1), input('A', Buffer.from('bc'), 1)],
      // 1 and 12 bytes, 11 and 2 bytes: the digits must not run together.
      ...[input('z', Buffer.from('abcdefghijkl'), 1), input('cdefghijklz', Buffer.from('ab'), 11)],
    ]
    const threads = derivation()
    const all = Promise.all(inputs.map((one) => threads.derive(one, never())))
    expect(threads.begun).toHaveLength(inputs.length)
    for (const computation of threads.begun) await computation.end()
    expect(new Set((await all).map(({ clientKey }) => hex(clientKey))).size).toBe(inputs.length)
  })

  it('have equal keys, and others have others, whatever they are', async () => {
    const derive = createKeyDerivation({ cacheEntriesMax: 8 })
    const piece = fc.constantFrom('', 'a', 'b', 'ab', ':', '1', '1:')
    const one = fc.record({ password: piece, salt: piece, iterations: fc.constantFrom(1, 11, 2) })
    await fc.assert(
      fc.asyncProperty(fc.array(one, { maxLength: 20 }), async (inputs) => {
        const keys = inputs.map(({ password, salt, iterations }) =>
          derive(input(password, Buffer.from(salt), iterations), never()),
        )
        const expected = inputs.map(({ password, salt, iterations }) =>
          scramKeys(pbkdf2Sync(password, salt, iterations, 32, 'sha256')),
        )
        expect(await Promise.all(keys)).toEqual(expected)
      }),
    )
  })

  it('give each caller keys of his own to spoil', async () => {
    const threads = derivation()
    const [first, second] = [threads.of('one'), threads.of('one')]
    await threads.end(0)
    const expected = scramKeys(pbkdf2Sync('one', SALT, 1, 32, 'sha256'))
    for (const keys of [await first, await second, await threads.of('one')]) {
      expect(keys).toEqual(expected)
      keys.clientKey.fill(0)
      keys.serverKey.fill(0)
    }
    expect(await threads.of('one')).toEqual(expected)
  })

  it('are computed for all others when one who waits for them leaves', async () => {
    const threads = derivation()
    const [first, second] = [new AbortController(), new AbortController()]
    const leaving = expect(threads.of('one', first.signal)).rejects.toBe('enough')
    const staying = threads.of('one', second.signal)
    first.abort('enough')
    await leaving
    await threads.end(0)
    expect(await staying).toBeDefined()
    expect(getEventListeners(second.signal, 'abort')).toEqual([])
  })

  it('are kept when all who waited for them have left', async () => {
    const threads = derivation()
    const caller = new AbortController()
    const leaving = [threads.of('one', caller.signal), threads.of('one', caller.signal)]
    caller.abort('enough')
    for (const one of leaving) await expect(one).rejects.toBe('enough')
    await threads.end(0)
    await threads.of('one')
    expect(threads.passwords()).toEqual(['one'])
  })

  it('are joined by who comes when all others have left', async () => {
    const threads = derivation()
    const caller = new AbortController()
    const leaving = expect(threads.of('one', caller.signal)).rejects.toBe('enough')
    caller.abort('enough')
    await leaving
    const joining = threads.of('one')
    expect(threads.passwords()).toEqual(['one'])
    await threads.end(0)
    await joining
  })

  it('fail together, and are computed again for who comes then', async () => {
    const threads = derivation()
    const failing = [threads.of('one'), threads.of('one')].map((one) => expect(one).rejects.toThrow('no'))
    await threads.end(0, new Error('no'))
    await Promise.all(failing)
    const again = threads.of('one')
    expect(threads.passwords()).toEqual(['one', 'one'])
    await threads.end(1)
    expect(await again).toBeDefined()
  })

  it('leave no rejection unhandled when they fail and nobody waits', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    try {
      const threads = derivation()
      const caller = new AbortController()
      const leaving = expect(threads.of('one', caller.signal)).rejects.toBe('enough')
      caller.abort('enough')
      await leaving
      await threads.end(0, new Error('no'))
      await turn()
      expect(unhandled).not.toHaveBeenCalled()
    } finally {
      process.off('unhandledRejection', unhandled)
    }
  })
})

describe('what is remembered', () => {
  const ask = async (threads: ReturnType<typeof derivation>, password: string) => {
    const before = threads.begun.length
    const deriving = threads.of(password)
    if (threads.begun.length > before) await threads.end(before)
    await deriving
    return threads.begun.length > before ? 'computed' : 'known'
  }

  it('is bounded: what was not asked for longest leaves first', async () => {
    const threads = derivation({ cacheEntriesMax: 2 })
    expect(await ask(threads, 'one')).toBe('computed')
    expect(await ask(threads, 'two')).toBe('computed')
    expect(await ask(threads, 'one')).toBe('known')
    expect(await ask(threads, 'three')).toBe('computed')
    expect(await ask(threads, 'one')).toBe('known')
    expect(await ask(threads, 'three')).toBe('known')
    expect(await ask(threads, 'two')).toBe('computed')
    expect(await ask(threads, 'one')).toBe('computed')
  })

  it('is 256 pairs of keys', async () => {
    const threads = derivation()
    for (let index = 0; index < 256; index++) await ask(threads, `password ${index}`)
    expect(await ask(threads, 'password 0')).toBe('known')
    expect(await ask(threads, 'one more')).toBe('computed')
    expect(await ask(threads, 'password 0')).toBe('known')
    expect(await ask(threads, 'password 1')).toBe('computed')
  })

  it('is nothing if that is switched off, but for as long as it is computed', async () => {
    const threads = derivation({ cacheEntriesMax: 0 })
    expect(await ask(threads, 'one')).toBe('computed')
    expect(await ask(threads, 'one')).toBe('computed')
    const [first, second] = [threads.of('one'), threads.of('one')]
    expect(threads.begun).toHaveLength(3)
    await threads.end(2)
    expect(await first).toEqual(await second)
  })

  it('is not asked, and not added to, by whoever wants nothing remembered', async () => {
    const threads = derivation({ concurrency: 2 })
    const anew = () =>
      threads.derive(
        { password: new Secret('one'), salt: SALT, iterations: 1, remember: false },
        new AbortController().signal,
      )
    for (const count of [1, 2]) {
      const deriving = anew()
      expect(threads.begun).toHaveLength(count)
      await threads.end(count - 1)
      await deriving
    }
    expect(await ask(threads, 'one')).toBe('computed')
    expect(await ask(threads, 'one')).toBe('known')
  })

  it('or not, makes no difference to how many threads are taken', async () => {
    const threads = derivation({ concurrency: 2 })
    const signal = new AbortController().signal
    const deriving = [true, false, true, false].map((remember, index) =>
      threads.derive({ password: new Secret(`password ${index}`), salt: SALT, iterations: 1, remember }, signal),
    )
    expect(threads.begun).toHaveLength(2)
    for (let index = 0; index < 4; index++) await threads.end(index)
    await Promise.all(deriving)
  })

  it('is forgotten with who remembers it: another derivation knows nothing', async () => {
    const [one, other] = [derivation(), derivation()]
    expect(await ask(one, 'one')).toBe('computed')
    expect(await ask(other, 'one')).toBe('computed')
  })

  it('does not show', async () => {
    const threads = derivation()
    const deriving = threads.of('hunter2')
    const keys = scramKeys(pbkdf2Sync('hunter2', SALT, 1, 32, 'sha256'))
    const waiting = inspect([threads.derive, deriving], { depth: null, showHidden: true })
    await threads.end(0)
    await deriving
    const known = inspect(threads.derive, { depth: null, showHidden: true })
    for (const secret of ['hunter2', inspect(keys.clientKey), inspect(keys.serverKey)]) {
      expect(waiting).not.toContain(secret)
      expect(known).not.toContain(secret)
    }
    expect(Reflect.ownKeys(threads.derive).sort()).toEqual(['length', 'name'])
  })

  it('is bounded by a whole number', () => {
    for (const cacheEntriesMax of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => createKeyDerivation({ cacheEntriesMax })).toThrow(RangeError)
    }
  })
})

describe('the queue', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('lets no more computations run at once than it is told', async () => {
    const threads = derivation({ concurrency: 2 })
    const all = ['a', 'b', 'c', 'd'].map((password) => threads.of(password))
    expect(threads.passwords()).toEqual(['a', 'b'])
    await threads.end(1)
    expect(threads.passwords()).toEqual(['a', 'b', 'c'])
    await threads.end(0)
    await threads.end(2)
    await threads.end(3)
    await Promise.all(all)
    // All of them are free again.
    const others = ['e', 'f', 'g'].map((password) => threads.of(password))
    expect(threads.passwords()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    for (const index of [4, 5, 6]) await threads.end(index)
    await Promise.all(others)
  })

  it('goes on behind a computation that failed, told or thrown', async () => {
    const threads = derivation({ concurrency: 1 })
    const failing = expect(threads.of('a')).rejects.toThrow('no')
    const next = threads.of('b')
    await threads.end(0, new Error('no'))
    await failing
    expect(threads.passwords()).toEqual(['a', 'b'])
    await threads.end(1)
    await next

    const throwing = createKeyDerivation({
      concurrency: 1,
      pbkdf2: () => {
        throw new Error('thrown')
      },
    })
    await expect(throwing(input('a'), never())).rejects.toThrow('thrown')
    await expect(throwing(input('a'), never())).rejects.toThrow('thrown')
    await expect(throwing(input('b'), never())).rejects.toThrow('thrown')
  })

  it('goes on with a PBKDF2 that calls back at once', async () => {
    const derive = createKeyDerivation({
      concurrency: 1,
      pbkdf2: (password, salt, iterations, length, digest, done) =>
        done(null, pbkdf2Sync(password, salt, iterations, length, digest)),
    })
    const signal = never()
    expect(await derive(input('a', SALT, 1), signal)).toEqual(await derive(input('a', SALT, 1), signal))
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('is left by who is aborted, whose computation never begins', async () => {
    const threads = derivation({ concurrency: 1 })
    const caller = new AbortController()
    const first = threads.of('a')
    const leaving = expect(threads.of('b', caller.signal)).rejects.toBe('enough')
    const last = threads.of('c')
    caller.abort('enough')
    await leaving
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    await threads.end(0)
    expect(threads.passwords()).toEqual(['a', 'c'])
    await threads.end(1)
    await Promise.all([first, last])
  })

  it('keeps the place of an input for as long as anybody waits for it', async () => {
    const threads = derivation({ concurrency: 1 })
    const [one, other] = [new AbortController(), new AbortController()]
    const first = threads.of('a')
    const leaving = expect(threads.of('b', one.signal)).rejects.toBe('enough')
    const staying = threads.of('b', other.signal)
    const last = threads.of('c')
    one.abort('enough')
    await leaving
    await threads.end(0)
    expect(threads.passwords()).toEqual(['a', 'b'])
    await threads.end(1)
    await threads.end(2)
    await Promise.all([first, staying, last])
  })

  it('takes an input again from who comes when all others have left it', async () => {
    const threads = derivation({ concurrency: 1 })
    const caller = new AbortController()
    const first = threads.of('a')
    const leaving = expect(threads.of('b', caller.signal)).rejects.toBe('enough')
    caller.abort('enough')
    await leaving
    const again = threads.of('b')
    await threads.end(0)
    expect(threads.passwords()).toEqual(['a', 'b'])
    await threads.end(1)
    await Promise.all([first, again])
  })

  it('never has more running than allowed, and answers everybody once, whatever happens', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('ask' as const), password: fc.nat(4) }),
      fc.record({ do: fc.constant('abort' as const), which: fc.nat(20) }),
      fc.record({ do: fc.constant('end' as const), which: fc.nat(3), fails: fc.boolean() }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(3),
        async (steps, concurrency, cacheEntriesMax) => {
          let running: (() => void)[] = []
          const passwords = new Set<string>()
          let most = 0
          const derive = createKeyDerivation({
            concurrency,
            cacheEntriesMax,
            pbkdf2: (password, salt, iterations, length, digest, done) => {
              expect(passwords.has(password)).toBe(false)
              passwords.add(password)
              const end = (fails = false) => {
                passwords.delete(password)
                running = running.filter((one) => one !== end)
                done(fails ? new Error('no') : null, pbkdf2Sync(password, salt, iterations, length, digest))
              }
              running.push(end)
              most = Math.max(most, running.length)
            },
          })
          const asked: { caller: AbortController; answer: Promise<string>; expected: string }[] = []
          for (const one of steps) {
            if (one.do === 'ask') {
              const caller = new AbortController()
              const password = String(one.password)
              const answer = derive(input(password, SALT, 1), caller.signal).then(
                ({ clientKey }) => hex(clientKey),
                (error) => String(error),
              )
              const expected = hex(scramKeys(pbkdf2Sync(password, SALT, 1, 32, 'sha256')).clientKey)
              asked.push({ caller, answer, expected })
            } else if (one.do === 'abort') {
              asked[one.which]?.caller.abort('enough')
            } else {
              const end = running[one.which] as ((fails: boolean) => void) | undefined
              end?.(one.fails)
            }
          }
          while (running.length > 0) running[0]?.()
          expect(most).toBeLessThanOrEqual(concurrency)
          for (const { caller, answer, expected } of asked) {
            expect([expected, 'enough', 'Error: no']).toContain(await answer)
            expect(getEventListeners(caller.signal, 'abort')).toEqual([])
          }
        },
      ),
    )
  })

  it('is as wide as a whole number says', () => {
    for (const concurrency of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => createKeyDerivation({ concurrency })).toThrow(RangeError)
    }
  })

  for (const [threads, expected] of [
    [undefined, 2],
    ['8', 4],
    ['5', 2],
    ['2', 1],
    ['1', 1],
    ['0', 1],
    ['-6', 1],
    ['', 1],
    ['many', 1],
    ['4096', 512],
  ] as const) {
    it(`lets ${expected} run where UV_THREADPOOL_SIZE is ${threads ?? 'not set'}`, async () => {
      vi.stubEnv('UV_THREADPOOL_SIZE', threads)
      const { begun, pbkdf2 } = createThreads()
      const derive = createKeyDerivation({ pbkdf2 })
      const all = Array.from({ length: 600 }, (_, index) => derive(input(`password ${index}`, SALT, 1), never()))
      expect(begun).toHaveLength(expected)
      while (begun.length > 0) await Promise.all(begun.splice(0).map(({ end }) => end()))
      await Promise.all(all)
    })
  }
})
