/** Bytes that are no messages: lengths that lie, tags that nobody has, strangers, streams that end in the middle. */
import { approachTrusted, WAITING } from '../approach.ts'
import type { Attack } from '../attack.ts'
import { attack, bytesBehindOk, bytesIn } from '../define.ts'
import { encodeBackend, frame, int32 } from '../encode-backend.ts'

const LENGTH = {
  text: "A message's length counts itself, so it is 4 or more; as a signed number it is never negative.",
  source: '#PROTOCOL-MESSAGE-CONCEPTS, CVE-2026-32286',
}
const BOUND = {
  text: 'A length is judged before anything is awaited or allocated for it.',
  source: 'libpq: 2,000 bytes for authentication, 30,000 for the rest (fe-connect.c), CVE-2022-41862',
}
const TAG = {
  text: 'A byte that no message begins with is an error at that byte.',
  source: '#PROTOCOL-MESSAGE-FORMATS',
}
const STRANGER = {
  text: 'A peer that speaks something else is named, and not waited for.',
  source: '#PROTOCOL-MESSAGE-FORMATS',
}
const CUT = {
  text: 'A connection that ends is lost at once, wherever in a message it ends.',
  source: '#PROTOCOL-FLOW-TERMINATION',
}

/** What the length of a message may say and must not. */
const LENGTHS: readonly (readonly [name: string, length: number])[] = [
  ['zero', 0],
  ['one', 1],
  ['two', 2],
  ['three', 3],
  ['minus-one', -1],
  ['minus-four', -4],
  ['minus-2-to-the-31', -(2 ** 31)],
]

const lengths = LENGTHS.flatMap(([name, length]) => [
  attack(
    `framing/length-${name}`,
    `sends an authentication request whose length is ${length}`,
    LENGTH,
    bytesIn('AwaitingAuthentication', frame('R', int32(0), length)),
    ['malformed', 'AwaitingAuthentication'],
  ),
  attack(
    `framing/ready-length-${name}`,
    `sends ReadyForQuery with a length of ${length}`,
    LENGTH,
    bytesBehindOk(frame('Z', Buffer.from('I'), length)),
    ['malformed', 'AwaitingReady'],
    { sent: ['StartupMessage'] },
  ),
])

const bounds = [
  ...[2_005, 30_001, 0x7fff_ffff].map((length) =>
    attack(
      `framing/authentication-length-${length}`,
      `promises an authentication request of ${length} bytes, and sends four of them`,
      BOUND,
      bytesIn('AwaitingAuthentication', frame('R', int32(0), length)),
      ['limit', 'AwaitingAuthentication'],
    ),
  ),
  ...[30_005, 1_000_000_000, 0x7fff_ffff].flatMap((length) =>
    ['E', 'N', 'S', 'K', 'Z', 'A'].map((tag) =>
      attack(
        `framing/length-of-${tag.toLowerCase()}-${length}`,
        `promises a message '${tag}' of ${length} bytes before the session is ready`,
        BOUND,
        bytesBehindOk(frame(tag, Buffer.from('S'), length)),
        ['limit', 'AwaitingReady'],
        { sent: ['StartupMessage'] },
      ),
    ),
  ),
  attack(
    'framing/flood-behind-a-length-of-2-gb',
    'promises an error of 2 GB and begins to send it',
    BOUND,
    async (peer) => {
      await peer.expectStartup()
      await peer.sendBytes(frame('E', Buffer.from('S'), 0x7fff_ffff))
      await peer.flood(Buffer.alloc(65_536, 0x41))
    },
    ['limit', 'AwaitingAuthentication'],
  ),
]

/** First bytes that begin no message of a server. */
const TAGS: readonly (readonly [name: string, byte: number])[] = [
  ['nul', 0x00],
  ['ff', 0xff],
  ['escape', 0x1b],
  ['newline', 0x0a],
  ['q-of-a-client', 0x51],
  ['p-of-a-client', 0x70],
  ['x-of-a-client', 0x58],
  ['tls-alert', 0x15],
  ['tls-handshake', 0x16],
]

const tags = TAGS.map(([name, byte]) =>
  attack(
    `framing/tag-${name}`,
    `begins a message with the byte 0x${byte.toString(16).padStart(2, '0')}`,
    TAG,
    bytesIn('AwaitingAuthentication', Buffer.from([byte])),
    ['malformed', 'AwaitingAuthentication'],
  ),
)

const tagsLater = WAITING.slice(1).map((state) =>
  attack(
    `framing/unknown-tag-in-${state.toLowerCase()}`,
    `sends a byte that begins no message in ${state}`,
    TAG,
    bytesIn(state, Buffer.from([0x7f])),
    ['malformed', state],
  ),
)

/** Others who may listen on the port, and what they say to somebody who speaks first. */
const STRANGERS: readonly (readonly [name: string, says: string | Buffer])[] = [
  ['http', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
  ['ssh', 'SSH-2.0-OpenSSH_9.9\r\n'],
  ['smtp', '220 mail.example ESMTP\r\n'],
  ['redis', '-ERR unknown command\r\n'],
  ['mysql', Buffer.concat([Buffer.from([0x4a, 0, 0, 0, 0x0a]), Buffer.from('8.4.0\0')])],
  ['tls-alert', Buffer.from([0x15, 0x03, 0x03, 0, 2, 2, 40])],
  ['error-before-7-4', 'EFATAL:  could not fork new process for connection\n\0'],
  ['all-zero', Buffer.alloc(64)],
  ['all-ones', Buffer.alloc(64, 0xff)],
  ['newlines', '\r\n'.repeat(32)],
]

const strangers = STRANGERS.map(([name, says]) =>
  attack(
    `framing/stranger-${name}`,
    `answers the StartupMessage as a stranger does (${name.replaceAll('-', ' ')})`,
    STRANGER,
    bytesIn('AwaitingAuthentication', says),
    ['malformed', 'AwaitingAuthentication'],
  ),
)

const ok = encodeBackend({ type: 'AuthenticationOk' })
const cuts = [
  ...[1, 3, 5, 7, 8].map((count) =>
    attack(
      `framing/fin-behind-byte-${count}`,
      `ends the connection behind byte ${count} of AuthenticationOk`,
      CUT,
      async (peer) => {
        await peer.expectStartup()
        await peer.sendBytes(ok.subarray(0, count))
        peer.fin()
      },
      ['lost', 'AwaitingAuthentication'],
    ),
  ),
  attack(
    'framing/fin-in-an-error',
    'ends the connection in the middle of an ErrorResponse',
    CUT,
    async (peer) => {
      await approachTrusted(peer)
      await peer.sendBytes(frame('E', Buffer.from('SFATAL\0Mhalf an err'), 200))
      peer.fin()
    },
    ['lost', 'AwaitingReady'],
    { sent: ['StartupMessage'] },
  ),
]

export const FRAMING: readonly Attack[] = [...lengths, ...bounds, ...tags, ...tagsLater, ...strangers, ...cuts]
