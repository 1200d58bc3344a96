/**
 * Whereto a command goes: libpq's flags, a connection string, the environment. What is more precise counts more, as for psql: the
 * connection string, then the flags, then a service and the environment.
 *
 * Manual: #APP-PG-ISREADY, #APP-PSQL.
 */
import type { ConnectTarget } from '../config/target.ts'
import type { ConnectOptions } from '../wait-options.ts'
import { UsageError } from './command.ts'
import { parseDuration } from './duration.ts'
import type { Environment } from './screen.ts'

/** For parseArgs. */
export const WHERETO_OPTIONS = {
  dbname: { type: 'string', short: 'd' },
  host: { type: 'string', short: 'h' },
  port: { type: 'string', short: 'p' },
  username: { type: 'string', short: 'U' },
  timeout: { type: 'string', short: 't' },
} as const

/** Their part of --help. */
export const WHERETO_HELP = `\
  -d, --dbname NAME      database, or a connection string
  -h, --host HOST        host, or the directory of a Unix-domain socket
  -p, --port PORT        port (default: 5432)
  -U, --username NAME    user
  -t, --timeout TIME     one deadline over everything: 3s, 500ms, 1min;
                         without a unit it is seconds
`

/** How a command is told whereto, for --help. */
export const WHERETO_NOTE = `\
The connection string is a URI (postgres://app@db.example/app) or pairs
('host=db.example dbname=app'). What it leaves open comes from the flags, then
from libpq's environment variables (PGHOST, PGUSER, PGPASSWORD, PGSSLMODE ...),
service file and ~/.pgpass.
`

/** What parseArgs made of WHERETO_OPTIONS. */
export interface WheretoValues {
  readonly dbname?: string | undefined
  readonly host?: string | undefined
  readonly port?: string | undefined
  readonly username?: string | undefined
  readonly timeout?: string | undefined
}

export interface Whereto {
  readonly target: string | ConnectTarget
  /** The environment and, if it was given, the deadline. */
  readonly options: Pick<ConnectOptions, 'environment' | 'timeoutMs'>
}

/** Throws UsageError. What is wrong with the connection string itself, `connect` says. */
export function readWhereto(values: WheretoValues, positionals: readonly string[], env: Environment): Whereto {
  const [positional, ...more] = positionals
  if (more.length > 0) throw new UsageError(`expected one connection string, got ${positionals.length}`)
  if (positional !== undefined && values.dbname !== undefined) {
    throw new UsageError('a connection string and --dbname: give one of them')
  }
  const { timeout } = values
  const timeoutMs = timeout === undefined ? undefined : parseDuration('--timeout', timeout)
  const name = positional ?? values.dbname ?? ''
  const { host, port, username: user } = values
  if (isConnectionString(name)) {
    const flags = { ...(host && { PGHOST: host }), ...(port && { PGPORT: port }), ...(user && { PGUSER: user }) }
    return { target: name, options: { timeoutMs, environment: { ...env, ...flags } } }
  }
  const target = { ...(host && { host }), ...(port && { port }), ...(user && { user }), ...(name && { dbname: name }) }
  return { target: target as ConnectTarget, options: { timeoutMs, environment: env } }
}

/** fe-connect.c, recognized_connection_string. */
function isConnectionString(text: string): boolean {
  return /^postgres(ql)?:\/\//.test(text) || text.includes('=')
}

/** The same target with some parameters, by libpq's names, set to something else. */
export function withParameters(
  target: string | ConnectTarget,
  parameters: Readonly<Record<string, string>>,
): string | ConnectTarget {
  const changes = Object.entries(parameters)
  if (typeof target !== 'string') {
    const properties = changes.map(([name, value]) => [
      name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ])
    return { ...target, ...Object.fromEntries(properties) }
  }
  // Of pairs the last one counts; in a URI a parameter stands once.
  if (!/^postgres(ql)?:\/\//.test(target)) {
    return `${target} ${changes.map(([name, value]) => `${name}='${value.replaceAll(/['\\]/g, '\\$&')}'`).join(' ')}`
  }
  const [path = '', query = ''] = target.split(/\?(.*)/s)
  const kept = query
    .split('&')
    .filter((pair) => pair !== '' && !Object.hasOwn(parameters, decode(pair.split('=')[0] ?? '')))
  return `${path}?${[...kept, ...changes.map(([name, value]) => `${name}=${encodeURIComponent(value)}`)].join('&')}`
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
