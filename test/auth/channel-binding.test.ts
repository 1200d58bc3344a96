import { createHash, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tlsServerEndPoint } from '../../src/auth/channel-binding.ts'
import { Fault } from '../../src/protocol/failure.ts'
import { failureOf } from './failure-of.ts'

// Made by make.sh in that folder, digests included: by openssl, which is what PostgreSQL asks.
const FOLDER = new URL('certificates/', import.meta.url)
const certificate = (name: string) => new Uint8Array(readFileSync(new URL(`${name}.der`, FOLDER)))
const EXPECTED = readFileSync(new URL('expected.txt', FOLDER), 'utf8')
  .trim()
  .split('\n')
  .map((line) => line.split(' ') as [name: string, hash: string, digest: string])
const NAMES = EXPECTED.map(([name]) => name)

const hex = (bytes: Uint8Array | null) => (bytes === null ? '-' : Buffer.from(bytes).toString('hex'))

describe('tls-server-end-point', () => {
  for (const [name, hash, digest] of EXPECTED) {
    it(`of ${name} is ${hash === 'none' ? 'not defined' : `its ${hash}, as openssl computes it`}`, () => {
      expect(hex(tlsServerEndPoint(certificate(name)))).toBe(digest)
    })
  }

  it('has been seen on every certificate of the folder, each of which says who it is', () => {
    const files = readdirSync(FOLDER).filter((name) => name.endsWith('.der'))
    expect(files.sort()).toEqual(NAMES.map((name) => `${name}.der`).sort())
    for (const name of NAMES) expect(new X509Certificate(certificate(name)).subject).toBe(`CN=${name}`)
  })

  it('is the hash of the whole certificate: any bit flipped in its name gives another', () => {
    const bytes = certificate('rsa-sha256')
    const at = Buffer.from(bytes).lastIndexOf('rsa-sha256')
    const before = hex(tlsServerEndPoint(bytes))
    bytes[at] = (bytes[at] as number) ^ 1
    expect(hex(tlsServerEndPoint(bytes))).not.toBe(before)
  })

  it('goes by the signature, not by the key: a certificate of an EC key may be signed with RSA', () => {
    const bytes = certificateWith(sequence(oid('1.2.840.113549.1.1.13'), NULL))
    expect(hex(tlsServerEndPoint(bytes))).toBe(digest('sha512', bytes))
  })
})

describe('the hash of an RSA-PSS signature', () => {
  const PSS = oid('1.2.840.113549.1.1.10')
  const pss = (...parameters: readonly Uint8Array[]) => certificateWith(sequence(PSS, sequence(...parameters)))
  const hashAlgorithm = (identifier: string) => explicit(0, sequence(oid(identifier), NULL))

  // OpenSSL 3.0 reads these, but makes none.
  for (const [identifier, hash] of [
    ['1.2.840.113549.2.5', 'sha256'], // MD5
    ['1.3.14.3.2.26', 'sha256'], // SHA-1, though it is the default and need not be written
    ['2.16.840.1.101.3.4.2.1', 'sha256'],
    ['2.16.840.1.101.3.4.2.2', 'sha384'],
    ['2.16.840.1.101.3.4.2.3', 'sha512'],
    ['2.16.840.1.101.3.4.2.4', 'sha224'],
    ['2.16.840.1.101.3.4.2.5', 'sha512-224'],
    ['2.16.840.1.101.3.4.2.6', 'sha512-256'],
    ['2.16.840.1.101.3.4.2.7', 'sha3-224'],
    ['2.16.840.1.101.3.4.2.8', 'sha3-256'],
    ['2.16.840.1.101.3.4.2.9', 'sha3-384'],
    ['2.16.840.1.101.3.4.2.10', 'sha3-512'],
  ] as const) {
    it(`is ${hash} where the parameters say ${identifier}`, () => {
      const bytes = pss(hashAlgorithm(identifier))
      expect(hex(tlsServerEndPoint(bytes))).toBe(digest(hash, bytes))
    })
  }

  it('is SHA-256 instead of SHA-1 where the parameters say nothing of a hash', () => {
    for (const bytes of [
      pss(),
      pss(explicit(2, integer(11))),
      pss(explicit(1, sequence()), explicit(2, integer(20))),
    ]) {
      expect(hex(tlsServerEndPoint(bytes))).toBe(digest('sha256', bytes))
    }
  })

  it('is not known where there are no parameters', () => {
    expect(tlsServerEndPoint(certificateWith(sequence(PSS)))).toBeNull()
  })

  it('is not known where it is one that nobody knows', () => {
    expect(tlsServerEndPoint(pss(hashAlgorithm('1.3.36.3.2.1')))).toBeNull()
    // SHAKE128 has no length of its own.
    expect(tlsServerEndPoint(pss(hashAlgorithm('2.16.840.1.101.3.4.2.11')))).toBeNull()
  })

  it('is refused where the parameters are something else', () => {
    for (const [bytes, field] of [
      [certificateWith(sequence(PSS, NULL)), 'RSASSA-PSS-params'],
      [pss(explicit(0)), 'hashAlgorithm'],
      // Five bytes are promised, and none are there.
      [pss(Uint8Array.of(0xa0, 5)), 'hashAlgorithm'],
      [pss(explicit(0, sequence())), 'hashAlgorithm'],
      [pss(explicit(0, oid('1.3.14.3.2.26'))), 'hashAlgorithm'],
    ] as const) {
      expect(failureOf(() => tlsServerEndPoint(bytes))).toMatchObject({
        kind: 'malformed',
        message: 'Certificate',
        field,
      })
    }
  })
})

describe('what is no certificate', () => {
  const algorithm = sequence(oid('1.2.840.113549.1.1.11'), NULL)
  const signature = element(0x03, Uint8Array.of(0, 1, 2))
  const tbs = sequence(integer(1))
  const refused = (bytes: Uint8Array) => failureOf(() => tlsServerEndPoint(bytes))
  const malformed = (field: string) => ({ kind: 'malformed', message: 'Certificate', field })

  it('is one with all three parts, in their order', () => {
    expect(tlsServerEndPoint(sequence(tbs, algorithm, signature))).toHaveLength(32)
  })

  it('is refused', () => {
    expect(refused(new Uint8Array())).toMatchObject(malformed('Certificate'))
    expect(refused(NULL)).toMatchObject(malformed('Certificate'))
    expect(refused(sequence())).toMatchObject(malformed('tbsCertificate'))
    expect(refused(sequence(algorithm.slice(), NULL))).toMatchObject(malformed('signatureAlgorithm'))
    expect(refused(sequence(tbs))).toMatchObject(malformed('signatureAlgorithm'))
    expect(refused(sequence(tbs, algorithm))).toMatchObject(malformed('signatureValue'))
    expect(refused(sequence(tbs, algorithm, NULL))).toMatchObject(malformed('signatureValue'))
    expect(refused(sequence(tbs, sequence(NULL), signature))).toMatchObject(malformed('signatureAlgorithm'))
    expect(refused(sequence(tbs, sequence(), signature))).toMatchObject(malformed('signatureAlgorithm'))
  })

  it('is refused with anything behind the signature, or behind the certificate', () => {
    expect(refused(sequence(tbs, algorithm, signature, NULL))).toMatchObject(malformed('Certificate'))
    expect(refused(Buffer.concat([sequence(tbs, algorithm, signature), Buffer.of(0)]))).toMatchObject(
      malformed('Certificate'),
    )
  })

  it('is refused if it is PEM', () => {
    expect(refused(Buffer.from('-----BEGIN CERTIFICATE-----'))).toMatchObject(malformed('Certificate'))
  })

  it('is refused if it ends anywhere before its end', () => {
    for (const name of NAMES) {
      const bytes = certificate(name)
      for (let length = 0; length < bytes.length; length++) {
        expect(refused(bytes.subarray(0, length))).toMatchObject({ kind: 'malformed', message: 'Certificate' })
      }
    }
  })

  it('is refused, or has a hash, or none, whatever bytes of it were changed', () => {
    const changes = fc.array(fc.tuple(fc.nat(2_000), fc.nat(255)), { minLength: 1, maxLength: 4 })
    // Close to the end stand the algorithm and its parameters; the rest is passed over.
    const nearTheEnd = fc.array(fc.tuple(fc.integer({ min: -220, max: -100 }), fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(fc.constantFrom(...NAMES), fc.oneof(changes, nearTheEnd), (name, spoils) => {
        const bytes = certificate(name)
        for (const [offset, byte] of spoils) bytes[(offset + bytes.length) % bytes.length] = byte
        expectTotal(bytes)
      }),
      { numRuns: 500 },
    )
  })

  it('is refused, or has a hash, or none, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), expectTotal))
  })

  function expectTotal(bytes: Uint8Array): void {
    try {
      const endPoint = tlsServerEndPoint(bytes)
      if (endPoint !== null) expect([28, 32, 48, 64]).toContain(endPoint.length)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      expect(error.failure).toMatchObject({ kind: 'malformed', message: 'Certificate' })
    }
  }
})

describe('a signature that nobody knows', () => {
  it('has no hash', () => {
    for (const identifier of [
      '1.2.840.113549.1.1.1', // rsaEncryption: a key, not a signature
      '1.2.840.113549.1.1.2', // md2WithRSAEncryption
      '1.2.840.10045.4.3', // ecdsa-with-SHA2, without saying which
      '1.2.156.10197.1.501', // SM2 with SM3
      '2.16.840.1.101.3.4.3.17', // ML-DSA-44
      '2.25.329800735698586629295641978511506172918', // an arc of 128 bits
    ]) {
      expect(tlsServerEndPoint(certificateWith(sequence(oid(identifier))))).toBeNull()
    }
  })

  it('has no hash if its identifier is empty, or that of a known one and more', () => {
    expect(tlsServerEndPoint(certificateWith(sequence(element(0x06))))).toBeNull()
    expect(tlsServerEndPoint(certificateWith(sequence(oid('1.2.840.113549.1.1.11.1'))))).toBeNull()
  })
})

// A writer of DER, in as many lines as these tests need. It shares no code with the reader.

const NULL = Uint8Array.of(0x05, 0x00)

function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents)
  const length =
    content.length < 128
      ? [content.length]
      : content.length < 256
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 0xff]
  return new Uint8Array(Buffer.concat([Buffer.of(tag, ...length), content]))
}

function sequence(...contents: readonly Uint8Array[]): Uint8Array {
  return element(0x30, ...contents)
}

function explicit(number: number, ...contents: readonly Uint8Array[]): Uint8Array {
  return element(0xa0 + number, ...contents)
}

function integer(value: number): Uint8Array {
  return element(0x02, Uint8Array.of(value))
}

function oid(text: string): Uint8Array {
  const [first = 0n, second = 0n, ...others] = text.split('.').map(BigInt)
  const bytes = [first * 40n + second, ...others].flatMap((arc) => {
    const digits = [Number(arc & 127n)]
    for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) digits.unshift(Number(rest & 127n) | 0x80)
    return digits
  })
  return element(0x06, Uint8Array.from(bytes))
}

function certificateWith(signatureAlgorithm: Uint8Array): Uint8Array {
  return sequence(sequence(integer(1)), signatureAlgorithm, element(0x03, new Uint8Array(65)))
}

function digest(hash: string, bytes: Uint8Array): string {
  return createHash(hash).update(bytes).digest('hex')
}
