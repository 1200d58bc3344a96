/**
 * The one way in which configuration fails: a Fault that names the parameter and says what is wrong with it.
 *
 * The rule for every text that is put in here: no value is quoted. A URI whose password holds an unencoded
 * '/', '?' or '@' falls apart in other places than its author thinks, so that a piece of the password may
 * come to stand where a port, a database or even a parameter's name is expected. What was expected is said,
 * and where; what came is described by its kind, and named only if it is one of the manual's own words.
 */
import { Fault } from '../protocol/failure.ts'

/** What a failure names when the connection string itself is at fault, and no parameter of it: libpq's word. */
export const WHOLE = 'conninfo'

/** A Fault of kind 'config', to be thrown by the caller. `parameter` has libpq's name. */
export function unusable(parameter: string, problem: string, options?: ErrorOptions): Fault {
  return new Fault({ kind: 'config', parameter, problem }, options)
}

/** Do it, and if that fails with such a Fault, say in which place the value stands: 'the environment variable PGPORT'. */
export function placed<Value>(place: string, read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Fault) || error.failure.kind !== 'config') throw error
    const { parameter, problem } = error.failure
    throw unusable(parameter, `${problem} (so says ${place})`, error.cause === undefined ? {} : { cause: error.cause })
  }
}
