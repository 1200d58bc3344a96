/**
 * From what the caller wrote to `Settings`: a reader for each form, then what stands behind it (the service file, the environment
 * if one is handed over, the defaults), then the checks that need more than one parameter.
 *
 * Manual: #LIBPQ-CONNSTRING, #LIBPQ-PARAMKEYWORDS, #LIBPQ-ENVARS, #LIBPQ-PGSERVICE.
 */
import { LIMITS } from '../protocol/limits.ts'
import { chooseHosts } from './choose-hosts.ts'
import { chooseTls } from './choose-tls.ts'
import { isConnectionUri, readConnectionUri } from './connection-uri.ts'
import { type Environment, readEnvironment, readRuntimeVariables, readVariable } from './environment.ts'
import { readKeyValues } from './key-values.ts'
import { type Given, PARAMETERS } from './parameters.ts'
import { choosePassfile } from './passfile.ts'
import { readTarget } from './read-target.ts'
import { readService } from './service-file.ts'
import type { ScramKeySecrets, Settings } from './settings.ts'
import { type Surroundings, SYSTEM } from './surroundings.ts'
import type { ConnectTarget } from './target.ts'
import { unusable, WHOLE } from './unusable.ts'

/**
 * Read a connection URI, key/value pairs, or an object with libpq's parameters in camelCase, and settle everything it leaves
 * open. `environment`: libpq's variables; null: they do not count, and ~/.pgpass is not looked for.
 *
 * Throws Fault { kind: 'config', parameter, problem }, and nothing else. Its text quotes no value.
 */
export function readSettings(
  target: string | ConnectTarget,
  surroundings: Surroundings = SYSTEM,
  environment: Environment | null = null,
): Settings {
  const explicit = typeof target === 'string' ? readConnectionString(target) : readTarget(target)
  const service = Object.hasOwn(explicit, 'service')
    ? explicit.service
    : environment === null
      ? undefined
      : readVariable(environment, 'PGSERVICE')
  // libpq's order (fe-connect.c, conninfo_add_defaults). Whatever is masked is not even looked at.
  const served = service === undefined ? {} : readService(service, explicit, environment, surroundings)
  const known = { ...served, ...explicit }
  const given = environment === null ? known : { ...readEnvironment(environment, known), ...known }
  return settle(given, surroundings, environment)
}

function readConnectionString(conninfo: string): Given {
  if (isConnectionUri(conninfo)) return readConnectionUri(conninfo)
  const forms = "postgresql://user@host:5432/dbname?application_name=mine or 'host=... port=... dbname=...'"
  // For libpq everything by default; nine times in ten a variable that is not set.
  if (conninfo.trim() === '') throw unusable(WHOLE, `is empty; for everything by default pass {}, else ${forms}`)
  if (/^\w+:\/\//.test(conninfo)) {
    throw unusable(WHOLE, `begins with neither postgresql:// nor postgres://; write it as ${forms}`)
  }
  if (!conninfo.includes('=')) throw unusable(WHOLE, `is neither a URI nor of pairs with '='; write it as ${forms}`)
  return readKeyValues(conninfo)
}

function settle(given: Given, surroundings: Surroundings, environment: Environment | null): Settings {
  const user = given.user ?? readSystemUser(surroundings)
  const database = given.dbname ?? user
  const hosts = chooseHosts(given, surroundings)
  const { minProtocolVersion, maxProtocolVersion } = chooseProtocolVersions(given)
  const { scramIterationsMin, scramIterationsMax } = chooseScramIterations(given)
  // Name by name, as in chooseTls.
  return {
    hosts,
    loadBalanceHosts: given.load_balance_hosts ?? 'disable',
    targetSessionAttrs: given.target_session_attrs ?? 'any',
    user,
    database,
    password: given.password ?? null,
    passfile: choosePassfile(given, { hosts, database, user }, environment, surroundings),
    runtimeParameters: [
      ...collectRuntimeParameters(given),
      ...(environment === null ? [] : readRuntimeVariables(environment)),
    ],
    minProtocolVersion,
    maxProtocolVersion,
    connectTimeoutMs: given.connect_timeout === undefined ? null : toMilliseconds(given.connect_timeout),
    keepalives: chooseKeepalives(given),
    tls: chooseTls(given, hosts, surroundings),
    channelBinding: given.channel_binding ?? 'prefer',
    requireAuth: given.require_auth ?? null,
    allowCleartextPassword: given.allow_cleartext_password ?? false,
    scramIterationsMin,
    scramIterationsMax,
    scramKeys: pairScramKeys(given),
    keyCache: given.scram_key_cache ?? true,
    earlySasl: given.early_sasl ?? true,
    rememberServers: given.remember_servers ?? false,
  }
}

function readSystemUser(surroundings: Surroundings): string {
  let name: string | undefined
  try {
    name = PARAMETERS.user.fromText('user', surroundings.userName())
  } catch (cause) {
    // A container that runs under a bare number has no name for it.
    throw unusable('user', 'is not given, and the operating system has no name to use instead; give one', { cause })
  }
  if (name === undefined) throw unusable('user', "is not given, and the operating system's name is empty; give one")
  return name
}

function collectRuntimeParameters(given: Given): Settings['runtimeParameters'] {
  const applicationName = given.application_name ?? given.fallback_application_name
  return [
    // Always sent: without it the database's own setting would decide how our bytes are read.
    ['client_encoding', 'UTF8'],
    ...(applicationName === undefined ? [] : [['application_name', applicationName] as const]),
    ...(given.options === undefined ? [] : [['options', given.options] as const]),
  ]
}

function chooseProtocolVersions(given: Given): Pick<Settings, 'minProtocolVersion' | 'maxProtocolVersion'> {
  const minProtocolVersion = given.min_protocol_version ?? '3.0'
  // #LIBPQ-CONNECT-MAX-PROTOCOL-VERSION: 3.0, unless something else in the connection string needs more.
  const maxProtocolVersion = given.max_protocol_version ?? minProtocolVersion
  if (minProtocolVersion > maxProtocolVersion) {
    throw unusable('min_protocol_version', `is ${minProtocolVersion}, above max_protocol_version`)
  }
  return { minProtocolVersion, maxProtocolVersion }
}

function chooseScramIterations(given: Given): Pick<Settings, 'scramIterationsMin' | 'scramIterationsMax'> {
  const scramIterationsMin = given.scram_iterations_min ?? 1
  const scramIterationsMax = given.scram_iterations_max ?? LIMITS.scramIterationsMax
  if (scramIterationsMin > scramIterationsMax) {
    throw unusable('scram_iterations_min', `is above scram_iterations_max, ${scramIterationsMax}; no count would do`)
  }
  return { scramIterationsMin, scramIterationsMax }
}

/**
 * libpq takes one alone. But with the client's alone it cannot verify the server and fails after the proof has left;
 * and whoever has the server's alone has the password as well, from which both follow.
 */
function pairScramKeys(given: Given): ScramKeySecrets | null {
  const { scram_client_key: clientKey, scram_server_key: serverKey } = given
  if (clientKey !== undefined && serverKey !== undefined) return { clientKey, serverKey }
  if (clientKey === undefined && serverKey === undefined) return null
  const missing = clientKey === undefined ? 'scram_client_key' : 'scram_server_key'
  throw unusable(missing, 'is not given, though its counterpart is; give both, or none and a password')
}

/** 0 is the system's own figure, says #LIBPQ-KEEPALIVES-IDLE; libpq hands it to Linux, which refuses it. */
function chooseKeepalives(given: Given): Settings['keepalives'] {
  const seconds = given.keepalives_idle ?? 0
  return { enabled: given.keepalives ?? true, idleMs: seconds === 0 ? null : seconds * 1000 }
}

/** As it is. libpq up to 16 made 2 of 1, since its clock counted whole seconds; from 17 on it does not. */
function toMilliseconds(seconds: number): number {
  return seconds > 0 ? seconds * 1000 : Number.POSITIVE_INFINITY
}
