/**
 * A whole SCRAM-SHA-256 exchange: the four messages, and all that they are made from. Written from RFC 5802 and RFC 7677, with
 * node:crypto, and sharing no code with the client that it is to test; an author of a server can take the client's half.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import fc from 'fast-check'
import { arbitraryText } from './message.ts'
import { arbitraryPassword, type Password } from './password.ts'

/** What both sides bring along. */
export interface ScramParts {
  readonly password: Password
  /** 'n': no binding; 'y': the server offers none; 'p': bound, and the mechanism is SCRAM-SHA-256-PLUS. */
  readonly flag: 'n' | 'y' | 'p'
  /** The hash of the server's certificate (RFC 5929 section 4.1). Used under 'p'. */
  readonly endPoint: Buffer
  /**
   * What the client calls itself behind `n=`, with RFC 5802's =2C and =3D. libpq leaves it empty, since the StartupMessage has
   * said it; PostgreSQL ignores whatever stands there, and signs it.
   */
  readonly userName: string
  readonly clientNonce: string
  /** What the server adds to it. */
  readonly serverNonce: string
  readonly salt: Buffer
  readonly iterations: number
  /** Optional extensions at the end of each message of the server, with the comma before: ',x=1'. Mostly empty. */
  readonly firstExtension: string
  readonly finalExtension: string
}

export interface ScramExchange extends ScramParts {
  readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS'
  readonly clientFirst: Buffer
  readonly serverFirst: Buffer
  readonly clientFinal: Buffer
  readonly serverFinal: Buffer
  /** What PostgreSQL stores, and what a client may keep in place of the password. */
  readonly keys: { readonly clientKey: Buffer; readonly storedKey: Buffer; readonly serverKey: Buffer }
}

/** `printable` of RFC 5802 section 7: visible ASCII but the comma. */
const PRINTABLE = fc.integer({ min: 0x21, max: 0x7e }).map((code) => (code === 0x2c ? '~' : String.fromCharCode(code)))

/** An optional extension: a letter that RFC 5802 gives no meaning, and a value without comma and control characters. */
const EXTENSION = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc
    .tuple(fc.constantFrom(...'bdfghjkloqtuwxyzABMZ'), fc.string({ unit: PRINTABLE, minLength: 1, maxLength: 8 }))
    .map(([letter, value]) => `,${letter}=${value}`),
)

/**
 * An exchange between a client and a server that both know the password. Few iterations, since what is tested is not PBKDF2.
 *
 * @example
 * fc.assert(fc.property(arbitraryScramExchange(), ({ serverFirst, clientNonce }) =>
 *   serverFirst.toString().startsWith(`r=${clientNonce}`)))
 */
export function arbitraryScramExchange(options: ScramExchangeOptions = {}): fc.Arbitrary<ScramExchange> {
  return arbitraryScramParts(options).map(completeScram)
}

export interface ScramExchangeOptions {
  /** Whether the client says a name behind `n=`: 'never', as libpq, or 'sometimes', as others do. Default: 'never'. */
  readonly userName?: 'never' | 'sometimes'
}

/** saslname of RFC 5802 section 7: what has a meaning in the message is written otherwise. */
const SASLNAME = arbitraryText(12).map((name) => name.replaceAll('=', '=3D').replaceAll(',', '=2C'))

/** The parts alone, for whoever has to know some of them first. */
export function arbitraryScramParts({ userName = 'never' }: ScramExchangeOptions = {}): fc.Arbitrary<ScramParts> {
  return fc.record(
    {
      password: arbitraryPassword(),
      flag: fc.constantFrom('n', 'y', 'p'),
      endPoint: bytes(32, 64),
      userName: userName === 'never' ? fc.constant('') : SASLNAME,
      clientNonce: fc.string({ unit: PRINTABLE, minLength: 18, maxLength: 30 }),
      serverNonce: fc.string({ unit: PRINTABLE, minLength: 1, maxLength: 30 }),
      salt: bytes(0, 32),
      iterations: fc.integer({ min: 1, max: 64 }),
      firstExtension: EXTENSION,
      finalExtension: EXTENSION,
    },
    { noNullPrototype: true },
  )
}

/** The messages that follow from the parts. With other parts, it is what the same two would have said then. */
export function completeScram(parts: ScramParts): ScramExchange {
  const { password, flag, endPoint, userName, clientNonce, serverNonce, salt, iterations } = parts
  const salted = pbkdf2Sync(password.normalized, salt, iterations, 32, 'sha256')
  const clientKey = mac(salted, 'Client Key')
  const storedKey = createHash('sha256').update(clientKey).digest()
  const serverKey = mac(salted, 'Server Key')

  const header = flag === 'p' ? 'p=tls-server-end-point,,' : `${flag},,`
  const clientFirstBare = `n=${userName},r=${clientNonce}`
  const nonce = clientNonce + serverNonce
  const serverFirst = `r=${nonce},s=${salt.toString('base64')},i=${iterations}${parts.firstExtension}`
  const binding = Buffer.concat([Buffer.from(header), flag === 'p' ? endPoint : Buffer.alloc(0)])
  const clientFinalBare = `c=${binding.toString('base64')},r=${nonce}`
  const authMessage = `${clientFirstBare},${serverFirst},${clientFinalBare}`

  const signature = mac(storedKey, authMessage)
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] as number)))
  return {
    ...parts,
    mechanism: flag === 'p' ? 'SCRAM-SHA-256-PLUS' : 'SCRAM-SHA-256',
    clientFirst: Buffer.from(header + clientFirstBare),
    serverFirst: Buffer.from(serverFirst),
    clientFinal: Buffer.from(`${clientFinalBare},p=${proof.toString('base64')}`),
    serverFinal: Buffer.from(`v=${mac(serverKey, authMessage).toString('base64')}${parts.finalExtension}`),
    keys: { clientKey, storedKey, serverKey },
  }
}

function bytes(minLength: number, maxLength: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ minLength, maxLength }).map((content) => Buffer.from(content))
}

function mac(key: Uint8Array, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest()
}
