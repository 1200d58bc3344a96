/**
 * Services: sections of parameters in a file, each under a name in brackets. They count where the caller has said nothing, and
 * before the environment. Read line by line as libpq does (fe-connect.c, parseServiceInfo and parseServiceFile): no blanks around
 * '=', no quotes, of a parameter that is given twice the first text counts, and of a section that is there twice the first one.
 *
 * The file is read before there is a deadline, since connect_timeout may stand in it; what it takes counts.
 *
 * Manual: #LIBPQ-PGSERVICE.
 */
import { type Environment, readVariable } from './environment.ts'
import type { Given } from './parameters.ts'
import { nameOwnFile, type Surroundings } from './surroundings.ts'
import { isKnown, readText } from './texts.ts'
import { placed, unusable } from './unusable.ts'

/** A file in which a service may be, and how a person would call it. */
interface Candidate {
  readonly path: string
  readonly place: string
  /** Whether it may be missing. */
  readonly isOptional: boolean
}

/** What the service says of the parameters that `given` leaves open. Throws Fault of kind 'config'. */
export function readService(
  service: string,
  given: Given,
  environment: Environment | null,
  surroundings: Surroundings,
): Given {
  const candidates = listCandidates(environment, surroundings)
  for (const { path, place, isOptional } of candidates) {
    const text = readFile(path, place, surroundings)
    if (text === null && !isOptional) throw unusable('service', `cannot be looked up: there is no ${place}`)
    const found = text === null ? null : readSection(text, service, given, place)
    if (found !== null) return found
  }
  const places = candidates.map(({ place }) => place).join(', or ')
  throw unusable('service', `is not defined in ${places === '' ? 'any file: there is no home directory' : places}`)
}

function listCandidates(environment: Environment | null, surroundings: Surroundings): readonly Candidate[] {
  const named = environment === null ? undefined : readVariable(environment, 'PGSERVICEFILE')
  const own = nameOwnFile(surroundings, '.pg_service.conf', 'postgresql/.pg_service.conf')
  // Without the variable libpq has a directory that is fixed when it is compiled, another one on every system.
  const shared = environment === null ? undefined : readVariable(environment, 'PGSYSCONFDIR')
  return [
    ...(named === undefined ? [] : [{ path: named, place: 'file that PGSERVICEFILE names', isOptional: false }]),
    ...(named !== undefined || own === null
      ? []
      : [{ path: own, place: '.pg_service.conf in the home directory', isOptional: true }]),
    ...(shared === undefined
      ? []
      : [{ path: `${shared}/pg_service.conf`, place: 'pg_service.conf in PGSYSCONFDIR', isOptional: true }]),
  ]
}

function readFile(path: string, place: string, surroundings: Surroundings): string | null {
  try {
    return surroundings.readText(path)
  } catch (cause) {
    throw unusable('service', `cannot be looked up: the ${place} cannot be read`, { cause })
  }
}

/** null: there is no such section. */
function readSection(text: string, service: string, given: Given, place: string): Given | null {
  let isInside = false
  const read: Record<string, unknown> = {}
  for (const [index, whole] of text.split('\n').entries()) {
    const line = trimBlanks(whole)
    if (line === '' || line.startsWith('#')) continue
    if (line.startsWith('[')) {
      if (isInside) break
      isInside = line.startsWith(`[${service}]`)
    } else if (isInside) {
      const where = `line ${index + 1} of the ${place}`
      const { name, text: value } = readLine(line, where)
      const isOpen = !Object.hasOwn(given, name) && !Object.hasOwn(read, name)
      if (isOpen)
        Object.assign(
          read,
          placed(where, () => readText(name, value)),
        )
    }
  }
  return isInside ? read : null
}

function readLine(line: string, where: string): { readonly name: string; readonly text: string } {
  if (line.startsWith('ldap')) {
    throw unusable(
      'service',
      `is to be looked up in LDAP, says ${where}, which is not built; write its parameters there`,
    )
  }
  const equals = line.indexOf('=')
  const name = line.slice(0, Math.max(0, equals))
  if (name === 'service') throw unusable('service', `names another service in ${where}, which libpq does not follow`)
  if (isKnown(name)) return { name, text: line.slice(equals + 1) }
  throw unusable(
    'service',
    `cannot be read: ${where} is not a parameter of libpq, '=' and its text, without blanks between`,
  )
}

/** C's isspace, at both ends. */
function trimBlanks(line: string): string {
  return line.replace(/^[ \t\v\f\r]+|[ \t\v\f\r]+$/g, '')
}
