/** Every message that a server has, wherever the protocol does not have it; and every refusal, wherever it may come. */
import { approachMd5, SENT, WAITING, type Waiting } from '../approach.ts'
import type { Attack } from '../attack.ts'
import { attack, bytesIn, kebab } from '../define.ts'
import { encodeBackend } from '../encode-backend.ts'
import { EXAMPLES } from '../examples.ts'

const ORDER = {
  text: 'A message at the wrong time ends the connection: nothing is skipped, and no step of a server is believed that was not due.',
  source: '#PROTOCOL-FLOW-START-UP, #SASL-AUTHENTICATION',
}
const PROOF = {
  text: 'Once SASL has begun, a server that lets us in without its signature has proved nothing.',
  source: 'RFC 5802 section 3, #SASL-SCRAM-SHA-256',
}
const AGAIN = {
  text: 'There is one authentication request. A second one, after an answer was given, asks for another secret.',
  source: '#PROTOCOL-FLOW-START-UP',
}
const REFUSED = {
  text: 'An ErrorResponse may come at any time and ends the start-up; it is told as what it is.',
  source: '#PROTOCOL-FLOW-START-UP',
}

const VERSION = {
  text: 'The version is settled before anything is proved: NegotiateProtocolVersion answers the StartupMessage. Stricter than libpq, which takes one until AuthenticationOk.',
  source: '#PROTOCOL-VERSIONS',
}

/** What may lawfully come, by the manual; NegotiateProtocolVersion more strictly than by #PROTOCOL-FLOW-START-UP. ErrorResponse and NoticeResponse may come anywhere. */
const LAWFUL: Readonly<Record<Waiting, readonly string[]>> = {
  AwaitingAuthentication: [
    'NegotiateProtocolVersion',
    'AuthenticationOk',
    'AuthenticationKerberosV5',
    'AuthenticationCleartextPassword',
    'AuthenticationMD5Password',
    'AuthenticationGSS',
    'AuthenticationSSPI',
    'AuthenticationSASL',
  ],
  AwaitingSaslChallenge: ['AuthenticationSASLContinue'],
  AwaitingSaslOutcome: ['AuthenticationSASLFinal'],
  AwaitingVerdict: ['AuthenticationOk'],
  // NotificationResponse: a login event trigger may LISTEN and NOTIFY.
  AwaitingReady: ['ParameterStatus', 'BackendKeyData', 'NotificationResponse', 'ReadyForQuery'],
}
const ANYWHERE = ['ErrorResponse', 'NoticeResponse']

const matrix = WAITING.flatMap((state) =>
  EXAMPLES.filter(({ type }) => !LAWFUL[state].includes(type) && !ANYWHERE.includes(type)).map((message) =>
    attack(
      `order/${kebab(message.type)}-in-${kebab(state)}`,
      `sends ${message.type} in ${state}`,
      requirementFor(message.type, state),
      bytesIn(state, encodeBackend(message)),
      ['misbehaved', state],
    ),
  ),
)

function requirementFor(type: string, state: Waiting): typeof ORDER {
  if (type === 'AuthenticationOk') return PROOF
  if (type === 'NegotiateProtocolVersion' && state !== 'AwaitingReady') return VERSION
  return type.startsWith('Authentication') && state !== 'AwaitingAuthentication' ? AGAIN : ORDER
}

/** After MD5 the server has a password's hash and has proved nothing: what it may try next. */
const afterMd5 = [
  'AuthenticationCleartextPassword',
  'AuthenticationMD5Password',
  'AuthenticationSASL',
  'ReadyForQuery',
].map((type) =>
  attack(
    `order/${kebab(type)}-after-md5`,
    `sends ${type} after the answer to an MD5 request`,
    AGAIN,
    async (peer) => {
      await approachMd5(peer)
      await peer.sendBytes(...EXAMPLES.filter((message) => message.type === type).map(encodeBackend))
    },
    ['misbehaved', 'AwaitingVerdict'],
    { sent: ['StartupMessage', 'PasswordMessage'] },
  ),
)

const refusals = WAITING.map((state) =>
  attack(
    `order/error-in-${kebab(state)}`,
    `refuses in ${state}`,
    REFUSED,
    bytesIn(
      state,
      encodeBackend({
        type: 'ErrorResponse',
        fields: [
          { code: 'S', value: 'FATAL' },
          { code: 'C', value: '28P01' },
          { code: 'M', value: 'no' },
        ],
      }),
    ),
    ['refused', state],
  ),
)

const inOneSegment = [
  attack(
    'order/whole-login-in-one-segment',
    'sends a whole login before it has seen anything, SASL and all',
    PROOF,
    bytesIn(
      'AwaitingAuthentication',
      encodeBackend({ type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] }),
      encodeBackend({ type: 'AuthenticationOk' }),
      encodeBackend({ type: 'ReadyForQuery', status: 'I' }),
    ),
    ['misbehaved', 'AwaitingSaslChallenge'],
  ),
  attack(
    'order/ok-behind-the-challenge',
    'sends AuthenticationOk and ReadyForQuery behind its challenge, while we compute',
    PROOF,
    async (peer) => {
      await peer.expectStartup()
      await peer.send({ type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] })
      const initial = await peer.expectMessage('SASLInitialResponse')
      const text = initial.type === 'SASLInitialResponse' ? Buffer.from(initial.data ?? []).toString() : ''
      await peer.send(
        {
          type: 'AuthenticationSASLContinue',
          data: Buffer.from(`r=${text.slice(text.indexOf('r=') + 2)}x,s=QUJD,i=4096`),
        },
        { type: 'AuthenticationOk' },
        { type: 'ReadyForQuery', status: 'I' },
      )
    },
    ['misbehaved', 'AwaitingSaslOutcome'],
    { sent: SENT.AwaitingSaslOutcome },
  ),
  attack(
    'order/before-the-startup-message',
    'speaks before the client has said anything',
    ORDER,
    async (peer) => {
      await peer.send({ type: 'ReadyForQuery', status: 'I' })
      await peer.expectStartup()
    },
    ['misbehaved', 'AwaitingAuthentication'],
  ),
  attack(
    'order/second-backend-key-data',
    'sends BackendKeyData twice: the key with which we cancel is not to be swapped',
    ORDER,
    bytesIn(
      'AwaitingReady',
      encodeBackend({ type: 'BackendKeyData', processId: 1, secretKey: Buffer.alloc(4, 1) }),
      encodeBackend({ type: 'BackendKeyData', processId: 2, secretKey: Buffer.alloc(4, 2) }),
    ),
    ['misbehaved', 'AwaitingReady'],
  ),
]

export const ORDERED: readonly Attack[] = [...matrix, ...afterMd5, ...refusals, ...inOneSegment]
