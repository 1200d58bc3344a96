/**
 * Password files: lines of host:port:database:user:password, of which the first that fits counts. A field that is a lone '*' fits
 * everything; a backslash takes the next character as it is. Read as libpq does (fe-connect.c, passwordFromFile and
 * pwdfMatchesString). Which file it is, and what hosts are called in it, is decided here; it is read by passwords.ts.
 *
 * Manual: #LIBPQ-PGPASS.
 */
import type { Endpoint } from '../net/endpoint.ts'
import { findSocketDirectory } from './choose-hosts.ts'
import type { Environment } from './environment.ts'
import type { Given } from './parameters.ts'
import type { Passfile, PassfileKey, Settings } from './settings.ts'
import { nameOwnFile, type Surroundings } from './surroundings.ts'

/** Where to look for a password; null: nowhere, or there is one already. */
export function choosePassfile(
  given: Given,
  { hosts, database, user }: Pick<Settings, 'hosts' | 'database' | 'user'>,
  environment: Environment | null,
  surroundings: Surroundings,
): Passfile | null {
  if (given.password !== undefined) return null
  // The user's own file is not looked for unless the caller wants his surroundings looked at.
  const own = environment === null ? null : nameOwnFile(surroundings, '.pgpass', 'postgresql/pgpass.conf')
  const path = given.passfile ?? own
  if (path === null) return null
  return { path, entries: hosts.map((host) => ({ ...nameInPassfile(host, surroundings), database, user })) }
}

/** The default socket directory is 'localhost' there; any other stands for itself. */
function nameInPassfile(endpoint: Endpoint, surroundings: Surroundings): Pick<PassfileKey, 'host' | 'port'> {
  if (endpoint.transport === 'tcp') return { host: endpoint.host, port: String(endpoint.port) }
  const { path } = endpoint
  const directory = path.slice(0, path.lastIndexOf('/'))
  const isDefault = directory === findSocketDirectory(surroundings)
  return { host: isDefault ? 'localhost' : directory, port: path.slice(path.lastIndexOf('.') + 1) }
}

/** The password for this host, in the text of a password file; null: there is none, or an empty one. */
export function findPassword(text: string, { host, port, database, user }: PassfileKey): string | null {
  for (const whole of text.split('\n')) {
    const line = whole.replace(/\r+$/, '')
    if (line.startsWith('#')) continue
    let rest: string | null = line
    for (const field of [host, port, database, user]) rest = rest === null ? null : matchField(rest, field)
    // An empty password is none, but no line behind it counts.
    if (rest !== null) return takePassword(rest) || null
  }
  return null
}

/** What stands behind the first field, if that is `wanted` or fits everything; else null. */
function matchField(line: string, wanted: string): string | null {
  if (line.startsWith('*:')) return line.slice(2)
  let index = 0
  for (const character of wanted) {
    if (line[index] === '\\') index += 1
    if (!line.startsWith(character, index)) return null
    index += character.length
  }
  return line[index] === ':' ? line.slice(index + 1) : null
}

/** The last field, which ends at a colon too. A backslash at the very end stands for itself. */
function takePassword(field: string): string {
  let text = ''
  for (let index = 0; index < field.length && field[index] !== ':'; index += 1) {
    if (field[index] === '\\' && index + 1 < field.length) index += 1
    text += field[index]
  }
  return text
}
