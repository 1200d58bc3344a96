/**
 * What a caller may write instead of a connection string: libpq's connection parameters in camelCase.
 * The table in parameters.ts says how each is read; this page is its public face.
 *
 * Manual: #LIBPQ-PARAMKEYWORDS.
 */
import type { Secret } from '../auth/secret.ts'
import type {
  ChannelBinding,
  NodeTlsOptions,
  PasswordSource,
  SslMode,
  TargetSessionAttrs,
  TlsVersion,
} from './settings.ts'

/**
 * Where to connect, as whom, and how. Every property may be left out; `undefined` and the empty string mean
 * that it was. Only own, enumerable properties of a plain object are read, each of them once.
 *
 * @example
 * const target: ConnectTarget = { host: 'db.example', dbname: 'app', user: 'app', connectTimeout: 3 }
 */
export interface ConnectTarget {
  /**
   * Host name, IP address (IPv6 without brackets), or a directory that begins with '/' and holds a Unix-domain
   * socket. Default: the first of /var/run/postgresql, /private/tmp (macOS) and /tmp that is a directory;
   * 'localhost' if none is, and on Windows.
   *
   * Several are tried in this order: as an array, or separated by commas. An empty one is the default. At most 64.
   * Manual: #LIBPQ-CONNECT-HOST, #LIBPQ-MULTIPLE-HOSTS.
   */
  readonly host?: string | readonly string[] | undefined
  /**
   * IP address (IPv6 without brackets) to dial instead of looking up `host`, which remains the name that TLS verifies;
   * so with `sslmode` 'verify-full' both are needed. Of several hosts each has its own, in the same order; an empty one
   * leaves it to `host`. Default: none. Manual: #LIBPQ-CONNECT-HOSTADDR.
   */
  readonly hostaddr?: string | readonly string[] | undefined
  /**
   * TCP port, or the number in the socket file's name: 1 to 65535. Of several hosts each has its own, in the same
   * order, or one is that of all; in a string with commas an empty one is the default. Default: 5432.
   * Manual: #LIBPQ-CONNECT-PORT.
   */
  readonly port?: number | string | readonly number[] | undefined
  /** Database. Default: the same as `user`. Manual: #LIBPQ-CONNECT-DBNAME. */
  readonly dbname?: string | undefined
  /** Database user. Default: the operating system's name of the user who runs this. Manual: #LIBPQ-CONNECT-USER. */
  readonly user?: string | undefined
  /**
   * Password; it is kept in a `Secret` and shown nowhere. Or a function that returns it or a promise of it, for
   * passwords that are fetched or expire: it is given the signal of the connect. Default: none.
   * Manual: #LIBPQ-CONNECT-PASSWORD.
   */
  readonly password?: string | Secret | PasswordSource | undefined
  /**
   * File in which a password is looked for if none is given: #LIBPQ-PGPASS. Default: none; ~/.pgpass
   * (%APPDATA%\postgresql\pgpass.conf on Windows) if `connect` is given an environment. Manual: #LIBPQ-CONNECT-PASSFILE.
   */
  readonly passfile?: string | undefined
  /**
   * Service whose parameters count where nothing else is given: #LIBPQ-PGSERVICE. It is looked for in ~/.pg_service.conf; if
   * `connect` is given an environment, in what PGSERVICEFILE and PGSYSCONFDIR name. Default: none.
   * Manual: #LIBPQ-CONNECT-SERVICE.
   */
  readonly service?: string | undefined
  /**
   * Seconds to wait for the connection as a whole; a fraction is lawful here. Zero, negative and `Infinity` wait
   * for ever. Default: no limit of its own. Manual: #LIBPQ-CONNECT-CONNECT-TIMEOUT.
   */
  readonly connectTimeout?: number | undefined
  /**
   * Which session is good enough; with any other the next host is tried. 'prefer-standby' takes any after all, if no
   * host has a standby. Default: 'any'. Manual: #LIBPQ-CONNECT-TARGET-SESSION-ATTRS.
   */
  readonly targetSessionAttrs?: TargetSessionAttrs | undefined
  /**
   * 'random' tries the hosts, and the addresses of each, in an order that is drawn for every connect.
   * Default: 'disable'. Manual: #LIBPQ-CONNECT-LOAD-BALANCE-HOSTS.
   */
  readonly loadBalanceHosts?: 'disable' | 'random' | undefined
  /** Whether TCP keepalive is on. Default: true. Manual: #LIBPQ-KEEPALIVES. */
  readonly keepalives?: boolean | undefined
  /**
   * Whole seconds without traffic after which TCP keepalive begins: 0 to 32767. Default: 0, the operating system's own.
   * Manual: #LIBPQ-KEEPALIVES-IDLE.
   */
  readonly keepalivesIdle?: number | undefined
  /**
   * 'UTF8', in any of PostgreSQL's spellings, or 'auto'. Nothing else: JavaScript's strings are sent as UTF-8.
   * Default: 'UTF8'. Manual: #LIBPQ-CONNECT-CLIENT-ENCODING.
   */
  readonly clientEncoding?: string | undefined
  /** Name of the application, for the server's log and pg_stat_activity. Manual: #LIBPQ-CONNECT-APPLICATION-NAME. */
  readonly applicationName?: string | undefined
  /** Used if `applicationName` is not given. Manual: #LIBPQ-CONNECT-FALLBACK-APPLICATION-NAME. */
  readonly fallbackApplicationName?: string | undefined
  /** Command-line options for the server, such as '-c geqo=off'. Manual: #LIBPQ-CONNECT-OPTIONS. */
  readonly options?: string | undefined
  /**
   * Whether to use TLS, and whether to verify the server: only 'verify-full' says that it is the one that `host`
   * names. On a Unix-domain socket there is never TLS. Default: 'prefer', or 'verify-full' if `sslrootcert` is
   * 'system'. Manual: #LIBPQ-CONNECT-SSLMODE.
   */
  readonly sslmode?: SslMode | undefined
  /**
   * 'postgres' asks the server whether it has TLS; 'direct' begins with it, which saves a round trip, takes a server
   * of version 17 or above, and `sslmode` 'require' or above. Default: 'postgres'.
   * Manual: #LIBPQ-CONNECT-SSLNEGOTIATION.
   */
  readonly sslnegotiation?: 'postgres' | 'direct' | undefined
  /**
   * File of the certificate authorities that are trusted (PEM), or 'system' for those of Node; then `sslmode` must be
   * 'verify-full'. Default: ~/.postgresql/root.crt if it exists (%APPDATA%\postgresql on Windows, for this and
   * the next files). Manual: #LIBPQ-CONNECT-SSLROOTCERT.
   */
  readonly sslrootcert?: string | undefined
  /** File of our own certificate (PEM). Default: ~/.postgresql/postgresql.crt. Manual: #LIBPQ-CONNECT-SSLCERT. */
  readonly sslcert?: string | undefined
  /** File of its private key (PEM). Default: ~/.postgresql/postgresql.key. Manual: #LIBPQ-CONNECT-SSLKEY. */
  readonly sslkey?: string | undefined
  /** What the private key is encrypted with. Default: none. Manual: #LIBPQ-CONNECT-SSLPASSWORD. */
  readonly sslpassword?: string | Secret | undefined
  /** Whether our certificate may be sent. Default: 'allow'. Manual: #LIBPQ-CONNECT-SSLCERTMODE. */
  readonly sslcertmode?: 'disable' | 'allow' | undefined
  /** File of revoked certificates (PEM). Default: ~/.postgresql/root.crl. Manual: #LIBPQ-CONNECT-SSLCRL. */
  readonly sslcrl?: string | undefined
  /** Whether the host's name is sent in the clear when TLS begins. Default: true. Manual: #LIBPQ-CONNECT-SSLSNI. */
  readonly sslsni?: boolean | undefined
  /** Lowest TLS version to accept. Default: 'TLSv1.2'. Manual: #LIBPQ-CONNECT-SSL-MIN-PROTOCOL-VERSION. */
  readonly sslMinProtocolVersion?: TlsVersion | undefined
  /** Highest TLS version to accept. Default: Node's. Manual: #LIBPQ-CONNECT-SSL-MAX-PROTOCOL-VERSION. */
  readonly sslMaxProtocolVersion?: TlsVersion | undefined
  /**
   * Ours, not libpq's: `ConnectionOptions` of node:tls for what there is no parameter for, such as `ca`, `cert` and
   * `key` that are in no file. Merged over what the parameters say. What would take the socket, the deadline or the
   * verification of the server out of our hands is refused. Default: none.
   */
  readonly tls?: NodeTlsOptions | undefined
  /**
   * Whether SCRAM has to prove that both ends see the same TLS connection. 'require' takes TLS and SCRAM.
   * Default: 'prefer'. Manual: #LIBPQ-CONNECT-CHANNEL-BINDING.
   */
  readonly channelBinding?: ChannelBinding | undefined
  /**
   * Methods by which the server may authenticate us, separated by commas, such as 'scram-sha-256'; or, each after an
   * exclamation mark, those by which it may not. Default: any. Manual: #LIBPQ-CONNECT-REQUIRE-AUTH.
   */
  readonly requireAuth?: string | undefined
  /** 'disable' and 'prefer' mean no GSSAPI encryption, 'require' is refused. Manual: #LIBPQ-CONNECT-GSSENCMODE. */
  readonly gssencmode?: 'disable' | 'prefer' | 'require' | undefined
  /** Lowest protocol version to accept. Default: '3.0'. Manual: #LIBPQ-CONNECT-MIN-PROTOCOL-VERSION. */
  readonly minProtocolVersion?: '3.0' | '3.2' | 'latest' | undefined
  /**
   * Protocol version to ask for. Default: '3.0', or '3.2' if `minProtocolVersion` is above 3.0.
   * Manual: #LIBPQ-CONNECT-MAX-PROTOCOL-VERSION.
   */
  readonly maxProtocolVersion?: '3.0' | '3.2' | 'latest' | undefined
  /** Ours, not libpq's: whether a password may leave in the clear without TLS. Default: false. */
  readonly allowCleartextPassword?: boolean | undefined
  /** Ours, not libpq's: the fewest PBKDF2 iterations that are enough. Default: 1, as a server may ask for. */
  readonly scramIterationsMin?: number | undefined
  /** Ours, not libpq's: the most PBKDF2 iterations that a server may ask for. Default: 100000. */
  readonly scramIterationsMax?: number | undefined
  /**
   * SCRAM's ClientKey, 32 bytes in base64, to be used in place of a password; together with `scramServerKey`.
   * Default: none. Manual: #LIBPQ-CONNECT-SCRAM-CLIENT-KEY.
   */
  readonly scramClientKey?: string | Secret | undefined
  /** SCRAM's ServerKey, by which the server is verified. Default: none. Manual: #LIBPQ-CONNECT-SCRAM-SERVER-KEY. */
  readonly scramServerKey?: string | Secret | undefined
  /**
   * Whether SCRAM may begin in the flight of the StartupMessage, which saves a round trip. It does where `requireAuth` is
   * 'scram-sha-256' alone, so that anything else would fail anyway, and the choice about channel binding is settled: without
   * TLS, or with `channelBinding` 'disable' or 'require'. Default: true. Switch it off for a pooler that does not cope.
   */
  readonly earlySasl?: boolean | undefined
  /**
   * Whether the SCRAM mechanism that a server chose is remembered, in memory, so that the next connect to it may begin with it. If
   * the server has changed its mind, a second attempt is made without. Default: false.
   */
  readonly rememberServers?: boolean | undefined
  /** Ours, not libpq's: whether keys that were derived from a password are kept in memory. Default: true. */
  readonly scramKeyCache?: boolean | undefined
}
