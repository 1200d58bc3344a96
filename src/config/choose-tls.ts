/**
 * Everything that concerns TLS, from parameters that depend on each other and on files in the user's home. What is
 * refused and what is a default is libpq's (fe-connect.c, pqConnectOptions2; fe-secure-openssl.c, initialize_SSL).
 * Files are named and not read.
 *
 * Manual: #LIBPQ-SSL.
 */
import type { Endpoint } from '../net/endpoint.ts'
import type { Given } from './parameters.ts'
import type { NodeTlsOptions, TlsSettings } from './settings.ts'
import { nameOwnFile, type Surroundings } from './surroundings.ts'
import { TLS_VERSIONS } from './tls-parameters.ts'
import { unusable } from './unusable.ts'

/** One answer for all hosts. Throws Fault of kind 'config'. */
export function chooseTls(given: Given, hosts: readonly Endpoint[], surroundings: Surroundings): TlsSettings {
  const asked = chooseMode(given)
  const { minVersion, maxVersion } = chooseVersions(given)
  // libpq refuses what makes no sense on a Unix-domain socket too, and ignores the rest there.
  const mode = hosts.every(({ transport }) => transport === 'unix') ? 'disable' : asked.mode
  if (mode === 'verify-full') checkNames(given)
  const nodeOptions = given.tls ?? null
  const findDefault = createFinder(mode, surroundings)
  const { rootCertificate, revocationList } = chooseTrust(given, mode, nodeOptions, findDefault)
  const { certificateMode, certificate, key } = chooseCertificate(given, mode, nodeOptions, findDefault, surroundings)
  // Name by name: spread out of four objects it takes Node as long as a hash.
  return {
    mode,
    negotiation: mode === 'disable' ? 'postgres' : asked.negotiation,
    minVersion,
    maxVersion,
    rootCertificate,
    revocationList,
    certificateMode,
    certificate,
    key,
    found: listFound(given, { rootCertificate, certificate, key, revocationList }),
    keyPassword: given.sslpassword ?? null,
    sendServerName: given.sslsni ?? true,
    nodeOptions,
  }
}

function chooseMode(given: Given): Pick<TlsSettings, 'mode' | 'negotiation'> {
  const system = given.sslrootcert === 'system'
  const mode = given.sslmode ?? (system ? 'verify-full' : 'prefer')
  const negotiation = given.sslnegotiation ?? 'postgres'
  // A server before 17 closes such a connection, and a mode that may fall back would fall back to plaintext.
  if (negotiation === 'direct' && ['disable', 'allow', 'prefer'].includes(mode)) {
    throw unusable('sslnegotiation', `is direct, which sslmode ${mode} is too weak for; use require or above`)
  }
  // Anybody can have a certificate from some public authority: without the name it proves nothing.
  if (system && mode !== 'verify-full') {
    throw unusable('sslrootcert', `is system, which sslmode ${mode} is too weak for; use verify-full`)
  }
  return { mode, negotiation }
}

/**
 * What the certificate is compared with is the name in host and never hostaddr. libpq finds that it is missing once
 * the certificate is there (fe-secure-common.c, pq_verify_peer_name_matches_certificate); we know it now.
 */
function checkNames({ host: names, hostaddr: addresses = [] }: Given): void {
  if (!addresses.some((address, index) => address !== null && (names?.[index] ?? null) === null)) return
  throw unusable('host', 'is not given beside hostaddr, but sslmode verify-full has to verify that name; give both')
}

function chooseVersions(given: Given): Pick<TlsSettings, 'minVersion' | 'maxVersion'> {
  const minVersion = given.ssl_min_protocol_version ?? 'TLSv1.2'
  const maxVersion = given.ssl_max_protocol_version ?? null
  if (maxVersion !== null && TLS_VERSIONS.indexOf(minVersion) > TLS_VERSIONS.indexOf(maxVersion)) {
    const isDefault = given.ssl_min_protocol_version === undefined ? ', its default,' : ','
    throw unusable('ssl_min_protocol_version', `is ${minVersion}${isDefault} above ssl_max_protocol_version; lower it`)
  }
  return { minVersion, maxVersion }
}

function chooseTrust(
  given: Given,
  mode: TlsSettings['mode'],
  nodeOptions: NodeTlsOptions | null,
  findDefault: FindDefault,
): Pick<TlsSettings, 'rootCertificate' | 'revocationList'> {
  const rootCertificate = given.sslrootcert ?? findDefault('root.crt')
  // libpq looks for revoked certificates only where it looks for trusted ones in a file.
  const hasFile = rootCertificate !== null && rootCertificate !== 'system'
  const revocationList = given.sslcrl ?? (hasFile ? findDefault('root.crl') : null)
  const verifies = mode === 'verify-ca' || mode === 'verify-full'
  if (verifies && rootCertificate === null && !holds(nodeOptions, 'ca')) {
    throw unusable(
      'sslrootcert',
      `is not given, and there is no root.crt in the home directory, but sslmode ${mode} has to verify the server; ` +
        "give a file, or 'system' with verify-full",
    )
  }
  return { rootCertificate, revocationList }
}

function chooseCertificate(
  given: Given,
  mode: TlsSettings['mode'],
  nodeOptions: NodeTlsOptions | null,
  findDefault: FindDefault,
  surroundings: Surroundings,
): Pick<TlsSettings, 'certificateMode' | 'certificate' | 'key'> {
  const certificateMode = given.sslcertmode ?? 'allow'
  if (certificateMode === 'disable') return { certificateMode, certificate: null, key: null }
  const fallback = (file: string) => (holds(nodeOptions, 'cert', 'pfx') ? null : findDefault(file))
  const certificate = given.sslcert ?? fallback('postgresql.crt')
  // A key is of no use without a certificate, so libpq does not look for one either.
  const key = given.sslkey ?? (certificate === null ? null : fallback('postgresql.key'))
  if (mode !== 'disable' && certificate !== null && key === null && !holds(nodeOptions, 'key')) {
    // The user's own certificate is of no concern before there is TLS: then its key is missed.
    const mayGoWithout = mode === 'allow' || mode === 'prefer'
    if (given.sslcert === undefined && mayGoWithout) {
      return { certificateMode, certificate, key: nameDefault('postgresql.key', surroundings) }
    }
    throw unusable(
      'sslkey',
      'is not given, and there is no postgresql.key in the home directory, but there is a certificate that needs it; ' +
        'give its file, or sslcertmode disable',
    )
  }
  return { certificateMode, certificate, key }
}

function holds(nodeOptions: NodeTlsOptions | null, ...options: readonly string[]): boolean {
  return options.some((option) => nodeOptions !== null && option in nodeOptions)
}

/** One of the user's own files, if it exists and there may be TLS at all. */
type FindDefault = (file: string) => string | null

/** Most users have no directory for them: then that is looked at, once, and none of its files. */
function createFinder(mode: TlsSettings['mode'], surroundings: Surroundings): FindDefault {
  let directory: string | null | undefined
  return (file) => {
    if (mode === 'disable') return null
    if (directory === undefined) {
      const named = nameOwnDirectory(surroundings)
      directory = named !== null && surroundings.exists(named) ? named : null
    }
    const path = inDirectory(directory, file)
    return path !== null && surroundings.exists(path) ? path : null
  }
}

function nameOwnDirectory(surroundings: Surroundings): string | null {
  return nameOwnFile(surroundings, '.postgresql', 'postgresql')
}

function nameDefault(file: string, surroundings: Surroundings): string | null {
  return inDirectory(nameOwnDirectory(surroundings), file)
}

function inDirectory(directory: string | null, file: string): string | null {
  return directory && `${directory}/${file}`
}

function listFound(
  given: Given,
  {
    rootCertificate,
    certificate,
    key,
    revocationList,
  }: Pick<TlsSettings, 'rootCertificate' | 'certificate' | 'key' | 'revocationList'>,
): readonly string[] {
  // Most often nothing is there.
  if (rootCertificate === null && certificate === null && revocationList === null) return []
  const ownKey = given.sslkey === undefined ? key : null
  const candidates = [
    ['sslrootcert', rootCertificate],
    ['sslcert', certificate],
    ['sslkey', ownKey],
    // What the user's own key is encrypted with.
    ['sslpassword', ownKey],
    ['sslcrl', revocationList],
  ] as const
  return candidates.filter(([name, path]) => given[name] === undefined && path !== null).map(([name]) => name)
}
