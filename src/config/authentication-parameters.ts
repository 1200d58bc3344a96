/**
 * The parameters that say who we are and how we prove it, and what the server must prove.
 *
 * Manual: #LIBPQ-PARAMKEYWORDS, #AUTH-METHODS.
 */
import { parseRequireAuth, type RequireAuth } from '../auth/require-auth.ts'
import { LIMITS } from '../protocol/limits.ts'
import { between, boolean, choice, number, type Parameter, password, secret, text, unchanged } from './parameter.ts'
import { unusable } from './unusable.ts'

export const AUTHENTICATION_PARAMETERS = {
  password: password({
    property: 'password',
    anchor: '#LIBPQ-CONNECT-PASSWORD',
    default: 'none',
    meaning: 'Password, if the server asks for one; in an object also a function that returns it.',
  }),
  passfile: text(
    {
      property: 'passfile',
      anchor: '#LIBPQ-CONNECT-PASSFILE',
      default: 'none; ~/.pgpass if an environment is given',
      meaning: 'File in which a password is looked for if none is given.',
    },
    unchanged,
  ),
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
