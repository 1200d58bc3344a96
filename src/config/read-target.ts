/**
 * Read a `ConnectTarget`. TypeScript checks it for those who use TypeScript; this checks it for everybody, since
 * a misspelt property that is merely ignored connects to the wrong place.
 */
import { nearest } from './nearest.ts'
import { type Given, isKnownAndHarmless, NOT_BUILT, PARAMETERS } from './parameters.ts'
import { unusable, WHOLE } from './unusable.ts'

/** libpq's name for every property: connectTimeout -> connect_timeout. */
const BUILT: ReadonlyMap<string, keyof typeof PARAMETERS> = new Map(
  Object.entries(PARAMETERS).map(([name, { property }]) => [property, name as keyof typeof PARAMETERS]),
)
const OTHERS: ReadonlyMap<string, string> = new Map(Object.keys(NOT_BUILT).map((name) => [camelCase(name), name]))

/** Read an object with libpq's names in camelCase. Throws Fault of kind 'config', whatever it is given. */
export function readTarget(target: unknown): Given {
  const given: Record<string, unknown> = {}
  for (const [property, value] of ownProperties(target)) {
    const name = BUILT.get(property)
    if (name !== undefined) {
      if (value !== undefined) given[name] = PARAMETERS[name].fromValue(name, value)
    } else if (!isKnownAndHarmless(OTHERS.get(property) ?? '', value)) {
      throw unknownProperty(property)
    }
  }
  return given
}

/**
 * Every property once, so that a getter cannot answer differently the second time. Of a class instance nothing
 * would be found that its prototype holds: a URL would pass for an empty object, and lead to the local server.
 */
function ownProperties(target: unknown): readonly (readonly [name: string, value: unknown])[] {
  if (typeof target !== 'object' || target === null) {
    const came = target === null ? 'null' : typeof target
    throw unusable(WHOLE, `must be a connection string or an object; what came is of type ${came}`)
  }
  let properties: [string, unknown][] | null
  try {
    properties = isPlain(target) ? Object.entries(target) : null
  } catch (cause) {
    throw unusable(WHOLE, 'cannot be read: one of its properties throws', { cause })
  }
  if (properties === null) {
    throw unusable(WHOLE, 'must be a plain object: inherited properties are not read. Pass a copy, or a string')
  }
  return properties
}

/** No prototype, or one that has none itself: `Object.prototype`, from whichever realm. */
function isPlain(target: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(target)
  return prototype === null || (!Array.isArray(target) && Object.getPrototypeOf(prototype) === null)
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
