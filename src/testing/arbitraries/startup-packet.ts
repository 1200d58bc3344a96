/**
 * What starts a connection and has no tag: StartupMessage, SSLRequest, GSSENCRequest, CancelRequest.
 *
 * Manual: #PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE and its neighbours.
 */
import fc from 'fast-check'
import { STARTUP_MESSAGES, type StartupPacket } from '../../protocol/startup.ts'
import { arbitraryMessage } from './message.ts'

/** The codes of the requests, which no protocol version will ever have. */
const REQUEST_CODES = new Set([80_877_102, 80_877_103, 80_877_104])

/**
 * One first packet of a client.
 *
 * @example
 * fc.assert(fc.property(arbitraryStartupPacket(), (packet) => encodeStartup(packet).length >= 8))
 */
export function arbitraryStartupPacket(): fc.Arbitrary<StartupPacket> {
  return fc
    .oneof(...STARTUP_MESSAGES.map((layout) => arbitraryMessage(layout)))
    .filter((packet) => packet.type !== 'StartupMessage' || !REQUEST_CODES.has(packet.protocolVersion))
}
