/**
 * The properties of an object that a caller passed, each read once, so that a getter cannot answer differently
 * the second time. Of a class instance nothing would be found that its prototype holds: a URL would pass for
 * an empty object, and lead to the local server. So it must be a plain one.
 */
import { unusable } from './unusable.ts'

/** Own, enumerable properties. Throws Fault of kind 'config', which names `parameter`, whatever it is given. */
export function readProperties(parameter: string, object: object): readonly (readonly [string, unknown])[] {
  let properties: (readonly [string, unknown])[] | null
  try {
    // Object.entries is not as quick, by far: it takes V8's slow path.
    const read = (name: string) => [name, (object as Readonly<Record<string, unknown>>)[name]] as const
    properties = isPlain(object) ? Object.keys(object).map(read) : null
  } catch (cause) {
    throw unusable(parameter, 'cannot be read: one of its properties throws', { cause })
  }
  if (properties === null) {
    throw unusable(parameter, 'must be a plain object: inherited properties are not read. Pass a copy of them')
  }
  return properties
}

/**
 * The elements of an array, at most so many of them, each read once; null if it is none. Throws Fault of kind
 * 'config', which names `parameter`, whatever it is given.
 */
export function readElements(parameter: string, array: unknown, lengthMax: number): readonly unknown[] | null {
  try {
    if (!Array.isArray(array)) return null
    return Array.from({ length: Math.min(array.length, lengthMax) }, (_, index): unknown => array[index])
  } catch (cause) {
    throw unusable(parameter, 'cannot be read: one of its elements throws', { cause })
  }
}

/** No prototype, or one that has none itself: `Object.prototype`, from whichever realm. */
function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object)
  return prototype === null || (!Array.isArray(object) && Object.getPrototypeOf(prototype) === null)
}
