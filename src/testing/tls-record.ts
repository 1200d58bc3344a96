/**
 * Records of TLS 1.3 under a server's own keys, with anything inside: what OpenSSL would never be talked into sending.
 *
 * RFC 8446 sections 5.2 (the record), 5.3 (the nonce) and 7.1, 7.3 (the keys).
 */
import { createCipheriv, createHmac } from 'node:crypto'

/** ContentType and HandshakeType: RFC 8446 sections 5.1 and 4. */
export const HANDSHAKE_RECORD = 22
export const APPLICATION_RECORD = 23
const NEW_SESSION_TICKET = 4

const TAG_BYTES = 16

/** Seals for TLS_AES_256_GCM_SHA384, what Node and OpenSSL agree upon unless they are told otherwise. */
export class RecordSealer {
  readonly #key: Buffer
  readonly #iv: Buffer
  #sequence: number

  /** `sequence`: how many records the server has sent under this secret. */
  constructor(trafficSecret: Buffer, sequence: number) {
    if (trafficSecret.length !== 48)
      throw new TypeError(`expected a secret of SHA-384, got ${trafficSecret.length} bytes`)
    this.#key = expandLabel(trafficSecret, 'key', 32)
    this.#iv = expandLabel(trafficSecret, 'iv', 12)
    this.#sequence = sequence
  }

  seal(contentType: number, content: Buffer): Buffer {
    const header = Buffer.from([0x17, 3, 3, 0, 0])
    header.writeUInt16BE(content.length + 1 + TAG_BYTES, 3)
    const nonce = Buffer.from(this.#iv)
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ BigInt(this.#sequence), 4)
    this.#sequence += 1
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(header)
    const sealed = [cipher.update(content), cipher.update(Buffer.from([contentType])), cipher.final()]
    return Buffer.concat([header, ...sealed, cipher.getAuthTag()])
  }
}

/** NewSessionTicket (RFC 8446 section 4.6.1): lawful at any time, and nothing to a client that resumes no session. */
export function newSessionTicket(ticketBytes: number): Buffer {
  const body = Buffer.alloc(4 + 4 + 1 + 2 + ticketBytes + 2)
  body.writeUInt32BE(7_200, 0)
  body.writeUInt16BE(ticketBytes, 9)
  const header = Buffer.from([NEW_SESSION_TICKET, 0, 0, 0])
  header.writeUIntBE(body.length, 1, 3)
  return Buffer.concat([header, body])
}

/** HKDF-Expand-Label without a context, for no more than one block of the hash. */
function expandLabel(secret: Buffer, label: string, lengthBytes: number): Buffer {
  const name = `tls13 ${label}`
  const info = Buffer.concat([Buffer.from([0, lengthBytes, name.length]), Buffer.from(name), Buffer.from([0, 1])])
  return createHmac('sha384', secret).update(info).digest().subarray(0, lengthBytes)
}
