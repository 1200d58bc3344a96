/**
 * A second opinion on the handshake: whatever a server says, the machine and a model that was written from the manual alone
 * end alike, have sent the same, and know the same. A counterexample shrinks to the fewest steps.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { scramKeys } from '../../src/auth/scram.ts'
import { Secret } from '../../src/auth/secret.ts'
import type { BackendMessage } from '../../src/protocol/backend.ts'
import type { FrontendMessage } from '../../src/protocol/frontend.ts'
import type { Effect, Event } from '../../src/state/handshake/events.ts'
import { begin, nextMove } from '../../src/state/handshake/policy.ts'
import type { State } from '../../src/state/handshake/states.ts'
import { handshake } from '../../src/state/handshake/transitions.ts'
import { ScramServer, scramKeys as serverKeys } from '../../src/testing/index.ts'
import { ATTEMPT, EVENTS, TLS } from '../state/handshake/examples.ts'
import { type Client, type End, ReferenceModel, type Said } from './reference-model.ts'
import { propertyOptions } from './runs.ts'

const MODEL = new URL('reference-model.ts', import.meta.url)
const CERTIFICATE = new URL('../auth/certificates/rsa-sha256.der', import.meta.url)
const serverCertificate = readFileSync(fileURLToPath(CERTIFICATE))
const PASSWORD = 'correct horse'

/** The machine with somebody who does at once what it asks for. */
class MachineAlone {
  state: State
  readonly sent: string[] = []
  readonly #signal = new AbortController().signal
  readonly #scram = new ScramServer({ password: PASSWORD })
  #lastAnswer: FrontendMessage | undefined

  constructor(client: Client) {
    this.state = begin({
      ...ATTEMPT,
      needsLookup: false,
      hasPassword: client.password,
      encryption: client.tls,
      minProtocolVersion: client.oldestVersion,
      maxProtocolVersion: client.newestVersion,
      allowCleartextPassword: client.mayShowPassword,
      sessionWanted: client.wanted,
    })
    this.#moveOn([])
  }

  hear(said: Said): void {
    if (this.end() === null) this.#receive(this.#eventOf(said))
  }

  /** In the model's words; null: it goes on. */
  end(): End | null {
    const { state } = this
    if (state.name === 'Ready') {
      const { authenticationMethod: method, backendKeyData } = state
      const { protocolVersion: version } = state.greeting
      return { end: 'ready', method, version, canCancel: backendKeyData !== null }
    }
    if (state.name !== 'Failed') return null
    const { kind } = state.failure
    if (kind === 'incompatible' && state.phase === 'CheckingSession') return { end: 'unwanted' }
    if (kind === 'misbehaved' || kind === 'malformed' || kind === 'limit') return { end: 'unlawful' }
    if (kind === 'deadline' || kind === 'aborted') throw new TypeError('there is no time here')
    return { end: kind }
  }

  #receive(event: Event): void {
    const { state, effects } = handshake.receive(this.state, event, this.#signal)
    this.state = state
    this.#moveOn(effects)
  }

  #moveOn(effects: readonly Effect[]): void {
    const move = nextMove(this.state)
    for (const effect of effects) {
      const event = this.#perform(effect)
      if (event !== null) this.#receive(event)
    }
    if (move !== null) this.#receive(move)
  }

  #perform(effect: Effect): Event | null {
    switch (effect.do) {
      case 'beginPassword':
        return null
      case 'dial':
        return { type: 'TransportOpened' }
      case 'startTls':
        return { type: 'TlsEstablished', tls: { ...TLS, serverCertificate } }
      case 'fetchPassword':
        return { type: 'PasswordFetched', password: new Secret(PASSWORD) }
      case 'deriveKey':
        return { type: 'SaslKeyDerived', keys: scramKeys(serverKeys(PASSWORD).saltedPassword) }
      case 'send':
        this.sent.push(effect.message.type)
        this.#lastAnswer = effect.message as FrontendMessage
        return null
      default:
        throw new TypeError(`nobody asked for ${effect.do}`)
    }
  }

  /** What the model only hints at: a challenge for our nonce, a signature over what was said. */
  #eventOf(said: Said): Event {
    const answer = this.#lastAnswer
    switch (said.type) {
      case 'ConnectionLost':
        return EVENTS.TransportLost
      case 'NegotiateProtocolVersion':
        return { type: said.type, newestVersion: said.newest, unrecognizedOptions: [] }
      case 'BackendKeyData':
        return { type: said.type, processId: 1, secretKey: new Uint8Array(said.keyBytes) }
      case 'DataRow':
        return { type: said.type, values: [Buffer.from(said.value)] }
      case 'AuthenticationSASLContinue': {
        const isOurs = said.ourNonce && answer?.type === 'SASLInitialResponse'
        if (isOurs) return { type: said.type, data: this.#scram.first(answer.data ?? Buffer.alloc(0)) }
        return { type: said.type, data: Buffer.from('r=somebody+else+altogether,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=16') }
      }
      case 'AuthenticationSASLFinal': {
        if (answer?.type !== 'SASLResponse') return EVENTS[said.type]
        const right = this.#scram.final(answer.data)
        return { type: said.type, data: said.rightSignature ? right : Buffer.from(`v=${'A'.repeat(43)}=`) }
      }
      case 'AuthenticationSASL':
      case 'ParameterStatus':
        return said
      default:
        return EVENTS[said.type] as BackendMessage
    }
  }
}

function compare(model: ReferenceModel, machine: MachineAlone): void {
  const found = { end: machine.end(), sent: machine.sent }
  // Ten times as fast as asking `expect`.
  if (!isDeepStrictEqual(found, { end: model.end, sent: model.sent })) {
    expect(found).toEqual({ end: model.end, sent: model.sent })
  }
}

/** One message of the server, said to both. */
class Say implements fc.Command<ReferenceModel, MachineAlone> {
  readonly said: Said

  constructor(said: Said) {
    this.said = said
  }

  check(): boolean {
    return true
  }

  run(model: ReferenceModel, machine: MachineAlone): void {
    model.hear(this.said)
    machine.hear(this.said)
    compare(model, machine)
  }

  toString(): string {
    return JSON.stringify(this.said)
  }
}

const client = fc
  .record<Client>({
    tls: fc.constantFrom('off', 'off', 'preferred', 'required'),
    password: fc.boolean(),
    mayShowPassword: fc.boolean(),
    oldestVersion: fc.constantFrom('3.0', '3.2'),
    newestVersion: fc.constantFrom('3.0', '3.2'),
    wanted: fc.constantFrom('any', 'any', 'primary', 'standby'),
  })
  .filter(({ oldestVersion, newestVersion }) => oldestVersion <= newestVersion)

const PLAIN = [
  ...([
    'TlsAccepted',
    'TlsRefused',
    'AuthenticationOk',
    'AuthenticationCleartextPassword',
    'AuthenticationMD5Password',
  ] as const),
  ...(['AuthenticationKerberosV5', 'AuthenticationGSS', 'AuthenticationGSSContinue', 'AuthenticationSSPI'] as const),
  ...(['ErrorResponse', 'NoticeResponse', 'NotificationResponse', 'RowDescription', 'CommandComplete'] as const),
  ...(['EmptyQueryResponse', 'CopyInResponse', 'CopyOutResponse', 'CopyBothResponse', 'CopyData', 'CopyDone'] as const),
  ...(['ReadyForQuery', 'ConnectionLost'] as const),
] as const

const MECHANISMS = ['SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS', 'OAUTHBEARER']

/** Anything at any time. */
const anything: fc.Arbitrary<Said> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...PLAIN).map((type) => ({ type })) },
  fc.record({ type: fc.constant('AuthenticationSASL' as const), mechanisms: fc.subarray(MECHANISMS) }),
  fc.record({ type: fc.constant('AuthenticationSASLContinue' as const), ourNonce: fc.boolean() }),
  fc.record({ type: fc.constant('AuthenticationSASLFinal' as const), rightSignature: fc.boolean() }),
  fc.record({
    type: fc.constant('NegotiateProtocolVersion' as const),
    newest: fc.constantFrom(0x20000, 0x30000, 0x30001, 0x30002, 0x30003),
  }),
  fc.record({
    type: fc.constant('ParameterStatus' as const),
    name: fc.constantFrom('in_hot_standby', 'TimeZone'),
    value: fc.constantFrom('on', 'off'),
  }),
  fc.record({ type: fc.constant('BackendKeyData' as const), keyBytes: fc.constantFrom(0, 3, 4, 5, 32, 256, 257) }),
  fc.record({ type: fc.constant('DataRow' as const), value: fc.constantFrom('t', 'f') }),
)

const notice: Said = { type: 'NoticeResponse' }

/** What a lawful server may say from the start to the end, with notices, notifications and a change of role in between. */
const lawful: fc.Arbitrary<Said[]> = fc
  .tuple(
    fc.constantFrom<Said[]>([], [{ type: 'TlsAccepted' }], [{ type: 'TlsRefused' }]),
    fc.constantFrom<Said[]>([], [], [{ type: 'NegotiateProtocolVersion', newest: 0x30000 }]),
    fc.constantFrom<Said[]>(
      [],
      [{ type: 'AuthenticationCleartextPassword' }],
      [{ type: 'AuthenticationMD5Password' }],
      [
        { type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] },
        { type: 'AuthenticationSASLContinue', ourNonce: true },
        { type: 'AuthenticationSASLFinal', rightSignature: true },
      ],
    ),
    fc.constantFrom<Said[]>(
      [],
      [{ type: 'ParameterStatus', name: 'in_hot_standby', value: 'on' }],
      [{ type: 'ParameterStatus', name: 'in_hot_standby', value: 'off' }],
    ),
    fc.constantFrom<Said[]>([], [{ type: 'BackendKeyData', keyBytes: 4 }], [{ type: 'BackendKeyData', keyBytes: 32 }]),
    fc.constantFrom<Said[]>(
      [],
      [
        { type: 'RowDescription' },
        { type: 'DataRow', value: 't' },
        { type: 'CommandComplete' },
        { type: 'NotificationResponse' },
        { type: 'ReadyForQuery' },
      ],
    ),
    fc.array(fc.nat({ max: 20 }), { maxLength: 2 }),
    fc.array(fc.tuple(fc.nat({ max: 10 }), fc.constantFrom('on', 'off')), { maxLength: 1 }),
  )
  .map(([tls, version, authentication, parameters, key, check, notices, changes]) => {
    const admitted: Said[] = [...parameters, ...key, { type: 'ReadyForQuery' }, ...check]
    for (const [place, value] of changes) {
      admitted.splice(place % admitted.length, 0, { type: 'ParameterStatus', name: 'in_hot_standby', value })
    }
    const told: Said[] = [...version, ...authentication, { type: 'AuthenticationOk' }, ...admitted]
    for (const place of notices) told.splice(place % told.length, 0, notice)
    return [...tls, ...told]
  })

/** The same with some of it left out, said twice, or replaced. */
const nearlyLawful = fc
  .tuple(lawful, fc.nat(), fc.constantFrom('skip', 'repeat', 'replace', 'insert'), anything)
  .map(([told, place, how, other]) => {
    const at = place % told.length
    const here = told[at] as Said
    const instead = { skip: [], repeat: [here, here], replace: [other], insert: [other, here] }[how]
    return [...told.slice(0, at), ...instead, ...told.slice(at + 1)]
  })

function agree(
  one: Client,
  told: Iterable<fc.Command<ReferenceModel, MachineAlone>>,
): { model: ReferenceModel; machine: MachineAlone } {
  const model = new ReferenceModel(one)
  const machine = new MachineAlone(one)
  compare(model, machine)
  fc.modelRun(() => ({ model, real: machine }), told)
  return { model, machine }
}

it('model-01: whatever a server says in whatever order, the machine and the manual end alike', () => {
  const commands = fc.commands([anything.map((said) => new Say(said))], { maxCommands: 12 })
  fc.assert(
    fc.property(client, commands, (one, told) => {
      agree(one, told)
    }),
    propertyOptions(5_000),
  )
})

it('model-02: lawful conversations of every profile: the same end, the same answers, the same facts', () => {
  const ends = new Map<string, number>()
  fc.assert(
    fc.property(client, lawful, (one, told) => {
      const { model } = agree(
        one,
        told.map((said) => new Say(said)),
      )
      const end = model.end?.end ?? 'goes on'
      ends.set(end, (ends.get(end) ?? 0) + 1)
    }),
    propertyOptions(5_000),
  )
  // Not all of them suit their clients; but a generator that reaches nobody would prove nothing.
  expect(ends.get('ready')).toBeGreaterThan(0)
  expect(ends.get('unwanted')).toBeGreaterThan(0)
})

it('model-03: one step left out, repeated, replaced or inserted: they still agree', () => {
  fc.assert(
    fc.property(client, nearlyLawful, (one, told) => {
      agree(
        one,
        told.map((said) => new Say(said)),
      )
    }),
    propertyOptions(5_000),
  )
})

it('the model is small enough to be read beside the manual: 200 lines at most', () => {
  expect(readFileSync(MODEL, 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(200)
})

it('the model knows nothing of our code: it imports nothing', () => {
  expect(readFileSync(MODEL, 'utf8')).not.toMatch(/^import\b|\bimport\(|\brequire\(/m)
})
