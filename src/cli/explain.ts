/**
 * Every byte of a message with what it is, for people: what annotate.ts makes of the layouts, and on top of it what numbers and
 * letters mean, and the attributes of SCRAM, which the layouts take for bytes. Each byte belongs to exactly one note.
 *
 * Manual: #PROTOCOL-MESSAGE-FORMATS, #SASL-AUTHENTICATION; RFC 5802 section 5.1.
 */
import { type Annotation, annotate } from '../protocol/annotate.ts'
import { printable } from '../protocol/printable.ts'
import { fieldName } from '../protocol/response-fields.ts'
import { type Dissection, TLS_RECORD } from './dissect.ts'

export interface Note extends Annotation {
  /** What the value means, if it does not say so itself. */
  readonly meaning: string | null
}

/** Explain one whole message. */
export function explain(dissection: Dissection): Note[] {
  const { name, layout, bytes } = dissection
  if (layout === null) return name === TLS_RECORD ? explainRecord(bytes) : [explainReply(bytes)]
  return annotate(layout, bytes).flatMap((annotation) => {
    if (SASL.has(name) && annotation.path === 'data') return explainScram(name, annotation)
    return { ...annotation, text: clean(annotation), meaning: meaningOf(name, annotation) }
  })
}

/** Messages whose data are SCRAM's. */
export const SASL: ReadonlySet<string> = new Set([
  'SASLInitialResponse',
  'AuthenticationSASLContinue',
  'SASLResponse',
  'AuthenticationSASLFinal',
])

/** A stranger's text must not write to our user's terminal; and of a name and a tag the path says enough. */
function clean({ path, text }: Annotation): string {
  return path === 'tag' ? text.slice(0, 3) : printable(text)
}

function meaningOf(name: string, { path, bytes, text }: Annotation): string | null {
  if (path === 'tag') return name
  if (path === 'protocolVersion' || path === 'newestVersion') {
    return `protocol ${bytes.readUInt16BE(0)}.${bytes.readUInt16BE(2)}`
  }
  if (path === 'code' && bytes.length === 4) {
    const major = bytes.readUInt16BE(0)
    return major === 1234 ? `${major} and ${bytes.readUInt16BE(2)}: a version that will never be` : name
  }
  if (/^fields\.\d+\.code$/.test(path)) return fieldName(bytes.toString('latin1'))
  if (name === 'ReadyForQuery' && path === 'status') return TRANSACTION.get(text) ?? null
  if (path === 'kind') return text === '"S"' ? 'a prepared statement' : 'a portal'
  if (/(^|[fF])ormats?(\.\d+)?$/.test(path)) return { 0: 'text', 1: 'binary' }[text] ?? null
  if (/^(values|parameters|arguments)\.\d+$/.test(path) && name !== 'StartupMessage') return quoted(bytes)
  return null
}

const TRANSACTION: ReadonlyMap<string, string> = new Map([
  ['"I"', 'idle: not in a transaction'],
  ['"T"', 'in a transaction'],
  ['"E"', 'in a transaction that has failed'],
])

/** #PROTOCOL-FLOW-SSL: the only thing in the protocol that is not a message. */
function explainReply(bytes: Buffer): Note {
  const reply = bytes.toString('latin1')
  const meaning = REPLIES.get(reply) ?? null
  return { offset: 0, bytes, path: 'reply', type: 'Byte1', text: `'${reply}'`, meaning }
}

const REPLIES: ReadonlyMap<string, string> = new Map([
  ['S', 'yes: TLS begins now'],
  ['N', 'no: go on in plaintext, or leave'],
  ['G', 'yes: GSSAPI begins now'],
  ['E', 'the beginning of an error, from a server that does not know the request'],
])

/** RFC 8446 section 5.1. What is in it is for the two ends only. */
function explainRecord(bytes: Buffer): Note[] {
  const note = (path: string, offset: number, end: number, text: string, meaning: string | null): Note[] => {
    const own = bytes.subarray(offset, end)
    return own.length === 0 ? [] : [{ offset, bytes: own, path, type: `Byte${own.length}`, text, meaning }]
  }
  const type = bytes[0] as number
  const { length } = bytes
  return [
    ...note('type', 0, 1, String(type), RECORD_TYPES.get(type) ?? null),
    ...note('version', 1, 3, bytes.toString('hex', 1, 3), 'as old as it may look: TLS 1.3 says 1.2 too'),
    ...note('length', 3, 5, `${length - 5} bytes`, null),
    ...note('fragment', 5, length, 'opaque', null),
  ]
}

const RECORD_TYPES: ReadonlyMap<number, string> = new Map([
  [20, 'change_cipher_spec'],
  [21, 'alert'],
  [22, 'handshake'],
  [23, 'application_data'],
])

/** One attribute of a SCRAM message after the other, each with the comma behind it. */
function explainScram(name: string, { bytes, offset, path }: Annotation): Note[] {
  const isFirst = name === 'SASLInitialResponse'
  return splitScram(bytes).map(({ begin, end, valueBegin, valueEnd }, index) => {
    const own = bytes.subarray(begin, end)
    const attribute = bytes.toString('latin1', begin, valueBegin)
    const value = bytes.subarray(valueBegin, valueEnd)
    const [what, meaning] = isFirst && index < 2 ? gs2(index, attribute, value) : attributeOf(name, attribute, value)
    return {
      offset: offset + begin,
      bytes: own,
      path: `${path}.${what}`,
      type: `Byte${own.length}`,
      text: oneLine(bytes.toString('utf8', begin, valueEnd)),
      meaning,
    }
  })
}

export interface ScramPart {
  readonly begin: number
  /** Behind the comma, if there is one. */
  readonly end: number
  /** Behind 'r='; the beginning, if there is no such name. */
  readonly valueBegin: number
  readonly valueEnd: number
}

/** Where the attributes of a SCRAM message stand in its data (RFC 5802 section 7). No byte is left out. */
export function splitScram(data: Uint8Array): ScramPart[] {
  const parts: ScramPart[] = []
  for (let begin = 0; begin < data.length; ) {
    const comma = data.indexOf(0x2c, begin)
    const valueEnd = comma < 0 ? data.length : comma
    const valueBegin = data[begin + 1] === 0x3d && begin + 2 <= valueEnd ? begin + 2 : begin
    const end = comma < 0 ? data.length : comma + 1
    parts.push({ begin, end, valueBegin, valueEnd })
    begin = end
  }
  return parts
}

/** RFC 5801 section 4, as RFC 5802 uses it: the header that says what of channel binding is wanted. */
function gs2(index: number, attribute: string, value: Buffer): readonly [what: string, meaning: string | null] {
  if (index === 1) return ['authorizationIdentity', value.length === 0 ? 'empty: nobody else is to be acted for' : null]
  if (attribute === 'p=') return ['channelBinding', 'the proof will be bound to this TLS connection']
  const flag = value.toString('latin1')
  if (flag === 'n') return ['channelBinding', 'none']
  return ['channelBinding', flag === 'y' ? 'the client could, and thinks that the server cannot' : null]
}

function attributeOf(name: string, attribute: string, value: Buffer): readonly [what: string, meaning: string | null] {
  switch (attribute) {
    case 'n=':
      return ['user', 'empty: PostgreSQL takes the one of the StartupMessage']
    case 'r=':
      return [
        'nonce',
        name === 'SASLInitialResponse' ? 'of the client' : 'the one of the client, and behind it that of the server',
      ]
    case 'c=':
      return ['channelBinding', unbound(value)]
    case 'p=':
      return ['proof', 'that the client knows the password, without saying it']
    case 's=':
      return ['salt', null]
    case 'i=':
      return ['iterations', 'of PBKDF2']
    case 'v=':
      return ['signature', 'that the server knows the password too']
    case 'e=':
      return ['error', null]
    default:
      return ['extension', null]
  }
}

/** What 'c=' says, in base64: the header once more and, if it is bound, the hash of the certificate. */
function unbound(value: Buffer): string {
  const decoded = Buffer.from(value.toString('latin1'), 'base64')
  // 'p=tls-server-end-point,,' or 'n,,': two commas end it.
  const end = decoded.indexOf(',,') + 2
  const data = decoded.subarray(end)
  const header = oneLine(decoded.toString('latin1', 0, end))
  return `base64 of ${header}${data.length === 0 ? '' : ` and the certificate's hash ${data.toString('hex')}`}`
}

/** SCRAM has no line ends; who sends some must not begin a line of ours. */
function oneLine(text: string): string {
  return printable(text).replaceAll(/[\t\n]/g, '\ufffd')
}

function quoted(bytes: Buffer): string | null {
  const text = bytes.toString('utf8')
  return /^[\x20-\x7e]*$/.test(text) ? JSON.stringify(text) : null
}
