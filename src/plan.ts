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

/**
 * Whether a connect with so much time left cannot succeed any more: it need not burden anybody then, neither this process nor
 * the server. Whole milliseconds: reading the configuration has taken a fraction of one, which must not refuse who has just
 * enough. What is over already is refused for that.
 */
export function isHopeless(remainingMs: number, leastMs: number): boolean {
  return remainingMs > 0 && Math.ceil(remainingMs) < leastMs
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
  const visits: Visit[] = []
  for (const sessionWanted of passes) {
    for (const endpoint of ordered) {
      const encryptions = endpoint.transport === 'unix' ? (['off'] as const) : encryptionAttempts(tls.mode)
      visits.push({ endpoint, sessionWanted, encryptions })
    }
  }
  return visits
}

/**
 * What a visit is given: an equal share of what is left, in whole milliseconds, since a timer counts no others. Time that a
 * visit does not use is there for those behind it.
 */
export function shareOf(remainingMs: number, visitsLeft: number): number {
  return Math.min(remainingMs, Math.ceil(remainingMs / visitsLeft))
}

/** When a visit begins, and what it is given then. */
export interface Turn {
  readonly begunByMs: number
  readonly sliceMs: number
}

/** How it goes if every visit uses up what it is given: none begins later than that, and none is given less. */
export function planTurns(timeoutMs: number, visits: number): readonly Turn[] {
  const turns: Turn[] = []
  let begunByMs = 0
  while (turns.length < visits) {
    // Infinity less Infinity is no number.
    const remainingMs = Number.isFinite(timeoutMs) ? timeoutMs - begunByMs : timeoutMs
    const sliceMs = shareOf(remainingMs, visits - turns.length)
    turns.push({ begunByMs, sliceMs })
    begunByMs += sliceMs
  }
  return turns
}

/** Where a visit goes, as people write it. */
export function showEndpoint(endpoint: Endpoint): string {
  if (endpoint.transport === 'unix') return endpoint.path
  const { host, port } = endpoint
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
