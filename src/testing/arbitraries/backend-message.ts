/** Anything that a server can say, in any order: lawful message by message, and not as a conversation. */
import fc from 'fast-check'
import { AUTHENTICATION_MESSAGES } from '../../protocol/authentication.ts'
import { BACKEND_MESSAGES, type BackendMessage } from '../../protocol/backend.ts'
import { arbitraryMessage } from './message.ts'

/**
 * One message of a server, authentication requests included.
 *
 * @example
 * fc.assert(fc.property(arbitraryBackendMessage(), (message) => encodeBackend(message).length >= 5))
 */
export function arbitraryBackendMessage(): fc.Arbitrary<BackendMessage> {
  return fc.oneof(...[...BACKEND_MESSAGES, ...AUTHENTICATION_MESSAGES].map((layout) => arbitraryMessage(layout)))
}
