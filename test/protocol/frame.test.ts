import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { type Frame, FrameReader } from '../../src/protocol/frame.ts'
import { failureOf } from '../auth/failure-of.ts'
import { wire } from './wire.ts'

/** libpq's VALID_LONG_MESSAGE_TYPE, as far as we know its messages. */
const LONG_TAGS = 'DTdENA'
const TAGS = [...'ACDEGHIKNRSTWZcdv']

interface Sent {
  readonly tag: string
  readonly body: Buffer
}

const sent: fc.Arbitrary<readonly Sent[]> = fc.array(
  fc.record({
    tag: fc.constantFrom(...TAGS),
    body: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 12 },
)

/** Where a stream is cut: the lengths of the pieces, over and over. A piece may be empty. */
const pieces = fc.oneof(
  fc.array(fc.nat(60), { minLength: 1, maxLength: 8 }).filter((lengths) => lengths.some((length) => length > 0)),
  fc.constantFrom([1], [5], [1, 0], [4, 1], [Number.MAX_SAFE_INTEGER]),
)

describe('a stream of frames', () => {
  it('gives the same frames however it is cut, and they never change afterwards', () => {
    fc.assert(
      fc.property(sent, pieces, fc.boolean(), (frames, lengths, eager) => {
        const reader = new FrameReader()
        const read: Frame[] = []
        const copies: Buffer[] = []
        const take = () => {
          for (let frame = reader.next(); frame !== null; frame = reader.next()) {
            read.push(frame)
            copies.push(Buffer.from(frame.body))
          }
        }
        for (const piece of cut(Buffer.concat(frames.map(frameOf)), lengths)) {
          reader.push(piece)
          if (eager) take()
        }
        take()
        expect(read.map(({ tag, body }) => ({ tag, body }))).toEqual(frames)
        expect(read.map(({ lengthBytes }) => lengthBytes)).toEqual(frames.map(({ body }) => 5 + body.length))
        expect(read.map(({ body }) => body)).toEqual(copies)
        expect(reader.pendingBytes).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  it('ends within a frame wherever it is cut off, and no byte is lost', () => {
    fc.assert(
      fc.property(sent, fc.nat(), (frames, where) => {
        const whole = Buffer.concat(frames.map(frameOf))
        const end = where % (whole.length + 1)
        const reader = new FrameReader()
        reader.push(whole.subarray(0, end))
        let readBytes = 0
        for (let frame = reader.next(); frame !== null; frame = reader.next()) readBytes += frame.lengthBytes
        expect(readBytes + reader.pendingBytes).toBe(end)
        reader.push(whole.subarray(end))
        for (let frame = reader.next(); frame !== null; frame = reader.next()) readBytes += frame.lengthBytes
        expect(readBytes).toBe(whole.length)
      }),
    )
  })

  it('is a ReadyForQuery: tag, length, body', () => {
    const reader = new FrameReader()
    reader.push(wire('5a  00 00 00 05  49'))
    expect(reader.next()).toEqual({ tag: 'Z', body: wire('49'), lengthBytes: 6 })
    expect(reader.next()).toBeNull()
  })

  it('has nothing before anything came', () => {
    const reader = new FrameReader()
    expect(reader.next()).toBeNull()
    reader.push(Buffer.alloc(0))
    expect(reader.next()).toBeNull()
    expect(reader.pendingBytes).toBe(0)
  })

  it('counts the bytes that came and were not handed out', () => {
    const reader = new FrameReader()
    const counts: number[] = []
    for (const byte of wire('5a 00 00 00 05 49 43')) {
      reader.push(Buffer.from([byte]))
      counts.push(reader.pendingBytes)
    }
    expect(counts).toEqual([1, 2, 3, 4, 5, 6, 7])
    reader.next()
    expect(reader.pendingBytes).toBe(1)
  })

  it('is handed out without copies where it came in one piece', () => {
    const reader = new FrameReader()
    const chunk = Buffer.concat([wire('43 00 00 00 06 41 00'), wire('5a 00 00 00 05 49')])
    reader.push(chunk)
    expect(reader.next()?.body.buffer).toBe(chunk.buffer)
    expect(reader.next()?.body.buffer).toBe(chunk.buffer)
  })

  it('does not write into a chunk, although there is room behind it', () => {
    const memory = Buffer.alloc(32, 0xee)
    wire('5a 00 00').copy(memory)
    const reader = new FrameReader()
    reader.push(memory.subarray(0, 3))
    reader.push(wire('00 05 49'))
    expect(reader.next()?.body).toEqual(wire('49'))
    expect(memory.subarray(3).every((byte) => byte === 0xee)).toBe(true)
  })

  it('loses nothing of what follows ReadyForQuery when the session begins', () => {
    const reader = new FrameReader()
    reader.push(wire('5a 00 00 00 05 49   41 00 00 00 0a  00 00 00 01'))
    expect(reader.next()?.tag).toBe('Z')
    expect(reader.next()).toBeNull()
    reader.enterSession()
    expect(reader.pendingBytes).toBe(9)
    reader.push(wire('61 00'))
    expect(reader.next()).toEqual({ tag: 'A', body: wire('00 00 00 01 61 00'), lengthBytes: 11 })
  })
})

describe('a length', () => {
  it.each([
    ['00 00 00 00', 0],
    ['00 00 00 03', 3],
    ['ff ff ff ff', -1],
    ['80 00 00 00', -2_147_483_648],
  ])('below four is refused at its last byte: %s', (length, value) => {
    for (const enter of [false, true]) {
      const reader = new FrameReader()
      if (enter) reader.enterSession()
      for (const byte of [0x53, ...wire(length).subarray(0, 3)]) {
        reader.push(Buffer.from([byte]))
        expect(reader.next()).toBeNull()
      }
      reader.push(wire(length).subarray(3))
      expect(failureOf(() => reader.next())).toEqual({
        kind: 'malformed',
        message: "'S'",
        field: 'length',
        offset: 0,
        problem: `expected a length of 4 or more, got ${value}`,
      })
    }
  })

  it('of four is a message without a body', () => {
    const reader = new FrameReader()
    reader.push(wire('49 00 00 00 04'))
    expect(reader.next()).toEqual({ tag: 'I', body: Buffer.alloc(0), lengthBytes: 5 })
  })

  it.each(TAGS)('beyond the limit is refused at its last byte, and no memory is taken for it: %s', (tag) => {
    const startupMax = tag === 'R' || tag === 'v' ? 2_000 : 30_000
    for (const [limit, session] of [
      [startupMax, false],
      [LONG_TAGS.includes(tag) ? 0x3fff_ffff : startupMax, true],
    ] as const) {
      const reader = new FrameReader()
      if (session) reader.enterSession()
      const header = headerOf(tag, limit + 1)
      const used = meter()
      for (const byte of header.subarray(0, 4)) {
        reader.push(Buffer.from([byte]))
        expect(reader.next()).toBeNull()
      }
      reader.push(header.subarray(4))
      expect(failureOf(() => reader.next())).toEqual({
        kind: 'limit',
        what: `bytes in the body of a message '${tag}'`,
        limit,
        received: limit + 1,
      })
      expect(used.stop().allocatedBytes).toBeLessThan(64)
    }
  })

  it.each(TAGS)('that is the limit exactly is lawful, and no memory is taken before it is there: %s', (tag) => {
    const startupMax = tag === 'R' || tag === 'v' ? 2_000 : 30_000
    const startup = new FrameReader()
    startup.push(headerOf(tag, startupMax))
    expect(startup.next()).toBeNull()
    startup.push(Buffer.alloc(startupMax))
    expect(startup.next()?.lengthBytes).toBe(5 + startupMax)

    const session = new FrameReader()
    session.enterSession()
    const used = meter()
    session.push(headerOf(tag, LONG_TAGS.includes(tag) ? 0x3fff_ffff : startupMax))
    expect(session.next()).toBeNull()
    session.push(Buffer.alloc(1))
    expect(session.next()).toBeNull()
    expect(used.stop().allocatedBytes).toBeLessThan(64)
  })
})

describe('a tag', () => {
  it('that no server sends is refused at once', () => {
    for (let code = 0; code < 256; code++) {
      const reader = new FrameReader()
      reader.push(Buffer.from([code]))
      if (TAGS.includes(String.fromCharCode(code))) expect(reader.next()).toBeNull()
      else expect(failureOf(() => reader.next())).toMatchObject({ kind: 'malformed', field: 'tag' })
    }
  })

  it('that no server sends is refused behind a lawful frame too', () => {
    const reader = new FrameReader()
    reader.push(wire('5a 00 00 00 05 49 51'))
    expect(reader.next()?.tag).toBe('Z')
    expect(failureOf(() => reader.next())).toMatchObject({
      kind: 'malformed',
      message: 'unknown',
      problem: "no message of a server begins with 'Q'",
    })
  })
})

describe('a peer that is no PostgreSQL server', () => {
  const met = (text: string) => {
    const reader = new FrameReader()
    reader.push(Buffer.from(text, 'latin1'))
    return failureOf(() => reader.next())
  }
  const stranger = (problem: string) => ({ kind: 'malformed', message: 'unknown', field: 'tag', offset: 0, problem })
  const overlong = (tag: string, text: string) => ({
    kind: 'limit',
    what: `bytes in the body of a message '${tag}'`,
    limit: 30_000,
    received: Buffer.from(text, 'latin1').readInt32BE(1) - 4,
  })
  const HTTP = 'an HTTP server answered; this is not the port of a PostgreSQL server'
  const SSH = 'an SSH server answered; this is not the port of a PostgreSQL server'
  const OLD = 'the server sent an error without a length, as before protocol 3.0: '

  it('but speaks HTTP is recognized', () => {
    expect(met('HTTP/1.1 400 Bad Request\r\n\r\n')).toEqual(stranger(HTTP))
    expect(met('HTTP/')).toEqual(stranger(HTTP))
    expect(met('HTTPS')).toEqual(overlong('H', 'HTTPS'))
  })

  it('but speaks SSH is recognized', () => {
    expect(met('SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n')).toEqual(stranger(SSH))
    expect(met('SSHv2')).toEqual(overlong('S', 'SSHv2'))
  })

  it('is recognized although it says so byte by byte', () => {
    const reader = new FrameReader()
    for (const byte of Buffer.from('HTTP')) {
      reader.push(Buffer.from([byte]))
      expect(reader.next()).toBeNull()
    }
    reader.push(Buffer.from('/'))
    expect(failureOf(() => reader.next())).toEqual(stranger(HTTP))
  })

  it('or is one that cannot fork, or one before 7.4, is told with its words', () => {
    // What a postmaster writes when it has no process for us: 'E', text, a line feed, NUL, and no length.
    expect(met('Ecould not fork new process for connection: no memory\n\0')).toEqual(
      stranger(`${OLD}could not fork new process for connection: no memory`),
    )
    expect(met('Esorr')).toEqual(stranger(`${OLD}sorr`))
  })

  it('is told with no more than 199 characters of its words', () => {
    expect(met(`E${'x'.repeat(1_000)}`)).toEqual(stranger(OLD + 'x'.repeat(199)))
  })

  it('is told without what follows the first character that is not plain', () => {
    expect(met('Eoops\x1b[2J\x07')).toEqual(stranger(`${OLD}oops`))
  })

  it('is not taken for such a one by an E that comes later', () => {
    expect(met('TESTED')).toEqual(overlong('T', 'TESTED'))
  })

  it('and sends junk behind an E is not echoed', () => {
    for (const junk of ['E\x1b[2J!', 'Eab\x9bcd', 'E\x7f\x7f\x7f\x7f', 'Eabc\n']) {
      expect(met(junk)).toEqual(overlong('E', junk))
    }
    expect(met('E\xff\xff\xff\xffabcd')).toEqual({
      kind: 'malformed',
      message: "'E'",
      field: 'length',
      offset: 0,
      problem: 'expected a length of 4 or more, got -1',
    })
  })

  it('is not looked for in a session: there it is a broken frame', () => {
    for (const text of ['HTTP/', 'SSH-2', 'Eoops']) {
      const reader = new FrameReader()
      reader.enterSession()
      reader.push(Buffer.from(text))
      expect(failureOf(() => reader.next())).toMatchObject({ kind: 'limit' })
    }
  })

  it('is not looked for in a message that has a lawful length', () => {
    const reader = new FrameReader()
    reader.push(Buffer.concat([wire('45 00 00 00 0b'), Buffer.from('Eoops\0\0')]))
    expect(reader.next()?.lengthBytes).toBe(12)
  })
})

describe('a message that comes byte by byte', () => {
  it('is read with memory and copies in proportion to its length', () => {
    const bodyBytes = 1_000_000
    const reader = new FrameReader()
    reader.enterSession()
    const stream = Buffer.concat([headerOf('D', bodyBytes), Buffer.alloc(bodyBytes, 0x5a)])
    const used = meter()
    for (let at = 0; at < stream.length - 1; at++) {
      reader.push(stream.subarray(at, at + 1))
      if (reader.next() !== null) throw new Error(`a frame after ${at + 1} bytes`)
    }
    reader.push(stream.subarray(-1))
    const { allocatedBytes, copiedBytes } = used.stop()
    expect(reader.next()?.body.equals(stream.subarray(5))).toBe(true)
    // Doubling: each byte is copied once when it comes, and less than twice more when the buffer grows.
    expect(copiedBytes).toBeLessThan(3 * stream.length)
    expect(allocatedBytes).toBeLessThan(4.1 * stream.length)
  })

  it('one after the other, are read without holding those that were handed out', () => {
    const reader = new FrameReader()
    const frame = wire('5a 00 00 00 05 49')
    const used = meter()
    for (let count = 0; count < 1_000; count++) {
      for (const byte of frame) reader.push(Buffer.from([byte]))
      expect(reader.next()?.tag).toBe('Z')
    }
    expect(used.stop().allocatedBytes).toBeLessThan(10 * 1_000 * frame.length)
  })

  it('or in pieces that never end with a frame, are read in memory for what is pending, not for all that came', () => {
    const reader = new FrameReader()
    const frame = wire('5a 00 00 00 05 49')
    const used = meter()
    reader.push(frame.subarray(0, 1))
    for (let count = 0; count < 1_000; count++) {
      reader.push(Buffer.concat([frame.subarray(1), frame.subarray(0, 1)]))
      expect(reader.next()?.body).toEqual(wire('49'))
      expect(reader.pendingBytes).toBe(1)
    }
    expect(used.stop().largestBytes).toBeLessThan(4 * frame.length)
  })
})

// ---------------------------------------------------------------------------------------------------

function headerOf(tag: string, bodyBytes: number): Buffer {
  const header = Buffer.from(`${tag}\0\0\0\0`, 'latin1')
  header.writeInt32BE(4 + bodyBytes, 1)
  return header
}

function frameOf({ tag, body }: Sent): Buffer {
  return Buffer.concat([headerOf(tag, body.length), body])
}

/** Each piece has memory of its own, as from a socket. */
function cut(stream: Buffer, lengths: readonly number[]): Buffer[] {
  const cuts: Buffer[] = []
  for (let at = 0, index = 0; at < stream.length; index++) {
    const end = at + (lengths[index % lengths.length] ?? 1)
    cuts.push(Buffer.from(new Uint8Array(stream.subarray(at, end)).buffer))
    at = end
  }
  return cuts
}

let running: (() => void) | null = null
afterEach(() => running?.())

/** Counts the bytes that are allocated for and copied into buffers until it is stopped. */
function meter() {
  const { copy } = Buffer.prototype
  const { alloc, allocUnsafe, allocUnsafeSlow } = Buffer
  const count = { allocatedBytes: 0, largestBytes: 0, copiedBytes: 0 }
  Buffer.prototype.copy = function (...parameters: Parameters<Buffer['copy']>) {
    const copied = copy.apply(this, parameters)
    count.copiedBytes += copied
    return copied
  }
  const counted =
    (original: (size: number) => Buffer<ArrayBuffer>) =>
    (size: number): Buffer<ArrayBuffer> => {
      count.allocatedBytes += size
      count.largestBytes = Math.max(count.largestBytes, size)
      return original(size)
    }
  Buffer.alloc = counted(alloc)
  Buffer.allocUnsafe = counted(allocUnsafe)
  Buffer.allocUnsafeSlow = counted(allocUnsafeSlow)
  running = () => {
    Buffer.prototype.copy = copy
    Object.assign(Buffer, { alloc, allocUnsafe, allocUnsafeSlow })
    running = null
  }
  return {
    stop() {
      running?.()
      return count
    },
  }
}
