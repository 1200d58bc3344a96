/**
 * The parameters of TLS. What they mean together, and which files are looked for if none is given, stands in choose-tls.ts.
 *
 * Manual: #LIBPQ-PARAMKEYWORDS, #LIBPQ-SSL.
 */
import { boolean, choice, nodeTlsOptions, type Parameter, secret, text, unchanged } from './parameter.ts'
import type { TlsVersion } from './settings.ts'
import { unusable } from './unusable.ts'

/** In ascending order. */
export const TLS_VERSIONS: readonly TlsVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

export const TLS_PARAMETERS = {
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
} as const satisfies Readonly<Record<string, Parameter<unknown>>>

/** libpq does not mind the case; Node does. */
function tlsVersion(name: string, version: string): TlsVersion {
  const found = TLS_VERSIONS.find((known) => known.toLowerCase() === version.toLowerCase())
  if (found !== undefined) return found
  throw unusable(name, `must be one of ${TLS_VERSIONS.join(', ')}`)
}
