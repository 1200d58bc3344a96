/** What each arbitrary promises about the shape of what it makes. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReadyForQuery } from '../../../src/protocol/backend.ts'
import { handshakeScript } from '../../../src/testing/arbitraries/handshake-script.ts'
import {
  arbitraryBody,
  arbitraryDamage,
  arbitraryFrontendMessage,
  arbitraryHandshake,
  arbitrarySchedule,
  arbitrarySegmentation,
  arbitraryServerProfile,
  arbitraryStartupPacket,
  arbitraryStartupParameters,
  completeHandshake,
  faultyHandshake,
  segment,
} from '../../../src/testing/arbitraries/index.ts'
import { frame } from '../../../src/testing/index.ts'
import { check } from '../../properties/check.ts'

describe('a segmentation', () => {
  it('keeps every byte in its place, in pieces that share no memory', () => {
    check(
      fc.property(fc.uint8Array(), arbitrarySegmentation(), (bytes, cuts) => {
        const pieces = segment(bytes, cuts)
        expect(Buffer.concat(pieces)).toEqual(Buffer.from(bytes))
        for (const piece of pieces) piece.fill(0)
        expect(Buffer.concat(segment(bytes, cuts))).toEqual(Buffer.from(bytes))
      }),
    )
  })

  it('may be byte by byte, and may have empty pieces', () => {
    expect(segment(Buffer.from('abc'), [1]).map(String)).toEqual(['a', 'b', 'c'])
    expect(segment(Buffer.from('abc'), [0, 2]).map(String)).toEqual(['', 'ab', '', 'c'])
  })
})

describe('a schedule', () => {
  const bounds = { lengthBytes: 50, timeoutMs: 1_000 }

  it('delivers no more bytes than there are, and ends at most once, at last', () => {
    check(
      fc.property(arbitrarySchedule(bounds), (schedule) => {
        const counts = schedule.map((one) => (one.what === 'bytes' ? one.count : 0))
        expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(bounds.lengthBytes)
        for (const { afterMs } of schedule) expect(afterMs).toBeGreaterThanOrEqual(0)
        expect(schedule.slice(0, -1).every(({ what }) => what === 'bytes')).toBe(true)
      }),
    )
  })

  it('comes to the very moment of the deadline, and one beside it', () => {
    const met = new Set(
      fc
        .sample(arbitrarySchedule(bounds), { numRuns: 500, seed: 1 })
        .flat()
        .map(({ afterMs }) => afterMs),
    )
    for (const edgeMs of [0, 1, 999, 1_000, 1_001]) expect(met).toContain(edgeMs)
  })

  it('has every kind of end, or none', () => {
    const ends = fc.sample(arbitrarySchedule(bounds), { numRuns: 200, seed: 1 }).map((one) => one.at(-1)?.what)
    expect(new Set(ends)).toEqual(new Set(['abort', 'fin', 'reset', 'bytes']))
  })
})

describe('start-up parameters', () => {
  it('begin with the user, name nothing twice and nothing with an empty name', () => {
    check(
      fc.property(arbitraryStartupParameters(), (parameters) => {
        const names = parameters.map(({ name }) => name)
        expect(names[0]).toBe('user')
        expect(new Set(names).size).toBe(names.length)
        expect(names).not.toContain('')
      }),
    )
  })
})

describe('every kind', () => {
  it('of message of a client is made', () => {
    const types = fc.sample(arbitraryFrontendMessage(), { numRuns: 300, seed: 1 }).map(({ type }) => type)
    expect(new Set(types).size).toBe(8)
  })

  it('of first packet is made', () => {
    const types = fc.sample(arbitraryStartupPacket(), { numRuns: 200, seed: 1 }).map(({ type }) => type)
    expect(new Set(types).size).toBe(4)
  })

  it('of body is made: lawful and not', () => {
    const bodies = fc
      .sample(arbitraryBody(ReadyForQuery), { numRuns: 300, seed: 1 })
      .map((body) => body.toString('latin1'))
    for (const body of ['I', 'T', 'E', '']) expect(bodies).toContain(body)
    expect(bodies.some((body) => body.length > 2)).toBe(true)
  })

  it('of server says its version, and once how it encodes', () => {
    check(
      fc.property(arbitraryServerProfile(), ({ parameters, serverVersion, newestProtocol, pooler }) => {
        expect(parameters.find(([name, value]) => name === 'server_version' && value === serverVersion)).toBeDefined()
        expect(parameters.filter(([name]) => name === 'client_encoding')).toEqual([['client_encoding', 'UTF8']])
        expect(newestProtocol).toBe(serverVersion === '18.4' && pooler === 'none' ? '3.2' : '3.0')
      }),
    )
  })
})

describe('damage', () => {
  it('is one byte, or the end', () => {
    const whole = frame('Z', Buffer.from('I'))
    check(
      fc.property(arbitraryDamage(fc.constant(whole)), (bytes) => {
        const same = whole.findIndex((byte, index) => byte !== bytes[index])
        const from = same === -1 ? whole.length : same
        const tails = [0, 1].flatMap((taken) =>
          [0, 1].map((put) => [whole.subarray(from + taken), bytes.subarray(from + put)]),
        )
        const isOneByte = tails.some(([left, right]) => left && right && left.equals(right))
        expect(isOneByte || bytes.equals(whole.subarray(0, bytes.length))).toBe(true)
      }),
    )
  })
})

describe('the faults of a handshake', () => {
  it('are the same for another nonce: their number names them', () => {
    check(
      fc.property(arbitraryHandshake(), fc.nat(), (handshake, choice) => {
        const clientNonce = `${handshake.scram.clientNonce}, and another one`
        const other = completeHandshake({ ...handshake, scram: { ...handshake.scram, clientNonce } })
        const { fault } = faultyHandshake(handshake, choice)
        const { title, flight, verdicts } = faultyHandshake(other, choice).fault
        expect({ title, flight, verdicts }).toEqual({
          title: fault.title,
          flight: fault.flight,
          verdicts: fault.verdicts,
        })
      }),
      50,
    )
  })

  it('in TLS need a certificate to be played', async () => {
    const [handshake] = fc.sample(
      arbitraryHandshake().filter(({ isSecured }) => isSecured),
      { numRuns: 1, seed: 1 },
    )
    if (handshake === undefined) throw new Error('there is no such handshake')
    const peer = { expectStartup: async () => {}, sendBytes: async () => {} }
    await expect(handshakeScript(handshake)(peer as never)).rejects.toThrow('a handshake in TLS needs a certificate')
  })
})
