/**
 * The fields of ErrorResponse and NoticeResponse: one letter each, any of them absent, unknown ones to be
 * ignored but not lost.
 *
 * Manual: #PROTOCOL-ERROR-FIELDS.
 */

import { printable } from './printable.ts'

/** What a letter stands for. Letters that are not here keep their letter as their name. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['S', 'localizedSeverity'],
  ['V', 'severity'],
  ['C', 'sqlstate'],
  ['M', 'message'],
  ['D', 'detail'],
  ['H', 'hint'],
  ['P', 'position'],
  ['p', 'internalPosition'],
  ['q', 'internalQuery'],
  ['W', 'where'],
  ['s', 'schema'],
  ['t', 'table'],
  ['c', 'column'],
  ['d', 'dataType'],
  ['n', 'constraint'],
  ['F', 'file'],
  ['L', 'line'],
  ['R', 'routine'],
])

/** What a field's letter stands for; the letter itself where nobody knows. */
export function fieldName(code: string): string {
  return NAMES.get(code) ?? printable(code)
}

/** An error or a notice of the server, in words. */
export interface ServerReport {
  /** ERROR, FATAL or PANIC; WARNING, NOTICE, DEBUG, INFO or LOG in a notice. Never translated. */
  readonly severity: string
  /** Five characters: #ERRCODES-APPENDIX. Empty if the server sent none. */
  readonly sqlstate: string
  readonly message: string
  /** All fields by name: detail, hint, position, where, schema, table, column, constraint and so on. */
  readonly fields: ReadonlyMap<string, string>
}

/** Make an ErrorResponse or a NoticeResponse readable. The first of two equal fields counts. */
export function readReport(response: { readonly fields: readonly { code: string; value: string }[] }): ServerReport {
  const fields = new Map<string, string>()
  for (const { code, value } of response.fields) {
    const name = fieldName(code)
    if (!fields.has(name)) fields.set(name, printable(value))
  }
  return {
    // 'V' came with PostgreSQL 9.6; before it there was only the translated 'S'.
    severity: fields.get('severity') ?? fields.get('localizedSeverity') ?? '',
    sqlstate: fields.get('sqlstate') ?? '',
    message: fields.get('message') ?? '',
    fields,
  }
}
