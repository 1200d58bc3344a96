/**
 * Addresses become a transport. They are raced as in RFC 8305 (Happy Eyeballs), under the one deadline: a black hole must
 * not use up the time of the address behind it. Only the winner is handed over, so that one StartupMessage leaves at most.
 */
import { isIP } from 'node:net'
import { LIMITS } from '../protocol/limits.ts'
import type { Deadline } from './deadline.ts'
import type { Endpoint } from './endpoint.ts'
import type { Address } from './resolve.ts'
import { type KeepAlive, openSocket } from './socket.ts'
import { type Transport, TransportError } from './transport.ts'
import { until } from './until.ts'

/** RFC 8305 section 5: the Connection Attempt Delay that it recommends. */
const ATTEMPT_DELAY_MS = 250

/** Why an address is not dialed any more. Nobody is told of it. */
const LET_GO = 'the race goes on without it'

/** A Unix-domain socket has none. */
const NO_PROBES: KeepAlive = { keepAlive: false, keepAliveIdleMs: 0 }

/**
 * Connect to whichever of the addresses answers first. Rejects with `deadline.signal.reason`, or with TransportError when all
 * of them have failed; no socket is left but the winner's.
 */
export type Race = (
  addresses: readonly Address[],
  port: number,
  options: KeepAlive,
  deadline: Deadline,
) => Promise<Transport>

/** Where to go. */
export interface Destination {
  readonly endpoint: Endpoint
  /** The addresses of its host; null: none had to be looked up. */
  readonly addresses: readonly Address[] | null
  readonly keepalives: { readonly enabled: boolean; readonly idleMs: number | null }
}

/** Open a connection. Rejects with `deadline.signal.reason`, or with TransportError; then no socket is left. */
export async function dial({ endpoint, addresses, keepalives }: Destination, deadline: Deadline): Promise<Transport> {
  if (endpoint.transport === 'unix') return openSocket({ path: endpoint.path }, NO_PROBES, deadline)
  const { port } = endpoint
  const address = endpoint.address ?? endpoint.host
  const keeping = { keepAlive: keepalives.enabled, keepAliveIdleMs: keepalives.idleMs ?? 0 }
  const all = addresses ?? [{ address, family: isIP(address) }]
  const [only] = all
  if (only === undefined || all.length > 1) return race(all, port, keeping, deadline)
  try {
    return await openSocket({ host: only.address, port, family: only.family }, keeping, deadline)
  } catch (error) {
    throw error instanceof TransportError ? allFailed([error]) : error
  }
}

/** A race of sockets that `open` opens. */
export function createRace(open: typeof openSocket): Race {
  return (addresses, port, keeping, deadline) =>
    until<Transport>(deadline.signal, (resolve, reject) => {
      const waiting = interleave(addresses)
      /** In the order of the attempts, whichever failed first. */
      const failures: TransportError[] = []
      /** Those without an outcome, the oldest first. What becomes of one that is taken out interests nobody. */
      const running = new Set<Attempt>()
      let attempts = 0
      let cancelNext = () => {}
      startNext()
      return () => {
        cancelNext()
        for (const attempt of running) letGo(attempt)
      }

      function startNext(): void {
        cancelNext()
        const address = waiting.shift()
        if (address !== undefined) {
          makeRoom()
          void run({ ...address, index: attempts++, ending: deadline.slice(Number.POSITIVE_INFINITY) })
          cancelNext = deadline.after(ATTEMPT_DELAY_MS, startNext)
        } else if (running.size === 0) {
          reject(allFailed(failures))
        }
      }

      async function run(attempt: Attempt): Promise<void> {
        running.add(attempt)
        try {
          const { address, family, ending } = attempt
          const transport = await open({ host: address, port, family }, keeping, ending)
          // Two may connect in the same moment: the second one is a loser, too.
          if (running.delete(attempt)) resolve(transport)
          else transport.destroy()
        } catch (error) {
          if (!running.delete(attempt)) return
          if (!(error instanceof TransportError)) {
            reject(error)
            return
          }
          failures[attempt.index] = error
          startNext()
        } finally {
          attempt.ending[Symbol.dispose]()
        }
      }

      function makeRoom(): void {
        const [oldest] = running
        if (oldest === undefined || running.size < LIMITS.dialsAtOnceMax) return
        failures[oldest.index] = new TransportError(
          'ETIMEDOUT',
          `connect ETIMEDOUT ${oldest.address}:${port} (given up for the addresses behind it)`,
        )
        letGo(oldest)
      }

      function letGo(attempt: Attempt): void {
        running.delete(attempt)
        attempt.ending.abort(LET_GO)
      }
    })
}

export const race: Race = createRace(openSocket)

interface Attempt extends Address {
  readonly index: number
  readonly ending: Deadline
}

/** RFC 8305 section 4: the families take turns, beginning with that of the first address. Where one is dead, it costs 250 ms. */
function interleave(addresses: readonly Address[]): Address[] {
  const [first] = addresses
  const preferred = addresses.filter(({ family }) => family === first?.family)
  const others = addresses.filter(({ family }) => family !== first?.family)
  return [
    ...preferred.flatMap((address, index) => [address, ...others.slice(index, index + 1)]),
    ...others.slice(preferred.length),
  ]
}

function allFailed(failures: readonly TransportError[]): TransportError {
  const [first] = failures
  if (first === undefined) return new TransportError('ENOTFOUND', 'there is no address to connect to')
  const cause = failures.length === 1 ? first : new AggregateError(failures, `${failures.length} addresses were tried`)
  return new TransportError(first.code, failures.map(({ message }) => message).join('; '), { cause })
}
