/**
 * X.509 certificates made on the spot, with whatever is wrong in them that a test needs: no files, no keys in the
 * repository, no openssl. As much of DER as that takes, and no more.
 *
 * RFC 5280 section 4.1; RFC 5758 section 3.2 (ECDSA), RFC 8410 (Ed25519).
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface CertificateOptions {
  readonly commonName: string
  /** Names and IPv4 addresses for subjectAltName. None: no such extension. */
  readonly names?: readonly string[]
  /** GeneralizedTime: 'YYYYMMDDHHMMSSZ'. */
  readonly notBefore?: string
  readonly notAfter?: string
  /** Who signs. Nobody: it signs itself. */
  readonly issuer?: IssuedCertificate
  readonly isAuthority?: boolean
  readonly keyType?: 'ec' | 'ed25519'
}

export interface IssuedCertificate {
  /** PEM. */
  readonly certificate: string
  /** PEM. */
  readonly privateKey: string
  readonly key: KeyObject
  readonly commonName: string
}

/** Make a certificate with a fresh key. Honest unless told otherwise. */
export function issueCertificate({
  commonName,
  names = [],
  notBefore = '20200101000000Z',
  notAfter = '20991231235959Z',
  issuer,
  isAuthority = false,
  keyType = 'ec',
}: CertificateOptions): IssuedCertificate {
  const { publicKey, privateKey } =
    keyType === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  const signingKey = issuer?.key ?? privateKey
  const algorithm = sequence(signingKey.asymmetricKeyType === 'ec' ? ECDSA_WITH_SHA256 : ED25519)
  const extensions = [
    ...(isAuthority ? [sequence(BASIC_CONSTRAINTS, TRUE, tlv(0x04, sequence(TRUE)))] : []),
    ...(names.length > 0 ? [sequence(SUBJECT_ALT_NAME, tlv(0x04, sequence(...names.map(generalName))))] : []),
  ]
  const toBeSigned = sequence(
    // Version 3, which has extensions.
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    // A positive serial number: the first bit is the sign.
    tlv(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    distinguishedName(issuer?.commonName ?? commonName),
    sequence(tlv(0x18, Buffer.from(notBefore)), tlv(0x18, Buffer.from(notAfter))),
    distinguishedName(commonName),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length > 0 ? [tlv(0xa3, sequence(...extensions))] : []),
  )
  const signature = sign(signingKey.asymmetricKeyType === 'ec' ? 'sha256' : null, toBeSigned, signingKey)
  const der = sequence(toBeSigned, algorithm, tlv(0x03, Buffer.concat([Buffer.from([0]), signature])))
  return {
    certificate: pem(der),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    key: privateKey,
    commonName,
  }
}

const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex')
const ED25519 = Buffer.from('06032b6570', 'hex')
const COMMON_NAME = Buffer.from('0603550403', 'hex')
const BASIC_CONSTRAINTS = Buffer.from('0603551d13', 'hex')
const SUBJECT_ALT_NAME = Buffer.from('0603551d11', 'hex')
const TRUE = Buffer.from('0101ff', 'hex')

/** One value of DER: tag, length in the shortest form, content. */
function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, ...parts)
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tlv(0x31, sequence(COMMON_NAME, tlv(0x0c, Buffer.from(commonName)))))
}

function generalName(name: string): Buffer {
  const numbers = /^\d+\.\d+\.\d+\.\d+$/.test(name) ? name.split('.').map(Number) : null
  return numbers === null ? tlv(0x82, Buffer.from(name)) : tlv(0x87, Buffer.from(numbers))
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
