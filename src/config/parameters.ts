/**
 * Every connection parameter, as data: all readers (read-target.ts, texts.ts) and the documentation work from these two tables. The first holds what is built, in the order in which it is worth reading; the
 * second what libpq 18 knows and this version does not.
 *
 * Manual: #LIBPQ-PARAMKEYWORDS.
 */
import { AUTHENTICATION_PARAMETERS } from './authentication-parameters.ts'
import { SESSION_PARAMETERS } from './session-parameters.ts'
import { TLS_PARAMETERS } from './tls-parameters.ts'
import { unusable } from './unusable.ts'
import { WHERE_PARAMETERS } from './where-parameters.ts'

export const PARAMETERS = {
  ...WHERE_PARAMETERS,
  ...AUTHENTICATION_PARAMETERS,
  ...TLS_PARAMETERS,
  ...SESSION_PARAMETERS,
}

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
