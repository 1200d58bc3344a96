/**
 * The slow computation of SCRAM: SaltedPassword = PBKDF2-HMAC-SHA-256 (RFC 5802 section 3, Hi), and from it ClientKey and
 * ServerKey. It runs on libuv's threads and cannot be stopped: when a signal is aborted its owner is told at once, and the
 * result waits for the next one who asks for it (orphans.ts counts it until it has ended).
 *
 * Two bounds. Only a part of the threads is ever used, because name lookup (getaddrinfo) runs on the same ones. And the same
 * key is not derived twice: whoever asks while it is being computed waits for that, and a few are remembered.
 */
import { hash, pbkdf2, randomBytes } from 'node:crypto'
import { type ScramKeys, scramKeys } from '../auth/scram.ts'
import type { Secret } from '../auth/secret.ts'
import { Account, derivations } from './orphans.ts'
import { Recent } from './recent.ts'
import { until } from './until.ts'

export interface DerivedKeys extends ScramKeys {}

/** What goes into a derivation. `password` has been through SASLprep. */
export interface DerivationInput {
  readonly password: Secret
  readonly salt: Uint8Array
  readonly iterations: number
  /** Whether the keys may be taken from memory, and are kept there. Default: true. */
  readonly remember?: boolean
}

/** Rejects with `signal.reason`, or with what PBKDF2 failed with. The keys are the caller's own copy. */
export type DeriveKeys = (input: DerivationInput, signal: AbortSignal) => Promise<DerivedKeys>

export interface KeyDerivationOptions {
  /** How many pairs of keys are remembered; the one that was not asked for longest leaves first. 0: none. Default: 256. */
  readonly cacheEntriesMax?: number
  /** How many computations run at once. Default: half of libuv's threads, but one at least. */
  readonly concurrency?: number
  /** Where the computations are counted. Default: an account of its own. */
  readonly account?: Account
  /** Tests bring their own. */
  readonly pbkdf2?: Pbkdf2
}

/** The part of Node's `pbkdf2` that is used: it may throw, and else calls back once. */
export type Pbkdf2 = (
  password: string,
  salt: Uint8Array,
  iterations: number,
  lengthBytes: number,
  digest: string,
  done: (error: Error | null, key: Uint8Array) => void,
) => void

/** Entries of some 300 bytes. A process rarely logs in with as many passwords; a salt belongs to one password. */
const CACHE_ENTRIES_MAX = 256

/** A derivation with a cache and a queue of its own. */
export function createKeyDerivation(options: KeyDerivationOptions = {}): DeriveKeys {
  const cacheEntriesMax = wholeNumber('cacheEntriesMax', options.cacheEntriesMax ?? CACHE_ENTRIES_MAX, 0)
  const concurrency = wholeNumber('concurrency', options.concurrency ?? half(threadCount()), 1)
  const compute: Pbkdf2 = options.pbkdf2 ?? pbkdf2
  const account = options.account ?? new Account()
  const indexKey = randomBytes(32)

  const cache = new Recent<ScramKeys>(cacheEntriesMax)
  /** Everything that somebody waits for or that is being computed, by index. */
  const jobs = new Map<string, Job>()
  /** Those of them that have not begun, in the order in which they came. */
  const queue = new Set<Job>()
  let running = 0

  return async (input, signal) => {
    signal.throwIfAborted()
    const index = indexOf(input, indexKey)
    const known = input.remember === false ? undefined : cache.get(index)
    if (known !== undefined) return copy(known)
    return until(signal, (resolve, reject) => {
      const job = jobs.get(index) ?? enqueue(index, input)
      const waiter: Waiter = { resolve, reject }
      job.waiters.add(waiter)
      begin()
      return () => leave(job, waiter)
    })
  }

  function enqueue(index: string, { password, salt, iterations, remember = true }: DerivationInput): Job {
    // The salt may be part of a buffer that is used again before our turn comes.
    const job: Job = { index, password, salt: new Uint8Array(salt), iterations, remember, waiters: new Set() }
    jobs.set(index, job)
    queue.add(job)
    return job
  }

  /** A computation that has begun goes on without anybody waiting; one that has not is struck from the queue. */
  function leave(job: Job, waiter: Waiter): void {
    job.waiters.delete(waiter)
    if (job.waiters.size === 0 && queue.delete(job)) jobs.delete(job.index)
  }

  function begin(): void {
    for (const job of queue) {
      if (running >= concurrency) return
      queue.delete(job)
      running += 1
      account.begin(job)
      run(job)
    }
  }

  function run(job: Job): void {
    try {
      compute(job.password.reveal(), job.salt, job.iterations, 32, 'sha256', (error, saltedPassword) => {
        if (error !== null) {
          end(job, ({ reject }) => reject(error))
          return
        }
        const keys = scramKeys(saltedPassword)
        if (job.remember !== false) cache.set(job.index, keys)
        end(job, ({ resolve }) => resolve(copy(keys)))
      })
    } catch (error) {
      end(job, ({ reject }) => reject(error))
    }
  }

  function end(job: Job, tell: (waiter: Waiter) => void): void {
    running -= 1
    account.end(job)
    jobs.delete(job.index)
    for (const waiter of job.waiters) tell(waiter)
    begin()
  }
}

/** The one for the whole process: the threads that it spares are the process's, too. */
export const deriveKeys: DeriveKeys = createKeyDerivation({ account: derivations })

interface Waiter {
  readonly resolve: (keys: ScramKeys) => void
  readonly reject: (reason: unknown) => void
}

interface Job extends DerivationInput {
  readonly index: string
  readonly waiters: Set<Waiter>
}

/**
 * What a pair of keys is found by. It must not tell the password: from a plain hash (in a heap snapshot, say) one could be
 * guessed as fast as hashes are computed. Behind a random key of this process it says nothing to anybody who has not that
 * key as well; and nobody can ask for the index of what he chooses, so that it need not be an HMAC. The key stays bytes: text would
 * stand in the snapshot, too. The numbers in front keep salt and password apart; what must not be remembered is looked for
 * elsewhere.
 */
function indexOf({ password, salt, iterations, remember = true }: DerivationInput, key: Uint8Array): string {
  const numbers = `${remember}:${iterations}:${salt.length}:`
  const text = password.reveal()
  // Not of Node's pool, which all buffers of the process share.
  const input = Buffer.allocUnsafeSlow(key.length + numbers.length + salt.length + Buffer.byteLength(text))
  input.set(key)
  input.write(numbers, key.length, 'latin1')
  input.set(salt, key.length + numbers.length)
  input.write(text, key.length + numbers.length + salt.length)
  const index = hash('sha256', input, 'base64')
  input.fill(0)
  return index
}

function copy({ clientKey, serverKey }: ScramKeys): DerivedKeys {
  return { clientKey: new Uint8Array(clientKey), serverKey: new Uint8Array(serverKey) }
}

/** libuv: four threads unless UV_THREADPOOL_SIZE says otherwise, 1,024 at most (uv_queue_work; src/threadpool.c). */
function threadCount(): number {
  const asked = process.env['UV_THREADPOOL_SIZE']
  if (asked === undefined) return 4
  return Math.min(Number.parseInt(asked, 10) || 1, 1_024)
}

function half(threads: number): number {
  return Math.max(1, Math.floor(threads / 2))
}

function wholeNumber(name: string, value: number, min: number): number {
  if (Number.isSafeInteger(value) && value >= min) return value
  throw new RangeError(`${name} is a whole number of at least ${min}.`)
}
