/**
 * An account of what cannot be stopped. getaddrinfo and PBKDF2 run on libuv's threads to their end; when nobody waits for one
 * any more it is an orphan, which still occupies its thread. A process with many of them is short of threads, and its
 * connects are late for a reason that no server knows of.
 */

/** How much of it runs in this process and is waited for by nobody. Both are 0 again once it has ended. */
export interface Orphans {
  readonly lookups: number
  readonly derivations: number
}

/** Work that has begun, and those who wait for it. */
interface Work {
  readonly waiters: ReadonlySet<unknown>
}

/** One kind of work. It is counted when it is asked for, so that there is nothing to keep in step. */
export class Account {
  readonly #running = new Set<Work>()

  begin(work: Work): void {
    this.#running.add(work)
  }

  end(work: Work): void {
    this.#running.delete(work)
  }

  get running(): number {
    return this.#running.size
  }

  get orphaned(): number {
    let orphaned = 0
    for (const { waiters } of this.#running) if (waiters.size === 0) orphaned += 1
    return orphaned
  }
}

/** Those of the whole process: the threads are the process's, too. */
export const lookups = new Account()
export const derivations = new Account()

export function orphans(): Orphans {
  return { lookups: lookups.orphaned, derivations: derivations.orphaned }
}
