/**
 * Certificates, keys and lists become a context of OpenSSL. Parsing is synchronous, and a bundle of 144 certificates takes
 * 40 ms of the event loop: the same bytes are parsed once.
 */
import { createHmac, createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { Fault } from '../protocol/failure.ts'
import { Recent } from './recent.ts'

/** What one parameter contributes; false: nothing. */
export type Material = readonly [parameter: string, options: SecureContextOptions | false]

/** Everything is parsed here, before anybody is dialed. Node says what is wrong, but not with which of them. */
function createContext(material: readonly Material[], rest: SecureContextOptions): SecureContext {
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

/** A process rarely has more kinds of servers. */
const contexts = new Recent<SecureContext>(8)

/** As createContext, but what was made of the same bytes and settings before serves again. */
export function recallContext(material: readonly Material[], rest: SecureContextOptions): SecureContext {
  const index = indexOf(material, rest)
  if (index === null) return createContext(material, rest)
  let context = contexts.get(index)
  if (context === undefined) {
    context = createContext(material, rest)
    contexts.set(index, context)
  }
  return context
}

/** What a context is found by; null: one of Node's options cannot be compared, such as a function. */
function indexOf(material: readonly Material[], rest: SecureContextOptions): string | null {
  const all: string[] = []
  for (const options of [...material.map(([, one]) => one), rest]) {
    for (const [name, value] of Object.entries(options)) {
      const said = sayValue(value, PUBLIC.has(name))
      if (said === null) return null
      all.push(name, said)
    }
    all.push('')
  }
  return JSON.stringify(all)
}

/** What may be kept as it is. A file of our certificate may hold its key as well. */
const PUBLIC: ReadonlySet<string> = new Set(['ca', 'crl', 'ciphers', 'ecdhCurve', 'minVersion', 'maxVersion'])

/** What is longer is hashed: a list of every public authority there is has some 200 KB. */
const LENGTH_MAX = 4_096

function sayValue(value: unknown, isPublic: boolean): string | null {
  if (Array.isArray(value)) {
    const items = value.map((one) => sayValue(one, isPublic))
    return items.includes(null) ? null : JSON.stringify(items)
  }
  if (typeof value === 'string' || value instanceof Uint8Array) {
    const isKept = isPublic && value.length <= LENGTH_MAX
    const kept = () => (typeof value === 'string' ? value : Buffer.from(value).toString('latin1'))
    return `${typeof value === 'string' ? 'text' : 'bytes'} ${isKept ? kept() : hashOf(value)}`
  }
  if (typeof value === 'function' || (typeof value === 'object' && value !== null)) return null
  return `${typeof value} ${String(value)}`
}

const hashKey = randomBytes(32)

/** Under a random key of this process: from a plain hash a passphrase could be guessed. */
function hashOf(value: string | Uint8Array): string {
  return createHmac('sha256', hashKey).update(value).digest('base64')
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
