/**
 * target_session_attrs: whether a server is what the caller wants. Since PostgreSQL 14 a server reports by itself what is
 * needed to know; older ones, and some poolers, have to be asked.
 *
 * Manual: #LIBPQ-CONNECT-TARGET-SESSION-ATTRS, #LIBPQ-PQPARAMETERSTATUS.
 */

/** What one attempt wants of a server. 'prefer-standby' is not here: it is two passes over the hosts, 'standby' and 'any'. */
export type SessionWanted = 'any' | 'read-write' | 'read-only' | 'primary' | 'standby'

type Parameters = readonly (readonly [name: string, value: string])[]

/** The parameters that decide, where a server reports them. */
const DECIDING: Readonly<Record<SessionWanted, readonly string[]>> = {
  any: [],
  'read-write': ['in_hot_standby', 'default_transaction_read_only'],
  'read-only': ['in_hot_standby', 'default_transaction_read_only'],
  primary: ['in_hot_standby'],
  standby: ['in_hot_standby'],
}

/** The query whose one value decides, or null if the server's parameters do. libpq asks the same two. */
export function questionFor(wanted: SessionWanted, parameters: Parameters): string | null {
  if (DECIDING[wanted].every((name) => lastOf(parameters, name) !== null)) return null
  return wanted === 'primary' || wanted === 'standby'
    ? 'SELECT pg_catalog.pg_is_in_recovery()'
    : 'SHOW transaction_read_only'
}

/** Whether the parameters decide now that `reported` has come. Then it is newer than an answer that came before it. */
export function isDecidedBy(reported: string, wanted: SessionWanted, parameters: Parameters): boolean {
  return DECIDING[wanted].includes(reported) && questionFor(wanted, parameters) === null
}

/**
 * What the server is instead of what is wanted, in words; null if it suits. `answer` is that to the question, if there
 * was one and no later report decides: 't' and 'f' from a function, 'on' and 'off' from SHOW.
 */
export function findMismatch(wanted: SessionWanted, parameters: Parameters, answer: string | null): string | null {
  if (wanted === 'any') return null
  const isOn = (name: string) => lastOf(parameters, name) === 'on'
  if (wanted === 'primary' || wanted === 'standby') {
    const isStandby = answer === null ? isOn('in_hot_standby') : answer === 't'
    if (isStandby === (wanted === 'standby')) return null
    return isStandby ? 'a server in hot standby' : 'a server that is not in hot standby'
  }
  const isReadOnly = answer === null ? isOn('in_hot_standby') || isOn('default_transaction_read_only') : answer === 'on'
  if (isReadOnly === (wanted === 'read-only')) return null
  return isReadOnly ? 'a session that is read-only' : 'a session that can write'
}

/** A later ParameterStatus replaces an earlier one. */
function lastOf(parameters: Parameters, wanted: string): string | null {
  return parameters.findLast(([name]) => name === wanted)?.[1] ?? null
}
