/** What a connect or a query that has to fail failed with. Anything but the library's own errors is thrown on. */
import { HandshakeError, SessionError } from '../../src/index.ts'

export function handshakeFailureOf(connecting: Promise<unknown>): Promise<HandshakeError> {
  return failureOf(connecting, HandshakeError)
}

export function sessionFailureOf(querying: Promise<unknown>): Promise<SessionError> {
  return failureOf(querying, SessionError)
}

async function failureOf<E extends Error>(promise: Promise<unknown>, kind: new (...rest: never[]) => E): Promise<E> {
  const error = await promise.then(
    () => new Error('expected a failure, but all went well'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof kind)) throw error
  return error
}
