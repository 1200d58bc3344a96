/** Anything that a client can say once the connection has started. */
import fc from 'fast-check'
import { FRONTEND_MESSAGES, type FrontendMessage } from '../../protocol/frontend.ts'
import { arbitraryMessage } from './message.ts'

/**
 * One message of a client that has a tag.
 *
 * @example
 * fc.assert(fc.property(arbitraryFrontendMessage(), (message) => encodeFrontend(message).length >= 5))
 */
export function arbitraryFrontendMessage(): fc.Arbitrary<FrontendMessage> {
  return fc.oneof(...FRONTEND_MESSAGES.map((layout) => arbitraryMessage(layout)))
}
