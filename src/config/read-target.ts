/**
 * Read a `ConnectTarget`. TypeScript checks it for those who use TypeScript; this checks it for everybody, since
 * a misspelt property that is merely ignored connects to the wrong place.
 */
import { nearest } from './nearest.ts'
import { readProperties } from './own-properties.ts'
import { type Given, isKnownAndHarmless, NOT_BUILT, PARAMETERS } from './parameters.ts'
import { unusable, WHOLE } from './unusable.ts'

/** libpq's name for every property: connectTimeout -> connect_timeout. */
const BUILT: ReadonlyMap<string, keyof typeof PARAMETERS> = new Map(
  Object.entries(PARAMETERS).map(([name, { property }]) => [property, name as keyof typeof PARAMETERS]),
)
const OTHERS: ReadonlyMap<string, string> = new Map(Object.keys(NOT_BUILT).map((name) => [camelCase(name), name]))

/** Read an object with libpq's names in camelCase. Throws Fault of kind 'config', whatever it is given. */
export function readTarget(target: unknown): Given {
  if (typeof target !== 'object' || target === null) {
    const came = target === null ? 'null' : typeof target
    throw unusable(WHOLE, `must be a connection string or an object; what came is of type ${came}`)
  }
  const given: Record<string, unknown> = {}
  for (const [property, value] of readProperties(WHOLE, target)) {
    const name = BUILT.get(property)
    if (name !== undefined) {
      const read: unknown = value === undefined ? undefined : PARAMETERS[name].fromValue(name, value)
      // What is empty leaves the word to the service and the environment, as in libpq's PQconnectdbParams.
      if (read !== undefined) given[name] = read
    } else if (!isKnownAndHarmless(OTHERS.get(property) ?? '', value)) {
      throw unknownProperty(property)
    }
  }
  return given
}

function unknownProperty(property: string): Error {
  const meant = nearest(property, [...BUILT.keys(), ...OTHERS.keys()])
  const advice = meant === undefined ? '' : `; the nearest known one is ${meant}`
  return unusable(showable(property), `is not a known property${advice}`)
}

/** A name that may be printed: it is the caller's own, but it may be long, or hold an escape sequence. */
function showable(property: string): string {
  return /^[\w$-]{1,64}$/.test(property) ? property : WHOLE
}

function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
}
