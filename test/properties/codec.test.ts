/**
 * The codec: bytes become messages and messages bytes, and whatever else comes is refused as data. Each property begins with
 * its id, by which catalogue/codec.ts knows it.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { annotate } from '../../src/protocol/annotate.ts'
import { AUTHENTICATION_MESSAGES } from '../../src/protocol/authentication.ts'
import { BACKEND_MESSAGES, type BackendMessage, DataRow, decodeBackend } from '../../src/protocol/backend.ts'
import { decodeDataRow } from '../../src/protocol/data-row.ts'
import { type Failure, Fault } from '../../src/protocol/failure.ts'
import { FrameReader } from '../../src/protocol/frame.ts'
import { decodeFrontend, encodeFrontend, FRONTEND_MESSAGES, type PasswordKind } from '../../src/protocol/frontend.ts'
import type { FieldType, Shape } from '../../src/protocol/layout.ts'
import { LIMITS } from '../../src/protocol/limits.ts'
import { decodeBody, encodeMessage, type MessageLayout, type MessageOf } from '../../src/protocol/message.ts'
import { readReport } from '../../src/protocol/response-fields.ts'
import {
  decodeStartup,
  encodeStartup,
  STARTUP_MESSAGES,
  type StartupPacket,
  versionNumber,
} from '../../src/protocol/startup.ts'
import { decodeTlsReply } from '../../src/protocol/tls-reply.ts'
import { bodyOf } from '../../src/testing/arbitraries/body.ts'
import {
  arbitraryBackendMessage,
  arbitraryBody,
  arbitraryDamage,
  arbitraryFrontendMessage,
  arbitraryMessage,
  arbitrarySegmentation,
  arbitraryStartupPacket,
  arbitraryStartupParameters,
  segment,
} from '../../src/testing/arbitraries/index.ts'
import { encodeBackend } from '../../src/testing/index.ts'
import { check } from './check.ts'

const ALL: readonly MessageLayout[] = [
  ...STARTUP_MESSAGES,
  ...FRONTEND_MESSAGES,
  ...AUTHENTICATION_MESSAGES,
  ...BACKEND_MESSAGES,
]

/** A message's description, a lawful value of it, and its bytes. */
const anyMessage = fc
  .constantFrom(...ALL)
  .chain((layout) => arbitraryMessage(layout).map((value) => ({ layout, value, bytes: encodeMessage(layout, value) })))

const anyBody = fc.constantFrom(...ALL).chain((layout) => arbitraryBody(layout).map((body) => ({ layout, body })))

const conversation = fc.array(arbitraryBackendMessage(), { maxLength: 8 })

/** A stream of a server: honest, damaged, or noise that begins as a message does. */
const anyStream = fc.oneof(
  conversation.map(streamOf),
  arbitraryDamage(conversation.map(streamOf)),
  fc.uint8Array({ maxLength: 80 }).map((noise) => Buffer.from(noise)),
  fc
    .tuple(fc.constantFrom(...'RKSZvENATDCIGHWdc'), fc.uint8Array({ maxLength: 60 }))
    .map(([tag, noise]) => Buffer.concat([Buffer.from(tag, 'latin1'), Buffer.from([0, 0, 0]), noise])),
)

const PASSWORD_KINDS: readonly PasswordKind[] = ['PasswordMessage', 'SASLInitialResponse', 'SASLResponse']

describe('round trip', () => {
  it('codec-01: what a server says is read as it was said', () => {
    check(
      fc.property(conversation, (messages) => {
        expect(readAll(streamOf(messages), [Number.MAX_SAFE_INTEGER]).messages).toEqual(messages)
      }),
    )
  })

  it('codec-02: what a client says is read as it was said', () => {
    check(
      fc.property(arbitraryFrontendMessage(), (message) => {
        const bytes = encodeFrontend(message)
        const kind = PASSWORD_KINDS.find((name) => name === message.type) ?? 'PasswordMessage'
        expect(bytes.readInt32BE(1)).toBe(bytes.length - 1)
        expect(decodeFrontend(bytes.toString('latin1', 0, 1), bytes.subarray(5), kind)).toEqual(message)
      }),
    )
  })

  it('codec-03: what starts a connection is read as it was said, and a request never as a StartupMessage', () => {
    check(
      fc.property(arbitraryStartupPacket(), (packet) => {
        const bytes = encodeStartup(packet)
        expect(bytes.readInt32BE(0)).toBe(bytes.length)
        expect(decodeStartup(bytes.subarray(4))).toEqual(packet)
      }),
    )
  })

  it('codec-04: a body has one way to be written: what is read gives the same bytes again', () => {
    check(
      fc.property(anyBody, ({ layout, body }) => {
        const value = readable(layout, body)
        // U+FFFD stands for what was not UTF-8, and is not what was read.
        if (value === null || JSON.stringify(value).includes('\ufffd')) return
        expect(bodyOf(layout, value)).toEqual(body)
      }),
      500,
    )
  })
})

describe('a stream', () => {
  it('codec-05: gives the same messages however it is cut', () => {
    check(
      fc.property(conversation, arbitrarySegmentation(), (messages, cuts) => {
        const read = readAll(streamOf(messages), cuts)
        expect(read).toEqual({ messages, failure: null, pendingBytes: 0 })
      }),
    )
  })

  it('codec-06: that is broken breaks at the same message however it is cut', () => {
    check(
      fc.property(anyStream, arbitrarySegmentation(), (stream, cuts) => {
        expect(readAll(stream, cuts)).toEqual(readAll(stream, [Number.MAX_SAFE_INTEGER]))
      }),
      500,
    )
  })

  it('codec-07: of any bytes at all becomes messages, a wait for more, or a failure of kind malformed or limit', () => {
    check(
      fc.property(anyStream, arbitrarySegmentation(), fc.boolean(), (stream, cuts, isSession) => {
        const { failure, messages, pendingBytes } = readAll(stream, cuts, isSession)
        if (failure !== null) expect(['malformed', 'limit']).toContain(failure.kind)
        expect(5 * messages.length + pendingBytes).toBeLessThanOrEqual(stream.length)
      }),
      500,
    )
  })

  it('codec-08: gives every message before the one that is broken', () => {
    check(
      fc.property(conversation, arbitrarySegmentation(), fc.constantFrom(0x00, 0x21, 0xff), (messages, cuts, wrong) => {
        const read = readAll(Buffer.concat([streamOf(messages), Buffer.from([wrong])]), cuts)
        expect(read.messages).toEqual(messages)
        expect(read.failure).toMatchObject({ kind: 'malformed', field: 'tag', offset: 0 })
      }),
    )
  })

  it('codec-09: is refused at the first byte with which no message begins, before a length has come', () => {
    const tags = new Set([...AUTHENTICATION_MESSAGES, ...BACKEND_MESSAGES].map(({ tag }) => tag))
    for (let byte = 0; byte < 256; byte++) {
      const { failure, pendingBytes } = readAll(Buffer.from([byte]), [1])
      const isKnown = tags.has(String.fromCharCode(byte))
      expect({ byte, isRefused: failure !== null, pendingBytes }).toEqual({
        byte,
        isRefused: !isKnown,
        pendingBytes: 1,
      })
    }
  })

  it('codec-10: loses no byte: those handed out and those that wait are all that came', () => {
    check(
      fc.property(conversation, arbitrarySegmentation(), fc.nat(), (messages, cuts, where) => {
        const stream = streamOf(messages)
        const reader = new FrameReader()
        let lengthBytes = 0
        let received = 0
        for (const piece of segment(stream.subarray(0, where % (stream.length + 1)), cuts)) {
          reader.push(piece)
          received += piece.length
          for (let frame = reader.next(); frame !== null; frame = reader.next()) lengthBytes += frame.lengthBytes
          expect(lengthBytes + reader.pendingBytes).toBe(received)
        }
      }),
    )
  })
})

describe("totality on the server's side", () => {
  it('codec-11: any first packet is read or refused as malformed', () => {
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 64 }).map((noise) => Buffer.from(noise)),
      arbitraryDamage(arbitraryStartupPacket().map((packet) => encodeStartup(packet).subarray(4))),
    )
    check(fc.property(body, (bytes) => expectMalformed(() => decodeStartup(bytes), bytes.length)))
  })

  it('codec-12: any message of a client is read or refused as malformed', () => {
    const tagged = fc.tuple(
      fc.oneof(
        fc.constantFrom(...'pQdcfX'),
        fc.nat(255).map((code) => String.fromCharCode(code)),
      ),
      fc.constantFrom(...FRONTEND_MESSAGES).chain((layout) => arbitraryBody(layout)),
      fc.constantFrom(...PASSWORD_KINDS),
    )
    check(
      fc.property(tagged, ([tag, body, kind]) => {
        expectMalformed(() => decodeFrontend(tag, body, kind), body.length)
      }),
      500,
    )
  })
})

describe('locality of errors', () => {
  it('codec-13: a refusal names the message, and an offset within it', () => {
    check(
      fc.property(anyBody, ({ layout, body }) => {
        const failure = refusal(() => decodeBody(layout, body))
        if (failure === null) return
        expect(failure).toMatchObject({ kind: 'malformed', message: layout.name })
        if (failure.kind !== 'malformed') return
        expect(failure.offset).toBeGreaterThanOrEqual(0)
        expect(failure.offset).toBeLessThanOrEqual(body.length)
      }),
      500,
    )
  })

  it('codec-14: a byte that is changed is never blamed on a field that ends before it', () => {
    check(
      fc.property(anyMessage, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ layout, bytes }, where, change) => {
        const headerBytes = layout.tag === null ? 4 : 5
        if (bytes.length === headerBytes) return
        const at = headerBytes + (where % (bytes.length - headerBytes))
        const touched = annotate(layout, bytes).findLast(({ offset }) => offset <= at)
        const changed = Buffer.from(bytes)
        changed[at] = (changed[at] as number) ^ change
        const failure = refusal(() => decodeBody(layout, changed.subarray(headerBytes)))
        if (failure === null) return
        expect(failure.kind).toBe('malformed')
        if (failure.kind !== 'malformed') return
        expect(failure.offset + headerBytes).toBeGreaterThanOrEqual(touched?.offset as number)
      }),
      500,
    )
  })
})

describe('memory', () => {
  it('codec-15: what a length promises is not allocated: memory follows the bytes that came', () => {
    const promised = fc.integer({ min: 10_000, max: LIMITS.longBodyBytesMax })
    const pieces = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 })
    check(
      fc.property(fc.constantFrom(...'DTdENA'), promised, pieces, (tag, bodyBytes, lengths) => {
        const header = Buffer.alloc(5)
        header.write(tag, 0, 'latin1')
        header.writeInt32BE(bodyBytes + 4, 1)
        const chunks = [header, ...lengths.map((length) => Buffer.alloc(length, 1))]
        const reader = new FrameReader()
        reader.enterSession()
        const spent = allocationsDuring(() => {
          for (const chunk of chunks) {
            reader.push(chunk)
            expect(reader.next()).toBeNull()
          }
        })
        const received = chunks.reduce((sum, { length }) => sum + length, 0)
        // Memory doubles, or is exactly what has come: the sum of all that was ever taken is below six times that.
        expect(spent).toBeLessThanOrEqual(6 * received)
      }),
    )
  })

  it('codec-16: a count that promises more than came is refused, after no more work than there are bytes', () => {
    const counted = ALL.filter(({ fields }) => listsOf(fields).some((ends) => ends !== 'zero'))
    expect(counted.length).toBeGreaterThan(4)
    check(
      fc.property(fc.constantFrom(...counted), fc.uint8Array({ maxLength: 40 }), (layout, tail) => {
        const lengthBytes = offsetOfCount(layout.fields)
        const wide = listsOf(layout.fields).includes('count32')
        const count = Buffer.from(wide ? '7fffffff' : '7fff', 'hex')
        const body = Buffer.concat([Buffer.alloc(lengthBytes, 1), count, tail])
        const read = vi.spyOn(body, 'readInt32BE')
        expect(refusal(() => decodeBody(layout, body))).toMatchObject({ kind: 'malformed', message: layout.name })
        expect(read.mock.calls.length).toBeLessThanOrEqual(10 + 10 * body.length)
      }),
    )
  })

  it('codec-17: a message that was read does not change when the memory that it came in is used again', () => {
    check(
      fc.property(conversation, arbitrarySegmentation(), (messages, cuts) => {
        const reader = new FrameReader()
        const read: BackendMessage[] = []
        for (const piece of segment(streamOf(messages), cuts)) {
          reader.push(piece)
          for (let frame = reader.next(); frame !== null; frame = reader.next()) {
            read.push(decodeBackend(frame.tag, frame.body))
            frame.body.fill(0xaa)
          }
        }
        expect(read).toEqual(messages)
      }),
    )
  })

  it('codec-18: the reader writes into no chunk that it was given, nor behind it', () => {
    check(
      fc.property(anyStream, arbitrarySegmentation(), fc.nat(20), (stream, cuts, roomBytes) => {
        const memories = segment(stream, cuts).map((piece) => {
          const memory = Buffer.concat([Buffer.alloc(roomBytes, 0xee), piece, Buffer.alloc(roomBytes, 0xee)])
          return { memory, before: Buffer.from(memory), piece: memory.subarray(roomBytes, roomBytes + piece.length) }
        })
        const reader = new FrameReader()
        for (const { piece } of memories) {
          reader.push(piece)
          if (refusal(() => drain(reader)) !== null) break
        }
        for (const { memory, before } of memories) expect(memory).toEqual(before)
      }),
    )
  })
})

describe('a bound', () => {
  it('codec-29: on a body is exact, for every tag before and after ReadyForQuery, and known at the fifth byte', () => {
    const beyond = fc.integer({ min: -3, max: 3 })
    check(
      fc.property(fc.constantFrom(...'RvKSZENATDCIGHWdc'), fc.boolean(), beyond, (tag, isSession, more) => {
        // libpq: 2,000 for authentication (PQconnectPoll), 30,000 for short messages; a gigabyte is MaxAllocSize.
        const isLong = isSession && 'DTdENA'.includes(tag)
        const bodyMax = 'Rv'.includes(tag) ? 2_000 : isLong ? 0x3fff_ffff : 30_000
        const header = Buffer.alloc(5)
        header.write(tag, 0, 'latin1')
        header.writeInt32BE(4 + bodyMax + more, 1)
        const { failure } = readAll(header, [1], isSession)
        expect(failure && { kind: failure.kind }).toEqual(more > 0 ? { kind: 'limit' } : null)
        // A length counts itself, and Int32 is signed: below four there is none that could be lawful.
        header.writeInt32BE(more, 1)
        expect(readAll(header, [1], isSession).failure).toMatchObject({ kind: 'malformed', field: 'length' })
      }),
    )
  })
})

describe('the encoder', () => {
  it('codec-19: refuses a number that would wrap, and names its field', () => {
    const spoilt = anySpoilt((type) => (type.kind === 'integer' ? outsideOf(type.bytes) : null))
    check(fc.property(spoilt, ({ layout, value, path }) => void expectUnsendable(layout, value, path)))
  })

  it('codec-20: refuses a NUL in every string, wherever it stands', () => {
    const spoilt = anySpoilt((type) =>
      type.kind === 'string'
        ? fc.tuple(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 })).map(([one, other]) => `${one}\0${other}`)
        : null,
    )
    check(fc.property(spoilt, ({ layout, value, path }) => void expectUnsendable(layout, value, path)))
  })

  it('codec-21: refuses every value of another type, and what is missing, and shows none of it', () => {
    const wrong = fc.constantFrom(
      undefined,
      true,
      'hunter2\ud800',
      'hunter2\0',
      Symbol('hunter2'),
      { hunter2: 1 },
      -0.5,
    )
    const spoilt = anySpoilt(() => wrong)
    check(
      fc.property(spoilt, ({ layout, value, path }) => {
        const message = expectUnsendable(layout, value, path)
        expect(message).not.toContain('hunter2')
        expect(message).toMatch(/^[\x20-\x7e]+$/)
      }),
    )
  })

  it('codec-22: refuses a StartupMessage of more than 10,000 bytes, and no shorter one', () => {
    check(
      fc.property(arbitraryStartupParameters(), fc.integer({ min: -3, max: 3 }), (parameters, beyond) => {
        const packet = (value: string): StartupPacket => ({
          type: 'StartupMessage',
          protocolVersion: versionNumber('3.2'),
          parameters: [...parameters, { name: 'options', value }],
        })
        const emptyBytes = encodeStartup(packet('')).length
        const filled = packet('x'.repeat(LIMITS.startupMessageBytesMax - emptyBytes + beyond))
        if (beyond > 0) expect(() => encodeStartup(filled)).toThrow(RangeError)
        else expect(encodeStartup(filled)).toHaveLength(LIMITS.startupMessageBytesMax + beyond)
      }),
      50,
    )
  })

  it('codec-23: writes start-up parameters that a reader of NUL-ended strings finds in the same order', () => {
    check(
      fc.property(arbitraryStartupParameters(), fc.constantFrom('3.0', '3.2'), (parameters, version) => {
        const bytes = encodeStartup({
          type: 'StartupMessage',
          protocolVersion: versionNumber(version),
          parameters,
        })
        expect(bytes.readInt32BE(4)).toBe(version === '3.0' ? 196_608 : 196_610)
        // As in ProcessStartupPacket: name, NUL, value, NUL, and so on; one more NUL ends it.
        expect(bytes.subarray(-2)).toEqual(Buffer.from([0, 0]))
        const strings = bytes.toString('utf8', 8, bytes.length - 2).split('\0')
        expect(strings).toEqual(parameters.flatMap(({ name, value }) => [name, value]))
      }),
    )
  })
})

describe('the annotation', () => {
  it('codec-24: covers every byte of a message exactly once, in order', () => {
    check(
      fc.property(anyMessage, ({ layout, bytes }) => {
        let end = 0
        for (const { offset, bytes: part } of annotate(layout, bytes)) {
          expect(offset).toBe(end)
          expect(part.length).toBeGreaterThan(0)
          end += part.length
        }
        expect(end).toBe(bytes.length)
        expect(Buffer.concat(annotate(layout, bytes).map(({ bytes: part }) => part))).toEqual(bytes)
      }),
    )
  })
})

describe('what is read by hand', () => {
  it('codec-25: a DataRow gives what its description gives, and is refused at the same place', () => {
    check(
      fc.property(arbitraryBody(DataRow), (body) => {
        const described = refusal(() => decodeBody(DataRow, body))
        const byHand = refusal(() => decodeDataRow(body))
        expect(byHand && { ...byHand, problem: '' }).toEqual(described && { ...described, problem: '' })
        if (described !== null) return
        const { values } = decodeBody(DataRow, body)
        expect(decodeDataRow(body)).toEqual(values.map((value) => value && Buffer.from(value).toString('utf8')))
      }),
      500,
    )
  })

  it('codec-26: the answer to SSLRequest is S or N alone, the beginning of an error, or misbehaviour', () => {
    const received = fc.oneof(
      fc.constantFrom(...'SNE').map((letter) => Buffer.from(letter)),
      fc
        .tuple(fc.constantFrom(...'SNE'), fc.uint8Array({ minLength: 1, maxLength: 40 }))
        .map(([letter, rest]) => Buffer.concat([Buffer.from(letter), rest])),
      fc.uint8Array({ minLength: 1, maxLength: 40 }).map((noise) => Buffer.from(noise)),
    )
    check(
      fc.property(received, (bytes) => {
        const first = bytes.toString('latin1', 0, 1)
        const failure = refusal(() => decodeTlsReply(bytes))
        const isLawful = first === 'E' || ((first === 'S' || first === 'N') && bytes.length === 1)
        if (isLawful) expect(decodeTlsReply(bytes)).toBe(first)
        else expect(failure?.kind).toBe('misbehaved')
      }),
    )
  })
})

describe('what is shown to people', () => {
  it('codec-27: no text of a failure has a control character or one that turns the line', () => {
    check(
      fc.property(anyStream, fc.boolean(), (stream, isSession) => {
        for (const failure of [
          readAll(stream, [7], isSession).failure,
          refusal(() => decodeStartup(stream)),
          refusal(() => decodeTlsReply(Buffer.concat([Buffer.from('x'), stream]))),
        ]) {
          if (failure !== null) expectPrintable(failure)
        }
      }),
      500,
    )
  })

  it('codec-28: no text of an error or a notice has a control character but line ends and tabs', () => {
    const report = fc.constantFrom(...BACKEND_MESSAGES).filter(({ name }) => /^(Error|Notice)Response$/.test(name))
    check(
      fc.property(
        report.chain((layout) => arbitraryMessage(layout)),
        (message) => {
          if (message.type !== 'ErrorResponse' && message.type !== 'NoticeResponse') return
          const { fields, ...rest } = readReport(message)
          expectPrintable({ ...rest, fields: [...fields].flat() })
        },
      ),
    )
  })
})

// ---------------------------------------------------------------------------------------------------
// Helpers, in the order of their first use

function streamOf(messages: readonly BackendMessage[]): Buffer {
  return Buffer.concat(messages.map(encodeBackend))
}

interface Read {
  readonly messages: readonly BackendMessage[]
  readonly failure: Failure | null
  readonly pendingBytes: number
}

function readAll(stream: Buffer, cuts: readonly number[], isSession = false): Read {
  const reader = new FrameReader()
  if (isSession) reader.enterSession()
  const messages: BackendMessage[] = []
  let failure: Failure | null = null
  for (const piece of segment(stream, cuts)) {
    reader.push(piece)
    failure ??= refusal(() => drain(reader, messages))
  }
  return { messages, failure, pendingBytes: reader.pendingBytes }
}

function drain(reader: FrameReader, messages: BackendMessage[] = []): void {
  for (let frame = reader.next(); frame !== null; frame = reader.next()) {
    messages.push(decodeBackend(frame.tag, frame.body))
  }
}

function readable(layout: MessageLayout, body: Buffer) {
  return refusal(() => decodeBody(layout, body)) === null ? decodeBody(layout, body) : null
}

/** What it fails with, as data; anything but a Fault is a defect and is thrown on. */
function refusal(action: () => unknown): Failure | null {
  try {
    action()
    return null
  } catch (error) {
    if (error instanceof Fault) return error.failure
    throw error
  }
}

function expectMalformed(action: () => unknown, lengthBytes: number): void {
  const failure = refusal(action)
  if (failure === null) return
  expect(failure.kind).toBe('malformed')
  if (failure.kind === 'malformed') expect(failure.offset).toBeLessThanOrEqual(lengthBytes)
}

/** The bytes that were asked of Buffer meanwhile. */
function allocationsDuring(action: () => void): number {
  let sum = 0
  const spies = (['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const).map((name) => {
    const original = Buffer[name]
    return vi.spyOn(Buffer, name).mockImplementation((size: number) => {
      sum += size
      return original(size)
    })
  })
  const before = process.memoryUsage().arrayBuffers
  try {
    action()
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
  // What does not come from Buffer shows here.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000)
  return sum
}

function listsOf(fields: Shape): string[] {
  return Object.values(fields).flatMap(({ type }) => (type.kind === 'list' ? [type.ends] : []))
}

function offsetOfCount(fields: Shape): number {
  let offset = 0
  for (const { type } of Object.values(fields)) {
    if (type.kind === 'list') break
    offset += type.kind === 'integer' ? type.bytes : 1
  }
  return offset
}

/** What does not fit into so many bytes, is no whole number, or none at all. */
function outsideOf(bytes: number): fc.Arbitrary<unknown> {
  const bound = 2 ** (8 * bytes - 1)
  return fc.oneof(
    fc.integer({ min: bound, max: Number.MAX_SAFE_INTEGER }),
    fc.integer({ min: -Number.MAX_SAFE_INTEGER, max: -bound - 1 }),
    fc.constantFrom(bound, -bound - 1),
    fc.constantFrom(0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32, 2 ** 64, 1n),
  )
}

interface Spoilt {
  readonly layout: MessageLayout
  readonly value: MessageOf<MessageLayout>
  /** The path of the field that is unlawful. */
  readonly path: string
}

/** A lawful value but for one field, to which `choose` gives what it must not have. null: not to this one. */
function anySpoilt(choose: (type: FieldType) => fc.Arbitrary<unknown> | null): fc.Arbitrary<Spoilt> {
  const places = ALL.flatMap((layout) =>
    leavesOf(layout.fields).flatMap(({ path, type }) => {
      const unlawful = choose(type)
      return unlawful === null ? [] : [{ layout, path, unlawful }]
    }),
  )
  expect(places.length).toBeGreaterThan(10)
  return fc.constantFrom(...places).chain(({ layout, path, unlawful }) =>
    fc.tuple(arbitraryMessage(layout), unlawful).map(([value, wrong]) => ({
      layout,
      path: path.join('.'),
      value: replaced(value, path, wrong, layout) as MessageOf<MessageLayout>,
    })),
  )
}

interface Leaf {
  readonly path: readonly string[]
  readonly type: FieldType
}

/** Every field that has a value of its own; of a list, its first item. */
function leavesOf(fields: Shape, before: readonly string[] = []): Leaf[] {
  return Object.entries(fields).flatMap(([name, { type }]) => leavesOfType(type, [...before, name]))
}

function leavesOfType(type: FieldType, path: readonly string[]): Leaf[] {
  if (type.kind === 'integer' && type.constant !== undefined) return []
  if (type.kind === 'struct') return leavesOf(type.fields, path)
  if (type.kind === 'list') return leavesOfType(type.of.type, [...path, '0'])
  return [{ path, type }]
}

/** The value with another one at this path. A list that is empty is given an item to be spoilt. */
function replaced(value: unknown, [name, ...rest]: readonly string[], wrong: unknown, layout: MessageLayout): unknown {
  if (name === undefined) return wrong
  if (name !== '0') {
    const fields = value as Readonly<Record<string, unknown>>
    return { ...fields, [name]: replaced(fields[name], rest, wrong, layout) }
  }
  const [first, ...others] = value as readonly unknown[]
  return [replaced(first ?? itemOf(layout), rest, wrong, layout), ...others]
}

/** A lawful item of the one list that a message has. */
function itemOf(layout: MessageLayout): unknown {
  const list = Object.values(layout.fields).find(({ type }) => type.kind === 'list')?.type
  if (list?.kind !== 'list' || list.of.type.kind !== 'struct') return null
  const plain = (type: FieldType) => (type.kind === 'integer' ? 0 : 'x')
  return Object.fromEntries(Object.entries(list.of.type.fields).map(([name, { type }]) => [name, plain(type)]))
}

/** The text of the RangeError that a value must end in. */
function expectUnsendable(layout: MessageLayout, value: MessageOf<MessageLayout>, path: string): string {
  try {
    encodeMessage(layout, value)
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError)
    const { message } = error as RangeError
    expect(message.startsWith(`${layout.name}.${path} cannot be sent: `), message).toBe(true)
    return message
  }
  throw new Error(`${layout.name}.${path} was sent`)
}

/** No C0 but tab and line end, no C1, nothing that turns the direction: every string in it, names of fields included. */
function expectPrintable(failure: unknown): void {
  for (const text of textsOf(failure)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/)
  }
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : []
}
