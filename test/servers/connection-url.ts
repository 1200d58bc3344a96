/**
 * Writes libpq connection URIs (#LIBPQ-CONNSTRING-URIS) of a server. It refuses to read them: that is what is under test.
 */
import { isIPv6 } from 'node:net'
import type { UrlParts } from './server.ts'

export interface UrlDefaults {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string | null
  readonly database: string
}

export function writeUrl(defaults: UrlDefaults, parts: UrlParts = {}): string {
  const user = parts.user ?? defaults.user
  // A password is its user's: somebody else's URI gets none unless the caller gives one.
  const password = parts.password ?? (parts.user === undefined ? defaults.password : null)
  const credentials = password === null ? encode(user) : `${encode(user)}:${encode(password)}`
  const parameters = Object.entries(parts.parameters ?? {}).map(([name, value]) => `${encode(name)}=${encode(value)}`)
  return (
    `postgres://${credentials}@${writeHost(parts.host ?? defaults.host)}:${defaults.port}` +
    `/${encode(parts.database ?? defaults.database)}${parameters.length > 0 ? `?${parameters.join('&')}` : ''}`
  )
}

/** A socket directory stands in the host's place with its slashes encoded, as libpq has it. */
function writeHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : encode(host)
}

// Not URLSearchParams, which writes a blank as '+': libpq reads that as a plus sign.
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}
