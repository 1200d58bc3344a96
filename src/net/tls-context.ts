/**
 * Certificates, keys and lists become a context of OpenSSL. Parsing is synchronous, and a bundle of 144 certificates takes
 * 40 ms of the event loop: the same bytes are parsed once. Files are read for every connect all the same, so that a renewed
 * one counts.
 */
import { createHmac, createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { Fault } from '../protocol/failure.ts'

/** What one parameter contributes; false: nothing. */
export type Material = readonly [parameter: string, options: SecureContextOptions | false]

/** Everything is parsed here, before anybody is dialed. Node says what is wrong, but not with which of them. */
export function createContext(material: readonly Material[], rest: SecureContextOptions): SecureContext {
  const merged: SecureContextOptions = Object.assign(
    { ecdhCurve: GROUPS },
    ...material.map(([, options]) => options),
    rest,
  )
  checkRoots(material)
  checkPair(merged)
  try {
    return createSecureContext(merged)
  } catch (error) {
    const culprit = material.find(([, options]) => options !== false && !isUsable(options))
    const parameter = culprit?.[0] ?? 'tls'
    const isLocked = parameter === 'sslkey' && LOCKED.test((error as NodeJS.ErrnoException).code ?? '')
    throw unusable(isLocked ? 'sslpassword' : parameter, error)
  }
}

/**
 * The groups for the key exchange, P-256 first, because a client sends a key for the first one only: before 18 PostgreSQL knew
 * no other (#GUC-SSL-GROUPS), and answered OpenSSL's own choice with HelloRetryRequest (RFC 8446 section 4.1.4), which is one
 * more round trip. The others are OpenSSL's own, in its order. What the OpenSSL at hand does not know is left to it.
 */
const GROUPS =
  ['P-256:X25519MLKEM768:X25519:X448:P-521:P-384', 'P-256:X25519:X448:P-521:P-384'].find((ecdhCurve) =>
    isUsable({ ecdhCurve }),
  ) ?? 'auto'

/** Node's codes for an encrypted key whose password is missing or wrong. */
const LOCKED = /DECRYPT|PASSPHRASE|INTERRUPTED_OR_CANCELLED/

function isUsable(options: SecureContextOptions): boolean {
  try {
    createSecureContext(options)
    return true
  } catch {
    return false
  }
}

/** As libpq does. Node takes a file without a certificate in PEM for a list of nobody, and then trusts nobody. */
function checkRoots(material: readonly Material[]): void {
  for (const [parameter, options] of material) {
    if (options === false || !Buffer.isBuffer(options.ca)) continue
    try {
      // As text: of bytes, DER would be taken too.
      new X509Certificate(options.ca.toString())
    } catch (error) {
      throw unusable(parameter, error)
    }
  }
}

/** As libpq does. OpenSSL takes a certificate and a key of two algorithms without a word, and then sends neither. */
function checkPair({ cert, key, passphrase }: SecureContextOptions): void {
  if (!Buffer.isBuffer(cert) || !Buffer.isBuffer(key)) return
  let matches: boolean
  try {
    matches = new X509Certificate(cert).checkPrivateKey(createPrivateKey({ key, passphrase }))
  } catch {
    // One of them is no such thing: createContext finds out which.
    return
  }
  if (!matches) throw new Fault({ kind: 'config', parameter: 'sslkey', problem: 'is not the key of sslcert' })
}

/** How many contexts are remembered; the one that was made first leaves first. A process rarely has more kinds of servers. */
const CONTEXTS_MAX = 8

const contexts = new Map<string, SecureContext>()
const indexKey = randomBytes(32)

/** As createContext, but what was made of the same bytes and settings before serves again. */
export function recallContext(material: readonly Material[], rest: SecureContextOptions): SecureContext {
  const index = indexOf(material, rest)
  let context = contexts.get(index)
  if (context === undefined) {
    context = createContext(material, rest)
    contexts.set(index, context)
    for (const oldest of contexts.keys()) {
      if (contexts.size <= CONTEXTS_MAX) break
      contexts.delete(oldest)
    }
  }
  return context
}

/** Under a random key of this process, since a passphrase is part of it. */
function indexOf(material: readonly Material[], rest: SecureContextOptions): string {
  const described = material.map(([parameter, options]) => [
    parameter,
    options &&
      Object.entries(options).map(([name, value]) => [name, Buffer.isBuffer(value) ? value.toString('base64') : value]),
  ])
  return createHmac('sha256', indexKey)
    .update(JSON.stringify([described, rest]))
    .digest('base64')
}

export function unusable(parameter: string, cause: unknown): Fault {
  const { code, message } = cause as NodeJS.ErrnoException
  // Node's text quotes the value, which may be a passphrase.
  if (code?.startsWith('ERR_INVALID_ARG_')) {
    return new Fault({ kind: 'config', parameter, problem: `cannot be used (${code})` })
  }
  // OpenSSL's texts name the routine and the reason, never the content of a key.
  return new Fault(
    { kind: 'config', parameter, problem: `cannot be used (${code ?? 'unusable'}: ${message})` },
    { cause },
  )
}
