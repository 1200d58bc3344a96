/**
 * DER with the shape of a certificate, signed in any of the usual ways and by nobody: enough for who takes its end-point hash,
 * and much cheaper than a certificate. Which hash that is stands here a second time, apart from the client's table.
 *
 * RFC 5280 section 4.1 (the shape), RFC 5929 section 4.1 (MD5 and SHA-1 are replaced by SHA-256), RFC 4055 section 3.1 (PSS).
 */
import { createHash } from 'node:crypto'

/** The signature algorithms of certificates that servers have. */
export type CertificateSignature =
  | 'ecdsa-with-SHA256'
  | 'ecdsa-with-SHA384'
  | 'sha1WithRSAEncryption'
  | 'sha256WithRSAEncryption'
  | 'sha384WithRSAEncryption'
  | 'sha512WithRSAEncryption'
  | 'RSASSA-PSS with SHA-256'
  | 'Ed25519'

interface Signature {
  /** The AlgorithmIdentifier's content: an object identifier, and parameters where there are any. */
  readonly algorithm: string
  /** null: RFC 5929 leaves it undefined, and PostgreSQL has no binding then. */
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null
}

const NULL = '0500'

const SIGNATURES: Readonly<Record<CertificateSignature, Signature>> = {
  'ecdsa-with-SHA256': { algorithm: '06082a8648ce3d040302', hash: 'sha256' },
  'ecdsa-with-SHA384': { algorithm: '06082a8648ce3d040303', hash: 'sha384' },
  sha1WithRSAEncryption: { algorithm: `06092a864886f70d010105${NULL}`, hash: 'sha256' },
  sha256WithRSAEncryption: { algorithm: `06092a864886f70d01010b${NULL}`, hash: 'sha256' },
  sha384WithRSAEncryption: { algorithm: `06092a864886f70d01010c${NULL}`, hash: 'sha384' },
  sha512WithRSAEncryption: { algorithm: `06092a864886f70d01010d${NULL}`, hash: 'sha512' },
  // SEQUENCE { [0] SEQUENCE { id-sha256, NULL } }; mask generation and salt are left out, which leaves the defaults.
  'RSASSA-PSS with SHA-256': {
    algorithm: `06092a864886f70d01010a3011a00f300d0609608648016503040201${NULL}`,
    hash: 'sha256',
  },
  Ed25519: { algorithm: '06032b6570', hash: null },
}

export const CERTIFICATE_SIGNATURES = Object.keys(SIGNATURES) as readonly CertificateSignature[]

/** A certificate whose tbsCertificate has this content: of it, only that it is a SEQUENCE. Up to 100 bytes of it. */
export function certificateShape(signature: CertificateSignature, content: Uint8Array): Buffer {
  const tbsCertificate = sequence(Buffer.from(content))
  const signatureAlgorithm = sequence(Buffer.from(SIGNATURES[signature].algorithm, 'hex'))
  const signatureValue = Buffer.from('030200ff', 'hex')
  return sequence(Buffer.concat([tbsCertificate, signatureAlgorithm, signatureValue]))
}

/** `tls-server-end-point` of a certificate that is signed in this way; null: there is none. */
export function endPointOf(signature: CertificateSignature, certificate: Uint8Array): Buffer | null {
  const { hash } = SIGNATURES[signature]
  return hash === null ? null : createHash(hash).update(certificate).digest()
}

/** Fewer than 256 bytes: one byte of length from 128 on, behind 0x81. */
function sequence(content: Buffer): Buffer {
  const length = content.length < 0x80 ? [content.length] : [0x81, content.length]
  return Buffer.concat([Buffer.from([0x30, ...length]), content])
}
