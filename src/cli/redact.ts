/**
 * Takes secrets out of what was said: passwords and what answers for them, nonces, salts, proofs, signatures, the keys of cancel
 * requests. Each byte becomes an 'x', so that the message is as long as it was and can be read as before; which bytes these are
 * is kept. It remembers what was told, since a server may say it back in an error (see ../echo.ts).
 *
 * What it does not know: the text of queries.
 */
import { secretsOf } from '../echo.ts'
import { annotate } from '../protocol/annotate.ts'
import type { FrontendMessage } from '../protocol/frontend.ts'
import type { CaptureEntry, MessageEntry, Range } from './capture.ts'
import { type Dissection, Dissector } from './dissect.ts'
import { SASL, splitScram } from './explain.ts'

const X = 0x78

/** Shorter ones would be found in ordinary words: the bound of echo.ts. */
const ECHO_BYTES_MIN = 6

/** One conversation. */
export class Redactor {
  #dissector = new Dissector()
  #told: Buffer[] = []

  /** The entry without its secrets. Bytes that are no message are replaced altogether: nobody knows what is in them. */
  redact(entry: CaptureEntry): CaptureEntry {
    // Another attempt is another conversation; what was told is still secret.
    if (entry.kind === 'attempt') this.#dissector = new Dissector()
    if (entry.kind !== 'message') return entry
    const ranges = this.#rangesOf(entry)
    const bytes = Buffer.from(entry.bytes)
    for (const { begin, end } of ranges) bytes.fill(X, begin, end)
    return { ...entry, bytes, redacted: merge([...entry.redacted, ...ranges]) }
  }

  #rangesOf({ direction, bytes }: MessageEntry): Range[] {
    try {
      const dissection = this.#dissector.dissect(direction, bytes)
      if (direction === 'sent') this.#remember(dissection)
      return [...secretRanges(dissection), ...(direction === 'received' ? this.#echoes(bytes) : [])]
    } catch {
      return [{ begin: 0, end: bytes.length }]
    }
  }

  #remember({ name, fields }: Dissection): void {
    const message = { type: name, ...fields } as unknown as FrontendMessage
    for (const secret of secretsOf(message)) {
      const bytes = Buffer.from(secret)
      if (bytes.length >= ECHO_BYTES_MIN && !/^x+$/.test(secret)) this.#told.push(bytes)
    }
  }

  #echoes(bytes: Buffer): Range[] {
    const found: Range[] = []
    for (const secret of this.#told) {
      for (let at = bytes.indexOf(secret); at >= 0; at = bytes.indexOf(secret, at + 1)) {
        found.push({ begin: at, end: at + secret.length })
      }
    }
    return found
  }
}

/** Fields that are secret by their message; of SCRAM's, the attributes that are. */
const SECRET_FIELDS: ReadonlyMap<string, string> = new Map([
  ['PasswordMessage', 'password'],
  ['AuthenticationMD5Password', 'salt'],
  ['BackendKeyData', 'secretKey'],
  ['CancelRequest', 'secretKey'],
  ['AuthenticationGSSContinue', 'data'],
  ['GSSResponse', 'data'],
])

/** Attributes of SCRAM that tell nothing: who it is, channel binding, how many iterations, which error. */
const OPEN_ATTRIBUTES = ['n=', 'c=', 'i=', 'e=', 'a=']

function secretRanges({ name, layout, bytes }: Dissection): Range[] {
  if (layout === null) return []
  const isSasl = SASL.has(name)
  const path = isSasl ? 'data' : SECRET_FIELDS.get(name)
  const field = annotate(layout, bytes).find((annotation) => annotation.path === path)
  if (field === undefined) return []
  if (isSasl) return scramRanges(name, field.bytes, field.offset)
  const isText = name === 'PasswordMessage'
  const isMd5 = isText && /^md5[0-9a-f]{32}\0$/.test(field.bytes.toString('latin1'))
  // The NUL has to stay, and that it is an MD5 answer need not be hidden.
  return [{ begin: field.offset + (isMd5 ? 3 : 0), end: field.offset + field.bytes.length - (isText ? 1 : 0) }]
}

function scramRanges(name: string, data: Buffer, offset: number): Range[] {
  return splitScram(data).flatMap(({ begin, valueBegin, valueEnd }, index) => {
    const attribute = data.toString('latin1', begin, valueBegin)
    const isGs2Header = name === 'SASLInitialResponse' && index < 2
    const isOpen = isGs2Header || OPEN_ATTRIBUTES.includes(attribute) || valueBegin === valueEnd
    return isOpen ? [] : [{ begin: offset + valueBegin, end: offset + valueEnd }]
  })
}

/** In order, apart from each other, none empty. */
function merge(ranges: readonly Range[]): Range[] {
  const merged: { begin: number; end: number }[] = []
  for (const { begin, end } of [...ranges].sort((one, other) => one.begin - other.begin)) {
    const last = merged.at(-1)
    if (begin === end) continue
    if (last !== undefined && begin <= last.end) last.end = Math.max(last.end, end)
    else merged.push({ begin, end })
  }
  return merged
}
