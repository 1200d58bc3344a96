/**
 * For programs: every entry as an object, with the fields of each message by name. `ndjson` gives a line for each as it comes,
 * `json` one document in the end. Neither can be replayed; what can is a capture (capture-file.ts).
 */
import type { CaptureEntry, Range } from './capture.ts'
import type { Dissection } from './dissect.ts'
import { explain } from './explain.ts'
import type { Format, FormatContext } from './format.ts'
import { Hearing } from './hear.ts'
import { rounded } from './numbers.ts'
import { RoundTrips } from './round-trips.ts'

export function formatNdjson(context: FormatContext): Format {
  const write = objectsOf(context)
  return {
    entry: (entry) => [encode(write.entry(entry))],
    finish: () => [encode({ kind: 'summary', ...write.summary() })],
  }
}

export function formatJson(context: FormatContext): Format {
  const write = objectsOf(context)
  const entries: object[] = []
  return {
    entry(entry) {
      entries.push(write.entry(entry))
      return []
    },
    finish() {
      const { server, startedAtMs, timeoutMs, secrets } = context.header
      return encode({ server, startedAtMs, timeoutMs, secrets, ...write.summary(), entries }, 2).split('\n')
    },
  }
}

function objectsOf({ header }: FormatContext) {
  const hearing = new Hearing(header)
  const trips = new RoundTrips()
  return {
    entry(entry: CaptureEntry): object {
      const { kind, ...rest } = entry
      const heard = hearing.hear(entry)
      const { state } = heard
      const atMs = rounded(entry.atMs)
      const leftMs = heard.leftMs === null ? null : rounded(heard.leftMs)
      if (entry.kind !== 'message') {
        trips.count(entry, null)
        const slice = entry.kind === 'attempt' && entry.sliceMs !== null ? { sliceMs: rounded(entry.sliceMs) } : {}
        return { kind, ...rest, atMs, leftMs, ...slice }
      }
      const { direction, bytes, redacted } = entry
      const understood = hearing.understand(entry)
      const about =
        'dissection' in understood
          ? describe(understood.dissection, redacted)
          : { name: null, problem: understood.problem }
      trips.count(entry, about.name)
      return { kind, atMs, leftMs, state, direction, ...about, lengthBytes: bytes.length, hex: bytes.toString('hex') }
    },
    summary: () => ({ roundTrips: trips.all.map(({ awaited }) => awaited) }),
  }
}

function describe(dissection: Dissection, redacted: readonly Range[]) {
  const hidden = explain(dissection)
    .filter(({ offset, bytes }) => redacted.some(({ begin, end }) => begin < offset + bytes.length && end > offset))
    .map(({ path }) => path)
  return { name: dissection.name, fields: plain(dissection.fields), ...(hidden.length > 0 && { redacted: hidden }) }
}

/** Bytes as hexadecimal digits, all else as JSON has it. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]))
}

/** JSON leaves some characters as they are that terminals act upon: those of printable.ts. */
function encode(value: object, indent?: number): string {
  return JSON.stringify(value, null, indent).replaceAll(/[\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
