/** What each transcript of this folder is about: the server that it needs, what connect() is told, and what is done then. */
import type { ConnectTarget } from '../../src/config/target.ts'
import type { Act } from './stage.ts'

export interface Scenario {
  /** The name of the file, without '.md'. */
  readonly name: string
  readonly version: '15' | '18'
  readonly target: ConnectTarget
  /** In hexadecimal digits: 18 of them make a nonce of 24 characters. */
  readonly randomBytes: string
  readonly act: Act
}

/** Lines of pg_hba.conf and statements that make everybody of whom the transcripts tell. */
export const HBA = ['host all alice all trust', 'host all bob all md5', 'host all carol all scram-sha-256']
export const SETUP = [
  'create role alice login',
  "set password_encryption = 'md5'; create role bob login password 'looking glass'",
  "set password_encryption = 'scram-sha-256'; create role carol login password 'looking glass'",
]

/** The certificates of test/certificates. */
export const SERVER_CERTIFICATE = 'test/certificates/server.crt'
const CA = 'test/certificates/ca.crt'

const ALICE: ConnectTarget = { host: 'localhost', user: 'alice', dbname: 'postgres', sslmode: 'disable' }
const BOB: ConnectTarget = { ...ALICE, user: 'bob', password: 'looking glass' }
const CAROL: ConnectTarget = { ...BOB, user: 'carol' }
const SECURE: ConnectTarget = { ...CAROL, sslmode: 'verify-full', sslrootcert: CA }

/** Nothing but a session. */
const nothing: Act = async () => {}

/** Ask for what takes a minute, and think better of it. */
const cancel: Act = async (session, isAsleep) => {
  const asleep = session.query('select pg_sleep(60)')
  // It rejects, since the server does as it is told.
  const woken = asleep.catch(() => {})
  await isAsleep()
  await session.cancel()
  await woken
}

/** Any bytes will do, so long as they stay the same. */
function bytesFrom(first: number): string {
  return Buffer.from(Array.from({ length: 18 }, (_, index) => first + index)).toString('hex')
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'trust', version: '18', target: ALICE, randomBytes: bytesFrom(0x10), act: nothing },
  { name: 'md5', version: '18', target: BOB, randomBytes: bytesFrom(0x20), act: nothing },
  { name: 'scram', version: '18', target: CAROL, randomBytes: bytesFrom(0x30), act: nothing },
  { name: 'tls-scram-plus', version: '18', target: SECURE, randomBytes: bytesFrom(0x40), act: nothing },
  {
    name: 'direct-tls',
    version: '18',
    target: { ...SECURE, sslnegotiation: 'direct' },
    randomBytes: bytesFrom(0x50),
    act: nothing,
  },
  {
    name: 'negotiation',
    version: '15',
    target: { ...ALICE, maxProtocolVersion: '3.2' },
    randomBytes: bytesFrom(0x60),
    act: nothing,
  },
  {
    name: 'wrong-password',
    version: '18',
    target: { ...CAROL, password: 'rabbit hole' },
    randomBytes: bytesFrom(0x70),
    act: nothing,
  },
  {
    name: 'cancel',
    version: '18',
    target: { ...ALICE, maxProtocolVersion: '3.2' },
    randomBytes: bytesFrom(0x80),
    act: cancel,
  },
]
