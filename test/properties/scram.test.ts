/**
 * SCRAM and MD5: whoever knows the password is let in, nobody else is believed. The other side is written from the RFCs with
 * node:crypto alone: the exchanges of src/testing/arbitraries, and the server of test/auth/scram-server.ts, which judges.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tlsServerEndPoint } from '../../src/auth/channel-binding.ts'
import { type ChannelBinding, chooseMechanism } from '../../src/auth/choose.ts'
import { answerMd5 } from '../../src/auth/md5.ts'
import { normalizePassword } from '../../src/auth/saslprep.ts'
import {
  beginScram,
  clientFirst,
  parseScramKey,
  proveScram,
  readChallenge,
  type ScramKeys,
  type ScramProof,
  type ScramStart,
  scramKeys,
  verifyOutcome,
} from '../../src/auth/scram.ts'
import { parseServerFinal, parseServerFirst } from '../../src/auth/scram-grammar.ts'
import { Secret } from '../../src/auth/secret.ts'
import { type Failure, Fault } from '../../src/protocol/failure.ts'
import {
  arbitraryFaultyScramExchange,
  arbitraryHandshake,
  arbitraryPassword,
  arbitraryScramExchange,
  arbitraryServerProfile,
  arbitraryText,
  completeScram,
  type ScramExchange,
} from '../../src/testing/arbitraries/index.ts'
import { endPointOf } from '../../src/testing/certificate-shape.ts'
import { ScramServer } from '../../src/testing/index.ts'
import { judge, makeVerifier, type Verifier } from '../auth/scram-server.ts'
import { play } from '../testing/arbitraries/play.ts'
import { check } from './check.ts'

/** The most that the exchanges of the arbitraries ask for, times three: a flipped digit may ask for more. */
const BOUNDS = { min: 1, max: 200 }

const otherSalt = fc.uint8Array({ maxLength: 32 })
const place = fc.nat()

describe('completeness', () => {
  it('scram-01: our messages are those of the RFC, byte by byte, and the honest signature is believed', () => {
    check(
      fc.property(arbitraryScramExchange(), (exchange) => {
        const { start, proof } = lead(exchange)
        expect(text(clientFirst(start))).toBe(text(exchange.clientFirst))
        expect(text(proof.clientFinal)).toBe(text(exchange.clientFinal))
        expect(() => verifyOutcome(proof.serverSignature, exchange.serverFinal)).not.toThrow()
      }),
    )
  })

  it('scram-02: a server that has only what PostgreSQL stores lets us in, and is believed', () => {
    check(
      fc.property(arbitraryScramExchange(), (exchange) => {
        const { start, proof } = lead(exchange)
        const final = judge(
          verifierOf(exchange),
          clientFirst(start),
          exchange.serverFirst,
          proof.clientFinal,
          sideOf(exchange),
        )
        expect(final).not.toBeNull()
        expect(() => verifyOutcome(proof.serverSignature, final as Buffer)).not.toThrow()
      }),
    )
  })

  it('scram-03: optional extensions of the server are taken along, in the signature too', () => {
    check(
      fc.property(arbitraryScramExchange(), (exchange) => {
        const extended = completeScram({ ...exchange, firstExtension: ',x=1,y=z' })
        const plain = completeScram({ ...exchange, firstExtension: '' })
        const { proof } = lead(extended)
        expect(() => verifyOutcome(proof.serverSignature, extended.serverFinal)).not.toThrow()
        // What the server signed is what we received, and nothing put together again from what we understood.
        expect(failureOf(() => verifyOutcome(proof.serverSignature, plain.serverFinal))).toMatchObject({
          kind: 'unproven',
        })
      }),
    )
  })

  it('scram-04: keys brought in place of the password give the same proof as the password', () => {
    check(
      fc.property(arbitraryScramExchange(), (exchange) => {
        const { start, proof } = lead(exchange)
        const [clientKey, serverKey] = [exchange.keys.clientKey, exchange.keys.serverKey].map((key) =>
          parseScramKey(key.toString('base64')),
        )
        if (!clientKey || !serverKey) throw new Error('a key was refused')
        const challenge = readChallenge(start, exchange.serverFirst, BOUNDS)
        expect(proveScram(challenge, { clientKey, serverKey })).toEqual(proof)
      }),
    )
  })

  it('scram-05: a whole handshake with keys in place of the password ends in the same session', () => {
    check(
      fc.property(arbitraryHandshake(), (handshake) => {
        if (handshake.exchange === null) return
        const { clientKey, serverKey } = handshake.exchange.keys
        const scramKeys = {
          clientKey: new Secret(clientKey.toString('base64')),
          serverKey: new Secret(serverKey.toString('base64')),
        }
        const byKeys = play(handshake, handshake.flights, { hasPassword: false, scramKeys })
        expect(byKeys).toEqual(play(handshake, handshake.flights))
        expect(byKeys.state.name).toBe('Ready')
      }),
    )
  })
})

it('scram-26: whatever a client calls itself behind n=, it is let in, and the name is signed', () => {
  check(
    fc.property(arbitraryScramExchange({ userName: 'sometimes' }), (exchange) => {
      const { clientFirst: first, serverFirst, clientFinal, serverFinal, clientNonce, finalExtension } = exchange
      const final = judge(verifierOf(exchange), first, serverFirst, clientFinal, sideOf(exchange))
      expect(`${final?.toString()}${finalExtension}`).toBe(serverFinal.toString())
      const renamed = completeScram({ ...exchange, userName: `${exchange.userName}x` })
      expect(judge(verifierOf(exchange), first, serverFirst, renamed.clientFinal, sideOf(exchange))).toBeNull()
      const server = new ScramServer({ password: exchange.password.normalized })
      expect(server.first(first).toString()).toContain(`r=${clientNonce}server,`)
    }),
  )
})

describe('soundness', () => {
  it('scram-06: with any one bit of the server-final-message flipped, the server is not believed', () => {
    check(
      fc.property(arbitraryScramExchange(), (exchange) => {
        const { serverSignature } = lead(exchange).proof
        for (const { at, bytes } of flips(exchange.serverFinal)) {
          const failure = refusal(() => verifyOutcome(serverSignature, bytes))
          // An optional extension of server-final-message is signed by nobody, and means nothing to us.
          if (at < SIGNATURE_LENGTH) expect(failure, `bit ${at}`).not.toBeNull()
          else if (failure !== null) expect(['malformed', 'incompatible']).toContain(failure.kind)
        }
      }),
      30,
    )
  })

  it('scram-07: with any one bit of the server-first-message flipped, neither side believes the other', () => {
    check(
      fc.property(arbitraryScramExchange(), (exchange) => {
        for (const { at, bytes } of flips(exchange.serverFirst)) expectNoTrust(exchange, bytes, `bit ${at}`)
      }),
      6,
    )
  })

  it('scram-08: cut off anywhere, neither message of the server leads to trust', () => {
    check(
      fc.property(arbitraryScramExchange(), (exchange) => {
        const { serverSignature } = lead(exchange).proof
        for (let end = 0; end < exchange.serverFirst.length; end++) {
          expectNoTrust(exchange, exchange.serverFirst.subarray(0, end), `cut at ${end}`)
        }
        for (let end = 0; end < SIGNATURE_LENGTH; end++) {
          expect(refusal(() => verifyOutcome(serverSignature, exchange.serverFinal.subarray(0, end)))).not.toBeNull()
        }
      }),
      20,
    )
  })

  it('scram-09: a server that does not know the password is never believed', () => {
    check(
      fc.property(arbitraryScramExchange(), arbitraryPassword(), otherSalt, (exchange, password, salt) => {
        const { start, proof } = lead(exchange)
        const impostors = [
          completeScram({ ...exchange, password }),
          completeScram({ ...exchange, salt: Buffer.from(salt) }),
        ].filter(({ keys }) => !keys.serverKey.equals(exchange.keys.serverKey))
        for (const { keys } of impostors) {
          const signature = signatureWith(keys.serverKey, start, exchange.serverFirst, proof.clientFinal)
          expect(failureOf(() => verifyOutcome(proof.serverSignature, signature)).kind).toBe('unproven')
        }
        const own = signatureWith(exchange.keys.serverKey, start, exchange.serverFirst, proof.clientFinal)
        expect(() => verifyOutcome(proof.serverSignature, own)).not.toThrow()
      }),
    )
  })

  it('scram-10: what a server said in one exchange proves nothing in another', () => {
    check(
      fc.property(arbitraryScramExchange(), place, (exchange, where) => {
        const nonce = Array.from(exchange.clientNonce)
        const at = where % nonce.length
        nonce[at] = nonce[at] === 'A' ? 'B' : 'A'
        const later = completeScram({ ...exchange, clientNonce: nonce.join('') })
        const { start, proof } = lead(later)
        expect(failureOf(() => readChallenge(start, exchange.serverFirst, BOUNDS)).kind).toBe('unproven')
        expect(failureOf(() => verifyOutcome(proof.serverSignature, exchange.serverFinal)).kind).toBe('unproven')
      }),
    )
  })

  it('scram-11: a message of the server with one fault ends as that fault must', () => {
    check(
      fc.property(arbitraryFaultyScramExchange('server'), ({ honest, fault }) => {
        const { start, proof } = lead(honest)
        const failure = failureOf(() =>
          fault.message === 'serverFirst'
            ? readChallenge(start, fault.bytes, { min: 1, max: 100_000 })
            : verifyOutcome(proof.serverSignature, fault.bytes),
        )
        expect(fault.verdicts, fault.title).toContain(failure.kind)
      }),
      500,
    )
  })

  it('scram-12: the judge of these tests refuses a client with one fault', () => {
    check(
      fc.property(arbitraryFaultyScramExchange('client'), ({ honest, fault }) => {
        const { clientFirst: first, serverFirst } = honest
        expect(judge(verifierOf(honest), first, serverFirst, honest.clientFinal, sideOf(honest))).not.toBeNull()
        expect(judge(verifierOf(honest), first, serverFirst, fault.bytes, sideOf(honest)), fault.title).toBeNull()
      }),
    )
  })

  it('scram-13: a server is not let off its proof: what it knows, it must show in its final message', () => {
    check(
      fc.property(arbitraryScramExchange(), fc.uint8Array({ maxLength: 64 }), (exchange, noise) => {
        const { serverSignature } = lead(exchange).proof
        const claimed = Buffer.from(`v=${Buffer.from(noise).toString('base64')}`)
        if (Buffer.from(noise).equals(Buffer.from(serverSignature))) return
        expect(failureOf(() => verifyOutcome(serverSignature, claimed)).kind).toBe('unproven')
      }),
    )
  })
})

describe('the nonce', () => {
  it('scram-14: of the server must begin with all of ours, and have something behind it', () => {
    const nonce = fc.string({ minLength: 0, maxLength: 40 }).filter((one) => /^[\x21-\x2b\x2d-\x7e]*$/.test(one))
    check(
      fc.property(arbitraryScramExchange(), nonce, fc.nat(), ({ clientNonce, salt }, other, where) => {
        const start = beginScram(clientNonce, 'SCRAM-SHA-256', { flag: 'n' })
        const first = (r: string) => Buffer.from(`r=${r},s=${salt.toString('base64')},i=1`)
        const wrong = [
          clientNonce,
          clientNonce.slice(0, where % clientNonce.length) || '!',
          clientNonce.slice(1),
          `!${clientNonce}`.replace(/^!!/, '"!'),
          other.startsWith(clientNonce) || other === '' ? '~' : other,
        ].filter((r) => !(r.startsWith(clientNonce) && r.length > clientNonce.length))
        for (const r of wrong) expect(failureOf(() => readChallenge(start, first(r), BOUNDS)).kind).toBe('unproven')
        expect(readChallenge(start, first(`${clientNonce}!`), BOUNDS).nonce).toBe(`${clientNonce}!`)
      }),
    )
  })
})

describe('iterations', () => {
  /** Bounds, and a count: as small or large as it likes, or at the very edge of them. */
  const asked = fc
    .tuple(fc.integer({ min: 1, max: 200 }), fc.nat(200))
    .map(([min, more]) => ({ min, max: min + more }))
    .chain(({ min, max }) => {
      const count = fc.oneof(
        fc.bigInt({ min: 1n, max: 10n ** 300n }).map(String),
        fc.integer({ min: 1, max: 500 }).map(String),
        fc.constantFrom(...[min - 1, min, max, max + 1].filter((edge) => edge > 0).map(String)),
      )
      return count.map((i) => ({ min, max, i }))
    })

  it('scram-15: outside the bounds are refused: too many by a limit, too few by policy', () => {
    check(
      fc.property(arbitraryScramExchange(), asked, ({ clientNonce, salt }, { min, max, i }) => {
        const start = beginScram(clientNonce, 'SCRAM-SHA-256', { flag: 'n' })
        const first = Buffer.from(`r=${clientNonce}!,s=${salt.toString('base64')},i=${i}`)
        const failure = refusal(() => readChallenge(start, first, { min, max }))
        const expected = BigInt(i) > max ? 'limit' : BigInt(i) < min ? 'policy' : undefined
        expect(failure?.kind).toBe(expected)
      }),
    )
  })

  it('scram-16: beyond the bound cost no work: nothing is derived, nothing is sent', () => {
    check(
      fc.property(arbitraryHandshake(), (handshake) => {
        if (handshake.exchange === null) return
        const { iterations } = handshake.exchange
        const { state, sent } = play(handshake, handshake.flights, { scramIterationsMax: iterations - 1 })
        expect(state).toMatchObject({ name: 'Failed', phase: 'AwaitingSaslChallenge', failure: { kind: 'limit' } })
        expect(sent).not.toContain('SASLResponse')
      }),
    )
  })
})

describe('SASLprep', () => {
  it('scram-17: two ways to type a password give one key', () => {
    check(
      fc.property(arbitraryPassword(), ({ given, normalized }) => {
        expect(normalizePassword(given)).toBe(normalized)
        expect(normalizePassword(normalized)).toBe(normalized)
      }),
      1_000,
    )
  })

  it('scram-18: never fails, never empties a password, and leaves ASCII as it is', () => {
    check(
      fc.property(arbitraryText(20), fc.string(), (password, other) => {
        expect(normalizePassword(password) === '').toBe(password === '')
        const ascii = other.replaceAll(/\P{ASCII}/gu, '')
        expect(normalizePassword(ascii)).toBe(ascii)
      }),
      500,
    )
  })
})

describe('channel binding', () => {
  it('scram-19: covers every bit of the certificate: with another one, the server refuses our proof', () => {
    check(
      fc.property(arbitraryServerProfile(), arbitraryScramExchange(), place, (profile, exchange, where) => {
        const { certificate, signature } = profile
        const endPoint = tlsServerEndPoint(certificate)
        // Taken by another table: whoever signs with RSA or ECDSA names a hash, Ed25519 names none.
        const expected = endPointOf(signature, certificate)
        expect(endPoint === null ? null : Buffer.from(endPoint)).toEqual(expected)
        if (endPoint === null) return
        const bound = completeScram({ ...exchange, flag: 'p', endPoint: Buffer.from(endPoint) })
        const { start, proof } = lead(bound)
        const others = Buffer.from(certificate)
        const bit = where % (8 * others.length)
        others[bit >> 3] = (others[bit >> 3] as number) ^ (1 << (bit & 7))
        const judgedBy = (shown: Buffer) =>
          judge(verifierOf(bound), clientFirst(start), bound.serverFirst, proof.clientFinal, {
            mechanism: 'SCRAM-SHA-256-PLUS',
            endPoint: endPointOf(signature, shown),
          })
        expect(judgedBy(certificate)).not.toBeNull()
        expect(judgedBy(others)).toBeNull()
      }),
    )
  })

  it('scram-20: an offer of it that was taken out on the way is noticed by the server', () => {
    check(
      fc.property(arbitraryScramExchange(), (exchange) => {
        const { mechanism, binding } = chooseMechanism(['SCRAM-SHA-256'], 'prefer', {
          secured: true,
          endPoint: exchange.endPoint,
        })
        expect(binding.flag).toBe('y')
        const { start, proof } = lead(completeScram({ ...exchange, flag: 'y' }))
        const by = (endPoint: Buffer | null) =>
          judge(verifierOf(exchange), clientFirst(start), exchange.serverFirst, proof.clientFinal, {
            mechanism,
            endPoint,
          })
        expect(by(null)).not.toBeNull()
        expect(by(exchange.endPoint)).toBeNull()
      }),
    )
  })

  it('scram-21: is never less than was required, whatever the server offers', () => {
    const offered = fc.subarray(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'SCRAM-SHA-1', '\x1b[2J'])
    const channel = fc.record({ secured: fc.boolean(), endPoint: fc.constantFrom(null, new Uint8Array(32)) })
    check(
      fc.property(offered, channel, fc.constantFrom('disable', 'prefer', 'require'), (names, through, policy) => {
        try {
          const { mechanism, binding } = chooseMechanism(names, policy, through)
          expect(names).toContain(mechanism)
          expect(mechanism === 'SCRAM-SHA-256-PLUS').toBe(binding.flag === 'p')
          if (policy === 'require') expect(binding.flag).toBe('p')
          if (policy === 'disable' || !through.secured) expect(binding.flag).toBe('n')
        } catch (error) {
          if (!(error instanceof Fault)) throw error
          expect(['policy', 'misbehaved', 'incompatible']).toContain(error.failure.kind)
        }
      }),
    )
  })
})

describe('the grammar', () => {
  it('scram-22: of any bytes at all makes a message or a failure, malformed or incompatible, with a place in them', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.string({ unit: fc.constantFrom(...'rsivem=,,=AQ1+/\0é'), maxLength: 40 }).map((one) => Buffer.from(one)),
      arbitraryFaultyScramExchange('server').map(({ fault }) => fault.bytes),
    )
    check(
      fc.property(bytes, (data) => {
        for (const parse of [parseServerFirst, parseServerFinal]) {
          const failure = refusal(() => parse(data))
          if (failure === null || failure.kind === 'incompatible') continue
          expect(failure.kind).toBe('malformed')
          if (failure.kind === 'malformed') expect(failure.offset).toBeLessThanOrEqual(data.length)
        }
      }),
      500,
    )
  })

  it('scram-23: of a failure shows no password, nonce, salt, key or signature', () => {
    check(
      fc.property(arbitraryFaultyScramExchange('server'), ({ honest, fault }) => {
        const { start, proof } = lead(honest)
        const failure = JSON.stringify(
          failureOf(() =>
            fault.message === 'serverFirst'
              ? readChallenge(start, fault.bytes, { min: 1, max: 100_000 })
              : verifyOutcome(proof.serverSignature, fault.bytes),
          ),
        )
        for (const secret of [
          honest.clientNonce,
          honest.keys.clientKey,
          honest.keys.serverKey,
          proof.serverSignature,
        ]) {
          const shown = typeof secret === 'string' ? secret : Buffer.from(secret).toString('base64')
          expect(failure).not.toContain(JSON.stringify(shown).slice(1, -1))
        }
      }),
    )
  })
})

describe('MD5', () => {
  it("scram-24: the answer is the manual's formula, and what PostgreSQL computes from what it stores", () => {
    const md5 = (...parts: (string | Uint8Array)[]) =>
      createHash('md5')
        .update(Buffer.concat(parts.map((part) => Buffer.from(part))))
        .digest('hex')
    const salt = fc.uint8Array({ minLength: 4, maxLength: 4 })
    check(
      fc.property(arbitraryText(20, 1), arbitraryText(20), salt, (user, password, bytes) => {
        // #CATALOG-PG-AUTHID: rolpassword is 'md5' and the hash of password and name.
        const rolpassword = `md5${md5(password, user)}`
        expect(answerMd5(user, new Secret(password), bytes)).toBe(`md5${md5(rolpassword.slice(3), bytes)}`)
      }),
    )
  })

  it('scram-25: the answer depends on every bit of the salt, on the user and on the password', () => {
    check(
      fc.property(arbitraryText(20, 1), arbitraryText(20), fc.nat(31), (user, password, bit) => {
        const salt = Buffer.from([1, 2, 3, 4])
        const other = Buffer.from(salt)
        other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7))
        const answer = answerMd5(user, new Secret(password), salt)
        expect(answerMd5(user, new Secret(password), other)).not.toBe(answer)
        expect(answerMd5(`${user}x`, new Secret(password), salt)).not.toBe(answer)
        expect(answerMd5(user, new Secret(`${password}x`), salt)).not.toBe(answer)
      }),
    )
  })
})

// ---------------------------------------------------------------------------------------------------
// Helpers, in the order of their first use

/** Our side of an exchange, to the proof. */
function lead(exchange: ScramExchange): { start: ScramStart; proof: ScramProof } {
  const { flag, endPoint, mechanism, clientNonce, password, serverFirst } = exchange
  const binding: ChannelBinding = flag === 'p' ? { flag, data: endPoint } : { flag }
  const start = beginScram(clientNonce, mechanism, binding)
  const challenge = readChallenge(start, serverFirst, BOUNDS)
  return { start, proof: proveScram(challenge, keysOf(password.given, challenge)) }
}

function keysOf(password: string, { salt, iterations }: { salt: Uint8Array; iterations: number }): ScramKeys {
  return scramKeys(pbkdf2Sync(normalizePassword(password), salt, iterations, 32, 'sha256'))
}

function verifierOf({ password, salt, iterations }: ScramExchange): Verifier {
  return makeVerifier(password.normalized, salt, iterations)
}

function sideOf({ mechanism, flag, endPoint }: ScramExchange) {
  return { mechanism, endPoint: flag === 'p' ? endPoint : null }
}

/** 'v=' and 44 characters of base64. */
const SIGNATURE_LENGTH = 46

function flips(bytes: Buffer): { at: number; bytes: Buffer }[] {
  return Array.from({ length: 8 * bytes.length }, (_, bit) => {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
    return { at: bit >> 3, bytes: flipped }
  })
}

/** A server-first-message that was altered on the way: we end at once, or the server refuses our proof and we its signature. */
function expectNoTrust(exchange: ScramExchange, received: Buffer, what: string): void {
  const binding: ChannelBinding =
    exchange.flag === 'p' ? { flag: 'p', data: exchange.endPoint } : { flag: exchange.flag }
  const start = beginScram(exchange.clientNonce, exchange.mechanism, binding)
  let proof: ScramProof
  try {
    const challenge = readChallenge(start, received, BOUNDS)
    proof = proveScram(challenge, keysOf(exchange.password.given, challenge))
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return
  }
  const { serverFirst, serverFinal } = exchange
  const admitted = judge(verifierOf(exchange), clientFirst(start), serverFirst, proof.clientFinal, sideOf(exchange))
  expect(admitted, what).toBeNull()
  expect(failureOf(() => verifyOutcome(proof.serverSignature, serverFinal)).kind, what).toBe('unproven')
}

/** server-final-message of somebody who has this key and has seen all the messages. */
function signatureWith(key: Buffer, start: ScramStart, serverFirst: Buffer, clientFinal: Uint8Array): Buffer {
  const final = text(clientFinal)
  const authMessage = `${start.clientFirstBare},${text(serverFirst)},${final.slice(0, final.lastIndexOf(',p='))}`
  return Buffer.from(`v=${createHmac('sha256', key).update(authMessage).digest('base64')}`)
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}

function refusal(action: () => unknown): Failure | null {
  try {
    action()
    return null
  } catch (error) {
    if (error instanceof Fault) return error.failure
    throw error
  }
}

function failureOf(action: () => unknown): Failure {
  const failure = refusal(action)
  if (failure === null) throw new Error('nothing was refused')
  return failure
}
