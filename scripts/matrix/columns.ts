/** The columns of the matrix: the servers, and how a connect must end that needs what one of them does not have. */
import type { ConnectTarget } from '../../src/index.ts'
import { read } from '../../test/certificates/index.ts'
import { PGBOUNCER } from '../../test/servers/pgbouncer.ts'
import { startPglite } from '../../test/servers/pglite.ts'
import { PGPOOL } from '../../test/servers/pgpool.ts'
import { findPoolerObstacle, type PoolerKind, startPooler } from '../../test/servers/pooler.ts'
import { startServer, type TestServer } from '../../test/servers/server.ts'
import { METHODS, type Method, type Need } from './sections.ts'

export interface Column {
  readonly name: string
  /** Kind of the failure and state. */
  readonly lacks: Partial<Record<Need, string>>
  target(method: Method): ConnectTarget
}

const PASSWORD = 'correct horse'
const HBA = METHODS.map((method) => `host all ${roleOf(method)} 0.0.0.0/0 ${method}`)
const CERTIFICATE = { crt: read('server.crt'), key: read('server.key') }
const MAJORS = ['14', '15', '16', '17', '18']

const POOLED: Column['lacks'] = {
  'channel binding': 'policy in AwaitingAuthentication',
  'direct TLS': 'lost in SecuringTransport',
}

/** What a pooler does not have; both are before the newest PostgreSQL. */
const POOLERS: readonly (readonly [PoolerKind, Column['lacks']])[] = [
  [
    PGBOUNCER,
    {
      ...POOLED,
      // It negotiates since https://github.com/pgbouncer/pgbouncer/pull/1007, of May 2024.
      'protocol 3.2': 'refused in AwaitingAuthentication',
      negotiation: 'refused in AwaitingAuthentication',
    },
  ],
  [
    PGPOOL,
    {
      ...POOLED,
      // It asks PostgreSQL for what it was asked for, and then does not understand the longer key.
      'protocol 3.2': 'refused in AwaitingReady',
      negotiation: 'refused in AwaitingReady',
    },
  ],
]

/** It asks nobody for anything, and says nothing to what it does not know. */
const NOT_IN_PGLITE: Column['lacks'] = {
  password: 'policy in AwaitingAuthentication',
  md5: 'policy in AwaitingAuthentication',
  'scram-sha-256': 'policy in AwaitingAuthentication',
  'early SASL': 'policy in AwaitingSaslOffer',
  TLS: 'deadline in AwaitingTlsReply',
  'direct TLS': 'deadline in SecuringTransport',
  'protocol 3.2': 'deadline in AwaitingAuthentication',
  negotiation: 'deadline in AwaitingAuthentication',
  cancel: 'deadline in AwaitingCancelClose',
}

/** One after another; a column is there until the next one is asked for. */
export async function* openColumns(): AsyncGenerator<Column> {
  for (const version of MAJORS) {
    await using server = await start(version)
    yield columnOf(`PostgreSQL ${server.version}`, server, {
      ...(Number(version) < 17 && { 'direct TLS': 'lost in SecuringTransport' }),
      ...(Number(version) < 18 && { 'protocol 3.2': 'incompatible in AwaitingAuthentication' }),
    })
    if (version !== MAJORS.at(-1)) continue
    for (const [kind, lacks] of POOLERS) {
      const obstacle = await findPoolerObstacle(kind)
      if (obstacle !== null) throw new Error(`${obstacle}: the matrix is of all servers or none`)
      const passwords = Object.fromEntries(METHODS.map((method) => [roleOf(method), PASSWORD]))
      await using pooler = await startPooler(kind, { server, passwords, hba: HBA, certificate: CERTIFICATE })
      yield columnOf(pooler.name, pooler, lacks)
    }
  }
  await using pglite = await startPglite()
  const { name, user, database } = pglite
  const target = { ...placeOf(pglite), user, password: PASSWORD, dbname: database }
  yield { name, lacks: NOT_IN_PGLITE, target: () => target }
}

interface Place {
  readonly host: string
  readonly port: number
}

function columnOf(name: string, place: Place, lacks: Column['lacks']): Column {
  const target = (method: Method) => ({
    ...placeOf(place),
    user: roleOf(method),
    password: PASSWORD,
    dbname: 'postgres',
    allowCleartextPassword: true,
  })
  return { name, lacks, target }
}

/** By the name that is in the certificate. */
function placeOf({ host, port }: Place): ConnectTarget {
  return { host: 'localhost', hostaddr: host, port }
}

function roleOf(method: Method): string {
  return `by_${method.replaceAll('-', '_')}`
}

function start(version: string): Promise<TestServer> {
  const createRole = (method: Method) => `create role ${roleOf(method)} login password '${PASSWORD}'`
  return startServer({
    version,
    settings: { ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' },
    files: { 'server.crt': CERTIFICATE.crt, 'server.key': CERTIFICATE.key },
    hba: HBA,
    setup: [
      "set password_encryption = 'md5'",
      createRole('md5'),
      'reset password_encryption',
      ...METHODS.filter((method) => method !== 'md5').map(createRole),
    ],
  })
}
