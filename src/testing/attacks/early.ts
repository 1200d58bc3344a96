/**
 * A client may begin SCRAM in the flight of the StartupMessage, where it takes nothing else anyway (require_auth=scram-sha-256).
 * What it says there is a nonce and no more; whatever the server makes of it, it must not get further than it would have.
 */
import type { Attack } from '../attack.ts'
import { attack, kebab, stall } from '../define.ts'
import { encodeBackend, frame, int32 } from '../encode-backend.ts'
import { EXAMPLES } from '../examples.ts'
import type { Peer, Script } from '../peer.ts'

const ORDER = {
  text: 'A message at the wrong time ends the connection, though the client has spoken before it was asked.',
  source: '#PROTOCOL-FLOW-START-UP, #SASL-AUTHENTICATION',
}
const REQUIRED = {
  text: 'A first message of SCRAM that was sent unasked binds the client to SCRAM: nothing less is answered.',
  source: '#LIBPQ-CONNECT-REQUIRE-AUTH',
}
const OFFER = {
  text: 'What was begun unasked is gone on with only where the server does offer it.',
  source: '#SASL-AUTHENTICATION',
}
const PROOF = {
  text: 'Once SASL has begun, be it unasked, a server that lets us in without its signature has proved nothing.',
  source: 'RFC 5802 section 3, #SASL-SCRAM-SHA-256',
}
const REFUSED = {
  text: 'A refusal is told as what it is, and nobody dials again who did not ask for it.',
  source: '#PROTOCOL-FLOW-START-UP',
}
const NEGOTIATION = {
  text: 'NegotiateProtocolVersion comes once, and names a version that was not asked for and exists.',
  source: '#PROTOCOL-MESSAGE-FORMATS-NEGOTIATEPROTOCOLVERSION',
}
const LOST = {
  text: 'A lost connection is reported at once, in the state in which it was lost.',
  source: '#PROTOCOL-FLOW-TERMINATION',
}
const SILENCE = {
  text: 'A silent server costs the deadline and no more, in every state.',
  source: '#LIBPQ-CONNECT-CONNECT-TIMEOUT',
}
const ENDLESS = {
  text: 'Lawful messages before ReadyForQuery are bounded, in number and in size, and the bound ends them at once.',
  source: '#PROTOCOL-ASYNC',
}

const STATE = 'AwaitingSaslOffer'
const EARLY = {
  target: { require_auth: 'scram-sha-256' },
  sent: ['StartupMessage', 'SASLInitialResponse'],
} as const

/** Take the flight in which SCRAM begins, and go on with this. */
function behindTheFlight(then: (peer: Peer) => Promise<void> | void): Script {
  return async (peer) => {
    await peer.expectStartup()
    await peer.expectMessage('SASLInitialResponse')
    await then(peer)
  }
}

function bytesThen(...bytes: Buffer[]): Script {
  return behindTheFlight((peer) => peer.sendBytes(...bytes))
}

const ok = encodeBackend({ type: 'AuthenticationOk' })
const ready = encodeBackend({ type: 'ReadyForQuery', status: 'I' })
const offer = (...mechanisms: string[]) => encodeBackend({ type: 'AuthenticationSASL', mechanisms })
const negotiation = encodeBackend({
  type: 'NegotiateProtocolVersion',
  newestVersion: 0x0003_0000,
  unrecognizedOptions: [],
})
const notice = encodeBackend({ type: 'NoticeResponse', fields: [{ code: 'M', value: 'still here' }] })

/** What may lawfully come instead of an offer, and is an error with a name of its own. */
const LAWFUL = [
  'NegotiateProtocolVersion',
  'AuthenticationOk',
  'AuthenticationKerberosV5',
  'AuthenticationCleartextPassword',
  'AuthenticationMD5Password',
  'AuthenticationGSS',
  'AuthenticationSSPI',
  'AuthenticationSASL',
  'ErrorResponse',
  'NoticeResponse',
]

const matrix = EXAMPLES.filter(({ type }) => !LAWFUL.includes(type)).map((message) =>
  attack(
    `order/${kebab(message.type)}-in-awaiting-sasl-offer`,
    `sends ${message.type} where SCRAM has begun unasked`,
    ORDER,
    bytesThen(encodeBackend(message)),
    ['misbehaved', STATE],
    EARLY,
  ),
)

const METHODS = [
  ['trust', 'lets us in without a question', ok],
  ['whole-login', 'lets us in without a question, ready at once', Buffer.concat([ok, ready])],
  ['cleartext', 'asks for the password in the clear', encodeBackend({ type: 'AuthenticationCleartextPassword' })],
  ['md5', 'asks for MD5', encodeBackend({ type: 'AuthenticationMD5Password', salt: Buffer.from([1, 2, 3, 4]) })],
] as const

const methods = METHODS.map(([name, title, bytes]) =>
  attack(
    `authentication/early-${name}`,
    `${title} where SCRAM has begun unasked`,
    REQUIRED,
    bytesThen(bytes),
    ['policy', STATE],
    { ...EARLY, target: { ...EARLY.target, allow_cleartext_password: 'true' } },
  ),
)

const unsupported = (['AuthenticationKerberosV5', 'AuthenticationGSS', 'AuthenticationSSPI'] as const).map((type) =>
  attack(
    `authentication/early-${type.slice('Authentication'.length).toLowerCase()}`,
    `asks for ${type} where SCRAM has begun unasked`,
    REQUIRED,
    bytesThen(encodeBackend({ type })),
    ['incompatible', STATE],
    EARLY,
  ),
)

const offers = [
  attack(
    'scram/early-offers-another-mechanism',
    'offers mechanisms without ours, which has begun unasked',
    OFFER,
    bytesThen(offer('SCRAM-SHA-512', 'OAUTHBEARER')),
    ['incompatible', STATE],
    EARLY,
  ),
  attack(
    'scram/early-offers-nothing',
    'offers no mechanism at all where SCRAM has begun unasked',
    OFFER,
    bytesThen(offer()),
    ['incompatible', STATE],
    EARLY,
  ),
  attack(
    'scram/early-offers-binding-without-tls',
    'offers channel binding without TLS where SCRAM has begun unasked',
    OFFER,
    bytesThen(offer('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256')),
    ['misbehaved', STATE],
    EARLY,
  ),
  attack(
    'scram/early-list-without-end',
    'offers mechanisms in a list without an end where SCRAM has begun unasked',
    OFFER,
    bytesThen(frame('R', Buffer.concat([int32(10), Buffer.from('SCRAM-SHA-256\0')]))),
    ['malformed', STATE],
    EARLY,
  ),
]

const inOneSegment = [
  attack(
    'order/early-offer-and-ok',
    'offers SCRAM, which has begun unasked, and lets us in without it',
    PROOF,
    bytesThen(offer('SCRAM-SHA-256'), ok, ready),
    ['misbehaved', 'AwaitingSaslChallenge'],
    EARLY,
  ),
  attack(
    'order/early-offer-and-signature',
    'offers SCRAM, which has begun unasked, and sends a signature before its challenge',
    PROOF,
    bytesThen(offer('SCRAM-SHA-256'), encodeBackend({ type: 'AuthenticationSASLFinal', data: Buffer.from('v=QUJD') })),
    ['misbehaved', 'AwaitingSaslChallenge'],
    EARLY,
  ),
  attack(
    'order/early-offer-twice',
    'offers SCRAM twice where it has begun unasked',
    ORDER,
    bytesThen(offer('SCRAM-SHA-256'), offer('SCRAM-SHA-256')),
    ['misbehaved', 'AwaitingSaslChallenge'],
    EARLY,
  ),
  attack(
    'scram/early-challenge-with-another-nonce',
    "sends a challenge that does not begin with the nonce of the client's early message",
    PROOF,
    bytesThen(
      offer('SCRAM-SHA-256'),
      encodeBackend({ type: 'AuthenticationSASLContinue', data: Buffer.from('r=abcdef,s=QUJD,i=4096') }),
    ),
    ['unproven', 'AwaitingSaslChallenge'],
    EARLY,
  ),
]

const negotiations = [
  attack(
    'startup/early-negotiation-twice',
    'negotiates the version twice where SCRAM has begun unasked',
    NEGOTIATION,
    bytesThen(negotiation, negotiation),
    ['misbehaved', STATE],
    { ...EARLY, target: { ...EARLY.target, max_protocol_version: '3.2' } },
  ),
  attack(
    'startup/early-negotiation-and-trust',
    'negotiates the version and lets us in, where SCRAM has begun unasked',
    REQUIRED,
    bytesThen(negotiation, ok, ready),
    ['policy', STATE],
    { ...EARLY, target: { ...EARLY.target, max_protocol_version: '3.2' } },
  ),
  attack(
    'startup/early-negotiation-below-the-minimum',
    'negotiates 3.0 although the user wants 3.2 at least, where SCRAM has begun unasked',
    NEGOTIATION,
    bytesThen(negotiation),
    ['incompatible', STATE],
    { ...EARLY, target: { ...EARLY.target, min_protocol_version: '3.2', max_protocol_version: '3.2' } },
  ),
]

/** 08P01 is what poolers answer to a message that they do not expect. */
const refusals = ['28P01', '28000', '53300', '08P01'].map((sqlstate) =>
  attack(
    `order/early-error-${sqlstate.toLowerCase()}`,
    `refuses with ${sqlstate} where SCRAM has begun unasked`,
    REFUSED,
    bytesThen(
      encodeBackend({
        type: 'ErrorResponse',
        fields: [
          { code: 'S', value: 'FATAL' },
          { code: 'C', value: sqlstate },
          { code: 'M', value: 'no' },
        ],
      }),
    ),
    ['refused', STATE],
    EARLY,
  ),
)

const ends = [
  attack(
    'authentication/early-fin',
    'closes the connection where SCRAM has begun unasked',
    LOST,
    behindTheFlight((peer) => peer.fin()),
    ['lost', STATE],
    EARLY,
  ),
  attack(
    'authentication/early-reset',
    'resets the connection where SCRAM has begun unasked',
    LOST,
    behindTheFlight((peer) => peer.reset()),
    ['lost', STATE],
    EARLY,
  ),
  stall(
    'time/silence-in-awaitingsasloffer',
    'falls silent where SCRAM has begun unasked',
    SILENCE,
    behindTheFlight(() => {}),
    STATE,
    EARLY,
  ),
  stall(
    'time/silence-after-an-early-offer',
    'offers SCRAM, which has begun unasked, and falls silent',
    SILENCE,
    bytesThen(offer('SCRAM-SHA-256')),
    'AwaitingSaslChallenge',
    EARLY,
  ),
  attack(
    'time/flood-of-notices-in-awaitingsasloffer',
    'sends notices without end where SCRAM has begun unasked',
    ENDLESS,
    behindTheFlight((peer) => peer.flood(Buffer.concat(Array.from({ length: 1_000 }, () => notice)))),
    ['limit', STATE],
    EARLY,
  ),
]

export const EARLY_SASL: readonly Attack[] = [
  ...matrix,
  ...methods,
  ...unsupported,
  ...offers,
  ...inOneSegment,
  ...negotiations,
  ...refusals,
  ...ends,
]
