import { createHash, pbkdf2Sync } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChannelBinding } from '../../src/auth/choose.ts'
import { normalizePassword } from '../../src/auth/saslprep.ts'
import {
  beginScram,
  clientFirst,
  parseScramKey,
  proveScram,
  readChallenge,
  type ScramMechanism,
  type ScramStart,
  scramKeys,
  verifyOutcome,
} from '../../src/auth/scram.ts'
import { Fault } from '../../src/protocol/failure.ts'
import { failureOf } from './failure-of.ts'
import { judge, makeVerifier, parseVerifier, type ServerSide, serverFirst, type Verifier } from './scram-server.ts'
import { VERIFIERS_OF_LIBPQ } from './verifiers.ts'

const OURS = 'rOprNGfwEbeRWgbNEkqO'
const THEIRS = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const SALT = 'W22ZaJ0SNY7soEsUEjb6gQ=='
const text = (data: Uint8Array) => Buffer.from(data).toString()
const base64 = (data: Uint8Array) => Buffer.from(data).toString('base64')

const saltedPassword = (password: string, salt: Uint8Array, iterations: number) =>
  pbkdf2Sync(normalizePassword(password), salt, iterations, 32, 'sha256')
const keysOf = (password: string, salt: Uint8Array, iterations: number) =>
  scramKeys(saltedPassword(password, salt, iterations))

const PLAIN = 'SCRAM-SHA-256'
const PLUS = 'SCRAM-SHA-256-PLUS'
const UNBOUND: ChannelBinding = { flag: 'n' }
const beginUnbound = (nonce: string) => beginScram(nonce, PLAIN, UNBOUND)
const UP_TO = (max: number) => ({ min: 1, max })

// Everything but the name of the user is fixed by the RFC; ours is always empty, so the start is written out.
describe('the exchange of RFC 7677 section 3', () => {
  const start: ScramStart = {
    mechanism: 'SCRAM-SHA-256',
    clientNonce: OURS,
    gs2Header: 'n,,',
    channelBindingInput: Buffer.from('n,,'),
    clientFirstBare: `n=user,r=${OURS}`,
  }
  const challenge = readChallenge(start, Buffer.from(`r=${OURS}${THEIRS},s=${SALT},i=4096`), UP_TO(4096))
  const proof = proveScram(challenge, keysOf('pencil', challenge.salt, challenge.iterations))

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
  const begun = (mechanism: ScramMechanism, binding: ChannelBinding) =>
    text(clientFirst(beginScram('abc', mechanism, binding)))

  it('names nobody, as libpq', () => {
    expect(begun(PLAIN, { flag: 'n' })).toBe('n,,n=,r=abc')
    expect(beginUnbound('abc').mechanism).toBe(PLAIN)
  })

  it('says that we could bind the channel, if the server could', () => {
    expect(begun(PLAIN, { flag: 'y' })).toBe('y,,n=,r=abc')
  })

  it('says to what the channel is bound, and not yet with what', () => {
    expect(begun(PLUS, { flag: 'p', data: Buffer.from('end point') })).toBe('p=tls-server-end-point,,n=,r=abc')
    expect(beginScram('abc', PLUS, { flag: 'p', data: Buffer.from('end point') }).mechanism).toBe(PLUS)
  })

  it('is not made with a flag that does not go with the mechanism', () => {
    expect(() => begun(PLAIN, { flag: 'p', data: new Uint8Array(32) })).toThrow(RangeError)
    expect(() => begun(PLUS, { flag: 'n' })).toThrow(RangeError)
    expect(() => begun(PLUS, { flag: 'y' })).toThrow(RangeError)
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
      expect(() => beginUnbound(nonce)).toThrow(RangeError)
    })
  }

  it('is not made with a wrong nonce, and the error does not show it', () => {
    expect(() => beginUnbound('wrong,nonce')).toThrow(/^((?!wrong).)*$/)
  })
})

describe('the challenge', () => {
  const start = beginUnbound(OURS)
  const read = (message: string, max = 4096, min = 1) => readChallenge(start, Buffer.from(message), { min, max })

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

  it('is taken with as many iterations as the minimum', () => {
    expect(read(`r=${OURS}x,s=${SALT},i=4096`, 10_000, 4096).iterations).toBe(4096)
  })

  it('is against policy with one iteration less', () => {
    expect(failureOf(() => read(`r=${OURS}x,s=${SALT},i=4095`, 10_000, 4096))).toEqual({
      kind: 'policy',
      what: 'the server asked for 4095 SCRAM iterations, and at least 4096 are required; nothing was proved to it',
      advice: 'set the password again under a higher scram_iterations on the server, or lower the minimum',
    })
  })

  it('passes the limit rather than the minimum, where nothing lies between them', () => {
    expect(failureOf(() => read(`r=${OURS}x,s=${SALT},i=15`, 10, 20))).toMatchObject({ kind: 'limit' })
  })

  it('is unproven before its iterations are judged', () => {
    expect(failureOf(() => read(`r=x,s=${SALT},i=9999`))).toMatchObject({ kind: 'unproven' })
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
    const challenge = readChallenge(start, data, UP_TO(1))
    data.fill(0)
    expect(text(challenge.serverFirst)).toBe(`r=${OURS}x,s=${SALT},i=1`)
  })
})

describe('the proof', () => {
  const verifier = makeVerifier('pencil', Buffer.from(SALT, 'base64'), 2)
  const start = beginUnbound(OURS)
  const sent = serverFirst(verifier, OURS + THEIRS)
  const prove = (received: Uint8Array, password = 'pencil') => {
    const challenge = readChallenge(start, received, UP_TO(100))
    return proveScram(challenge, keysOf(password, challenge.salt, challenge.iterations))
  }
  const letIn = (clientFinal: Uint8Array) => judge(verifier, clientFirst(start), sent, clientFinal)

  it('needs keys of 32 bytes', () => {
    const challenge = readChallenge(start, sent, UP_TO(100))
    const [clientKey, serverKey] = [new Uint8Array(32), new Uint8Array(32)]
    for (const wrong of [new Uint8Array(), new Uint8Array(31), new Uint8Array(33)]) {
      expect(() => proveScram(challenge, { clientKey: wrong, serverKey })).toThrow(RangeError)
      expect(() => proveScram(challenge, { clientKey, serverKey: wrong })).toThrow(RangeError)
    }
    expect(() => proveScram(challenge, { clientKey, serverKey })).not.toThrow()
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
    return bound(
      verifier,
      password,
      { ours, theirs, mechanism: PLAIN, binding: UNBOUND },
      { mechanism: PLAIN, endPoint: null },
    )
  }
})

function bound(
  verifier: Verifier,
  password: string,
  client: { ours: string; theirs: string; mechanism: ScramMechanism; binding: ChannelBinding },
  server: ServerSide,
  onTheWay = (clientFirst: Uint8Array) => clientFirst,
): 'believed' | 'refused' {
  const start = beginScram(client.ours, client.mechanism, client.binding)
  const sent = serverFirst(verifier, client.ours + client.theirs)
  const challenge = readChallenge(start, sent, UP_TO(4096))
  const proof = proveScram(challenge, keysOf(password, challenge.salt, challenge.iterations))
  const outcome = judge(verifier, onTheWay(clientFirst(start)), sent, proof.clientFinal, server)
  if (outcome === null) return 'refused'
  verifyOutcome(proof.serverSignature, outcome)
  return 'believed'
}

describe('channel binding', () => {
  const verifier = makeVerifier('pencil', Buffer.from(SALT, 'base64'), 1)
  const END_POINT = Buffer.from('a certificate, hashed: 32 bytes.')
  const log = (
    mechanism: ScramMechanism,
    binding: ChannelBinding,
    server: Partial<ServerSide> = {},
    onTheWay?: (clientFirst: Uint8Array) => Uint8Array,
  ) => {
    const side = { mechanism, endPoint: END_POINT, ...server }
    return bound(verifier, 'pencil', { ours: OURS, theirs: THEIRS, mechanism, binding }, side, onTheWay)
  }

  it('carries the gs2-header and the end point in c=, as RFC 5802 section 5.1 says', () => {
    // printf 'p=tls-server-end-point,,a certificate, hashed: 32 bytes.' | base64
    const expected = 'cD10bHMtc2VydmVyLWVuZC1wb2ludCwsYSBjZXJ0aWZpY2F0ZSwgaGFzaGVkOiAzMiBieXRlcy4='
    for (const [mechanism, binding, carried] of [
      [PLUS, { flag: 'p', data: END_POINT }, expected],
      [PLAIN, { flag: 'y' }, 'eSws'],
      [PLAIN, { flag: 'n' }, 'biws'],
    ] as const) {
      const challenge = readChallenge(
        beginScram(OURS, mechanism, binding),
        serverFirst(verifier, OURS + THEIRS),
        UP_TO(1),
      )
      const { clientFinal } = proveScram(challenge, keysOf('pencil', challenge.salt, 1))
      expect(text(clientFinal)).toMatch(new RegExp(`^c=${carried},r=`))
    }
  })

  it('is believed by a server that shows the same certificate', () => {
    expect(log(PLUS, { flag: 'p', data: END_POINT })).toBe('believed')
  })

  it('is believed whatever password, hash and nonces', () => {
    const nonce = fc.stringMatching(/^[!-+\--~]{1,30}$/)
    const hash = fc.uint8Array({ minLength: 28, maxLength: 64 })
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), hash, nonce, nonce, (password, data, ours, theirs) => {
        const locked = makeVerifier(normalizePassword(password), Buffer.from(SALT, 'base64'), 1)
        const client = { ours, theirs, mechanism: PLUS, binding: { flag: 'p', data } } as const
        expect(bound(locked, password, client, { mechanism: PLUS, endPoint: data })).toBe('believed')
        expect(bound(locked, `${password}x`, client, { mechanism: PLUS, endPoint: data })).toBe('refused')
      }),
    )
  })

  it('is refused by a server that shows any other certificate', () => {
    for (const flipped of everyBitFlipped(END_POINT)) {
      expect(log(PLUS, { flag: 'p', data: flipped })).toBe('refused')
    }
    expect(log(PLUS, { flag: 'p', data: END_POINT.subarray(1) })).toBe('refused')
    expect(log(PLUS, { flag: 'p', data: Buffer.concat([END_POINT, Buffer.of(0)]) })).toBe('refused')
    expect(log(PLUS, { flag: 'p', data: END_POINT }, { endPoint: null })).toBe('refused')
  })

  it('that we decline is accepted', () => {
    expect(log(PLAIN, { flag: 'n' })).toBe('believed')
    expect(log(PLAIN, { flag: 'n' }, { endPoint: null })).toBe('believed')
  })

  it('that we miss is accepted by a server without TLS, and by no other: the offer was taken out', () => {
    expect(log(PLAIN, { flag: 'y' }, { endPoint: null })).toBe('believed')
    expect(log(PLAIN, { flag: 'y' })).toBe('refused')
  })

  it('is refused with any flag changed on the way', () => {
    const header = (to: string) => (message: Uint8Array) =>
      Buffer.from(text(message).replace(/^(?:[ny]|p=tls-server-end-point),,/, to))
    const flags = [
      [PLAIN, { flag: 'n' }, 'n,,'],
      [PLAIN, { flag: 'y' }, 'y,,'],
      [PLUS, { flag: 'p', data: END_POINT }, 'p=tls-server-end-point,,'],
    ] as const
    for (const [mechanism, binding, ours] of flags) {
      for (const theirs of ['n,,', 'y,,', 'p=tls-server-end-point,,', 'p=tls-unique,,', 'n,a=admin,', 'x,,']) {
        for (const other of [PLAIN, PLUS]) {
          for (const endPoint of [null, END_POINT]) {
            if (theirs === ours && other === mechanism) continue
            expect(log(mechanism, binding, { mechanism: other, endPoint }, header(theirs))).toBe('refused')
          }
        }
      }
    }
  })

  it('does not change when the buffer that it came in is used again', () => {
    const data = Buffer.from(END_POINT)
    const start = beginScram(OURS, PLUS, { flag: 'p', data })
    data.fill(0)
    expect(text(start.channelBindingInput)).toBe(`p=tls-server-end-point,,${END_POINT}`)
  })
})

describe('the keys', () => {
  // RFC 7677 section 3 does not print them. The salted password is that of its example, and then, as for the other one:
  // printf 'Client Key' | openssl dgst -sha256 -mac HMAC -macopt hexkey:c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d
  const salted = Buffer.from('c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d', 'hex')
  const keys = scramKeys(salted)

  it('are made from the salted password with the words of RFC 5802 section 3', () => {
    expect(Buffer.from(keys.clientKey).toString('hex')).toBe(
      'a60fc923d67e8644a92d16b96eda5ef4656b0c725c484374be25535576996e8b',
    )
    expect(Buffer.from(keys.serverKey).toString('hex')).toBe(
      'c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5',
    )
  })

  it('are what PostgreSQL stores the hash of, and stores', () => {
    const verifier = makeVerifier('pencil', Buffer.from(SALT, 'base64'), 4096)
    expect(createHash('sha256').update(keys.clientKey).digest()).toEqual(verifier.storedKey)
    expect(Buffer.from(keys.serverKey)).toEqual(verifier.serverKey)
  })

  it('need 32 bytes of salted password', () => {
    for (const length of [0, 31, 33]) expect(() => scramKeys(new Uint8Array(length))).toThrow(RangeError)
  })
})

describe('scram_client_key and scram_server_key', () => {
  const key = new Uint8Array(32).map((_, index) => 255 - index)
  const encoded = base64(key)

  it('are 32 bytes in base64', () => {
    expect(parseScramKey(encoded)).toEqual(key)
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        expect(parseScramKey(base64(bytes))).toEqual(bytes)
      }),
    )
  })

  for (const [about, wrong] of [
    ['nothing', ''],
    ['31 bytes', base64(key.subarray(1))],
    ['33 bytes', base64(Buffer.from([...key, 0]))],
    ['no padding', encoded.slice(0, -1)],
    ['too much padding', `${encoded}=`],
    ['a space in front', ` ${encoded}`],
    ['a line feed behind', `${encoded}\n`],
    ['the alphabet for URLs', encoded.replaceAll('/', '_').replaceAll('+', '-')],
    ['bits left over', `${encoded.slice(0, -2)}B=`],
    ['a stray character', `${encoded.slice(0, 5)}!${encoded.slice(5)}`],
    ['hexadecimal digits', Buffer.from(key).toString('hex')],
  ] as const) {
    it(`are not ${about}`, () => {
      expect(parseScramKey(wrong)).toBeNull()
    })
  }

  it('are not anything else, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (any) => {
        const parsed = parseScramKey(any)
        expect(parsed === null || base64(parsed) === any).toBe(true)
      }),
    )
  })
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
    const start = beginUnbound(OURS)
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
          () => readChallenge(start, spoil(first), UP_TO(1)),
          () => readChallenge(start, spoil(first), { min: 100_000, max: 1_000_000 }),
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
