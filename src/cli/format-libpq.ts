/**
 * As libpq itself writes it (PQtrace), so that two clients can be compared line by line. Two dialects: what libpq 18 writes, and
 * what 14 to 17 do, which leave out most of the start-up. The oddities are libpq's, and kept on purpose: some messages are not
 * there, of some it prints less than there is and complains about itself, control characters are printed as they are.
 *
 * After src/interfaces/libpq/fe-trace.c and its callers in PostgreSQL 15 and 18. Manual: #LIBPQ-PQTRACE, #LIBPQ-PQSETTRACEFLAGS.
 */
import { type Field, type FieldType, readField, type Shape } from '../protocol/layout.ts'
import { printable } from '../protocol/printable.ts'
import type { MessageEntry } from './capture.ts'
import type { Dissection } from './dissect.ts'
import type { Format, FormatContext, LibpqOptions } from './format.ts'
import { Hearing } from './hear.ts'

export function formatLibpq({ header, libpq, screen }: FormatContext): Format {
  const hearing = new Hearing(header)
  let isAuthenticated = false

  return {
    entry(entry) {
      const { kind, atMs } = entry
      hearing.hear(entry)
      if (kind === 'attempt') isAuthenticated = false
      if (kind !== 'message') return []
      const understood = hearing.understand(entry)
      // libpq does not trace what it cannot read.
      if ('problem' in understood) return []
      const { dissection } = understood
      const isTraced = traces(dissection, entry)
      isAuthenticated ||= dissection.name === 'AuthenticationOk'
      if (!isTraced) return []
      const [first = '', ...complaints] = new Line(dissection, entry, libpq).lines
      const time = libpq.suppressTimestamps ? '' : `${timestamp((header.startedAtMs ?? 0) + atMs)}\t`
      // Exactly as libpq writes it, unless somebody looks at it.
      return [`${time}${first}`, ...complaints].map((line) => (screen.isTerminal ? printable(line) : line))
    },
    finish: () => [],
  }

  function traces({ name }: Dissection, { direction }: MessageEntry): boolean {
    if (name === 'TLS record') return false
    if (direction === 'sent') return true
    if (libpq.dialect === '18') return name !== 'AuthenticationOk'
    // Up to 17 the start-up has a reader of its own, which does not trace.
    // So has COPY.
    return isAuthenticated && !['AuthenticationOk', 'CopyData', 'TLS reply'].includes(name)
  }
}

/** What one message is in libpq's words. */
class Line {
  readonly #dissection: Dissection
  readonly #options: LibpqOptions
  #text = ''
  /** How many bytes libpq's own printing has used, tag included. */
  #cursor = 0

  constructor(dissection: Dissection, entry: MessageEntry, options: LibpqOptions) {
    this.#dissection = dissection
    this.#options = options
    const { name, layout, bytes } = dissection
    if (layout === null) {
      this.#text = `B\t1\t${name === 'TLS reply' ? 'SSLResponse' : name}\t ${bytes.toString('latin1')}`
      this.#cursor = -1
      return
    }
    const headerBytes = layout.tag === null ? 4 : 5
    const length = bytes.readInt32BE(headerBytes - 4)
    const { regressMode } = options
    const isReport = regressMode && (name === 'ErrorResponse' || name === 'NoticeResponse')
    this.#text = `${entry.direction === 'sent' ? 'F' : 'B'}\t${isReport ? 'NN' : length}\t`
    this.#cursor = headerBytes
    if (layout.tag === null) this.#untagged(length, layout.fields)
    else this.#tagged(layout.tag, layout.fields)
  }

  get lines(): string[] {
    const { layout, bytes } = this.#dissection
    // It checks its own printing of messages with a tag, which its length does not count.
    if (layout === null || layout.tag === null) return [this.#text]
    const [consumed, expected] = [this.#cursor - 1, bytes.length - 1]
    if (consumed === expected) return [this.#text]
    return [this.#text, `mismatched message length: consumed ${consumed}, expected ${expected}`]
  }

  #untagged(length: number, fields: Shape): void {
    const { name, bytes } = this.#dissection
    const isCancel = name === 'CancelRequest'
    if (this.#options.dialect === '15') {
      if (length !== 16) {
        this.#text += `Unknown message: length is ${length}`
        return
      }
      this.#text += 'CancelRequest\t'
      for (let index = 0; index < 3; index += 1) this.#int32(false)
      return
    }
    this.#text += `${name}\t`
    this.#int16()
    this.#int16()
    if (isCancel) {
      this.#int32(this.#options.regressMode)
      this.#int32(this.#options.regressMode)
    } else if (name === 'StartupMessage') {
      const { parameters } = fields as { parameters: Field<readonly { name: string; value: string }[]> }
      for (const one of readField(parameters, bytes, this.#cursor).value) {
        this.#string(Buffer.from(one.name), false)
        this.#string(Buffer.from(one.value), false)
      }
    }
  }

  #tagged(tag: string, fields: Shape): void {
    const { name } = this.#dissection
    const { dialect } = this.#options
    if (tag === 'p' && dialect === '15') {
      this.#text += `Unknown message: ${Buffer.from(tag).toString('hex')}`
      return
    }
    // Up to 17 COPY data is left out altogether, its name too.
    if (name === 'CopyData' && dialect === '15') return
    const isBare = Object.keys(fields).every((field) => field === 'code') || name === 'AuthenticationMD5Password'
    this.#text += isBare ? name : `${name}\t`
    if (tag === 'R') this.#cursor += 4
    if (isBare) return
    if (name === 'BackendKeyData') {
      // Of a key of 3.2 it prints the beginning.
      this.#int32(this.#options.regressMode)
      this.#int32(this.#options.regressMode)
      return
    }
    if (name === 'NegotiateProtocolVersion' && dialect === '15') {
      this.#int32(false)
      this.#int32(false)
      return
    }
    for (const [path, { type }] of Object.entries(fields)) if (path !== 'code') this.#field(type, path)
  }

  #field(type: FieldType, path: string): void {
    const { bytes } = this.#dissection
    switch (type.kind) {
      case 'integer':
        if (type.bytes === 4) this.#int32(this.#options.regressMode && VARYING.has(path))
        else if (type.bytes === 2) this.#int16()
        else this.#character()
        return
      case 'character':
        this.#character()
        return
      case 'string':
        this.#string(this.#untilNul(), false)
        return
      case 'bytes':
        this.#bytes(bytes.length - this.#cursor, this.#options.regressMode && this.#options.dialect === '18')
        return
      case 'sized': {
        const length = this.#int32(false)
        const isSasl = this.#dissection.name === 'SASLInitialResponse'
        if (length !== -1) this.#bytes(length, isSasl && this.#options.regressMode)
        return
      }
      case 'struct':
        for (const [name, field] of Object.entries(type.fields)) this.#field(field.type, name)
        return
      case 'list':
        this.#list(type, path)
        return
    }
  }

  #list(type: Extract<FieldType, { kind: 'list' }>, path: string): void {
    const { bytes, name } = this.#dissection
    if (type.ends !== 'zero') {
      const count = type.ends === 'count16' ? this.#int16() : this.#int32(false)
      for (let index = 0; index < count; index += 1) this.#field(type.of.type, path)
      return
    }
    if (name === 'AuthenticationSASL') {
      while (bytes[this.#cursor] !== 0) this.#string(this.#untilNul(), false)
      this.#string(this.#untilNul(), false)
      return
    }
    // ErrorResponse and NoticeResponse: a letter, a text, and a zero where the next letter would be.
    for (;;) {
      const letter = bytes[this.#cursor] as number
      this.#character()
      if (letter === 0) return
      this.#string(this.#untilNul(), this.#options.regressMode && 'LFR'.includes(String.fromCharCode(letter)))
    }
  }

  #untilNul(): Buffer {
    const { bytes } = this.#dissection
    return bytes.subarray(this.#cursor, bytes.indexOf(0, this.#cursor))
  }

  /** Unsigned, as libpq has it: a size of -1 is 65535. */
  #int16(): number {
    const value = this.#dissection.bytes.readUInt16BE(this.#cursor)
    this.#cursor += 2
    this.#text += ` ${value}`
    return value
  }

  #int32(isSuppressed: boolean): number {
    const four = this.#dissection.bytes.subarray(this.#cursor, this.#cursor + 4)
    // Of a key that is shorter, libpq reads what lies behind the message; here these are zeroes.
    const value = Buffer.concat([four], 4).readInt32BE()
    this.#cursor += 4
    this.#text += isSuppressed ? ' NNNN' : ` ${value}`
    return value
  }

  #character(): void {
    const byte = this.#dissection.bytes[this.#cursor] as number
    this.#cursor += 1
    this.#text += ` ${shownByte(byte)}`
  }

  #string(value: Buffer, isSuppressed: boolean): void {
    this.#cursor += value.length + 1
    this.#text += isSuppressed ? ' "SSSS"' : ` "${value.toString('utf8')}"`
  }

  #bytes(length: number, isSuppressed: boolean): void {
    const value = this.#dissection.bytes.subarray(this.#cursor, this.#cursor + length)
    this.#cursor += length
    this.#text += isSuppressed ? " 'BBBB'" : ` '${[...value].map(shownByte).join('')}'`
  }
}

/** Object identifiers and process ids: fields that REGRESS_MODE hides. */
const VARYING = new Set(['processId', 'tableOid', 'typeOid', 'parameterTypes', 'functionOid'])

/** isprint of the C locale. */
function shownByte(byte: number): string {
  return byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
}

/** Local time with microseconds. */
function timestamp(epochMs: number): string {
  const parts = new Map(TIME.formatToParts(Math.floor(epochMs)).map(({ type, value }) => [type, value]))
  const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name)
  const date = `${part('year')}-${part('month')}-${part('day')}`
  // The whole seconds of every time zone begin together.
  const microseconds = Math.floor((epochMs % 1_000) * 1_000)
  return `${date} ${part('hour')}:${part('minute')}:${part('second')}.${String(microseconds).padStart(6, '0')}`
}

const TIME = new Intl.DateTimeFormat('en-US', {
  ...{ year: 'numeric', month: '2-digit', day: '2-digit' },
  ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
})
