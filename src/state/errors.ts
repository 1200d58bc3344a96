/**
 * What callers see when something fails: where it was (`phase`, the name of a state), what it was
 * (`failure`, as data), and a sentence that says what was expected, what came and what to do.
 *
 * Names follow the platform: AbortError if the caller aborted, TimeoutError if the deadline passed.
 */
import type { Failure } from '../protocol/failure.ts'
import type { ServerReport } from '../protocol/response-fields.ts'
import type { Encryption } from './handshake/states.ts'
import { AWAITED, type StateName } from './handshake/table.ts'
import type { QueryResult } from './session/query-result.ts'
import { SESSION_AWAITED, type SessionStateName } from './session/table.ts'
import type { Timeline } from './timeline.ts'

/** How one attempt ended. */
export interface FailedAttempt {
  /** Where it went: 'host:port', '[address]:port', or the path of a Unix-domain socket. */
  readonly endpoint: string
  /** What it wanted of TLS. */
  readonly encryption: Encryption
  /** What it was given of the deadline, in milliseconds: two at one host share it. Infinity if there is no deadline. */
  readonly sliceMs: number
  readonly phase: StateName
  readonly failure: Failure
}

/** A connect that did not become a session. Nothing of it is left: no socket, no timer, no listener. */
export class HandshakeError extends Error {
  /** The name of the state in which it ended. */
  readonly phase: StateName
  /** What ended it. `failure.kind` says whose fault it was. */
  readonly failure: Failure
  /** Every state until then, with times, bytes and messages. */
  readonly timeline: Timeline
  /** Every attempt that failed, in order, the last one included: several hosts, and sslmode allow and prefer, may make more than one. */
  readonly attempts: readonly FailedAttempt[]

  constructor(
    phase: StateName,
    failure: Failure,
    timeline: Timeline,
    attempts: readonly FailedAttempt[],
    options?: ErrorOptions,
  ) {
    super(`${sentence(failure, phase, AWAITED[phase])}${excuse(failure, timeline)}${retell(attempts)}`, options)
    this.name = nameFor(failure) ?? 'HandshakeError'
    this.phase = phase
    this.failure = failure
    this.timeline = timeline
    this.attempts = attempts
  }

  /** How late our own event loop was, at most, in milliseconds. Where this is long, the server may not be to blame. */
  get loopLagMs(): number {
    return longestLag(this.timeline)
  }
}

/** Below this, nobody need be told that the event loop was late. */
const TOLD_LAG_MS = 50

/** A deadline that passed because we ourselves were busy must not be blamed on the server. */
function excuse(failure: Failure, timeline: Timeline): string {
  const lagMs = longestLag(timeline)
  if (failure.kind !== 'deadline' || lagMs < TOLD_LAG_MS) return ''
  return `; our own event loop was blocked for ${Math.round(lagMs)} ms meanwhile: look there first`
}

function longestLag(timeline: Timeline): number {
  return timeline.reduce((longest, { loopLagMs }) => Math.max(longest, loopLagMs), 0)
}

/** As many as a person reads; all of them are in error.attempts. */
const RETOLD_MAX = 4

/** The attempts before the last one, each with its host if there was more than one. */
function retell(attempts: readonly FailedAttempt[]): string {
  const severalHosts = new Set(attempts.map(({ endpoint }) => endpoint)).size > 1
  const where = (endpoint: string | undefined) => (severalHosts ? ` on ${endpoint}` : '')
  const earlier = attempts.slice(0, -1)
  const retold = earlier.slice(-RETOLD_MAX).map(({ endpoint, phase, failure }) => {
    return `; an attempt before${where(endpoint)}: ${retellOne(failure, phase, AWAITED[phase])}`
  })
  const more = earlier.length > RETOLD_MAX ? `; and ${earlier.length - RETOLD_MAX} more, in error.attempts` : ''
  return `${severalHosts ? `; this was${where(attempts.at(-1)?.endpoint)}` : ''}${retold.join('')}${more}`
}

/** After the whole deadline nothing would have followed: it was the attempt's share of it that had passed. */
function retellOne(failure: Failure, phase: string, awaited: string | null): string {
  if (failure.kind !== 'deadline') return sentence(failure, phase, awaited)
  return `its share of the deadline, ${shownMs(failure.timeoutMs)} ms, passed in ${phase}${waitingFor(awaited)}`
}

interface SessionErrorOptions extends ErrorOptions {
  readonly results?: readonly QueryResult[]
  readonly notices?: readonly ServerReport[]
}

/** A query that failed, or a session that has ended. */
export class SessionError extends Error {
  /** The name of the session's state in which it happened. */
  readonly phase: SessionStateName
  readonly failure: Failure
  /** Of a query: the results of the statements that had completed before. */
  readonly results: readonly QueryResult[]
  /** Of a query: the notices of the statement that failed. */
  readonly notices: readonly ServerReport[]

  constructor(phase: SessionStateName, failure: Failure, options: SessionErrorOptions = {}) {
    const { results = [], notices = [], ...rest } = options
    super(sentence(failure, phase, SESSION_AWAITED[phase]), rest)
    this.name = nameFor(failure) ?? 'SessionError'
    this.phase = phase
    this.failure = failure
    this.results = results
    this.notices = notices
  }

  /** Five characters (#ERRCODES-APPENDIX) if the server refused, otherwise empty. */
  get sqlstate(): string {
    return this.failure.kind === 'refused' ? this.failure.sqlstate : ''
  }
}

function nameFor(failure: Failure): string | null {
  if (failure.kind === 'aborted') return 'AbortError'
  return failure.kind === 'deadline' ? 'TimeoutError' : null
}

/** How one attempt ended, as a sentence. */
export function describeFailure(failure: Failure, phase: StateName): string {
  return sentence(failure, phase, AWAITED[phase])
}

/** One failure as a sentence: what happened, where, and what can be done. */
function sentence(failure: Failure, phase: string, awaited: string | null): string {
  const waiting = waitingFor(awaited)
  switch (failure.kind) {
    case 'deadline':
      if (failure.leastMs !== undefined) {
        return `not begun: ${shownMs(failure.timeoutMs)} ms are left, and leastMs says that a connect takes at least ${failure.leastMs} ms; give it more time, or try when there is less to do`
      }
      return `the deadline of ${shownMs(failure.timeoutMs)} ms passed in ${phase}${waiting}`
    case 'aborted':
      return `the caller aborted in ${phase}${waiting}`
    case 'refused': {
      const code = [failure.severity, failure.sqlstate && `SQLSTATE ${failure.sqlstate}`].filter(Boolean).join(', ')
      const remedy = REMEDIES.get(`${phase} ${failure.sqlstate}`) ?? REMEDIES.get(failure.sqlstate)
      const hint = failure.fields.get('hint')
      const hints = (hint === undefined ? [failure.advice, remedy] : [hint]).filter((text) => text !== undefined)
      const shownCode = code === '' ? '' : ` (${code})`
      return [`the server refused in ${phase}: ${failure.message}${shownCode}`, ...hints].join('; ')
    }
    case 'misbehaved':
      return `the server broke the protocol in ${phase}: expected ${oneOf(failure.expected.map(shownEvent))}, received ${failure.received}`
    case 'malformed': {
      const where = failure.field === '' ? failure.message : `${failure.message}, field ${failure.field}`
      return `the server sent bytes that are no message, in ${phase}: ${where}, byte ${failure.offset}: ${failure.problem}`
    }
    case 'limit':
      return `the server passed a limit in ${phase}: ${failure.what}: ${failure.received}, allowed are ${failure.limit}`
    case 'unproven':
      return `the server did not prove who it is, in ${phase}: ${failure.what}; do not trust it, and check host and password`
    case 'policy':
      return `refused for your safety in ${phase}: ${failure.what}; ${failure.advice}`
    case 'incompatible':
      return `nothing in common with the server in ${phase}: ${failure.what}: it offers ${list(failure.offered)}; accepted here: ${list(failure.supported)}`
    case 'lost':
      if (failure.code === 'FIN') return `the server closed the connection in ${phase}${waiting}`
      return [
        `the connection failed in ${phase}: ${failure.detail} (${failure.code})`,
        UNREACHED.get(`${phase} ${failure.code}`),
      ]
        .filter(Boolean)
        .join('; ')
    case 'config':
      return `${failure.parameter}: ${failure.problem}`
  }
}

function waitingFor(awaited: string | null): string {
  return awaited === null ? '' : `, waiting for ${awaited}`
}

/** A share of a deadline, or what is left of it, has more digits than anybody reads; the data keep them. */
function shownMs(timeoutMs: number): number {
  return Math.round(timeoutMs * 10) / 10
}

/** What to do about the refusals that people meet while connecting, where the server gives no hint: by SQLSTATE, or by phase and SQLSTATE. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['28P01', 'check user and password'],
  ['28000', "check the user, and that the server's pg_hba.conf lets it in from here"],
  ['3D000', 'check the name of the database'],
  ['53300', 'all connections are taken: use fewer, or raise max_connections'],
  ['57P03', 'the server is starting up or shutting down: try again shortly'],
  ['AwaitingSaslOffer 08P01', 'if a pooler does not cope with SCRAM that begins unasked: early_sasl=false'],
])

/** What to do if there is nobody to talk to, by phase and code: later, the same codes mean a connection that broke. */
const UNREACHED: ReadonlyMap<string, string> = new Map([
  ['ResolvingHost ENOTFOUND', 'check the name of the host'],
  ['ResolvingHost EAI_AGAIN', 'the name server does not answer: try again, or give hostaddr'],
  ['Dialing ECONNREFUSED', 'nobody listens there: check host and port, and that the server runs'],
  ['Dialing ENOENT', 'there is no such socket: check directory and port, and that the server runs'],
  ['Dialing ETIMEDOUT', 'nobody answers: check the address, and the firewalls on the way'],
  ['Dialing EHOSTUNREACH', 'nobody answers: check the address, and the firewalls on the way'],
  ['Dialing ENETUNREACH', 'there is no way to that address from here: check it, and the network'],
])

/** Messages have the manual's names; the end of the connection is no message. */
function shownEvent(name: string): string {
  return name === 'TransportLost' ? 'the end of the connection' : name
}

function oneOf(names: readonly string[]): string {
  if (names.length === 0) return 'nothing'
  if (names.length === 1) return String(names[0])
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(', ')
}
