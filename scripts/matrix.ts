/**
 * What works with which server: `npm run matrix` tries every method on every major of PostgreSQL, fetched on demand, and on
 * PgBouncer if it is installed, and writes docs/matrix.md. A cell says what happened; it fails the run if the server has the
 * method and we fail, or the other way round.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ConnectTarget, connect } from '../src/index.ts'
import { pathOf, read } from '../test/certificates/index.ts'
import { PGBOUNCER } from '../test/servers/pgbouncer.ts'
import { findPoolerObstacle, startPooler } from '../test/servers/pooler.ts'
import { startServer, type TestServer } from '../test/servers/server.ts'

const MAJORS = ['14', '15', '16', '17', '18']
const PASSWORD = 'correct horse'
const PLAIN: ConnectTarget = { sslmode: 'disable' }
const TLS: ConnectTarget = { sslmode: 'verify-full', sslrootcert: pathOf('ca.crt') }

const METHODS = ['trust', 'password', 'md5', 'scram']
const HBA = METHODS.map((method) => `host all by_${method} 0.0.0.0/0 ${method === 'scram' ? 'scram-sha-256' : method}`)

interface Place {
  readonly host: string
  readonly port: number
}

interface Row {
  readonly name: string
  readonly user: string
  readonly target: ConnectTarget
  /** The first major of PostgreSQL that has it. */
  readonly since?: number
  /** Whether PgBouncer 1.18 has it. */
  readonly isPooled?: false
  /** What must be so once connected; a word of what is not. */
  readonly check?: (session: Awaited<ReturnType<typeof connect>>) => Promise<string | null>
}

const ROWS: readonly Row[] = [
  { name: 'trust', user: 'by_trust', target: PLAIN, check: authenticatedBy('none') },
  {
    name: 'password, in the clear',
    user: 'by_password',
    target: { ...PLAIN, allowCleartextPassword: true },
    check: authenticatedBy('password'),
  },
  { name: 'md5', user: 'by_md5', target: PLAIN, check: authenticatedBy('md5') },
  { name: 'SCRAM-SHA-256', user: 'by_scram', target: PLAIN, check: authenticatedBy('scram-sha-256') },
  { name: 'TLS, verified', user: 'by_scram', target: TLS, check: async ({ tls }) => (tls === null ? 'no TLS' : null) },
  {
    name: 'SCRAM-SHA-256-PLUS',
    user: 'by_scram',
    target: { ...TLS, channelBinding: 'require' },
    isPooled: false,
    // Connected although channel binding was required: that is the check.
    check: authenticatedBy('scram-sha-256'),
  },
  {
    name: 'direct TLS',
    user: 'by_scram',
    target: { ...TLS, sslnegotiation: 'direct' },
    since: 17,
    isPooled: false,
    check: async ({ tls }) => (tls?.alpnProtocol === 'postgresql' ? null : 'no ALPN'),
  },
  {
    name: 'protocol 3.2',
    user: 'by_scram',
    target: { ...PLAIN, minProtocolVersion: '3.2' },
    since: 18,
    isPooled: false,
    check: async ({ protocolVersion }) => (protocolVersion === '3.2' ? null : protocolVersion),
  },
  {
    name: 'protocol 3.2 asked for, 3.0 accepted',
    user: 'by_scram',
    // PgBouncer knows NegotiateProtocolVersion from 1.24 on.
    isPooled: false,
    target: { ...PLAIN, maxProtocolVersion: '3.2' },
    check: async ({ protocolVersion, parameters }) => {
      const wanted = Number.parseInt(parameters.get('server_version') ?? '', 10) >= 18 ? '3.2' : '3.0'
      return protocolVersion === wanted ? null : protocolVersion
    },
  },
  {
    name: 'cancel',
    user: 'by_scram',
    target: TLS,
    async check(session) {
      const asleep = session.query('select pg_sleep(20)').catch((error: { sqlstate?: string }) => error.sqlstate)
      await session.cancel()
      return (await asleep) === '57014' ? null : 'not canceled'
    },
  },
]

const columns: string[] = []
const cells: string[][] = ROWS.map(() => [])
let failures = 0
for (const version of MAJORS) {
  await using server = await start(version)
  await tryAll(`PostgreSQL ${server.version}`, server, ({ since = 0 }) => Number(version) >= since)
  if (version !== MAJORS.at(-1)) continue
  const obstacle = await findPoolerObstacle(PGBOUNCER)
  if (obstacle !== null) {
    console.log(`${obstacle}: its column is left out`)
    continue
  }
  await using pooler = await startPooler(PGBOUNCER, {
    server,
    passwords: Object.fromEntries(METHODS.map((method) => [`by_${method}`, PASSWORD])),
    hba: HBA,
    certificate: { crt: read('server.crt'), key: read('server.key') },
  })
  await tryAll(pooler.name, pooler, ({ isPooled = true }) => isPooled)
}

async function tryAll(name: string, place: Place, hasRow: (row: Row) => boolean): Promise<void> {
  columns.push(name)
  for (const [index, row] of ROWS.entries()) {
    const cell = await tryRow(place, row)
    const isThere = hasRow(row)
    if ((cell === 'yes') !== isThere) failures += 1
    cells[index]?.push(isThere ? cell : `no: ${cell}`)
  }
}

const line = (texts: readonly string[]) => `| ${texts.join(' | ')} |`
const table = [
  line(['', ...columns]),
  line(['---', ...columns.map(() => '---')]),
  ...ROWS.map(({ name }, index) => line([name, ...(cells[index] ?? [])])),
].join('\n')
writeFileSync(
  join(import.meta.dirname, '..', 'docs', 'matrix.md'),
  `<!-- Made by \`npm run matrix\`, from what it has tried. Do not edit. -->

# What was tried with which server

Each cell is a connect, with a query and a close. Where a server does not have something, the cell says how our connect ended.

${table}
`,
)
console.log(table)
if (failures > 0) throw new Error(`${failures} cells are not as they should be`)

function start(version: string): Promise<TestServer> {
  const role = (method: string) => `create role by_${method} login password '${PASSWORD}'`
  return startServer({
    version,
    settings: { ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' },
    files: { 'server.crt': read('server.crt'), 'server.key': read('server.key') },
    hba: HBA,
    setup: [
      "set password_encryption = 'md5'",
      role('md5'),
      'reset password_encryption',
      ...METHODS.filter((method) => method !== 'md5').map(role),
    ],
  })
}

async function tryRow({ host, port }: Place, { user, target, check }: Row): Promise<string> {
  try {
    const place = { host: 'localhost', hostaddr: host, port, user, password: PASSWORD, dbname: 'postgres' }
    await using session = await connect({ ...place, ...target })
    await session.query('select 1')
    return (await check?.(session)) ?? 'yes'
  } catch (error) {
    const { failure, phase } = error as { failure?: { kind: string }; phase?: string }
    return failure === undefined ? String(error) : `${failure.kind} in ${phase}`
  }
}

function authenticatedBy(method: string): NonNullable<Row['check']> {
  return async ({ authenticationMethod }) => (authenticationMethod === method ? null : authenticationMethod)
}
