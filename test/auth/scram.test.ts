import { pbkdf2Sync } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { normalizePassword } from '../../src/auth/saslprep.ts'
import {
  beginScram,
  clientFirst,
  proveScram,
  readChallenge,
  type ScramStart,
  verifyOutcome,
} from '../../src/auth/scram.ts'
import { Fault } from '../../src/protocol/failure.ts'
import { failureOf } from './failure-of.ts'
import { judge, makeVerifier, parseVerifier, serverFirst, type Verifier } from './scram-server.ts'
import { VERIFIERS_OF_LIBPQ } from './verifiers.ts'

const OURS = 'rOprNGfwEbeRWgbNEkqO'
const THEIRS = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const SALT = 'W22ZaJ0SNY7soEsUEjb6gQ=='
const text = (data: Uint8Array) => Buffer.from(data).toString()
const base64 = (data: Uint8Array) => Buffer.from(data).toString('base64')

const saltedPassword = (password: string, salt: Uint8Array, iterations: number) =>
  pbkdf2Sync(normalizePassword(password), salt, iterations, 32, 'sha256')

// Everything but the name of the user is fixed by the RFC; ours is always empty, so the start is written out.
describe('the exchange of RFC 7677 section 3', () => {
  const start: ScramStart = {
    mechanism: 'SCRAM-SHA-256',
    clientNonce: OURS,
    gs2Header: 'n,,',
    clientFirstBare: `n=user,r=${OURS}`,
  }
  const challenge = readChallenge(start, Buffer.from(`r=${OURS}${THEIRS},s=${SALT},i=4096`), 4096)
  const proof = proveScram(challenge, saltedPassword('pencil', challenge.salt, challenge.iterations))

  it('begins with the client-first-message', () => {
    expect(text(clientFirst(start))).toBe('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
  })

  it('has the challenge that the server sent', () => {
    expect(challenge).toMatchObject({ start, nonce: OURS + THEIRS, iterations: 4096 })
    expect(base64(challenge.salt)).toBe(SALT)
  })

  it('has the proof of the client', () => {
    expect(text(proof.clientFinal)).toBe(
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    )
  })

  it('has the signature of the server', () => {
    expect(base64(proof.serverSignature)).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
    expect(() =>
      verifyOutcome(proof.serverSignature, Buffer.from('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')),
    ).not.toThrow()
  })
})

describe('client-first-message', () => {
  it('names nobody, as libpq, and binds no channel', () => {
    expect(text(clientFirst(beginScram('abc')))).toBe('n,,n=,r=abc')
    expect(beginScram('abc').mechanism).toBe('SCRAM-SHA-256')
  })

  for (const [about, nonce] of [
    ['is empty', ''],
    ['has a comma', 'abc,def'],
    ['has a space', 'abc def'],
    ['has a control character', 'abc\n'],
    ['has a delete character', 'abc\x7f'],
    ['is not ASCII', 'abcé'],
  ] as const) {
    it(`is not made with a nonce that ${about}`, () => {
      expect(() => beginScram(nonce)).toThrow(RangeError)
    })
  }

  it('is not made with a wrong nonce, and the error does not show it', () => {
    expect(() => beginScram('wrong,nonce')).toThrow(/^((?!wrong).)*$/)
  })
})

describe('the challenge', () => {
  const start = beginScram(OURS)
  const read = (message: string, iterationsMax = 4096) => readChallenge(start, Buffer.from(message), iterationsMax)

  it('is unproven with a nonce that does not begin with ours', () => {
    expect(failureOf(() => read(`r=x${OURS}${THEIRS},s=${SALT},i=1`))).toEqual({
      kind: 'unproven',
      what: 'SCRAM nonce (it does not begin with ours)',
    })
  })

  it('is unproven with a nonce that has only the beginning of ours', () => {
    expect(failureOf(() => read(`r=${OURS.slice(0, -1)},s=${SALT},i=1`))).toMatchObject({ kind: 'unproven' })
  })

  it('is unproven with our nonce in other letters', () => {
    expect(failureOf(() => read(`r=${OURS.toUpperCase()}${THEIRS},s=${SALT},i=1`))).toMatchObject({ kind: 'unproven' })
  })

  it('is unproven with a nonce to which the server added nothing', () => {
    expect(failureOf(() => read(`r=${OURS},s=${SALT},i=1`))).toEqual({
      kind: 'unproven',
      what: 'SCRAM nonce (the server added nothing to ours)',
    })
  })

  it('is taken with one character added to our nonce', () => {
    expect(read(`r=${OURS}x,s=${SALT},i=1`).nonce).toBe(`${OURS}x`)
  })

  it('is taken with one iteration', () => {
    expect(read(`r=${OURS}x,s=${SALT},i=1`).iterations).toBe(1)
  })

  it('is taken with as many iterations as the limit', () => {
    expect(read(`r=${OURS}x,s=${SALT},i=4096`).iterations).toBe(4096)
  })

  it('passes the limit with one iteration more', () => {
    expect(failureOf(() => read(`r=${OURS}x,s=${SALT},i=4097`))).toEqual({
      kind: 'limit',
      what: 'SCRAM iterations',
      limit: 4096,
      received: 4097,
    })
  })

  it('passes the limit with a number of four hundred digits', () => {
    expect(failureOf(() => read(`r=${OURS}x,s=${SALT},i=${'9'.repeat(400)}`, 2 ** 31 - 1))).toMatchObject({
      kind: 'limit',
      received: Number.MAX_SAFE_INTEGER,
    })
  })

  it('is malformed if it is no server-first-message', () => {
    expect(failureOf(() => read('v=AAAA'))).toMatchObject({ kind: 'malformed', field: 'r', offset: 0 })
  })

  it('does not change when the buffer that it came in is used again', () => {
    const data = Buffer.from(`r=${OURS}x,s=${SALT},i=1`)
    const challenge = readChallenge(start, data, 1)
    data.fill(0)
    expect(text(challenge.serverFirst)).toBe(`r=${OURS}x,s=${SALT},i=1`)
  })
})

describe('the proof', () => {
  const verifier = makeVerifier('pencil', Buffer.from(SALT, 'base64'), 2)
  const start = beginScram(OURS)
  const sent = serverFirst(verifier, OURS + THEIRS)
  const prove = (received: Uint8Array, password = 'pencil') => {
    const challenge = readChallenge(start, received, 100)
    return proveScram(challenge, saltedPassword(password, challenge.salt, challenge.iterations))
  }
  const letIn = (clientFinal: Uint8Array) => judge(verifier, clientFirst(start), sent, clientFinal)

  it('needs 32 bytes of salted password', () => {
    const challenge = readChallenge(start, sent, 100)
    expect(() => proveScram(challenge, new Uint8Array(31))).toThrow(RangeError)
    expect(() => proveScram(challenge, new Uint8Array(33))).toThrow(RangeError)
  })

  it('is made over the bytes received, extensions included', () => {
    const extended = Buffer.concat([sent, Buffer.from(',x=caf\u00e9')])
    const { clientFinal, serverSignature } = prove(extended)
    const outcome = judge(verifier, clientFirst(start), extended, clientFinal)
    expect(outcome).not.toBeNull()
    expect(() => verifyOutcome(serverSignature, outcome as Buffer)).not.toThrow()
  })

  it('lets nobody in with another password', () => {
    expect(letIn(prove(sent).clientFinal)).not.toBeNull()
    expect(letIn(prove(sent, 'pencils').clientFinal)).toBeNull()
  })

  it('lets nobody in if any bit of the server-first-message was flipped on the way', () => {
    for (const flipped of everyBitFlipped(sent)) {
      let proof: Uint8Array
      try {
        proof = prove(flipped).clientFinal
      } catch (error) {
        expect(error).toBeInstanceOf(Fault)
        continue
      }
      expect(letIn(proof)).toBeNull()
    }
  })

  it('lets nobody in if any bit of it was flipped on the way', () => {
    const { clientFinal } = prove(sent)
    const begin = clientFinal.length - 44
    const proof = Buffer.from(text(clientFinal.slice(begin)), 'base64')
    for (const flipped of everyBitFlipped(proof)) {
      expect(letIn(Buffer.concat([clientFinal.slice(0, begin), Buffer.from(base64(flipped))]))).toBeNull()
    }
  })

  it('is believed by the server, and the server by us, whatever password, salt, count and nonce', () => {
    const nonce = fc.stringMatching(/^[!-+\--~]{1,30}$/)
    const salt = fc.uint8Array({ maxLength: 40 })
    const password = fc.string({ unit: 'grapheme', minLength: 1 })
    fc.assert(
      fc.property(
        password,
        salt,
        fc.integer({ min: 1, max: 3 }),
        nonce,
        nonce,
        (password, salt, count, ours, theirs) => {
          const verifier = makeVerifier(normalizePassword(password), salt, count)
          expect(exchange(verifier, password, ours, theirs)).toBe('believed')
        },
      ),
    )
  })

  for (const { about, password, verifier } of VERIFIERS_OF_LIBPQ) {
    it(`opens what libpq locked with ${about}`, () => {
      expect(exchange(parseVerifier(verifier), password, OURS, THEIRS)).toBe('believed')
    })
  }

  it('does not open what libpq locked with another password', () => {
    expect(exchange(parseVerifier(VERIFIERS_OF_LIBPQ[0]?.verifier ?? ''), 'guess', OURS, THEIRS)).toBe('refused')
  })

  function exchange(verifier: Verifier, password: string, ours: string, theirs: string): 'believed' | 'refused' {
    const start = beginScram(ours)
    const sent = serverFirst(verifier, ours + theirs)
    const challenge = readChallenge(start, sent, 4096)
    const proof = proveScram(challenge, saltedPassword(password, challenge.salt, challenge.iterations))
    const outcome = judge(verifier, clientFirst(start), sent, proof.clientFinal)
    if (outcome === null) return 'refused'
    verifyOutcome(proof.serverSignature, outcome)
    return 'believed'
  }
})

describe('the outcome', () => {
  const expected = new Uint8Array(32).map((_, index) => index * 7)
  const verify = (message: string | Uint8Array) => verifyOutcome(expected, Buffer.from(message))
  const lawful = Buffer.from(`v=${base64(expected)}`)

  it('is believed with exactly the signature', () => {
    expect(() => verify(lawful)).not.toThrow()
  })

  it('is believed with an extension behind the signature', () => {
    expect(() => verify(`v=${base64(expected)},x=1`)).not.toThrow()
  })

  it('is not believed if any bit of the message was flipped', () => {
    for (const flipped of everyBitFlipped(lawful)) expect(() => verify(flipped)).toThrow(Fault)
  })

  it('is unproven if any bit of the signature was flipped', () => {
    for (const flipped of everyBitFlipped(expected)) {
      expect(failureOf(() => verify(`v=${base64(flipped)}`))).toEqual({ kind: 'unproven', what: 'server signature' })
    }
  })

  it('is unproven with a signature that is too short, too long or empty', () => {
    for (const signature of [expected.slice(0, 31), new Uint8Array([...expected, 0]), new Uint8Array()]) {
      expect(failureOf(() => verify(`v=${base64(signature)}`))).toEqual({
        kind: 'unproven',
        what: 'server signature (of the wrong length)',
      })
    }
  })

  it('is malformed if it ends anywhere before its end', () => {
    for (let length = 0; length < lawful.length; length++) {
      expect(failureOf(() => verify(lawful.subarray(0, length))).kind).toMatch(/^(malformed|unproven)$/)
    }
  })

  it('is unproven if the server sent an error, which is named', () => {
    expect(failureOf(() => verify('e=invalid-proof'))).toEqual({
      kind: 'unproven',
      what: 'server signature (the server sent invalid-proof instead)',
    })
    expect(failureOf(() => verify('e=server-does-support-channel-binding'))).toMatchObject({
      what: 'server signature (the server sent server-does-support-channel-binding instead)',
    })
  })

  it('is unproven if the server sent an error that is not to be repeated', () => {
    for (const code of ['Text for your terminal', OURS, 'a'.repeat(41), 'na\u00efve']) {
      expect(failureOf(() => verify(`e=${code}`))).toEqual({
        kind: 'unproven',
        what: 'server signature (the server sent an unreadable error code instead)',
      })
    }
  })
})

describe('no failure shows', () => {
  it('the nonce, the salt or the signature, however the messages are damaged', () => {
    const start = beginScram(OURS)
    const first = Buffer.from(`r=${OURS}${THEIRS},s=${SALT},i=4096`)
    const signature = Buffer.alloc(32, 7)
    const final = Buffer.from(`v=${base64(signature)}`)
    const damage = fc.array(fc.tuple(fc.nat({ max: 90 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(damage, (changes) => {
        const spoil = (message: Buffer) => {
          const copy = Buffer.from(message)
          for (const [offset, byte] of changes) copy[offset % copy.length] = byte
          return copy
        }
        for (const action of [
          () => readChallenge(start, spoil(first), 1),
          () => verifyOutcome(signature, spoil(final)),
          () => verifyOutcome(signature, Buffer.concat([Buffer.from('e='), spoil(first)])),
        ]) {
          try {
            action()
          } catch (error) {
            const shown = inspect(error, { depth: null })
            for (const secret of [OURS, THEIRS, SALT, base64(signature)]) {
              expect(shown).not.toContain(secret.slice(0, 8))
              expect(shown).not.toContain(secret.slice(-8))
            }
          }
        }
      }),
    )
  })
})

function* everyBitFlipped(data: Uint8Array): Generator<Uint8Array> {
  for (let bit = 0; bit < data.length * 8; bit++) {
    yield data.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
  }
}
