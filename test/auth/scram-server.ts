/**
 * The server's half of SCRAM-SHA-256, written from RFC 5802 section 3 alone and sharing no code with src/auth: it holds
 * what PostgreSQL stores and knows no password. Lets a test ask what no client can ask of itself: would this be let in?
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

/** server-final-message, or null where PostgreSQL would answer 28P01. */
export function judge(
  verifier: Verifier,
  clientFirst: Uint8Array,
  sent: Uint8Array,
  clientFinal: Uint8Array,
): Buffer | null {
  const final = Buffer.from(clientFinal).toString()
  const cut = final.lastIndexOf(',p=')
  const authMessage = Buffer.concat([
    Buffer.from(clientFirst).subarray('n,,'.length),
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

function mac(key: Uint8Array, data: string | Uint8Array): Buffer {
  return createHmac('sha256', key).update(data).digest()
}
