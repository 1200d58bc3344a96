/**
 * What every form of text has in common (a URI, key/value pairs, a service file, the environment): parameters by libpq's
 * names, each with its text. How a form is taken apart is its own business; what a text means stands in parameters.ts.
 */
import { nearest } from './nearest.ts'
import { type Given, isBuilt, isKnownAndHarmless, NOT_BUILT, PARAMETERS } from './parameters.ts'

/** Whether libpq or this library has a parameter of this name. */
export function isKnown(name: string): boolean {
  return isBuilt(name) || Object.hasOwn(NOT_BUILT, name)
}

/** What to say to whoever has written an unknown name: the nearest known one, or nothing. The name is not quoted. */
export function adviseOn(unknown: string): string {
  const meant = nearest(unknown, [...Object.keys(PARAMETERS), ...Object.keys(NOT_BUILT)])
  return meant === undefined ? '' : `; the nearest known one is ${meant}`
}

/**
 * What the text says of one parameter, whose name is known: an empty one is no value, but stands in front of what comes from
 * elsewhere. Throws Fault of kind 'config'.
 */
export function readText(name: string, text: string): Given {
  if (isBuilt(name)) return { [name]: PARAMETERS[name].fromText(name, text) }
  isKnownAndHarmless(name, text)
  return {}
}
