/**
 * Every connection parameter, as data: both readers (connection-uri.ts, read-target.ts) and the documentation
 * work from these two tables. The first holds what is built, in the order in which it is worth reading; the
 * second what libpq 18 knows and this version does not.
 *
 * Manual: #LIBPQ-PARAMKEYWORDS.
 */
import { LIMITS } from '../protocol/limits.ts'
import type { ProtocolVersion } from '../protocol/startup.ts'
import { boolean, number, type Parameter, secret, text } from './parameter.ts'
import { unusable } from './unusable.ts'

export const PARAMETERS = {
  host: text(
    {
      property: 'host',
      anchor: '#LIBPQ-CONNECT-HOST',
      default: "the first of /var/run/postgresql, /private/tmp (macOS), /tmp that is a directory; else 'localhost'",
      meaning: "Host name, IP address, or a directory beginning with '/' that holds a Unix-domain socket.",
    },
    (name, host) => {
      // libpq splits at commas wherever they come from, percent-encoded ones included; so no host can hold one.
      if (host.includes(',')) throw unusable(name, 'names several hosts, which is not built yet; give one')
      // libpq dials '@name' as a Linux abstract socket. Node wants a leading NUL there, and only lately does it right.
      if (host.startsWith('@')) throw unusable(name, "names an abstract socket ('@'), which is not built yet")
      return host
    },
  ),
  port: number(
    {
      property: 'port',
      anchor: '#LIBPQ-CONNECT-PORT',
      default: '5432',
      meaning: "TCP port, or the number in the name of the Unix-domain socket's file.",
    },
    (name, port) => between(name, port, 1, 65_535),
  ),
  dbname: text(
    {
      property: 'dbname',
      anchor: '#LIBPQ-CONNECT-DBNAME',
      default: 'the same as user',
      meaning: 'Database to connect to.',
    },
    unchanged,
  ),
  user: text(
    {
      property: 'user',
      anchor: '#LIBPQ-CONNECT-USER',
      default: "the operating system's name of the current user",
      meaning: 'Database user to connect as.',
    },
    unchanged,
  ),
  password: secret({
    property: 'password',
    anchor: '#LIBPQ-CONNECT-PASSWORD',
    default: 'none',
    meaning: 'Password, if the server asks for one.',
  }),
  connect_timeout: number(
    {
      property: 'connectTimeout',
      anchor: '#LIBPQ-CONNECT-CONNECT-TIMEOUT',
      default: 'no limit of its own',
      meaning: 'Seconds for the whole connect; zero, negative or Infinity waits for ever.',
    },
    (name, seconds) => {
      if (Number.isNaN(seconds)) throw unusable(name, 'is NaN; give seconds, or 0 to wait for ever')
      return seconds
    },
  ),
  client_encoding: text<'UTF8'>(
    {
      property: 'clientEncoding',
      anchor: '#LIBPQ-CONNECT-CLIENT-ENCODING',
      default: 'UTF8',
      meaning: "UTF8 in any of its spellings, or 'auto'; JavaScript's strings are sent as UTF-8.",
    },
    (name, encoding) => {
      // The server compares letters and digits only, in lower case (pg_char_to_encoding): utf-8 is UTF8 is Unicode.
      if (['utf8', 'unicode', 'auto'].includes(encoding.replace(/[^a-z0-9]/gi, '').toLowerCase())) return 'UTF8'
      throw unusable(name, "must be UTF8 or 'auto': every string is sent and read as UTF-8")
    },
  ),
  application_name: text(
    {
      property: 'applicationName',
      anchor: '#LIBPQ-CONNECT-APPLICATION-NAME',
      default: 'that of fallback_application_name',
      meaning: "Name of the application, for the server's log and pg_stat_activity.",
    },
    unchanged,
  ),
  fallback_application_name: text(
    {
      property: 'fallbackApplicationName',
      anchor: '#LIBPQ-CONNECT-FALLBACK-APPLICATION-NAME',
      default: 'none',
      meaning: 'Name of the application if application_name is not given.',
    },
    unchanged,
  ),
  options: text(
    {
      property: 'options',
      anchor: '#LIBPQ-CONNECT-OPTIONS',
      default: 'none',
      meaning: "Command-line options for the server, such as '-c geqo=off'.",
    },
    unchanged,
  ),
  sslmode: text(
    {
      property: 'sslmode',
      anchor: '#LIBPQ-CONNECT-SSLMODE',
      default: 'prefer',
      meaning: 'Whether to use TLS. This version has none: disable, allow and prefer mean plaintext.',
    },
    (name, mode) => {
      if (['disable', 'allow', 'prefer'].includes(mode)) return mode
      if (['require', 'verify-ca', 'verify-full'].includes(mode)) {
        // #LIBPQ-CONNECT-SSLMODE: what a libpq built without SSL support does. Never a silent fall to plaintext.
        throw unusable(name, `is '${mode}', but TLS is not built yet; only disable, allow and prefer can be had`)
      }
      throw unusable(name, 'must be disable, allow, prefer, require, verify-ca or verify-full')
    },
  ),
  gssencmode: text(
    {
      property: 'gssencmode',
      anchor: '#LIBPQ-CONNECT-GSSENCMODE',
      default: 'prefer',
      meaning: 'Whether to encrypt with GSSAPI, which this library does not: disable and prefer mean no.',
    },
    (name, mode) => {
      if (mode === 'disable' || mode === 'prefer') return mode
      if (mode === 'require') throw unusable(name, "is 'require', but GSSAPI encryption is not built")
      throw unusable(name, 'must be disable, prefer or require')
    },
  ),
  min_protocol_version: text(
    {
      property: 'minProtocolVersion',
      anchor: '#LIBPQ-CONNECT-MIN-PROTOCOL-VERSION',
      default: '3.0',
      meaning: "Lowest protocol version to accept: 3.0, 3.2 or 'latest'.",
    },
    protocolVersion,
  ),
  max_protocol_version: text(
    {
      property: 'maxProtocolVersion',
      anchor: '#LIBPQ-CONNECT-MAX-PROTOCOL-VERSION',
      default: '3.0, or 3.2 if min_protocol_version is above 3.0',
      meaning: "Protocol version to ask for: 3.0, 3.2 or 'latest'.",
    },
    protocolVersion,
  ),
  allow_cleartext_password: boolean({
    property: 'allowCleartextPassword',
    anchor: null,
    default: 'false',
    meaning: 'Whether a password may leave in the clear on a connection without TLS.',
  }),
  scram_iterations_max: number(
    {
      property: 'scramIterationsMax',
      anchor: null,
      default: String(LIMITS.scramIterationsMax),
      meaning: 'The most PBKDF2 iterations that a server may ask for.',
    },
    // Above 31 bits node:crypto takes no iteration count.
    (name, iterations) => between(name, iterations, 1, 2_147_483_647),
  ),
} as const satisfies Readonly<Record<string, Parameter<unknown>>>

/** libpq's name of a parameter that is built here. */
export type ParameterName = keyof typeof PARAMETERS

/** What has been read so far: checked, but without defaults. */
export type Given = {
  readonly [Name in ParameterName]?: ReturnType<(typeof PARAMETERS)[Name]['fromText']>
}

/** A parameter that libpq knows and this version does not. */
export interface NotBuilt {
  readonly anchor: string
  /** The values that ask for what happens anyway. They are accepted. */
  readonly harmless: readonly string[]
}

/** What libpq 18 knows besides (fe-connect.c, PQconninfoOptions), and its requiressl of old. */
export const NOT_BUILT: Readonly<Record<string, NotBuilt>> = {
  service: { anchor: '#LIBPQ-CONNECT-SERVICE', harmless: [] },
  passfile: { anchor: '#LIBPQ-CONNECT-PASSFILE', harmless: [] },
  hostaddr: { anchor: '#LIBPQ-CONNECT-HOSTADDR', harmless: [] },
  target_session_attrs: { anchor: '#LIBPQ-CONNECT-TARGET-SESSION-ATTRS', harmless: ['any'] },
  load_balance_hosts: { anchor: '#LIBPQ-CONNECT-LOAD-BALANCE-HOSTS', harmless: ['disable'] },
  require_auth: { anchor: '#LIBPQ-CONNECT-REQUIRE-AUTH', harmless: [] },
  channel_binding: { anchor: '#LIBPQ-CONNECT-CHANNEL-BINDING', harmless: ['disable', 'prefer'] },
  replication: { anchor: '#LIBPQ-CONNECT-REPLICATION', harmless: ['false', 'off', 'no', '0'] },
  requirepeer: { anchor: '#LIBPQ-CONNECT-REQUIREPEER', harmless: [] },
  keepalives: { anchor: '#LIBPQ-KEEPALIVES', harmless: [] },
  keepalives_idle: { anchor: '#LIBPQ-KEEPALIVES-IDLE', harmless: [] },
  keepalives_interval: { anchor: '#LIBPQ-KEEPALIVES-INTERVAL', harmless: [] },
  keepalives_count: { anchor: '#LIBPQ-KEEPALIVES-COUNT', harmless: [] },
  tcp_user_timeout: { anchor: '#LIBPQ-TCP-USER-TIMEOUT', harmless: [] },
  requiressl: { anchor: '#LIBPQ-CONNECT-REQUIRESSL', harmless: ['0'] },
  sslnegotiation: { anchor: '#LIBPQ-CONNECT-SSLNEGOTIATION', harmless: ['postgres'] },
  sslcompression: { anchor: '#LIBPQ-CONNECT-SSLCOMPRESSION', harmless: ['0'] },
  sslcert: { anchor: '#LIBPQ-CONNECT-SSLCERT', harmless: [] },
  sslkey: { anchor: '#LIBPQ-CONNECT-SSLKEY', harmless: [] },
  sslkeylogfile: { anchor: '#LIBPQ-CONNECT-SSLKEYLOGFILE', harmless: [] },
  sslpassword: { anchor: '#LIBPQ-CONNECT-SSLPASSWORD', harmless: [] },
  sslcertmode: { anchor: '#LIBPQ-CONNECT-SSLCERTMODE', harmless: [] },
  sslrootcert: { anchor: '#LIBPQ-CONNECT-SSLROOTCERT', harmless: [] },
  sslcrl: { anchor: '#LIBPQ-CONNECT-SSLCRL', harmless: [] },
  sslcrldir: { anchor: '#LIBPQ-CONNECT-SSLCRLDIR', harmless: [] },
  sslsni: { anchor: '#LIBPQ-CONNECT-SSLSNI', harmless: [] },
  ssl_min_protocol_version: { anchor: '#LIBPQ-CONNECT-SSL-MIN-PROTOCOL-VERSION', harmless: [] },
  ssl_max_protocol_version: { anchor: '#LIBPQ-CONNECT-SSL-MAX-PROTOCOL-VERSION', harmless: [] },
  krbsrvname: { anchor: '#LIBPQ-CONNECT-KRBSRVNAME', harmless: [] },
  gsslib: { anchor: '#LIBPQ-CONNECT-GSSLIB', harmless: [] },
  gssdelegation: { anchor: '#LIBPQ-CONNECT-GSSDELEGATION', harmless: ['0'] },
  scram_client_key: { anchor: '#LIBPQ-CONNECT-SCRAM-CLIENT-KEY', harmless: [] },
  scram_server_key: { anchor: '#LIBPQ-CONNECT-SCRAM-SERVER-KEY', harmless: [] },
  oauth_issuer: { anchor: '#LIBPQ-CONNECT-OAUTH-ISSUER', harmless: [] },
  oauth_client_id: { anchor: '#LIBPQ-CONNECT-OAUTH-CLIENT-ID', harmless: [] },
  oauth_client_secret: { anchor: '#LIBPQ-CONNECT-OAUTH-CLIENT-SECRET', harmless: [] },
  oauth_scope: { anchor: '#LIBPQ-CONNECT-OAUTH-SCOPE', harmless: [] },
}

/** Whether this parameter is built: the names come from outside, so `in` would find 'constructor' too. */
export function isBuilt(name: string): name is ParameterName {
  return Object.hasOwn(PARAMETERS, name)
}

/**
 * Whether `name` is one of libpq's that is not built here. Throws Fault if it is and `value` asks for anything;
 * a value that is empty, absent, or names what happens anyway, asks for nothing.
 */
export function isKnownAndHarmless(name: string, value: unknown): boolean {
  const notBuilt = Object.hasOwn(NOT_BUILT, name) ? NOT_BUILT[name] : undefined
  if (notBuilt === undefined) return false
  const asksForNothing: readonly unknown[] = ['', undefined, ...notBuilt.harmless]
  if (asksForNothing.includes(value)) return true
  throw unusable(name, 'is a parameter of libpq that is not built here yet; leave it out')
}

function unchanged(_name: string, value: string): string {
  return value
}

function between(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw unusable(name, `must be an integer from ${least} to ${most}`)
}

function protocolVersion(name: string, version: string): ProtocolVersion {
  if (version === '3.0' || version === '3.2') return version
  if (version === 'latest') return '3.2'
  // 3.1 was skipped because a pooler had used it by mistake; a server that knows 3.2 has never spoken it.
  if (version === '3.1') throw unusable(name, 'is 3.1, which is reserved and spoken by no server; give 3.0 or 3.2')
  throw unusable(name, "must be 3.0, 3.2 or 'latest'")
}
