/** The HandshakeError that a connect must end with. */
import { HandshakeError } from '../../src/state/errors.ts'

export async function failureOf(connecting: Promise<unknown>): Promise<HandshakeError> {
  const error = await connecting.then(
    () => new Error('the connect succeeded'),
    (reason: unknown) => reason,
  )
  if (error instanceof HandshakeError) return error
  throw error
}
