/** What an action failed with, as data; a test that expects a failure fails if there is none, or one without a kind. */
import { type Failure, Fault } from '../../src/protocol/failure.ts'

export function failureOf(action: () => unknown): Failure {
  try {
    action()
  } catch (error) {
    if (error instanceof Fault) return error.failure
    throw error
  }
  throw new Error('nothing was refused')
}
