/**
 * The server's half of SCRAM-SHA-256, correct until it is told otherwise: every message of it can be replaced. Written
 * from RFC 5802 section 3; it shares no code with the client.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'

/** The parts of an honest server-first-message. */
export interface ServerFirstParts {
  readonly clientNonce: string
  /** The client's nonce and ours. */
  readonly nonce: string
  /** Base64. */
  readonly salt: string
  readonly iterations: number
}

/** The parts of an honest server-final-message, and what a dishonest one can be made of. */
export interface ServerFinalParts {
  readonly signature: Buffer
  /** What the client sent as its proof. */
  readonly proof: Buffer
}

export interface ScramOptions {
  readonly password: string
  readonly iterations?: number | undefined
  /** Replaces server-first-message. */
  readonly serverFirst?: ((honest: ServerFirstParts) => string | Buffer) | undefined
  /** Replaces server-final-message. */
  readonly serverFinal?: ((honest: ServerFinalParts) => string | Buffer) | undefined
}

const SALT = Buffer.from('00112233445566778899aabbccddeeff', 'hex')

/** One exchange. */
export class ScramServer {
  readonly #options: ScramOptions
  #clientFirstBare = ''
  #serverFirst: Buffer = Buffer.alloc(0)

  constructor(options: ScramOptions) {
    this.#options = options
  }

  /** client-first-message in, server-first-message out. */
  first(clientFirst: Uint8Array): Buffer {
    const text = Buffer.from(clientFirst).toString()
    // gs2-header: flag, authorization identity, each with a comma behind it.
    this.#clientFirstBare = text.slice(text.indexOf(',', text.indexOf(',') + 1) + 1)
    // Behind the name, in which an equals sign is written =3D, and 'r=' may stand all the same.
    const clientNonce = this.#clientFirstBare.slice(this.#clientFirstBare.indexOf(',r=') + 3)
    const { iterations = 16, serverFirst = honestServerFirst } = this.#options
    const parts = { clientNonce, nonce: `${clientNonce}server`, salt: SALT.toString('base64'), iterations }
    this.#serverFirst = Buffer.from(serverFirst(parts))
    return this.#serverFirst
  }

  /** client-final-message in, server-final-message out. The proof is not judged. */
  final(clientFinal: Uint8Array): Buffer {
    const { password, iterations = 16, serverFinal = honestServerFinal } = this.#options
    const text = Buffer.from(clientFinal).toString()
    const cut = text.lastIndexOf(',p=')
    const signature = mac(mac(saltPassword(password, iterations), 'Server Key'), this.#authMessage(text.slice(0, cut)))
    return Buffer.from(serverFinal({ signature, proof: Buffer.from(text.slice(cut + 3), 'base64') }))
  }

  /** Whether client-final-message proves that the client knows the password. */
  isProven(clientFinal: Uint8Array): boolean {
    const { password, iterations = 16 } = this.#options
    const text = Buffer.from(clientFinal).toString()
    const cut = text.lastIndexOf(',p=')
    const { storedKey } = scramKeys(password, iterations)
    const proof = Buffer.from(text.slice(cut + 3), 'base64')
    const clientSignature = mac(storedKey, this.#authMessage(text.slice(0, cut)))
    const clientKey = clientSignature.map((byte, index) => byte ^ (proof[index] ?? 0))
    return proof.length === 32 && createHash('sha256').update(clientKey).digest().equals(storedKey)
  }

  #authMessage(clientFinalWithoutProof: string): Buffer {
    const before = Buffer.from(`${this.#clientFirstBare},`)
    return Buffer.concat([before, this.#serverFirst, Buffer.from(`,${clientFinalWithoutProof}`)])
  }
}

/** What a client that knows the password must never let anybody see: the keys of `ScramServer`'s own salt. */
export function scramKeys(
  password: string,
  iterations = 16,
): { saltedPassword: Buffer; clientKey: Buffer; storedKey: Buffer } {
  const saltedPassword = saltPassword(password, iterations)
  const clientKey = mac(saltedPassword, 'Client Key')
  return { saltedPassword, clientKey, storedKey: createHash('sha256').update(clientKey).digest() }
}

/** The last one, since a simulation asks for the same a hundred thousand times. */
let salted: { readonly password: string; readonly iterations: number; readonly value: Buffer } | undefined

function saltPassword(password: string, iterations: number): Buffer {
  if (salted?.password !== password || salted.iterations !== iterations) {
    salted = { password, iterations, value: pbkdf2Sync(password, SALT, iterations, 32, 'sha256') }
  }
  return Buffer.from(salted.value)
}

function honestServerFirst({ nonce, salt, iterations }: ServerFirstParts): string {
  return `r=${nonce},s=${salt},i=${iterations}`
}

function honestServerFinal({ signature }: ServerFinalParts): string {
  return `v=${signature.toString('base64')}`
}

function mac(key: Uint8Array, data: string | Uint8Array): Buffer {
  return createHmac('sha256', key).update(data).digest()
}
