/**
 * A capture as a file: one JSON object a line. The first line says what it is, every other one is an entry.
 *
 *   {"format":"pg-deadline capture","version":1,"server":"127.0.0.1:5432","startedAtMs":null,"timeoutMs":3000,"secrets":"redacted"}
 *   {"ms":0,"attempt":1,"endpoint":"127.0.0.1:5432","encryption":"preferred","sliceMs":3000}
 *   {"ms":1.25,"state":"AwaitingTlsReply"}
 *   {"ms":1.5,"sent":"SSLRequest","hex":"0000000804d2162f"}
 *   {"ms":2,"received":"TLS reply","hex":"53"}
 *   {"ms":7.5,"tls":"TLSv1.3","cipher":"TLS_AES_256_GCM_SHA384","alpn":null}
 *   {"ms":9,"received":"BackendKeyData","hex":"4b0000000c000012677878787878","redacted":[[9,13]]}
 *   {"ms":9.5,"failed":"AwaitingVerdict","problem":"the server refused…"}
 *   {"ms":9.5,"end":"Ready","problem":null}
 *
 * The name of a message is for people, and must be what the bytes say. The parser takes what is written here and nothing else: a
 * capture that says something else was made by another version or by hand, and to guess would be to show what never was.
 */
import { Fault } from '../protocol/failure.ts'
import { printable } from '../protocol/printable.ts'
import {
  type Capture,
  type CaptureEntry,
  type CaptureHeader,
  InputError,
  type MessageEntry,
  type Range,
} from './capture.ts'
import { type Direction, Dissector } from './dissect.ts'

const FORMAT = 'pg-deadline capture'
const VERSION = 1

/** The name of bytes that are no message. */
const NO_MESSAGE = 'no message'

/** Write a capture, line by line, as it comes. */
class CaptureWriter {
  #names = new Dissector()

  header({ server, startedAtMs, timeoutMs, secrets }: CaptureHeader): string {
    return JSON.stringify({ format: FORMAT, version: VERSION, server, startedAtMs, timeoutMs, secrets })
  }

  entry(entry: CaptureEntry): string {
    const ms = rounded(entry.atMs)
    switch (entry.kind) {
      case 'attempt': {
        this.#names = new Dissector()
        const { attempt, endpoint, encryption, sliceMs } = entry
        return JSON.stringify({
          ms,
          attempt,
          endpoint,
          encryption,
          sliceMs: sliceMs === null ? null : rounded(sliceMs),
        })
      }
      case 'state':
        return JSON.stringify({ ms, state: entry.state })
      case 'message': {
        const { direction, bytes, redacted } = entry
        const ranges = redacted.map(({ begin, end }) => [begin, end])
        const shown = { [direction]: nameOf(this.#names, direction, bytes), hex: bytes.toString('hex') }
        return JSON.stringify({ ms, ...shown, ...(ranges.length > 0 && { redacted: ranges }) })
      }
      case 'tls':
        return JSON.stringify({ ms, tls: entry.version, cipher: entry.cipher, alpn: entry.alpnProtocol })
      case 'failed':
        return JSON.stringify({ ms, failed: entry.state, problem: entry.problem })
      case 'end':
        return JSON.stringify({ ms, end: entry.state, problem: entry.problem })
    }
  }
}

/** The whole file. */
export function writeCapture({ header, entries }: Capture): string {
  const writer = new CaptureWriter()
  return [writer.header(header), ...entries.map((entry) => writer.entry(entry))].map((line) => `${line}\n`).join('')
}

/** Whether a text is meant to be a capture. */
export function isCapture(text: string): boolean {
  // A list of 0x52 in braces is none.
  return /^\s*\{\s*"/.test(text)
}

/** Read a file. Throws InputError with the line, what was expected and what was found. */
export function parseCapture(text: string): Capture {
  const lines = text.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  const [first = '', ...others] = lines
  const header = parseHeader(new Line(1, first))
  let names = new Dissector()
  let lastMs = 0
  const entries = others.map((content, index) => {
    const line = new Line(index + 2, content)
    const entry = parseEntry(line)
    if (entry.atMs < lastMs) throw line.wrong('ms', `a time that does not go back, ${lastMs} or later`)
    lastMs = entry.atMs
    if (entry.kind === 'attempt') names = new Dissector()
    if (entry.kind === 'message') checkName(line, entry, names)
    return entry
  })
  return { header, entries }
}

function parseHeader(line: Line): CaptureHeader {
  if (line.fields['format'] !== FORMAT) throw line.wrong('format', `'${FORMAT}': is this a capture?`)
  if (line.fields['version'] !== VERSION) {
    throw line.wrong('version', `${VERSION}: this capture is for another version of pg-deadline`)
  }
  line.expectNothingBut('format', 'version', 'server', 'startedAtMs', 'timeoutMs', 'secrets')
  const secrets = line.text('secrets')
  if (secrets !== 'redacted' && secrets !== 'shown') throw line.wrong('secrets', "'redacted' or 'shown'")
  return {
    server: line.text('server'),
    startedAtMs: line.numberOrNull('startedAtMs'),
    timeoutMs: line.numberOrNull('timeoutMs'),
    secrets,
  }
}

function parseEntry(line: Line): CaptureEntry {
  const atMs = line.number('ms')
  if (line.has('attempt')) {
    line.expectNothingBut('ms', 'attempt', 'endpoint', 'encryption', 'sliceMs')
    return {
      kind: 'attempt',
      atMs,
      attempt: line.number('attempt'),
      endpoint: line.text('endpoint'),
      encryption: line.text('encryption'),
      sliceMs: line.numberOrNull('sliceMs'),
    }
  }
  if (line.has('state')) {
    line.expectNothingBut('ms', 'state')
    return { kind: 'state', atMs, state: line.text('state') }
  }
  for (const direction of ['sent', 'received'] as const) {
    if (!line.has(direction)) continue
    line.expectNothingBut('ms', direction, 'hex', 'redacted')
    const bytes = parseHex(line)
    return { kind: 'message', atMs, direction, bytes, redacted: parseRanges(line, bytes.length) }
  }
  if (line.has('tls')) {
    line.expectNothingBut('ms', 'tls', 'cipher', 'alpn')
    const [version, cipher, alpnProtocol] = [line.text('tls'), line.text('cipher'), line.textOrNull('alpn')]
    return { kind: 'tls', atMs, version, cipher, alpnProtocol }
  }
  if (line.has('failed')) {
    line.expectNothingBut('ms', 'failed', 'problem')
    return { kind: 'failed', atMs, state: line.text('failed'), problem: line.text('problem') }
  }
  if (line.has('end')) {
    line.expectNothingBut('ms', 'end', 'problem')
    return { kind: 'end', atMs, state: line.text('end'), problem: line.textOrNull('problem') }
  }
  throw line.problem('expected one of attempt, state, sent, received, tls, failed and end')
}

function parseHex(line: Line): Buffer {
  const hex = line.text('hex')
  if (!/^([0-9a-f]{2})+$/.test(hex)) throw line.wrong('hex', 'pairs of the digits 0 to 9 and a to f')
  return Buffer.from(hex, 'hex')
}

function parseRanges(line: Line, lengthBytes: number): Range[] {
  if (!line.has('redacted')) return []
  const expected = `pairs [begin, end] in order, within ${lengthBytes} bytes`
  const pairs: unknown = line.fields['redacted']
  if (!Array.isArray(pairs)) throw line.wrong('redacted', expected)
  let last = 0
  return pairs.map((pair: unknown) => {
    const [begin, end, ...more] = Array.isArray(pair) ? (pair as unknown[]) : []
    const isRange = Number.isInteger(begin) && Number.isInteger(end) && more.length === 0
    if (!isRange || (begin as number) < last || (end as number) <= (begin as number) || (end as number) > lengthBytes) {
      throw line.wrong('redacted', expected)
    }
    last = end as number
    return { begin: begin as number, end: end as number }
  })
}

function checkName(line: Line, { direction, bytes }: MessageEntry, names: Dissector): void {
  const name = nameOf(names, direction, bytes)
  if (line.text(direction) !== name) throw line.wrong(direction, `'${name}', which is what the bytes say`)
}

function nameOf(names: Dissector, direction: Direction, bytes: Buffer): string {
  try {
    return names.dissect(direction, bytes).name
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return NO_MESSAGE
  }
}

/** Microseconds are more than enough. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000
}

/** One line, and how to complain about it. */
class Line {
  readonly fields: Readonly<Record<string, unknown>>
  readonly #number: number

  constructor(number: number, content: string) {
    this.#number = number
    let value: unknown
    try {
      value = JSON.parse(content)
    } catch {
      throw this.problem(`expected a JSON object, got ${shown(content)}`)
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.problem(`expected a JSON object, got ${shown(content)}`)
    }
    this.fields = value as Record<string, unknown>
  }

  has(name: string): boolean {
    return Object.hasOwn(this.fields, name)
  }

  text(name: string): string {
    const value = this.fields[name]
    if (typeof value !== 'string') throw this.wrong(name, 'a string')
    return value
  }

  textOrNull(name: string): string | null {
    return this.fields[name] === null ? null : this.text(name)
  }

  number(name: string): number {
    const value = this.fields[name]
    if (typeof value !== 'number' || value < 0) throw this.wrong(name, 'a number of 0 or more')
    return value
  }

  numberOrNull(name: string): number | null {
    return this.fields[name] === null ? null : this.number(name)
  }

  expectNothingBut(...names: readonly string[]): void {
    const other = Object.keys(this.fields).find((name) => !names.includes(name))
    if (other !== undefined) throw this.problem(`expected ${names.join(', ')}, got ${shown(other)} too`)
  }

  wrong(name: string, expected: string): InputError {
    const got = this.has(name) ? shown(JSON.stringify(this.fields[name])) : 'nothing'
    return this.problem(`${name}: expected ${expected}, got ${got}`)
  }

  problem(problem: string): InputError {
    return new InputError(`line ${this.#number}`, problem)
  }
}

/** As much as helps to find it. */
function shown(text: string): string {
  const start = printable(text.slice(0, 40))
  return text === '' ? 'nothing' : text.length > 40 ? `${start}…` : start
}
