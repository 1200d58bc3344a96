/**
 * What binds SCRAM to the TLS channel around it: `tls-server-end-point`, a hash of the server's certificate (RFC 5929
 * section 4.1). Both sides hash the certificate that they know, so a stranger between them, who must show one of his own,
 * cannot pass on a proof. It is the only type that PostgreSQL has: manual, #SASL-SCRAM-SHA-256.
 *
 * The hash must come out as it does in PostgreSQL, which leaves the question to OpenSSL: pgtls_get_peer_certificate_hash
 * (fe-secure-openssl.c) and be_tls_get_certificate_hash (be-secure-openssl.c).
 */
import { createHash } from 'node:crypto'
import { DerReader, TAG } from './der.ts'

/**
 * The hash of the certificate (DER), by the hash of its own signature. Null if that signature names none (Ed25519, Ed448)
 * or one that is not known here. RFC 5929 leaves that case undefined; libpq and the server both end the login there, and so
 * does `chooseMechanism` unless channel binding is switched off. A hash of our own choice would only differ from the
 * server's, and going on unbound would let a stranger choose a certificate that switches the binding off.
 *
 * Throws a Fault: `malformed`, if the bytes are no certificate.
 */
export function tlsServerEndPoint(certificate: Uint8Array): Uint8Array | null {
  const hash = signatureHash(certificate)
  if (hash === null) return null
  return new Uint8Array(createHash(hash).update(certificate).digest())
}

/** RFC 5280 section 4.1: `SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }`. */
function signatureHash(bytes: Uint8Array): string | null {
  const whole = new DerReader('Certificate', bytes)
  const certificate = whole.take(TAG.sequence, 'Certificate')
  whole.finish('Certificate')
  certificate.take(TAG.sequence, 'tbsCertificate')
  const algorithm = certificate.take(TAG.sequence, 'signatureAlgorithm')
  certificate.take(TAG.bitString, 'signatureValue')
  certificate.finish('Certificate')

  const identifier = takeIdentifier(algorithm, 'signatureAlgorithm')
  if (identifier === RSASSA_PSS) return pssHash(algorithm)
  return HASH_OF_SIGNATURE.get(identifier) ?? null
}

/**
 * RFC 4055 section 3.1: `SEQUENCE { [0] hashAlgorithm DEFAULT sha1, ... }`. A signature must have these parameters; to
 * OpenSSL one without them has no known hash, so it has none here.
 */
function pssHash(algorithm: DerReader): string | null {
  if (algorithm.isAtEnd()) return null
  const parameters = algorithm.take(TAG.sequence, 'RSASSA-PSS-params')
  if (!parameters.isNext(TAG.explicit0)) return INSTEAD_OF_SHA_1
  const hashAlgorithm = parameters.take(TAG.explicit0, 'hashAlgorithm').take(TAG.sequence, 'hashAlgorithm')
  return HASH.get(takeIdentifier(hashAlgorithm, 'hashAlgorithm')) ?? null
}

/** Left encoded: identifiers are only compared, and an arc may be as large as it likes. */
function takeIdentifier(reader: DerReader, field: string): string {
  return Buffer.from(reader.take(TAG.objectIdentifier, field).rest()).toString('hex')
}

/** RFC 5929 section 4.1: where the signature uses MD5 or SHA-1, the binding uses SHA-256. */
const INSTEAD_OF_SHA_1 = 'sha256'
const INSTEAD_OF_MD5 = 'sha256'

/** 1.2.840.113549.1.1.10 */
const RSASSA_PSS = '2a864886f70d01010a'

const RSA = '2a864886f70d0101' // 1.2.840.113549.1.1
const ECDSA = '2a8648ce3d04' // 1.2.840.10045.4
const NIST_SIGNATURE = '608648016503' + '0403' // 2.16.840.1.101.3.4.3
const NIST_HASH = '608648016503' + '0402' // 2.16.840.1.101.3.4.2

/** By the identifier of the signature: RFC 8017 appendix C, RFC 5758 section 3.2, and NIST's register for SHA-3. */
const HASH_OF_SIGNATURE = new Map([
  [`${RSA}04`, INSTEAD_OF_MD5],
  [`${RSA}05`, INSTEAD_OF_SHA_1],
  [`${RSA}0e`, 'sha224'],
  [`${RSA}0b`, 'sha256'],
  [`${RSA}0c`, 'sha384'],
  [`${RSA}0d`, 'sha512'],
  [`${RSA}0f`, 'sha512-224'],
  [`${RSA}10`, 'sha512-256'],
  [`${ECDSA}01`, INSTEAD_OF_SHA_1],
  [`${ECDSA}0301`, 'sha224'],
  [`${ECDSA}0302`, 'sha256'],
  [`${ECDSA}0303`, 'sha384'],
  [`${ECDSA}0304`, 'sha512'],
  [`${NIST_SIGNATURE}09`, 'sha3-224'],
  [`${NIST_SIGNATURE}0a`, 'sha3-256'],
  [`${NIST_SIGNATURE}0b`, 'sha3-384'],
  [`${NIST_SIGNATURE}0c`, 'sha3-512'],
  [`${NIST_SIGNATURE}0d`, 'sha3-224'],
  [`${NIST_SIGNATURE}0e`, 'sha3-256'],
  [`${NIST_SIGNATURE}0f`, 'sha3-384'],
  [`${NIST_SIGNATURE}10`, 'sha3-512'],
])

/** By the identifier of the hash itself, for RSASSA-PSS. */
const HASH = new Map([
  ['2a864886f70d0205', INSTEAD_OF_MD5], // 1.2.840.113549.2.5
  ['2b0e03021a', INSTEAD_OF_SHA_1], // 1.3.14.3.2.26
  [`${NIST_HASH}04`, 'sha224'],
  [`${NIST_HASH}01`, 'sha256'],
  [`${NIST_HASH}02`, 'sha384'],
  [`${NIST_HASH}03`, 'sha512'],
  [`${NIST_HASH}05`, 'sha512-224'],
  [`${NIST_HASH}06`, 'sha512-256'],
  [`${NIST_HASH}07`, 'sha3-224'],
  [`${NIST_HASH}08`, 'sha3-256'],
  [`${NIST_HASH}09`, 'sha3-384'],
  [`${NIST_HASH}0a`, 'sha3-512'],
])
