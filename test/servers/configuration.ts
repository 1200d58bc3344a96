/**
 * The text of `postgresql.conf` and `pg_hba.conf`, the same for every provider that makes its own server.
 */
import { randomBytes } from 'node:crypto'
import type { ServerOptions } from './server.ts'

/** The one role that initdb makes. Its password is this process's. */
export const SUPERUSER = { name: 'postgres', password: randomBytes(18).toString('base64url') } as const

/**
 * Small and quick where only durability is lost; otherwise initdb's own defaults, which is what users meet. `--no-locale` is
 * the one locale that every platform has.
 */
export const INITDB_ARGUMENTS = [
  `--username=${SUPERUSER.name}`,
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  '--no-locale',
  '--wal-segsize=1',
  '--no-sync',
] as const

/** Appended to initdb's file: PostgreSQL takes the last value of a name, so the caller's come last. */
export function writeSettings(listenAddresses: string, options: ServerOptions): string {
  const settings = {
    listen_addresses: listenAddresses,
    fsync: 'off',
    full_page_writes: 'off',
    password_encryption: 'scram-sha-256',
    log_connections: 'on',
    logging_collector: 'off',
    log_timezone: 'UTC',
    timezone: 'UTC',
    lc_messages: 'C',
    ...options.settings,
  }
  return `\n${Object.entries(settings)
    .map(([name, value]) => `${checkName(name)} = ${quote(value)}\n`)
    .join('')}`
}

/** The first line that matches decides (#AUTH-PG-HBA-CONF): the superuser's come first, so that nobody can lock it out. */
export function writeHba(options: ServerOptions): string {
  return [
    `local all ${SUPERUSER.name} scram-sha-256`,
    `host all ${SUPERUSER.name} all scram-sha-256`,
    ...(options.hba ?? []),
    'local all,replication all scram-sha-256',
    'host all,replication all all scram-sha-256',
    '',
  ].join('\n')
}

/** A plain file name: it becomes a path in the data directory. */
export function checkFileName(name: string): string {
  if (!/^[A-Za-z0-9][\w.-]*$/.test(name)) {
    throw new TypeError(
      `a file for the data directory has a plain name such as server.key, not ${JSON.stringify(name)}`,
    )
  }
  return name
}

function checkName(name: string): string {
  if (/^[A-Za-z_][\w.]*$/.test(name)) return name
  throw new TypeError(`a setting has a name such as max_connections, not ${JSON.stringify(name)}`)
}

// #CONFIG-SETTING-CONFIGURATION-FILE: quotes are doubled; a backslash is an escape there too.
function quote(value: string): string {
  if (/[\r\n]/.test(value)) throw new TypeError(`a setting is one line, not ${JSON.stringify(value)}`)
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
