/**
 * The answer to SSLRequest: one byte, without tag or length. It is the only thing in the protocol that is not a message.
 *
 * Manual: #PROTOCOL-FLOW-SSL.
 */
import { Fault } from './failure.ts'
import { recognizeStranger } from './frame.ts'

/** 'S': go on with TLS. 'N': not here. 'E': an ErrorResponse begins, from a server that does not know SSLRequest. */
export type TlsReply = 'S' | 'N' | 'E'

/**
 * Read what a server has sent after SSLRequest. `received` has one byte at least. Throws Fault 'misbehaved' for another
 * byte, and for anything behind the one: CVE-2021-23222, plaintext that is already here when TLS begins was put there by
 * somebody else, and would be taken for the server's once TLS is up.
 */
export function decodeTlsReply(received: Buffer): TlsReply {
  const byte = received.toString('latin1', 0, 1)
  // What follows an 'E' is the error itself, and nobody reads it: see the table of the handshake.
  if (byte === 'E') return 'E'
  if (byte !== 'S' && byte !== 'N') {
    const stranger = recognizeStranger(received.toString('latin1', 0, 16))
    throw misbehaved(
      "one byte, 'S' or 'N'",
      `0x${received.toString('hex', 0, 1)}${stranger === null ? '' : ` (${stranger})`}`,
    )
  }
  if (received.length > 1) throw misbehaved(`nothing behind '${byte}'`, `${received.length - 1} bytes in plaintext`)
  return byte
}

function misbehaved(expected: string, received: string): Fault {
  return new Fault({ kind: 'misbehaved', expected: [expected], received })
}
