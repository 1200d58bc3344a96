/**
 * Where other clients come to another end than we do, on purpose: reviewed, each with its reason. What is not listed here and
 * differs is a defect, of ours or of the comparison.
 *
 * pg is 8.23, postgres.js 3.4, libpq that of psql 15.
 */
import type { Method } from './fuzz-server.ts'

export const PEERS = ['pg', 'postgres.js', 'libpq'] as const
export type Peer = (typeof PEERS)[number]

/** 'connected', 'refused' with the SQLSTATE, or why the client itself would not: TLS, its policy, its configuration. */
export type Ending = 'connected' | 'tls' | 'policy' | 'config' | 'lost' | `refused ${string}`

export interface Errand {
  readonly method: Method
  readonly password: 'right' | 'wrong' | 'none'
  readonly database: 'postgres' | 'nowhere'
  readonly sslmode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'
  readonly authority: 'ours' | 'another'
  /** What the certificate says of it: 'localhost' is in it. */
  readonly host: 'localhost' | '127.0.0.1'
  readonly server: 'with TLS' | 'without TLS'
}

export interface Difference {
  readonly peer: Peer
  readonly when: (errand: Errand) => boolean
  readonly ours: readonly (Ending | RegExp)[]
  readonly theirs: readonly (Ending | RegExp)[]
  readonly reason: string
  /** An errand in which it is met: a peer that has changed its mind is taken off the list. */
  readonly example: Partial<Errand>
}

const REFUSED = /^refused /

/** sslmode as pg 8 has it: but for disable, it is verify-full, and allow is no mode at all. */
const pgVerifies = ({ sslmode }: Errand) => sslmode === 'allow' || sslmode === 'prefer'
const hasNoPassword = ({ password, method }: Errand) => password === 'none' && method !== 'trust'
/** The URI names a file of authorities. */
const namesAuthority = ({ sslmode }: Errand) => sslmode !== 'disable'

export const DIFFERENCES: readonly Difference[] = [
  ...PEERS.map((peer) => ({
    peer,
    when: ({ method }: Errand) => method === 'password',
    // Under allow our second attempt is one with TLS, and may end there.
    ours: ['policy', 'tls'] as const,
    theirs: ['connected', 'tls', REFUSED] as const,
    reason:
      'A server that asks for it without TLS is given the password in the clear. We want to be told so: allow_cleartext_password.',
    example: { method: 'password' as const },
  })),
  {
    peer: 'pg',
    when: hasNoPassword,
    ours: ['config'],
    theirs: ['refused 28P01', 'tls'],
    reason: 'Without a password pg sends an empty one, and the server says no. libpq and we say that there is none.',
    example: { password: 'none', method: 'md5' },
  },
  {
    peer: 'postgres.js',
    when: hasNoPassword,
    ours: ['config'],
    theirs: ['refused 28P01', 'tls'],
    reason:
      'Without a password postgres.js sends an empty one, and the server says no. libpq and we say that there is none.',
    example: { password: 'none' },
  },
  {
    peer: 'pg',
    when: pgVerifies,
    ours: ['connected', REFUSED, 'config', 'policy'],
    theirs: ['tls'],
    reason:
      'pg 8 takes prefer for verify-full, and sslrootcert with allow for TLS that is verified; it warns that this will change. libpq goes on without TLS, and so do we.',
    example: { sslmode: 'prefer', server: 'without TLS' },
  },
  {
    peer: 'postgres.js',
    when: namesAuthority,
    ours: ['connected', 'policy', 'tls'],
    theirs: ['refused 42704'],
    reason:
      'postgres.js does not know sslrootcert, and passes it on to the server as a setting, which that does not know.',
    example: { sslmode: 'prefer' },
  },
  {
    peer: 'postgres.js',
    when: ({ sslmode }) => sslmode === 'verify-ca' || sslmode === 'verify-full',
    ours: ['connected', REFUSED, 'config', 'policy'],
    theirs: ['tls'],
    reason: 'postgres.js does not know sslrootcert, and so trusts the authorities of Node alone.',
    example: { sslmode: 'verify-full', method: 'trust' },
  },
  {
    peer: 'postgres.js',
    when: ({ sslmode, authority }) => (sslmode === 'require' || sslmode === 'allow') && authority === 'another',
    ours: ['tls'],
    theirs: [REFUSED],
    reason: 'postgres.js verifies nothing under require and allow. libpq and we do, if there is a file of authorities.',
    example: { sslmode: 'require', authority: 'another', password: 'wrong' },
  },
  {
    peer: 'postgres.js',
    when: ({ sslmode, server }) => sslmode === 'allow' && server === 'without TLS',
    ours: ['connected', REFUSED, 'config', 'policy'],
    theirs: ['tls'],
    reason: 'postgres.js wants TLS under allow. libpq and we try without it first.',
    example: { sslmode: 'allow', server: 'without TLS' },
  },
  {
    peer: 'libpq',
    when: ({ sslmode, server }) => sslmode === 'allow' && server === 'without TLS',
    ours: ['tls'],
    theirs: ['refused 28P01', 'refused 3D000'],
    reason:
      'Refused without TLS, libpq asks for it, and goes on without it when the server has none, to be refused once more. We spare the server that: the last failure says that there is no TLS, the one before is in error.attempts.',
    example: { sslmode: 'allow', server: 'without TLS', password: 'wrong' },
  },
]
