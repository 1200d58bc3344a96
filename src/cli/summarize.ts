/**
 * A message in a few words: the fields that one looks for. What was redacted shows as three dots, and nothing that a stranger
 * wrote can write to the terminal.
 */
import { printable } from '../protocol/printable.ts'
import { readReport } from '../protocol/response-fields.ts'
import type { Range } from './capture.ts'
import type { Dissection } from './dissect.ts'
import { explain, type Note } from './explain.ts'

/** What stands for bytes that were redacted. */
const REDACTED = '•••'

/** Always one line. */
export function summarize(dissection: Dissection, redacted: readonly Range[]): string {
  return oneLine(describe(dissection, redacted))
}

function describe(dissection: Dissection, redacted: readonly Range[]): string {
  const { name, fields } = dissection
  const notes = explain(dissection).map((note) => ({ ...note, text: textOf(note, redacted) }))
  const find = (path: string) => notes.find((note) => note.path === path)
  const list = (prefix: string) => notes.filter(({ path }) => path.startsWith(prefix) && /\d$/.test(path))
  switch (name) {
    case 'StartupMessage': {
      const { parameters } = fields as { parameters: readonly { name: string; value: string }[] }
      const shown = parameters.map((one) => `${one.name}=${one.value}`).join(' ')
      return `${find('protocolVersion')?.meaning?.slice('protocol '.length)} ${shown}`
    }
    case 'TLS reply':
      return `${find('reply')?.text} ${find('reply')?.meaning}`
    case 'TLS record':
      return `${find('type')?.meaning ?? 'unknown'}, opaque`
    case 'ErrorResponse':
    case 'NoticeResponse': {
      const { severity, sqlstate, message } = readReport(fields as unknown as Parameters<typeof readReport>[0])
      return `${severity} ${sqlstate} ${message}`
    }
    case 'ParameterStatus':
      return `${fields['name']} = ${fields['value']}`
    case 'BackendKeyData': {
      const { processId, secretKey } = fields as { processId: number; secretKey: Uint8Array }
      return `process ${processId}, a key of ${secretKey.length} bytes`
    }
    case 'CancelRequest':
      return `process ${fields['processId']}, its key: ${find('secretKey')?.text ?? 'none'}`
    case 'ReadyForQuery':
      return find('status')?.meaning ?? ''
    case 'AuthenticationSASL':
      return list('mechanisms').map(unquoted).join(', ')
    case 'SASLInitialResponse':
      return `${unquoted(find('mechanism') as Note)} ${scram(notes)}`
    case 'AuthenticationSASLContinue':
    case 'SASLResponse':
    case 'AuthenticationSASLFinal':
      return scram(notes)
    case 'RowDescription':
      return list('columns')
        .concat(notes.filter(({ path }) => /^columns\.\d+\.name$/.test(path)))
        .map(unquoted)
        .join(', ')
    case 'DataRow':
      return notes
        .filter(({ path }) => /^values\.\d+$/.test(path))
        .map((note) => note.meaning ?? note.text)
        .join(', ')
    case 'NegotiateProtocolVersion': {
      const unknown = list('unrecognizedOptions').map(unquoted).join(', ')
      return `newest: ${find('newestVersion')?.meaning}${unknown === '' ? '' : `; not known: ${unknown}`}`
    }
    default:
      return rest(notes)
  }
}

/** Of any other message: every field but those that only count. */
function rest(notes: readonly Note[]): string {
  return notes
    .filter(({ path, type }) => !/^(tag|length|code)$|\.(length|count|end)$/.test(path) && !/^Int32\(/.test(type))
    .map((note) => (note.text.startsWith('"') ? unquoted(note) : `${note.path} ${note.text}`))
    .join(' ')
}

function scram(notes: readonly Note[]): string {
  return notes
    .filter(({ path }) => path.startsWith('data.') && path !== 'data.length')
    .map(({ text }) => text)
    .join(',')
}

/** A note's text, with what was redacted taken out. */
export function textOf({ text, offset, bytes }: Note, redacted: readonly Range[]): string {
  const hit = redacted.find(({ begin, end }) => begin < offset + bytes.length && end > offset)
  if (hit === undefined) return text
  // Of 'r=…,' the name stays; of a field that is secret as a whole, nothing does.
  const before = bytes.toString('latin1', 0, Math.max(0, hit.begin - offset))
  return /^[\x20-\x7e]*$/.test(before) ? `${before}${REDACTED}` : REDACTED
}

function unquoted({ text }: Note): string {
  return text.startsWith('"') ? (JSON.parse(text) as string) : text
}

function oneLine(text: string): string {
  return printable(text).replaceAll(/\s+/g, ' ').trim()
}
