/**
 * What a server, or a pooler that stands before it, is like: all that decides how an honest handshake with it goes. Knows
 * nothing of the client.
 */
import fc from 'fast-check'
import { CERTIFICATE_SIGNATURES, type CertificateSignature, certificateShape } from '../certificate-shape.ts'
import { arbitraryText } from './message.ts'

export interface ServerProfile {
  /** What it reports as server_version. */
  readonly serverVersion: string
  /** The newest protocol that it speaks: 3.2 came with PostgreSQL 18. */
  readonly newestProtocol: '3.0' | '3.2'
  readonly method: 'trust' | 'password' | 'md5' | 'scram-sha-256'
  /** Whether it answers 'S' to SSLRequest. */
  readonly speaksTls: boolean
  /** Whether it offers SCRAM-SHA-256-PLUS inside TLS. Some poolers do not. */
  readonly bindsChannel: boolean
  /** DER with the shape of a certificate; nobody has signed it. */
  readonly certificate: Buffer
  /** How it is signed, which decides what SCRAM is bound to; with Ed25519 it cannot be bound. */
  readonly signature: CertificateSignature
  /** 'keyless': a pooler that sends no BackendKeyData. */
  readonly pooler: 'none' | 'pgbouncer' | 'keyless'
  /** What it reports before ReadyForQuery, in this order. A name may come twice. */
  readonly parameters: readonly (readonly [name: string, value: string])[]
  /** The texts of the notices that it sends before ReadyForQuery. */
  readonly notices: readonly string[]
}

const VERSIONS = ['14.19', '15.14', '16.10', '17.6', '18.4'] as const

/**
 * Any server that a client meets in practice, and some that it will.
 *
 * @example
 * fc.assert(fc.property(arbitraryServerProfile(), ({ parameters }) =>
 *   parameters.some(([name]) => name === 'server_version')))
 */
export function arbitraryServerProfile(): fc.Arbitrary<ServerProfile> {
  return fc
    .record(
      {
        serverVersion: fc.constantFrom(...VERSIONS),
        method: fc.constantFrom('trust', 'password', 'md5', 'scram-sha-256'),
        speaksTls: fc.boolean(),
        bindsChannel: fc.boolean(),
        signature: fc.constantFrom(...CERTIFICATE_SIGNATURES),
        content: fc.uint8Array({ maxLength: 100 }),
        pooler: fc.constantFrom('none', 'none', 'pgbouncer', 'keyless'),
        isStandby: fc.boolean(),
        isReadOnly: fc.boolean(),
        others: fc.array(fc.tuple(arbitraryText(12, 1), arbitraryText(20)), { maxLength: 4 }),
        notices: fc.array(arbitraryText(30), { maxLength: 3 }),
      },
      { noNullPrototype: true },
    )
    .chain(({ isStandby, isReadOnly, others, content, ...profile }) => {
      const certificate = certificateShape(profile.signature, content)
      const reported = [
        ['server_version', profile.serverVersion],
        ['server_encoding', 'UTF8'],
        ['client_encoding', 'UTF8'],
        ['DateStyle', 'ISO, MDY'],
        ['integer_datetimes', 'on'],
        ['in_hot_standby', isStandby ? 'on' : 'off'],
        ['default_transaction_read_only', isReadOnly ? 'on' : 'off'],
        ...others.filter(([name]) => name !== 'client_encoding'),
      ] as const
      // A pooler speaks for itself: none that we know speaks 3.2 so far.
      const newestProtocol = profile.serverVersion === '18.4' && profile.pooler === 'none' ? '3.2' : '3.0'
      return fc
        .shuffledSubarray([...reported], { minLength: reported.length })
        .map((parameters) => ({ ...profile, certificate, newestProtocol, parameters }))
    })
}
