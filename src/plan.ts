/**
 * Which attempts a connect may make, in which order, and how the deadline is shared out among them. One place for both: the
 * driver that makes them, and `explainDeadline` that tells of them beforehand.
 *
 * Manual: #LIBPQ-MULTIPLE-HOSTS, #LIBPQ-CONNECT-TARGET-SESSION-ATTRS, #LIBPQ-CONNECT-LOAD-BALANCE-HOSTS.
 */
import type { Settings } from './config/settings.ts'
import type { Endpoint } from './net/endpoint.ts'
import { type RandomBytes, shuffle } from './shuffle.ts'
import { encryptionAttempts } from './state/handshake/policy.ts'
import type { SessionWanted } from './state/handshake/session-wanted.ts'
import type { Encryption } from './state/handshake/states.ts'
import type { WaitOptions } from './wait-options.ts'

/** What is used when neither timeoutMs nor connect_timeout is given: a connect without a deadline is the bug that this library ends. */
export const DEFAULT_TIMEOUT_MS = 10_000

/** The whole deadline, in milliseconds: the shorter one of timeoutMs and connect_timeout. */
export function chooseTimeout({ connectTimeoutMs }: Settings, { timeoutMs }: WaitOptions): number {
  const given = [timeoutMs, connectTimeoutMs].filter((one) => typeof one === 'number')
  return given.length === 0 ? DEFAULT_TIMEOUT_MS : Math.min(...given)
}

/** One host once: the attempts there share one slice of the deadline. */
export interface Visit {
  readonly endpoint: Endpoint
  readonly sessionWanted: SessionWanted
  /** What is tried of TLS, in order: the second only if the first fails in a way that allows it. */
  readonly encryptions: readonly [Encryption, ...Encryption[]]
}

/** The visits that may be made, in order. prefer-standby visits all hosts for a standby, and then all of them for any server. */
export function planVisits(settings: Settings, randomBytes: RandomBytes): readonly Visit[] {
  const { hosts, loadBalanceHosts, targetSessionAttrs, tls } = settings
  const passes = targetSessionAttrs === 'prefer-standby' ? (['standby', 'any'] as const) : [targetSessionAttrs]
  const ordered = loadBalanceHosts === 'random' ? shuffle(hosts, randomBytes) : hosts
  return passes.flatMap((sessionWanted) =>
    ordered.map((endpoint) => ({
      endpoint,
      sessionWanted,
      encryptions: endpoint.transport === 'unix' ? (['off'] as const) : encryptionAttempts(tls.mode),
    })),
  )
}

/** What a visit is given: an equal share of what is left. Time that it does not use is there for the others. */
export function shareOf(remainingMs: number, visitsLeft: number): number {
  return remainingMs / visitsLeft
}

/** Where a visit goes, as people write it. */
export function showEndpoint(endpoint: Endpoint): string {
  if (endpoint.transport === 'unix') return endpoint.path
  const { host, port } = endpoint
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
