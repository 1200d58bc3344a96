/**
 * Logins of anybody: random users, passwords, databases, parameters, protocol versions. The outcome of each is known from how it
 * was made, and the server has to agree.
 */
import fc from 'fast-check'
import { type ConnectTarget, connect, HandshakeError } from '../../src/index.ts'
import { createRole, type FuzzServer, identifier, METHODS, type Method } from './fuzz-server.ts'
import { type FuzzOptions, fuzzInLanes } from './seed.ts'

/** How the password that is given differs from the one that is stored, if it can be foreseen what SASLprep makes of that. */
type Slip = 'none' | 'appended' | 'emptied' | 'decomposed' | 'softened'

export interface Login {
  readonly user: string
  readonly stored: string
  readonly slip: Slip
  readonly method: Method
  readonly database: 'postgres' | 'its own' | 'nowhere'
  readonly version: '3.0' | '3.2'
  readonly isUri: boolean
  readonly applicationName: string
  readonly setting: 'none' | 'lawful' | 'unknown' | 'unlawful'
}

const LANES = 2

/** Identifiers are cut at 63 bytes; what is sent must not be. No character takes more than four. */
const name = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 15 }),
  )
  .filter((text) => !text.includes('\0') && text.isWellFormed() && Buffer.byteLength(text) <= 60)

/** Of letters with a composed and a decomposed form, so that SASLprep has something to do; or of anything at all. */
const password = fc
  .oneof(
    fc.string({
      unit: fc.constantFrom('é', 'ü', 'Å', 'a', 'Z', '7', ' ', '%', '@', ':', '/'),
      minLength: 1,
      maxLength: 20,
    }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  )
  .filter((text) => !text.includes('\0') && text.isWellFormed())

const arbitraryLogin: fc.Arbitrary<Login> = fc.record({
  user: name,
  stored: password,
  slip: fc.constantFrom('none', 'none', 'none', 'appended', 'emptied', 'decomposed', 'softened'),
  method: fc.constantFrom(...METHODS),
  // A database takes the server a tenth of a second.
  database: fc.constantFrom(
    'postgres',
    'postgres',
    'postgres',
    'postgres',
    'postgres',
    'its own',
    'nowhere',
    'nowhere',
  ),
  version: fc.constantFrom('3.0', '3.2'),
  isUri: fc.boolean(),
  applicationName: fc.stringMatching(/^[ -~]{1,63}$/),
  setting: fc.constantFrom('none', 'none', 'none', 'lawful', 'unknown', 'unlawful'),
})

/** Logs `runs` of them in; throws for the first whose outcome is not the one predicted. Returns how often each came. */
export async function fuzzLogins({ server }: FuzzServer, options: FuzzOptions): Promise<Map<string, number>> {
  const endings = new Map<string, number>()
  let count = 0
  await fuzzInLanes(options, LANES, arbitraryLogin, async (login) => {
    count += 1
    // Two lanes and many runs: no two may want the same role.
    const user = `${count % 1_000}${login.user}`
    const ownDatabase = `db ${user}`
    await server.sql(createRole(user, login.method, login.stored).join('; '))
    if (login.database === 'its own')
      await server.sql(`create database ${identifier(cut(ownDatabase))} strategy file_copy`)
    try {
      const target = targetOf(login, server, user, cut(ownDatabase))
      const ending = await endingOf(target, login, user)
      const expected = predictLogin(login)
      if (ending !== expected) throw new Error(`it ended with ${ending}, and should have with ${expected}`)
      endings.set(ending, (endings.get(ending) ?? 0) + 1)
    } finally {
      if (login.database === 'its own') await server.sql(`drop database ${identifier(cut(ownDatabase))} (force)`)
      await server.sql(`drop role ${identifier(user)}`)
    }
  })
  return endings
}

/** The first 63 bytes, whole characters: what PostgreSQL makes of a longer identifier. */
function cut(text: string): string {
  let kept = ''
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > 63) break
    kept += character
  }
  return kept
}

const SETTINGS: Readonly<Record<Login['setting'], string | undefined>> = {
  none: undefined,
  lawful: '-c statement_timeout=1234',
  unknown: '-c no_such_setting=1',
  unlawful: '-c statement_timeout=nonsense',
}

function given({ stored, slip }: Login): string {
  if ((slip === 'decomposed' || slip === 'softened') && !isPlain(stored)) return stored
  switch (slip) {
    case 'none':
      return stored
    case 'appended':
      return `${stored}x`
    case 'emptied':
      return ''
    case 'decomposed':
      return stored.normalize('NFD')
    case 'softened':
      return `${stored}\u00ad`
  }
}

function targetOf(
  login: Login,
  { host, port }: FuzzServer['server'],
  user: string,
  ownDatabase: string,
): ConnectTarget | string {
  const dbname = { postgres: 'postgres', 'its own': ownDatabase, nowhere: 'no such database' }[login.database]
  const options = SETTINGS[login.setting]
  if (login.isUri) {
    const parameters = {
      ...{ sslmode: 'disable', allow_cleartext_password: 'true', scram_key_cache: 'false' },
      ...{ max_protocol_version: login.version, application_name: login.applicationName },
      ...(options !== undefined && { options }),
    }
    const query = Object.entries(parameters).map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
    const credentials = `${encodeURIComponent(user)}:${encodeURIComponent(given(login))}`
    return `postgres://${credentials}@${host}:${port}/${encodeURIComponent(dbname)}?${query.join('&')}`
  }
  return {
    ...{ host, port, user, dbname, password: given(login), sslmode: 'disable', allowCleartextPassword: true },
    ...{ maxProtocolVersion: login.version, applicationName: login.applicationName, scramKeyCache: false },
    ...(options !== undefined && { options }),
  }
}

/** 'Ready' if all that was asked for is so; else the SQLSTATE or the kind of failure, or what is not so. */
async function endingOf(target: ConnectTarget | string, login: Login, user: string): Promise<string> {
  try {
    await using session = await connect(target)
    const [result] = await session.query(
      "select current_user as name, current_setting('application_name') as application, current_setting('statement_timeout') as patience",
    )
    const [row] = result?.objects() ?? []
    if (row?.['name'] !== user) return `the user ${row?.['name']}`
    if (row?.['application'] !== login.applicationName) return `the application ${row?.['application']}`
    if (row?.['patience'] !== (login.setting === 'lawful' ? '1234ms' : '0')) return `the timeout ${row?.['patience']}`
    if (session.protocolVersion !== login.version) return `version ${session.protocolVersion}`
    return 'Ready'
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    return error.failure.kind === 'refused' ? error.failure.sqlstate : error.failure.kind
  }
}

/** In the order in which PostgreSQL looks: who it is, then where to, then with which settings. */
function predictLogin(login: Login): string {
  if (login.method !== 'trust') {
    // An empty password is none: we say so before we send it.
    if (given(login) === '') return 'config'
    if (!isSamePassword(login)) return '28P01'
  }
  if (login.database === 'nowhere') return '3D000'
  if (login.setting === 'unknown') return '42704'
  return login.setting === 'unlawful' ? '22023' : 'Ready'
}

/**
 * RFC 4013, as far as the slips go. MD5 compares bytes; SCRAM compares what has been normalized, and so does a password in the
 * clear of which the server has stored SCRAM's keys.
 */
function isSamePassword(login: Login): boolean {
  const { stored, slip, method } = login
  if (given(login) === stored) return true
  if (method === 'md5') return false
  // What is decomposed is composed again, and U+00AD is mapped to nothing.
  return slip === 'decomposed' || slip === 'softened'
}

/** Letters that SASLprep leaves in, all of one direction, and assigned in Unicode 3.2. */
function isPlain(text: string): boolean {
  return /^[ -~éüÅ]+$/.test(text)
}
