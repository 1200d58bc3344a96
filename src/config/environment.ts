/**
 * libpq's environment variables: what each of them says is a parameter's text like any other, and counts only where nothing else
 * has said anything. Read only if the caller hands an environment over: a library that looks around by itself connects elsewhere
 * on the machine where somebody has set PGHOST for psql.
 *
 * Manual: #LIBPQ-ENVARS.
 */
import { checkSendable } from './parameter.ts'
import type { Given } from './parameters.ts'
import { readText } from './texts.ts'
import { placed, unusable } from './unusable.ts'

/** Such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** libpq 18's, by the parameter (fe-connect.c, PQconninfoOptions). PGSERVICE is read apart, since a service counts more. */
export const VARIABLES: Readonly<Record<string, string>> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  dbname: 'PGDATABASE',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  passfile: 'PGPASSFILE',
  service: 'PGSERVICE',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  load_balance_hosts: 'PGLOADBALANCEHOSTS',
  client_encoding: 'PGCLIENTENCODING',
  application_name: 'PGAPPNAME',
  options: 'PGOPTIONS',
  channel_binding: 'PGCHANNELBINDING',
  require_auth: 'PGREQUIREAUTH',
  gssencmode: 'PGGSSENCMODE',
  min_protocol_version: 'PGMINPROTOCOLVERSION',
  max_protocol_version: 'PGMAXPROTOCOLVERSION',
  sslmode: 'PGSSLMODE',
  sslnegotiation: 'PGSSLNEGOTIATION',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslcertmode: 'PGSSLCERTMODE',
  sslcrl: 'PGSSLCRL',
  sslsni: 'PGSSLSNI',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION',
  // What follows is not built, and refused like its parameter.
  sslcrldir: 'PGSSLCRLDIR',
  sslcompression: 'PGSSLCOMPRESSION',
  requirepeer: 'PGREQUIREPEER',
  krbsrvname: 'PGKRBSRVNAME',
  gsslib: 'PGGSSLIB',
  gssdelegation: 'PGGSSDELEGATION',
}

/** Those that become run-time parameters, whatever else is given (fe-connect.c, EnvironmentOptions). */
export const RUNTIME_VARIABLES: Readonly<Record<string, string>> = {
  PGDATESTYLE: 'datestyle',
  PGTZ: 'timezone',
  PGGEQO: 'geqo',
}

/** What the environment says of the parameters that `given` leaves open. Throws Fault, which names the variable. */
export function readEnvironment(environment: Environment, given: Given): Given {
  const read: Record<string, unknown> = {}
  for (const [name, variable] of Object.entries(VARIABLES)) {
    const text = Object.hasOwn(given, name) || name === 'service' ? undefined : readVariable(environment, variable)
    if (text !== undefined)
      Object.assign(
        read,
        placed(nameOf(variable), () => readText(name, text)),
      )
  }
  // Obsolete: a 1 that comes first, and nothing else, asked for TLS before there was sslmode.
  const isSslRequired = readVariable(environment, 'PGREQUIRESSL')?.startsWith('1') === true
  return isSslRequired && !Object.hasOwn(given, 'sslmode') ? { sslmode: 'require', ...read } : read
}

/** For the StartupMessage, in libpq's order. 'default' in any case means: leave it out. */
export function readRuntimeVariables(environment: Environment): readonly (readonly [name: string, value: string])[] {
  return Object.entries(RUNTIME_VARIABLES).flatMap(([variable, parameter]) => {
    const value = readVariable(environment, variable)
    if (value === undefined || value.toLowerCase() === 'default') return []
    return [[parameter, placed(nameOf(variable), () => checkSendable(parameter, value))]]
  })
}

/** undefined: it is not set, or empty. Throws Fault if it is no string. */
export function readVariable(environment: Environment, variable: string): string | undefined {
  const value: unknown = Object.hasOwn(environment, variable) ? environment[variable] : undefined
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string') return value
  throw unusable('environment', `holds in ${variable} what is no string`)
}

function nameOf(variable: string): string {
  return `the environment variable ${variable}`
}
