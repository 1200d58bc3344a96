/**
 * SCRAM-SHA-256 from the client's side: each function turns the server's last message into our next one.
 * Pure: the nonce is handed in, and the slow part, PBKDF2, happens elsewhere between `readChallenge` and `scramKeys`.
 *
 *     beginScram -> clientFirst ->    n,,n=,r=...            SASLInitialResponse
 *     readChallenge             <-    r=...,s=...,i=...      AuthenticationSASLContinue
 *     scramKeys -> proveScram   ->    c=biws,r=...,p=...     SASLResponse
 *     verifyOutcome             <-    v=...                  AuthenticationSASLFinal
 *
 * RFC 5802 (names as in its section 3), RFC 7677 (SHA-256), and the manual: #SASL-SCRAM-SHA-256.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import { Fault } from '../protocol/failure.ts'
import type { ChannelBinding } from './choose.ts'
import { PRINTABLE, parseServerFinal, parseServerFirst } from './scram-grammar.ts'

/** The second is the first, bound to the TLS channel. */
export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS'

/** What must be remembered from our first message. */
export interface ScramStart {
  readonly mechanism: ScramMechanism
  readonly clientNonce: string
  readonly gs2Header: string
  /** cbind-input of RFC 5802 section 7: the gs2-header, and behind it what binds the channel. */
  readonly channelBindingInput: Uint8Array
  readonly clientFirstBare: string
}

/** What the server asks, checked. `salt` and `iterations` are for PBKDF2. */
export interface ScramChallenge {
  readonly start: ScramStart
  /** A copy of the bytes as they came: the proof is made over these, never over a message put together again. */
  readonly serverFirst: Uint8Array
  readonly nonce: string
  readonly salt: Uint8Array
  readonly iterations: number
}

/**
 * What is left of a password once salt and iterations are known: enough to log in with, and to tell the server from an
 * impostor, but only where the same salt is asked for. 32 bytes each.
 */
export interface ScramKeys {
  readonly clientKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** Our last message, and the only answer to it that we believe. */
export interface ScramProof {
  readonly clientFinal: Uint8Array
  readonly serverSignature: Uint8Array
}

/**
 * Opens an exchange. `clientNonce` is printable ASCII without a comma, fresh for every attempt, and has at least the
 * strength of the 18 random bytes that libpq takes. Mechanism and binding are those of `chooseMechanism`. Throws RangeError
 * for anything that could not be sent.
 */
export function beginScram(clientNonce: string, mechanism: ScramMechanism, binding: ChannelBinding): ScramStart {
  // A comma would let a nonce write further attributes into the message.
  if (!PRINTABLE.test(clientNonce)) throw new RangeError('A SCRAM nonce is printable ASCII without a comma.')
  // RFC 5802 section 6: the flag is `p` under a -PLUS mechanism, and under no other.
  if ((mechanism === 'SCRAM-SHA-256-PLUS') !== (binding.flag === 'p')) {
    throw new RangeError(`${mechanism} does not go with the channel binding flag ${binding.flag}.`)
  }
  // Behind the flag, between the commas, stands no authorization identity.
  const gs2Header = binding.flag === 'p' ? 'p=tls-server-end-point,,' : `${binding.flag},,`
  return {
    mechanism,
    clientNonce,
    gs2Header,
    channelBindingInput: binding.flag === 'p' ? concatenate(utf8(gs2Header), binding.data) : utf8(gs2Header),
    // The name stays empty, as in libpq: the server goes by the user of the StartupMessage.
    clientFirstBare: `n=,r=${clientNonce}`,
  }
}

/** client-first-message, for SASLInitialResponse. */
export function clientFirst(start: ScramStart): Uint8Array {
  return utf8(start.gs2Header + start.clientFirstBare)
}

/**
 * Reads server-first-message. Throws a Fault: `malformed`, `incompatible` (a mandatory extension), `unproven` (the
 * nonce), `limit` (more iterations than `max`) or `policy` (fewer than `min`). One iteration is lawful: a minimum is the
 * user's setting.
 */
export function readChallenge(
  start: ScramStart,
  data: Uint8Array,
  { min, max }: { readonly min: number; readonly max: number },
): ScramChallenge {
  const serverFirst = new Uint8Array(data)
  const { nonce, salt, iterations } = parseServerFirst(serverFirst)
  // RFC 5802 section 5.1: the nonce must begin with ours, or someone answers who was not asked. And the server must
  // add to it, or an exchange that was recorded once could be played again.
  if (!nonce.startsWith(start.clientNonce)) throw unproven('SCRAM nonce (it does not begin with ours)')
  if (nonce.length === start.clientNonce.length) throw unproven('SCRAM nonce (the server added nothing to ours)')
  // CVE-2026-42198: the count is the server's to choose and ours to pay for, so it is capped before it is computed.
  if (iterations > max) throw new Fault({ kind: 'limit', what: 'SCRAM iterations', limit: max, received: iterations })
  // RFC 7677 section 4: few iterations make a proof cheap to guess a password from, for whoever asked for them.
  if (iterations < min) {
    throw new Fault({
      kind: 'policy',
      what: `the server asked for ${iterations} SCRAM iterations, and at least ${min} are required; nothing was proved to it`,
      advice: 'set the password again under a higher scram_iterations on the server, or lower the minimum',
    })
  }
  return { start, serverFirst, nonce, salt, iterations }
}

/**
 * ClientKey and ServerKey. `saltedPassword` is the 32 bytes of PBKDF2-HMAC-SHA-256 over the normalized password, salt and
 * iterations.
 */
export function scramKeys(saltedPassword: Uint8Array): ScramKeys {
  if (saltedPassword.length !== DIGEST_BYTES) throw new RangeError(`A salted password has ${DIGEST_BYTES} bytes.`)
  return {
    clientKey: hmac(saltedPassword, utf8('Client Key')),
    serverKey: hmac(saltedPassword, utf8('Server Key')),
  }
}

/** A key as libpq's scram_client_key and scram_server_key have it: base64 of 32 bytes. Null if it is anything else. */
export function parseScramKey(text: string): Uint8Array | null {
  const key = Buffer.from(text, 'base64')
  // Node's decoder forgives much; encoding again shows whether it had to.
  return key.length === DIGEST_BYTES && key.toString('base64') === text ? new Uint8Array(key) : null
}

/** Proves that we know the password, and works out how the server must prove the same. */
export function proveScram(challenge: ScramChallenge, { clientKey, serverKey }: ScramKeys): ScramProof {
  if (clientKey.length !== DIGEST_BYTES || serverKey.length !== DIGEST_BYTES) {
    throw new RangeError(`A SCRAM key has ${DIGEST_BYTES} bytes.`)
  }
  const { start, serverFirst, nonce } = challenge
  const clientFinalWithoutProof = `c=${base64(start.channelBindingInput)},r=${nonce}`
  const authMessage = concatenate(utf8(`${start.clientFirstBare},`), serverFirst, utf8(`,${clientFinalWithoutProof}`))

  const storedKey = hash('sha256', clientKey, 'buffer')
  const clientSignature = hmac(storedKey, authMessage)
  const clientProof = exclusiveOr(clientKey, clientSignature)
  return {
    clientFinal: utf8(`${clientFinalWithoutProof},p=${base64(clientProof)}`),
    serverSignature: hmac(serverKey, authMessage),
  }
}

/**
 * Believes the server or throws: returns only if server-final-message carries exactly `serverSignature`.
 * Throws a Fault: `unproven` (another signature, or an error instead of one), `malformed` or `incompatible`.
 */
export function verifyOutcome(serverSignature: Uint8Array, data: Uint8Array): void {
  const outcome = parseServerFinal(data)
  if ('error' in outcome) throw unproven(`server signature (the server sent ${presentable(outcome.error)} instead)`)
  // timingSafeEqual throws for different lengths; the length is public, so this comparison tells nobody anything.
  if (outcome.signature.length !== serverSignature.length) throw unproven('server signature (of the wrong length)')
  if (!timingSafeEqual(outcome.signature, serverSignature)) throw unproven('server signature')
}

const DIGEST_BYTES = 32

/** RFC 5802 section 7 writes its error codes in lower-case words; anything else may be an echo of what we sent. */
function presentable(errorCode: string): string {
  return /^[a-z-]{1,40}$/.test(errorCode) ? errorCode : 'an unreadable error code'
}

function hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac('sha256', key).update(data).digest())
}

function exclusiveOr(left: Uint8Array, right: Uint8Array): Uint8Array {
  return left.map((byte, index) => byte ^ (right[index] as number))
}

function concatenate(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

const ENCODER = new TextEncoder()

function utf8(text: string): Uint8Array {
  return ENCODER.encode(text)
}

function unproven(what: string): Fault {
  return new Fault({ kind: 'unproven', what })
}
