/**
 * Who is asked, at their best settings for a deadline. Those in Node connect in a process of their own, child.ts; psql is
 * one already, and stands for libpq.
 */
import { spawnSync } from 'node:child_process'
import { installedVersion } from '../installed-version.ts'

/** What a client is to connect to. Every host speaks as the same user and database. */
export interface Target {
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly user: string
  readonly password: string
  readonly database: string
  readonly tls: boolean
  readonly readWrite: boolean
  readonly iterationsMax: number | null
}

export interface Client {
  /** What --client takes. */
  readonly id: ClientId
  readonly title: string
  /** How the deadline is said to it. */
  readonly setting: string
  readonly deadlineMs: number
  readonly connectsToSeveralHosts: boolean
  readonly knowsTargetSessionAttrs: boolean
}

export type NodeClientId = 'pg-deadline' | 'pg' | 'pg-pool' | 'postgres.js'
export type ClientId = NodeClientId | 'libpq'

const DEADLINE_MS = 1_000
/** The least that libpq accepts: #LIBPQ-CONNECT-CONNECT-TIMEOUT. */
const LIBPQ_DEADLINE_MS = 2_000

/** Every client that there is here. psql may be missing. */
export function listClients(): readonly Client[] {
  const psql = versionOfPsql()
  const several = { connectsToSeveralHosts: true, knowsTargetSessionAttrs: true }
  const one = { connectsToSeveralHosts: false, knowsTargetSessionAttrs: false }
  const inNode: readonly Client[] = [
    { id: 'pg-deadline', title: 'pg-deadline', setting: 'timeoutMs: 1000', deadlineMs: DEADLINE_MS, ...several },
    { id: 'pg', title: titleOf('pg'), setting: 'connectionTimeoutMillis: 1000', deadlineMs: DEADLINE_MS, ...one },
    {
      id: 'pg-pool',
      title: titleOf('pg-pool'),
      setting: 'connectionTimeoutMillis: 1000',
      deadlineMs: DEADLINE_MS,
      ...one,
    },
    {
      id: 'postgres.js',
      title: `postgres.js ${installedVersion('postgres')}`,
      setting: 'connect_timeout: 1',
      deadlineMs: DEADLINE_MS,
      ...several,
    },
  ]
  if (psql === null) return inNode
  const setting = 'connect_timeout=2, its least'
  return [...inNode, { id: 'libpq', title: `libpq ${psql}`, setting, deadlineMs: LIBPQ_DEADLINE_MS, ...several }]
}

function titleOf(name: string): string {
  return `${name} ${installedVersion(name)}`
}

function versionOfPsql(): string | null {
  const { status, stdout } = spawnSync('psql', ['--version'], { encoding: 'utf8' })
  return status === 0 ? (/\d+(\.\d+)?/.exec(stdout)?.[0] ?? '') : null
}

/** The command line by which libpq connects, asks for one row and ends. */
export function psqlArguments(target: Target, deadlineMs: number): readonly string[] {
  const url = urlOf(target, {
    sslmode: target.tls ? 'require' : 'disable',
    connect_timeout: String(deadlineMs / 1_000),
    // It would be tried first where there are Kerberos credentials, which is another place than those looked at here.
    gssencmode: 'disable',
    ...(target.readWrite && { target_session_attrs: 'read-write' }),
  })
  return ['-X', '-w', '-A', '-t', '-c', 'select 1', url]
}

/** A connection URI of all hosts, as libpq and pg-deadline read it. */
export function urlOf(
  { hosts, user, password, database }: Target,
  parameters: Readonly<Record<string, string>>,
): string {
  const places = hosts.map(({ host, port }) => `${host}:${port}`).join(',')
  return `postgres://${user}:${password}@${places}/${database}?${new URLSearchParams(parameters)}`
}
