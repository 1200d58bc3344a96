/** Silence, slowness and floods: what only the deadline can end, and what a limit must end long before it. */
import { approach, approachTrusted, GREETING, SENT, WAITING } from '../approach.ts'
import type { Attack } from '../attack.ts'
import { attack, stall } from '../define.ts'
import { encodeBackend, frame, int32 } from '../encode-backend.ts'

const SILENCE = {
  text: 'A silent server costs the deadline and no more, in every state.',
  source: '#LIBPQ-CONNECT-CONNECT-TIMEOUT',
}
const PROGRESS = {
  text: 'Progress does not extend the deadline: bytes now and then, and lawful messages, are no reason to go on waiting.',
  source: '#LIBPQ-CONNECT-CONNECT-TIMEOUT',
}
const ENDLESS = {
  text: 'Lawful messages before ReadyForQuery are bounded, in number and in size, and the bound ends them at once.',
  source: 'Hazards: a peer that burns memory and time; #PROTOCOL-ASYNC',
}
const BURN = {
  text: 'Bytes that nobody has asked for yet are held back by the network, not by our memory.',
  source: 'Hazards: a peer that burns memory and time',
}

const notice = encodeBackend({ type: 'NoticeResponse', fields: [{ code: 'M', value: 'still here' }] })
const longNotice = encodeBackend({ type: 'NoticeResponse', fields: [{ code: 'M', value: 'x'.repeat(29_000) }] })
const parameter = encodeBackend({ type: 'ParameterStatus', name: 'a', value: 'b' })
const longParameter = encodeBackend({ type: 'ParameterStatus', name: 'a', value: 'x'.repeat(20_000) })
const notification = encodeBackend({ type: 'NotificationResponse', processId: 1, channel: 'c', payload: '' })
const key = encodeBackend({ type: 'BackendKeyData', processId: 1, secretKey: Buffer.alloc(4) })
const ok = encodeBackend({ type: 'AuthenticationOk' })

const silences = [
  ...WAITING.map((state) =>
    stall(
      `time/silence-in-${state.toLowerCase()}`,
      `falls silent in ${state}`,
      SILENCE,
      (peer) => approach(peer, state),
      state,
    ),
  ),
  stall(
    'time/silence-from-the-start',
    'accepts the connection and never says a word',
    SILENCE,
    (peer) => peer.silence(),
    'AwaitingAuthentication',
  ),
  stall(
    'time/silence-on-a-unix-socket',
    'accepts the connection on a Unix-domain socket and never says a word',
    SILENCE,
    (peer) => peer.silence(),
    'AwaitingAuthentication',
    { transport: 'unix' },
  ),
  stall(
    'time/never-reads',
    'never reads, and never says a word',
    SILENCE,
    async (peer) => {
      peer.stopReading()
      await peer.pause(700)
    },
    'AwaitingAuthentication',
  ),
  stall(
    'time/silence-before-ready',
    'greets in full and keeps ReadyForQuery to itself',
    SILENCE,
    async (peer) => {
      await approachTrusted(peer)
      await peer.send(...GREETING)
    },
    'AwaitingReady',
    { sent: ['StartupMessage'] },
  ),
]

const slow = [
  stall(
    'time/drip-of-a-lawful-message',
    'sends one byte of AuthenticationOk every 150 ms',
    PROGRESS,
    async (peer) => {
      await peer.expectStartup()
      await peer.drip(ok, 150)
    },
    'AwaitingAuthentication',
  ),
  stall(
    'time/drip-of-an-error',
    'sends one byte of an endless error every 20 ms',
    PROGRESS,
    async (peer) => {
      await peer.expectStartup()
      await peer.sendBytes(frame('E', Buffer.from('SFATAL\0M'), 30_000))
      await peer.trickle(Buffer.from('x'), 20)
    },
    'AwaitingAuthentication',
  ),
  stall(
    'time/drip-of-a-challenge',
    'sends one byte of a challenge every 20 ms',
    PROGRESS,
    async (peer) => {
      await approach(peer, 'AwaitingSaslChallenge')
      await peer.sendBytes(frame('R', int32(11), 1_900))
      await peer.trickle(Buffer.from('x'), 20)
    },
    'AwaitingSaslChallenge',
  ),
  ...WAITING.map((state) =>
    stall(
      `time/notices-now-and-then-in-${state.toLowerCase()}`,
      `sends a notice every 50 ms in ${state}`,
      PROGRESS,
      async (peer) => {
        await approach(peer, state)
        await peer.trickle(notice, 50)
      },
      state,
    ),
  ),
  stall(
    'time/parameters-now-and-then',
    'sends a parameter every 20 ms and is never ready',
    PROGRESS,
    async (peer) => {
      await approachTrusted(peer)
      await peer.trickle(parameter, 20)
    },
    'AwaitingReady',
    { sent: ['StartupMessage'] },
  ),
  stall(
    'time/half-a-header',
    'sends four of the five bytes of a header and stops',
    SILENCE,
    async (peer) => {
      await peer.expectStartup()
      await peer.sendBytes(ok.subarray(0, 4))
    },
    'AwaitingAuthentication',
  ),
  stall(
    'time/all-but-the-last-byte',
    'sends all but the last byte of ReadyForQuery and stops',
    SILENCE,
    async (peer) => {
      await approachTrusted(peer)
      await peer.sendBytes(frame('Z', Buffer.alloc(0), 5))
    },
    'AwaitingReady',
    { sent: ['StartupMessage'] },
  ),
  stall(
    'time/silence-after-the-most-iterations',
    'asks for as many iterations as are allowed and falls silent',
    SILENCE,
    (peer) =>
      approach(peer, 'AwaitingSaslOutcome', { serverFirst: ({ nonce, salt }) => `r=${nonce},s=${salt},i=100000` }),
    'AwaitingSaslOutcome',
  ),
]

/** Lawful messages without end, as fast as they are taken. */
const FLOODS = [
  ['notices', 'notices', notice, 'limit'],
  ['long-notices', 'notices of 29 kB', longNotice, 'limit'],
  ['parameters', 'parameters', parameter, 'limit'],
  ['long-parameters', 'parameters of 20 kB', longParameter, 'limit'],
  ['notifications', 'notifications', notification, 'limit'],
  ['cancel-keys', 'BackendKeyData', key, 'misbehaved'],
] as const

const floods = [
  ...FLOODS.map(([name, title, bytes, kind]) =>
    attack(
      `time/flood-of-${name}`,
      `sends ${title} without end behind AuthenticationOk`,
      ENDLESS,
      async (peer) => {
        await approachTrusted(peer)
        await peer.flood(Buffer.concat(Array.from({ length: Math.ceil(65_536 / bytes.length) }, () => bytes)))
      },
      [kind, 'AwaitingReady'],
      { sent: ['StartupMessage'] },
    ),
  ),
  ...WAITING.slice(0, 4).map((state) =>
    attack(
      `time/flood-of-notices-in-${state.toLowerCase()}`,
      `sends notices without end in ${state}`,
      ENDLESS,
      async (peer) => {
        await approach(peer, state)
        await peer.flood(Buffer.concat(Array.from({ length: 1_000 }, () => notice)))
      },
      ['limit', state],
    ),
  ),
  attack(
    'time/notices-spread-over-states',
    'sends 40 notices in each of two states: the bound is one for all',
    ENDLESS,
    async (peer) => {
      await peer.expectStartup()
      const forty = Buffer.concat(Array.from({ length: 40 }, () => notice))
      await peer.sendBytes(forty, ok, forty)
    },
    ['limit', 'AwaitingReady'],
    { sent: ['StartupMessage'] },
  ),
  attack(
    'time/flood-of-zeros',
    'answers with zeros without end',
    { text: 'A byte that no message begins with is an error at that byte.', source: '#PROTOCOL-MESSAGE-FORMATS' },
    async (peer) => {
      await peer.expectStartup()
      await peer.flood(Buffer.alloc(65_536))
    },
    ['malformed', 'AwaitingAuthentication'],
  ),
  attack(
    'time/flood-while-we-compute',
    'asks for as many iterations as are allowed, and sends without end while we compute',
    BURN,
    async (peer) => {
      await approach(peer, 'AwaitingSaslOutcome', {
        // Behind the challenge nothing is due until our answer: what comes meanwhile waits, and is out of order.
        serverFirst: ({ nonce, salt }) => `r=${nonce},s=${salt},i=100000`,
      })
      await peer.flood(Buffer.concat(Array.from({ length: 1_000 }, () => parameter)))
    },
    ['misbehaved', 'AwaitingSaslOutcome'],
    { sent: SENT.AwaitingSaslOutcome },
  ),
]

export const TIME: readonly Attack[] = [...silences, ...slow, ...floods]
