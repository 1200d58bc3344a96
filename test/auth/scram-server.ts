/**
 * The server's half of SCRAM-SHA-256, written from RFC 5802 alone (the judgement of channel binding also from what
 * PostgreSQL's auth-scram.c does) and sharing no code with src/auth: it holds what PostgreSQL stores and knows no password.
 * Lets a test ask what no client can ask of itself: would this be let in?
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'

export interface Verifier {
  readonly iterations: number
  readonly salt: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

export function parseVerifier(text: string): Verifier {
  const [, iterations = '', salt = '', storedKey = '', serverKey = ''] = text.split(/[$:]/)
  const [saltBytes, stored, server] = [salt, storedKey, serverKey].map((part) => Buffer.from(part, 'base64'))
  if (!saltBytes || !stored || !server) throw new Error('unreachable')
  return { iterations: Number(iterations), salt: saltBytes, storedKey: stored, serverKey: server }
}

export function makeVerifier(password: string, salt: Uint8Array, iterations: number): Verifier {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const storedKey = createHash('sha256').update(mac(salted, 'Client Key')).digest()
  return { iterations, salt: Buffer.from(salt), storedKey, serverKey: mac(salted, 'Server Key') }
}

export function serverFirst(verifier: Verifier, nonce: string): Buffer {
  return Buffer.from(`r=${nonce},s=${verifier.salt.toString('base64')},i=${verifier.iterations}`)
}

/** What the server knows of its own side of the connection. */
export interface ServerSide {
  /** The mechanism that the client named in SASLInitialResponse. */
  readonly mechanism: string
  /** The hash of the certificate that the server shows, or null without TLS. Under TLS it offers -PLUS. */
  readonly endPoint: Uint8Array | null
}

const WITHOUT_TLS: ServerSide = { mechanism: 'SCRAM-SHA-256', endPoint: null }

/** server-final-message, or null where PostgreSQL would end the connection: 28P01, 08P01 or 28000. */
export function judge(
  verifier: Verifier,
  clientFirst: Uint8Array,
  sent: Uint8Array,
  clientFinal: Uint8Array,
  side = WITHOUT_TLS,
): Buffer | null {
  const header = /^(?:[ny]|p=[^,]*),[^,]*,/.exec(Buffer.from(clientFirst).toString())?.[0]
  if (header === undefined) return null
  const expectedBinding = bindingFor(header, side)

  const final = Buffer.from(clientFinal).toString()
  const cut = final.lastIndexOf(',p=')
  if (expectedBinding === null || !final.startsWith(`c=${expectedBinding.toString('base64')},r=`)) return null
  const authMessage = Buffer.concat([
    Buffer.from(clientFirst).subarray(header.length),
    Buffer.from(','),
    sent,
    Buffer.from(`,${final.slice(0, cut)}`),
  ])
  const proof = Buffer.from(final.slice(cut + ',p='.length), 'base64')
  const signature = mac(verifier.storedKey, authMessage)
  const clientKey = Buffer.from(signature.map((byte, index) => byte ^ (proof[index] ?? 0)))
  const hash = createHash('sha256').update(clientKey).digest()
  if (proof.length !== 32 || !hash.equals(verifier.storedKey)) return null
  return Buffer.from(`v=${mac(verifier.serverKey, authMessage).toString('base64')}`)
}

/** What c= must carry behind this gs2-header; null where the header alone is refused (read_client_first_message). */
function bindingFor(header: string, { mechanism, endPoint }: ServerSide): Buffer | null {
  switch (mechanism) {
    case 'SCRAM-SHA-256':
      // Nobody who binds names this mechanism; and who believes that we offer no -PLUS, though we do, was lied to.
      if (header.startsWith('p') || (header.startsWith('y') && endPoint !== null)) return null
      return Buffer.from(header)
    case 'SCRAM-SHA-256-PLUS':
      if (header !== 'p=tls-server-end-point,,' || endPoint === null) return null
      return Buffer.concat([Buffer.from(header), endPoint])
    default:
      return null
  }
}

function mac(key: Uint8Array, data: string | Uint8Array): Buffer {
  return createHmac('sha256', key).update(data).digest()
}
