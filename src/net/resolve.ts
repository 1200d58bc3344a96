/**
 * A host name becomes addresses. getaddrinfo cannot be stopped: when the signal is aborted the caller is told
 * at once, and what the operating system answers later is dropped (orphans.ts counts it until then).
 *
 * Whoever asks for a name that is being looked up waits for that answer: libuv gives half of its threads to lookups
 * (slow_work_thread_threshold, threadpool.c), so that two which hang let no other name be found. An answer is
 * not remembered: that is the business of the operating system, which knows how long it holds.
 */
import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns'
import { isIP } from 'node:net'
import { LIMITS } from '../protocol/limits.ts'
import { Account, lookups } from './orphans.ts'
import { TransportError } from './transport.ts'
import { until } from './until.ts'

/** An IP address, and whether it is of IPv4 or of IPv6. */
export interface Address {
  readonly address: string
  readonly family: number
}

/**
 * The addresses of a host in the order of the operating system's preference: one at least, 48 at most. An IP address is its
 * own answer. Rejects with `signal.reason`, or with TransportError.
 */
export type ResolveHost = (host: string, signal: AbortSignal) => Promise<readonly Address[]>

/** The part of Node's `lookup` that is used: it calls back once, in a later tick. */
export type Lookup = (
  host: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

export interface ResolverOptions {
  /** Where the lookups are counted. Default: an account of its own. */
  readonly account?: Account
  /** Tests bring their own. */
  readonly lookup?: Lookup
}

interface Inquiry {
  readonly waiters: Set<Waiter>
}

interface Waiter {
  readonly resolve: (addresses: readonly Address[]) => void
  readonly reject: (reason: unknown) => void
}

/** A resolver that shares lookups among those who ask it. */
export function createResolver(options: ResolverOptions = {}): ResolveHost {
  const account = options.account ?? new Account()
  const ask: Lookup = options.lookup ?? lookup
  /** Those under way, by name. */
  const inquiries = new Map<string, Inquiry>()

  return (host, signal) =>
    until(signal, (resolve, reject) => {
      const family = isIP(host)
      if (family !== 0) {
        resolve([{ address: host, family }])
        return () => {}
      }
      const waiter: Waiter = { resolve, reject }
      const inquiry = inquiries.get(host) ?? begin(host)
      inquiry.waiters.add(waiter)
      return () => inquiry.waiters.delete(waiter)
    })

  function begin(host: string): Inquiry {
    const inquiry: Inquiry = { waiters: new Set() }
    // The order is that of the operating system (RFC 6724): it knows which of its routes lead anywhere.
    ask(host, { all: true, order: 'verbatim' }, (error, addresses) => {
      inquiries.delete(host)
      account.end(inquiry)
      for (const { resolve, reject } of inquiry.waiters) {
        if (error) reject(new TransportError(error.code ?? 'EAI_FAIL', error.message, { cause: error }))
        else if (addresses.length === 0) reject(new TransportError('ENOTFOUND', `${host} has no address`))
        else resolve(addresses.slice(0, LIMITS.addressesMax))
      }
    })
    inquiries.set(host, inquiry)
    account.begin(inquiry)
    return inquiry
  }
}

/** The one for the whole process. */
export const resolveHost: ResolveHost = createResolver({ account: lookups })
