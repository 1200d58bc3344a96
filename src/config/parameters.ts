/**
 * Every connection parameter, as data: both readers (connection-uri.ts, read-target.ts) and the documentation
 * work from these two tables. The first holds what is built, in the order in which it is worth reading; the
 * second what libpq 18 knows and this version does not.
 *
 * Manual: #LIBPQ-PARAMKEYWORDS.
 */
import { parseRequireAuth, type RequireAuth } from '../auth/require-auth.ts'
import { isIpAddress } from '../net/endpoint.ts'
import { LIMITS } from '../protocol/limits.ts'
import type { ProtocolVersion } from '../protocol/startup.ts'
import { boolean, choice, list, nodeTlsOptions, number, type Parameter, password, secret, text } from './parameter.ts'
import type { TlsVersion } from './settings.ts'
import { unusable } from './unusable.ts'

/** In ascending order. */
export const TLS_VERSIONS: readonly TlsVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

export const PARAMETERS = {
  host: list(
    text(
      {
        property: 'host',
        anchor: '#LIBPQ-CONNECT-HOST',
        default: "the first of /var/run/postgresql, /private/tmp (macOS), /tmp that is a directory; else 'localhost'",
        meaning:
          "Host name, IP address, or a directory beginning with '/' that holds a Unix-domain socket; or several, " +
          'separated by commas, to be tried in this order.',
      },
      (name, host) => {
        // libpq splits at commas wherever they come from, percent-encoded ones included; so no host can hold one.
        if (host.includes(',')) throw unusable(name, 'holds a comma in one element of the array; make it two elements')
        // libpq dials '@name' as a Linux abstract socket. Node wants a leading NUL, and only lately does it right.
        if (host.startsWith('@')) throw unusable(name, "names an abstract socket ('@'), which is not built yet")
        return host
      },
    ),
  ),
  hostaddr: list(
    text(
      {
        property: 'hostaddr',
        anchor: '#LIBPQ-CONNECT-HOSTADDR',
        default: 'host is looked up',
        meaning:
          'IP address to dial instead of looking up host, which remains the name that TLS verifies; or several, ' +
          'separated by commas: as many as hosts, and some may be empty.',
      },
      (name, address) => {
        // libpq takes what inet_aton takes, 127.1 too; others read such a thing differently.
        if (isIpAddress(address)) return address
        throw unusable(name, 'must be IP addresses in full, and without brackets; a name belongs in host')
      },
    ),
  ),
  port: list(
    number(
      {
        property: 'port',
        anchor: '#LIBPQ-CONNECT-PORT',
        default: '5432',
        meaning:
          "TCP port, or the number in the name of the Unix-domain socket's file; one for all hosts, or as many as " +
          'hosts, separated by commas.',
      },
      (name, port) => between(name, port, 1, 65_535),
    ),
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
  password: password({
    property: 'password',
    anchor: '#LIBPQ-CONNECT-PASSWORD',
    default: 'none',
    meaning: 'Password, if the server asks for one; in an object also a function that returns it.',
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
  target_session_attrs: choice(
    {
      property: 'targetSessionAttrs',
      anchor: '#LIBPQ-CONNECT-TARGET-SESSION-ATTRS',
      default: 'any',
      meaning: 'Which session is good enough: any, read-write, read-only, primary, standby or prefer-standby.',
    },
    ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'],
  ),
  load_balance_hosts: choice(
    {
      property: 'loadBalanceHosts',
      anchor: '#LIBPQ-CONNECT-LOAD-BALANCE-HOSTS',
      default: 'disable',
      meaning: 'The order in which hosts and their addresses are tried: disable, as given, or random.',
    },
    ['disable', 'random'],
  ),
  keepalives: boolean(
    {
      property: 'keepalives',
      anchor: '#LIBPQ-KEEPALIVES',
      default: '1',
      meaning: 'Whether TCP asks now and then if the server is still there: 1 or 0.',
    },
    // libpq takes any other number for a 1, and the manual knows these two.
    { yes: ['1'], no: ['0'] },
  ),
  keepalives_idle: number(
    {
      property: 'keepalivesIdle',
      anchor: '#LIBPQ-KEEPALIVES-IDLE',
      default: "0, the operating system's own",
      meaning: 'Seconds without traffic after which TCP asks for the first time.',
    },
    // Linux takes no more (MAX_TCP_KEEPIDLE), and Node does not tell that it was refused.
    (name, seconds) => between(name, seconds, 0, 32_767),
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
  sslmode: choice(
    {
      property: 'sslmode',
      anchor: '#LIBPQ-CONNECT-SSLMODE',
      default: 'prefer, or verify-full if sslrootcert is system',
      meaning: 'Whether to use TLS, and whether to verify the server. On a Unix-domain socket there is never TLS.',
    },
    ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'],
  ),
  sslnegotiation: choice(
    {
      property: 'sslnegotiation',
      anchor: '#LIBPQ-CONNECT-SSLNEGOTIATION',
      default: 'postgres',
      meaning: 'postgres asks the server first; direct begins with TLS, and needs sslmode require or above.',
    },
    ['postgres', 'direct'],
  ),
  sslrootcert: text(
    {
      property: 'sslrootcert',
      anchor: '#LIBPQ-CONNECT-SSLROOTCERT',
      default: '~/.postgresql/root.crt if it exists',
      meaning: "File of the certificate authorities that are trusted; 'system' means those of Node.",
    },
    unchanged,
  ),
  sslcert: text(
    {
      property: 'sslcert',
      anchor: '#LIBPQ-CONNECT-SSLCERT',
      default: '~/.postgresql/postgresql.crt if it exists',
      meaning: 'File of our own certificate, if the server asks for one.',
    },
    unchanged,
  ),
  sslkey: text(
    {
      property: 'sslkey',
      anchor: '#LIBPQ-CONNECT-SSLKEY',
      default: '~/.postgresql/postgresql.key if it exists',
      meaning: "File of our own certificate's private key.",
    },
    (name, path) => {
      // libpq reads 'engine:key' unless the colon stands second, as in C:/key: then one of us would open a file.
      if (path.includes(':') && path[1] !== ':') {
        throw unusable(name, "holds a ':', by which libpq names an OpenSSL engine; give the path of a file without one")
      }
      return path
    },
  ),
  sslpassword: secret({
    property: 'sslpassword',
    anchor: '#LIBPQ-CONNECT-SSLPASSWORD',
    default: 'none',
    meaning: 'What the private key in sslkey is encrypted with.',
  }),
  sslcertmode: text<'disable' | 'allow'>(
    {
      property: 'sslcertmode',
      anchor: '#LIBPQ-CONNECT-SSLCERTMODE',
      default: 'allow',
      meaning: 'Whether our certificate may be sent: disable or allow.',
    },
    (name, mode) => {
      if (mode === 'disable' || mode === 'allow') return mode
      // As a libpq whose OpenSSL lacks SSL_CTX_set_cert_cb.
      if (mode === 'require')
        throw unusable(name, "is 'require', but Node does not tell whether a server asks; use allow")
      throw unusable(name, 'must be disable or allow')
    },
  ),
  sslcrl: text(
    {
      property: 'sslcrl',
      anchor: '#LIBPQ-CONNECT-SSLCRL',
      default: '~/.postgresql/root.crl if it exists',
      meaning: 'File of revoked certificates.',
    },
    unchanged,
  ),
  sslsni: boolean(
    {
      property: 'sslsni',
      anchor: '#LIBPQ-CONNECT-SSLSNI',
      default: '1',
      meaning: "Whether the host's name is sent in the clear when TLS begins: 1 or 0.",
    },
    // libpq looks for a leading 1 and takes 'true' for no; so there are no words here.
    { yes: ['1'], no: ['0'] },
  ),
  ssl_min_protocol_version: text(
    {
      property: 'sslMinProtocolVersion',
      anchor: '#LIBPQ-CONNECT-SSL-MIN-PROTOCOL-VERSION',
      default: 'TLSv1.2',
      meaning: 'Lowest TLS version to accept: TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3.',
    },
    tlsVersion,
  ),
  ssl_max_protocol_version: text(
    {
      property: 'sslMaxProtocolVersion',
      anchor: '#LIBPQ-CONNECT-SSL-MAX-PROTOCOL-VERSION',
      default: 'the highest that Node has',
      meaning: 'Highest TLS version to accept: TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3.',
    },
    tlsVersion,
  ),
  tls: nodeTlsOptions({
    property: 'tls',
    anchor: null,
    default: 'none',
    meaning: 'In an object only: options of node:tls, merged over what the parameters above say.',
  }),
  channel_binding: choice(
    {
      property: 'channelBinding',
      anchor: '#LIBPQ-CONNECT-CHANNEL-BINDING',
      default: 'prefer',
      meaning: 'Whether SCRAM proves that both ends see the same TLS connection: disable, prefer or require.',
    },
    ['disable', 'prefer', 'require'],
  ),
  require_auth: text<RequireAuth>(
    {
      property: 'requireAuth',
      anchor: '#LIBPQ-CONNECT-REQUIRE-AUTH',
      default: 'any',
      meaning:
        'Methods by which the server may authenticate us, separated by commas; or those that it may not, after !.',
    },
    (name, methods) => {
      const parsed = parseRequireAuth(methods)
      if ('problem' in parsed) throw unusable(name, `cannot be read: ${parsed.problem}`)
      return parsed
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
  scram_iterations_min: number(
    {
      property: 'scramIterationsMin',
      anchor: null,
      default: '1',
      meaning: 'The fewest PBKDF2 iterations that are enough; PostgreSQL asks for 4096 unless it is told otherwise.',
    },
    iterationCount,
  ),
  scram_iterations_max: number(
    {
      property: 'scramIterationsMax',
      anchor: null,
      default: String(LIMITS.scramIterationsMax),
      meaning: 'The most PBKDF2 iterations that a server may ask for.',
    },
    iterationCount,
  ),
  scram_client_key: secret(
    {
      property: 'scramClientKey',
      anchor: '#LIBPQ-CONNECT-SCRAM-CLIENT-KEY',
      default: 'none',
      meaning: "SCRAM's ClientKey in base64, in place of a password; together with scram_server_key.",
    },
    scramKey,
  ),
  scram_server_key: secret(
    {
      property: 'scramServerKey',
      anchor: '#LIBPQ-CONNECT-SCRAM-SERVER-KEY',
      default: 'none',
      meaning: "SCRAM's ServerKey in base64, by which the server is verified; together with scram_client_key.",
    },
    scramKey,
  ),
  early_sasl: boolean({
    property: 'earlySasl',
    anchor: null,
    default: 'true',
    meaning:
      'Whether SCRAM may begin in the flight of the StartupMessage, which saves a round trip: where require_auth leaves nothing else, or as remembered.',
  }),
  remember_servers: boolean({
    property: 'rememberServers',
    anchor: null,
    default: 'false',
    meaning: 'Whether the SCRAM mechanism that a server chose is remembered, for early_sasl at the next connect.',
  }),
  scram_key_cache: boolean({
    property: 'scramKeyCache',
    anchor: null,
    default: 'true',
    meaning: 'Whether the keys that are derived from a password are kept in memory for the next connect.',
  }),
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
  /** The values that ask for what happens anyway. They are accepted, in an object as numbers and booleans too. */
  readonly harmless: readonly string[]
}

/** What libpq 18 knows besides (fe-connect.c, PQconninfoOptions), and its requiressl of old. */
export const NOT_BUILT: Readonly<Record<string, NotBuilt>> = {
  service: { anchor: '#LIBPQ-CONNECT-SERVICE', harmless: [] },
  passfile: { anchor: '#LIBPQ-CONNECT-PASSFILE', harmless: [] },
  replication: { anchor: '#LIBPQ-CONNECT-REPLICATION', harmless: ['false', 'off', 'no', '0'] },
  requirepeer: { anchor: '#LIBPQ-CONNECT-REQUIREPEER', harmless: [] },
  // Not 0 either, the system's own figure: of the interval and the count Node has its own.
  keepalives_interval: { anchor: '#LIBPQ-KEEPALIVES-INTERVAL', harmless: [] },
  keepalives_count: { anchor: '#LIBPQ-KEEPALIVES-COUNT', harmless: [] },
  tcp_user_timeout: { anchor: '#LIBPQ-TCP-USER-TIMEOUT', harmless: ['0'] },
  requiressl: { anchor: '#LIBPQ-CONNECT-REQUIRESSL', harmless: ['0'] },
  // There is no compression in TLS as Node builds it, nor in a server since 14: libpq ignores a 1 too.
  sslcompression: { anchor: '#LIBPQ-CONNECT-SSLCOMPRESSION', harmless: ['0', '1'] },
  sslkeylogfile: { anchor: '#LIBPQ-CONNECT-SSLKEYLOGFILE', harmless: [] },
  sslcrldir: { anchor: '#LIBPQ-CONNECT-SSLCRLDIR', harmless: [] },
  krbsrvname: { anchor: '#LIBPQ-CONNECT-KRBSRVNAME', harmless: ['postgres'] },
  gsslib: { anchor: '#LIBPQ-CONNECT-GSSLIB', harmless: [] },
  gssdelegation: { anchor: '#LIBPQ-CONNECT-GSSDELEGATION', harmless: ['0'] },
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
  const plain = typeof value === 'boolean' ? Number(value) : value
  if (asksForNothing.includes(typeof plain === 'number' ? String(plain) : plain)) return true
  throw unusable(name, 'is a parameter of libpq that is not built here yet; leave it out')
}

function unchanged(_name: string, value: string): string {
  return value
}

function between(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw unusable(name, `must be an integer from ${least} to ${most}`)
}

function iterationCount(name: string, iterations: number): number {
  // Above 31 bits node:crypto takes no iteration count.
  return between(name, iterations, 1, 2_147_483_647)
}

/** As in libpq (pg_b64_decode), white space does not count, and the padding must be there. */
function scramKey(name: string, base64: string): string {
  const dense = base64.replace(/[ \t\r\n]/g, '')
  // 32 bytes, the length of a SHA-256: 43 characters and one of padding.
  if (/^[A-Za-z0-9+/]{43}=$/.test(dense)) return dense
  throw unusable(name, 'must be base64 of 32 bytes: 43 characters and one =')
}

/** libpq does not mind the case; Node does. */
function tlsVersion(name: string, version: string): TlsVersion {
  const found = TLS_VERSIONS.find((known) => known.toLowerCase() === version.toLowerCase())
  if (found !== undefined) return found
  throw unusable(name, `must be one of ${TLS_VERSIONS.join(', ')}`)
}

function protocolVersion(name: string, version: string): ProtocolVersion {
  if (version === '3.0' || version === '3.2') return version
  if (version === 'latest') return '3.2'
  // 3.1 was skipped because a pooler had used it by mistake; a server that knows 3.2 has never spoken it.
  if (version === '3.1') throw unusable(name, 'is 3.1, which is reserved and spoken by no server; give 3.0 or 3.2')
  throw unusable(name, "must be 3.0, 3.2 or 'latest'")
}
