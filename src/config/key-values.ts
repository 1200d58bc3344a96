/**
 * Connection strings of the form `host=one port=5433 password='it\'s'`, taken apart exactly as libpq does (fe-connect.c,
 * conninfo_parse): blanks around '=' do not count, a value with blanks in it stands in single quotes, a backslash takes the next
 * character as it is, and of a parameter that is given twice the last text counts.
 *
 * Manual: #LIBPQ-CONNSTRING-KEYWORD-VALUE.
 */
import type { Given } from './parameters.ts'
import { adviseOn, isKnown, readText } from './texts.ts'
import { unusable, WHOLE } from './unusable.ts'

/** C's isspace: what Unicode calls a space besides is a letter like any other. */
const BLANK = /[ \t\n\v\f\r]/

/** Read key/value pairs. Throws Fault of kind 'config', which never quotes them. */
export function readKeyValues(conninfo: string): Given {
  return Object.assign({}, ...[...parseKeyValues(conninfo)].map(([name, text]) => readText(name, text)))
}

/** The text of every parameter. Positions in failures count characters from 1. Throws Fault of kind 'config'. */
export function parseKeyValues(conninfo: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  let index = skipBlanks(conninfo, 0)
  while (index < conninfo.length) {
    const beginning = index
    while (index < conninfo.length && conninfo[index] !== '=' && !isBlank(conninfo, index)) index += 1
    const name = conninfo.slice(beginning, index)
    index = skipBlanks(conninfo, index)
    if (conninfo[index] !== '=') {
      throw unusable(WHOLE, `has no '='${at(index)}, behind the name of a parameter that begins${at(beginning)}`)
    }
    // Not even the name is quoted: behind a quote that was forgotten it may be a piece of a password.
    if (!isKnown(name)) throw unusable(WHOLE, `has an unknown parameter${at(beginning)}${adviseOn(name)}`)
    const value = takeValue(conninfo, skipBlanks(conninfo, index + 1))
    texts.set(name, value.text)
    index = skipBlanks(conninfo, value.end)
  }
  return texts
}

/** A value, and the index behind it. A quote counts only where the value begins. */
function takeValue(conninfo: string, beginning: number): { readonly text: string; readonly end: number } {
  const isQuoted = conninfo[beginning] === "'"
  let text = ''
  let index = isQuoted ? beginning + 1 : beginning
  while (index < conninfo.length) {
    if (isQuoted && conninfo[index] === "'") return { text, end: index + 1 }
    if (!isQuoted && isBlank(conninfo, index)) return { text, end: index }
    if (conninfo[index] === '\\') index += 1
    text += conninfo[index] ?? ''
    index += 1
  }
  if (isQuoted) throw unusable(WHOLE, `has a quote${at(beginning)} without its counterpart; write ' within it as \\'`)
  return { text, end: index }
}

function skipBlanks(conninfo: string, from: number): number {
  let index = from
  while (isBlank(conninfo, index)) index += 1
  return index
}

function isBlank(conninfo: string, index: number): boolean {
  return BLANK.test(conninfo[index] ?? '')
}

function at(index: number): string {
  return ` at position ${index + 1}`
}
