/**
 * What a deadline allows, told before anything is tried: which attempts there can be, what each is given, and when it ends at
 * the latest; and what libpq's own rules would allow for the same input. The plan is the driver's (plan.ts), so that this
 * cannot promise anything else than what is done.
 */
import { readSettings } from './config/read-settings.ts'
import type { Settings } from './config/settings.ts'
import { SYSTEM } from './config/surroundings.ts'
import type { ConnectTarget } from './config/target.ts'
import { isIpAddress } from './net/endpoint.ts'
import { chooseTimeout, isHopeless, planTurns, planVisits, showEndpoint, type Visit } from './plan.ts'
import { Fault } from './protocol/failure.ts'
import { HandshakeError } from './state/errors.ts'
import type { SessionWanted } from './state/handshake/session-wanted.ts'
import type { Encryption } from './state/handshake/states.ts'
import { type ConnectOptions, findConnectMisuse } from './wait-options.ts'

/** One host once. */
export interface PlannedVisit {
  /** 'host:port', '[address]:port', or the path of a Unix-domain socket. */
  readonly endpoint: string
  /** What the server must be there. */
  readonly sessionWanted: SessionWanted
  /** What is tried of TLS, in order; the second only if the first fails in a way that allows it. */
  readonly encryptions: readonly Encryption[]
  /**
   * The least that it is given, in milliseconds: what those before it do not use comes on top. What our own process takes,
   * for the files of TLS or where timers are late, goes off: an event loop that is blocked is blocked for everybody.
   */
  readonly sliceMs: number
  /** When it begins at the latest, in milliseconds from the call on; later by what our own process takes. */
  readonly begunByMs: number
}

export interface DeadlineExplanation {
  /** The whole deadline, in milliseconds, and where it comes from. */
  readonly timeoutMs: number
  readonly source: 'timeoutMs' | 'connect_timeout' | 'default'
  /** In order, unless load_balance_hosts is random: then each host is as likely to be first. None, if leastMs forbids to begin. */
  readonly visits: readonly PlannedVisit[]
  /** When the connect has settled, in milliseconds from the call on: the deadline itself, whatever the servers do; 0 if it is not begun. */
  readonly upperBoundMs: number
  /** What libpq would allow. */
  readonly libpq: {
    /** connect_timeout as libpq would be given it: timeoutMs counts too, rounded up to whole seconds. 0: no limit. */
    readonly connectTimeoutSeconds: number
    /** In milliseconds; Infinity if there is no bound. */
    readonly upperBoundMs: number
    /** Why, in sentences. */
    readonly reasons: readonly string[]
  }
}

/**
 * Explain what `connect(target, options)` may do with its time. Nothing is looked up, dialed or read from a server; a service file is read. Throws
 * HandshakeError of kind 'config', as connect would reject.
 *
 * @example
 * explainDeadline('postgres://app@one,two/app', { timeoutMs: 3_000 }).visits.map(({ sliceMs }) => sliceMs) // [1500, 1500]
 */
export function explainDeadline(target: string | ConnectTarget, options: ConnectOptions = {}): DeadlineExplanation {
  const settings = read(target, options)
  const timeoutMs = Math.max(0, chooseTimeout(settings, options))
  // The order is a matter of chance where hosts are balanced; what is told here does not depend on it.
  const planned = planVisits({ ...settings, loadBalanceHosts: 'disable' }, (lengthBytes) => Buffer.alloc(lengthBytes))
  const isBegun = !isHopeless(timeoutMs, options.leastMs ?? 0)
  const visits = isBegun ? planned : []
  return {
    timeoutMs,
    source: sourceOf(settings, options),
    visits: planTurns(timeoutMs, visits.length).map(({ begunByMs, sliceMs }, index) => {
      const { endpoint, sessionWanted, encryptions } = visits[index] as Visit
      return { endpoint: showEndpoint(endpoint), sessionWanted, encryptions, sliceMs, begunByMs }
    }),
    upperBoundMs: isBegun ? timeoutMs : 0,
    libpq: explainLibpq(settings, timeoutMs, planned.length),
  }
}

function read(target: string | ConnectTarget, options: ConnectOptions): Settings {
  try {
    const misuse = findConnectMisuse(options)
    if (misuse !== null) throw new Fault({ kind: 'config', ...misuse })
    return readSettings(target, SYSTEM, options.environment)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    throw new HandshakeError(
      'Disconnected',
      error.failure,
      [],
      [],
      error.cause === undefined ? {} : { cause: error.cause },
    )
  }
}

function sourceOf({ connectTimeoutMs }: Settings, { timeoutMs }: ConnectOptions): DeadlineExplanation['source'] {
  if (timeoutMs !== undefined && timeoutMs <= (connectTimeoutMs ?? Number.POSITIVE_INFINITY)) return 'timeoutMs'
  return connectTimeoutMs === null ? 'default' : 'connect_timeout'
}

/** fe-connect.c, connectDBComplete: the clock is wound up again for every host and every address, and nothing watches getaddrinfo. */
function explainLibpq(
  { hosts, targetSessionAttrs }: Settings,
  timeoutMs: number,
  visits: number,
): DeadlineExplanation['libpq'] {
  if (!Number.isFinite(timeoutMs)) {
    const reasons = ['without connect_timeout libpq waits for ever']
    return { connectTimeoutSeconds: 0, upperBoundMs: Number.POSITIVE_INFINITY, reasons }
  }
  // 0 would be no limit.
  const connectTimeoutSeconds = Math.max(1, Math.ceil(timeoutMs / 1_000))
  const secondsMax = Math.max(2, connectTimeoutSeconds)
  const names = hosts.flatMap((endpoint) => {
    return endpoint.transport === 'tcp' && !isIpAddress(endpoint.address ?? endpoint.host) ? [endpoint.host] : []
  })
  const reasons = [
    `connect_timeout counts whole seconds: ${connectTimeoutSeconds}`,
    ...(connectTimeoutSeconds < secondsMax ? ['up to libpq 16 a 1 counts as 2'] : []),
    ...(visits > 1 ? [`it begins anew for every host: ${visits} times`] : []),
    ...(targetSessionAttrs === 'prefer-standby' ? ['prefer-standby may go over all hosts twice'] : []),
    ...(names.length > 0
      ? [
          `it begins anew for every address of a name, and does not cover the name lookup: ${names.join(', ')} may take any time`,
        ]
      : []),
  ]
  const upperBoundMs = names.length > 0 ? Number.POSITIVE_INFINITY : visits * secondsMax * 1_000
  return { connectTimeoutSeconds, upperBoundMs, reasons }
}
