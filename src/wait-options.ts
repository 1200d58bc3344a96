/** What everything that waits takes: how long, and who may end it. Checked strictly: a misspelt limit is no limit. */
import type { Environment } from './config/environment.ts'

export interface WaitOptions {
  /** Milliseconds from the call on. Zero or less: already over. Infinity: no limit. */
  readonly timeoutMs?: number | undefined
  /** Ends the wait. Its reason becomes the error's `cause`. */
  readonly signal?: AbortSignal | undefined
}

export interface ConnectOptions extends WaitOptions {
  /**
   * libpq's environment variables (#LIBPQ-ENVARS), such as `process.env`: they count where neither the target nor its service
   * says anything; ~/.pgpass, PGPASSFILE, PGSERVICE, PGSERVICEFILE and PGSYSCONFDIR are looked at as well. Default: none, so
   * that a connect goes where its caller says, whatever is set for others.
   */
  readonly environment?: Environment | undefined
  /**
   * The least time, in milliseconds, in which a connect can succeed here. With less left it is not begun, and fails at once:
   * in a storm, work that cannot be finished only makes the rest late. Default: it is always begun.
   */
  readonly leastMs?: number | undefined
  /**
   * A query whose result is wanted as soon as can be: `session.firstResult`. In verified TLS (sslmode=verify-full), or if it is
   * allowed to be read by whoever answers, it leaves in the flight of SCRAM's last message, and saves a round trip. If the
   * connect fails after that, the query may have run, and is not sent again, unless the server has refused: then it has not
   * read so far. Not with `targetSessionAttrs`.
   */
  readonly firstQuery?: FirstQuery | undefined
}

export interface FirstQuery extends WaitOptions {
  /** As for `query`. Its time counts from the moment in which the session is there. */
  readonly text: string
  /** Whether it may leave before the server has proven itself, though TLS does not prove it. Default: false. */
  readonly allowUnverified?: boolean | undefined
}

interface Misuse {
  readonly parameter: string
  readonly problem: string
}

/** What is wrong with options that a caller has passed, or null. */
export function findMisuse(options: unknown): Misuse | null {
  return findMisuseOf(options, ['timeoutMs', 'signal'])
}

/** The same for those of `connect`. */
export function findConnectMisuse(options: unknown): Misuse | null {
  const misuse = findMisuseOf(options, ['timeoutMs', 'signal', 'leastMs', 'firstQuery', 'environment'])
  if (misuse !== null) return misuse
  const { leastMs, firstQuery, environment } = options as ConnectOptions
  if (environment !== undefined && (typeof environment !== 'object' || environment === null)) {
    return { parameter: 'environment', problem: `expected an object such as process.env, got ${shown(environment)}` }
  }
  if (leastMs !== undefined && (typeof leastMs !== 'number' || Number.isNaN(leastMs))) {
    return { parameter: 'leastMs', problem: `expected a number of milliseconds, got ${shown(leastMs)}` }
  }
  return firstQuery === undefined ? null : findFirstQueryMisuse(firstQuery)
}

function findFirstQueryMisuse(firstQuery: FirstQuery): Misuse | null {
  const misuse = findMisuseOf(firstQuery, ['timeoutMs', 'signal', 'text', 'allowUnverified'])
  if (misuse?.parameter === 'options') return { parameter: 'firstQuery', problem: misuse.problem }
  if (misuse !== null) return { parameter: `firstQuery.${misuse.parameter}`, problem: misuse.problem }
  const { text, allowUnverified } = firstQuery
  const problem = findTextMisuse(text)
  if (problem !== null) return { parameter: 'firstQuery.text', problem }
  if (allowUnverified === undefined || typeof allowUnverified === 'boolean') return null
  return { parameter: 'firstQuery.allowUnverified', problem: `expected a boolean, got ${shown(allowUnverified)}` }
}

/** What is wrong with the text of a query, or null. */
export function findTextMisuse(text: unknown): string | null {
  if (typeof text === 'string' && !text.includes('\0') && text.isWellFormed()) return null
  return 'expected a string without NUL and without half of a surrogate pair'
}

function findMisuseOf(options: unknown, names: readonly string[]): Misuse | null {
  if (typeof options !== 'object' || options === null) {
    return { parameter: 'options', problem: `expected an object, got ${options === null ? 'null' : typeof options}` }
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown !== undefined) {
    return {
      parameter: unknown,
      problem: `is no option; there are ${names.slice(0, -1).join(', ')} and ${names.at(-1)}`,
    }
  }
  const { timeoutMs, signal } = options as WaitOptions
  if (timeoutMs !== undefined && (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs))) {
    return { parameter: 'timeoutMs', problem: `expected a number of milliseconds, got ${shown(timeoutMs)}` }
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    return { parameter: 'signal', problem: `expected an AbortSignal, got ${shown(signal)}` }
  }
  return null
}

function shown(value: unknown): string {
  return typeof value === 'number' || value === null ? String(value) : typeof value
}
