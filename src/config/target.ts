/**
 * What a caller may write instead of a connection string: libpq's connection parameters in camelCase.
 * The table in parameters.ts says how each is read; this page is its public face.
 *
 * Manual: #LIBPQ-PARAMKEYWORDS.
 */
import type { Secret } from '../auth/secret.ts'

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
   * 'localhost' if none is, and on Windows. Manual: #LIBPQ-CONNECT-HOST.
   */
  readonly host?: string | undefined
  /** TCP port, or the number in the socket file's name: 1 to 65535. Default: 5432. Manual: #LIBPQ-CONNECT-PORT. */
  readonly port?: number | undefined
  /** Database. Default: the same as `user`. Manual: #LIBPQ-CONNECT-DBNAME. */
  readonly dbname?: string | undefined
  /** Database user. Default: the operating system's name of the user who runs this. Manual: #LIBPQ-CONNECT-USER. */
  readonly user?: string | undefined
  /** Password. It is kept in a `Secret` and shown nowhere. Default: none. Manual: #LIBPQ-CONNECT-PASSWORD. */
  readonly password?: string | Secret | undefined
  /**
   * Seconds to wait for the connection as a whole; a fraction is lawful here. Zero, negative and `Infinity` wait
   * for ever. Default: no limit of its own. Manual: #LIBPQ-CONNECT-CONNECT-TIMEOUT.
   */
  readonly connectTimeout?: number | undefined
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
   * This version has no TLS, and does as a libpq that was built without it: 'disable', 'allow' and 'prefer' mean
   * plaintext, the others are refused. Default: 'prefer'. Manual: #LIBPQ-CONNECT-SSLMODE.
   */
  readonly sslmode?: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full' | undefined
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
  /** Ours, not libpq's: the most PBKDF2 iterations that a server may ask for. Default: 100000. */
  readonly scramIterationsMax?: number | undefined
}
