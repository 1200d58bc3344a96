/**
 * The messages without a tag. They are older than the tags: a server must tell a StartupMessage, an
 * SSLRequest and a CancelRequest apart by their first Int32 alone, so the requests pretend to be protocol
 * versions that will never exist (1234.5678, 1234.5679, 1234.5680).
 *
 * Manual: #PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE and its neighbours.
 */
import { constant, int32, rest, string, struct, untilZero } from './layout.ts'
import { LIMITS } from './limits.ts'
import { decodeBody, encodeMessage, type MessageOf, message } from './message.ts'

/** Minor versions of protocol 3 that PostgreSQL knows. 3.1 is reserved: a pooler had used it by mistake. */
export type ProtocolVersion = '3.0' | '3.2'

/** Major version in the upper, minor version in the lower 16 bits. */
export function versionNumber(version: ProtocolVersion): number {
  return version === '3.0' ? 0x0003_0000 : 0x0003_0002
}

export const StartupMessage = message('StartupMessage', null, {
  protocolVersion: int32,
  parameters: untilZero(struct({ name: string, value: string })),
})

export const SSLRequest = message('SSLRequest', null, { code: constant(80_877_103) })

export const GSSENCRequest = message('GSSENCRequest', null, { code: constant(80_877_104) })

export const CancelRequest = message('CancelRequest', null, {
  code: constant(80_877_102),
  processId: int32,
  secretKey: rest,
})

export const STARTUP_MESSAGES = [StartupMessage, SSLRequest, GSSENCRequest, CancelRequest] as const

export type StartupPacket = MessageOf<(typeof STARTUP_MESSAGES)[number]>

/** What may follow the length of the first packet, by its first Int32. */
const REQUESTS: ReadonlyMap<number, typeof SSLRequest | typeof GSSENCRequest | typeof CancelRequest> = new Map<
  number,
  typeof SSLRequest | typeof GSSENCRequest | typeof CancelRequest
>([
  [80_877_103, SSLRequest],
  [80_877_104, GSSENCRequest],
  [80_877_102, CancelRequest],
])

/** Encode a message that starts a connection. Throws RangeError for one that no server would take. */
export function encodeStartup(packet: StartupPacket): Buffer {
  switch (packet.type) {
    case 'StartupMessage': {
      const bytes = encodeMessage(StartupMessage, packet)
      if (bytes.length > LIMITS.startupMessageBytesMax) {
        throw new RangeError(
          `StartupMessage cannot be sent: ${bytes.length} bytes, PostgreSQL takes ${LIMITS.startupMessageBytesMax}`,
        )
      }
      return bytes
    }
    case 'SSLRequest':
      return encodeMessage(SSLRequest, packet)
    case 'GSSENCRequest':
      return encodeMessage(GSSENCRequest, packet)
    case 'CancelRequest':
      return encodeMessage(CancelRequest, packet)
  }
}

/** Decode what follows the length, as a server does. Throws Fault 'malformed'. */
export function decodeStartup(body: Buffer): StartupPacket {
  const request = body.length >= 4 ? REQUESTS.get(body.readInt32BE(0)) : undefined
  return decodeBody(request ?? StartupMessage, body)
}
