/** The messages between AuthenticationOk and ReadyForQuery, and the negotiation of a version, with every field broken. */
import type { Attack } from '../attack.ts'
import { attack, bytesBehindOk, bytesIn } from '../define.ts'
import { encodeBackend, frame, int32 } from '../encode-backend.ts'

const BODY = {
  text: 'Nothing is read past the end of a message, nothing may stand behind its last field, and every string has its NUL.',
  source: 'CVE-2022-41862, #PROTOCOL-MESSAGE-FORMATS',
}
const KEY_LENGTH = {
  text: 'A cancel key has exactly four bytes under protocol 3.0, and 4 to 256 under 3.2.',
  source: '#PROTOCOL-MESSAGE-FORMATS-BACKENDKEYDATA',
}
const NEGOTIATION = {
  text: 'A server may lower the minor version once, to one that exists, and name options that it was sent.',
  source: '#PROTOCOL-VERSIONS, #PROTOCOL-MESSAGE-FORMATS-NEGOTIATEPROTOCOLVERSION',
}
const ENCODING = {
  text: 'Text travels in the encoding that was asked for; another one would corrupt it silently.',
  source: '#LIBPQ-CONNECT-CLIENT-ENCODING',
}
const CONTROL = {
  text: "Control characters of a server are never passed on to our user's terminal.",
  source: 'CVE-2024-10977',
}

/** By tag: bodies that no lawful message has. */
const BODIES: readonly (readonly [tag: string, message: string, name: string, body: Buffer])[] = [
  ['S', 'ParameterStatus', 'empty', Buffer.alloc(0)],
  ['S', 'ParameterStatus', 'name-without-end', Buffer.from('TimeZone')],
  ['S', 'ParameterStatus', 'without-value', Buffer.from('TimeZone\0')],
  ['S', 'ParameterStatus', 'value-without-end', Buffer.from('TimeZone\0UTC')],
  ['S', 'ParameterStatus', 'byte-behind', Buffer.from('TimeZone\0UTC\0x')],
  ['S', 'ParameterStatus', 'third-string', Buffer.from('TimeZone\0UTC\0UTC\0')],
  ['K', 'BackendKeyData', 'empty', Buffer.alloc(0)],
  ['K', 'BackendKeyData', 'process-id-cut', Buffer.alloc(3)],
  ['Z', 'ReadyForQuery', 'empty', Buffer.alloc(0)],
  ['Z', 'ReadyForQuery', 'unknown-status', Buffer.from('X')],
  ['Z', 'ReadyForQuery', 'status-nul', Buffer.from([0])],
  ['Z', 'ReadyForQuery', 'lower-case-status', Buffer.from('i')],
  ['Z', 'ReadyForQuery', 'two-states', Buffer.from('II')],
  ['A', 'NotificationResponse', 'empty', Buffer.alloc(0)],
  ['A', 'NotificationResponse', 'process-id-cut', Buffer.alloc(3)],
  ['A', 'NotificationResponse', 'without-channel', int32(1)],
  ['A', 'NotificationResponse', 'channel-without-end', Buffer.concat([int32(1), Buffer.from('jobs')])],
  ['A', 'NotificationResponse', 'without-payload', Buffer.concat([int32(1), Buffer.from('jobs\0')])],
  ['A', 'NotificationResponse', 'payload-without-end', Buffer.concat([int32(1), Buffer.from('jobs\0one')])],
  ['A', 'NotificationResponse', 'byte-behind', Buffer.concat([int32(1), Buffer.from('jobs\0one\0x')])],
  ...(['E', 'N'] as const).flatMap((tag) => {
    const message = tag === 'E' ? 'ErrorResponse' : 'NoticeResponse'
    return (
      [
        ['empty', ''],
        ['without-terminator', 'SFATAL\0Mno\0'],
        ['code-without-value', 'S'],
        ['value-without-end', 'SFATAL\0Mno'],
        ['bytes-behind-terminator', 'SFATAL\0Mno\0\0Mmore\0'],
        ['terminator-in-front', '\0SFATAL\0Mno\0\0'],
      ] as const
    ).map(([name, body]) => [tag, message, name, Buffer.from(body)] as const)
  }),
]

const bodies = BODIES.map(([tag, message, name, body]) =>
  attack(
    `startup/${message.toLowerCase()}-${name}`,
    `sends a broken ${message} (${name.replaceAll('-', ' ')})`,
    BODY,
    bytesBehindOk(frame(tag, body)),
    ['malformed', 'AwaitingReady'],
    { sent: ['StartupMessage'] },
  ),
)

/** The same where nobody is trusted yet: an error of the first moment. */
const early = BODIES.filter(([tag]) => tag === 'E').map(([tag, message, name, body]) =>
  attack(
    `startup/early-${message.toLowerCase()}-${name}`,
    `answers the StartupMessage with a broken ${message} (${name.replaceAll('-', ' ')})`,
    BODY,
    bytesIn('AwaitingAuthentication', frame(tag, body)),
    ['malformed', 'AwaitingAuthentication'],
  ),
)

const keys = [
  ...[0, 1, 3, 5, 32, 256, 29_000].map((count) =>
    attack(
      `startup/cancel-key-${count}-bytes-under-3-0`,
      `sends a cancel key of ${count} bytes under protocol 3.0`,
      KEY_LENGTH,
      bytesBehindOk(frame('K', Buffer.concat([int32(1), Buffer.alloc(count, 7)]))),
      ['malformed', 'AwaitingReady'],
      { sent: ['StartupMessage'] },
    ),
  ),
  ...[0, 3, 257, 29_000].map((count) =>
    attack(
      `startup/cancel-key-${count}-bytes-under-3-2`,
      `sends a cancel key of ${count} bytes under protocol 3.2`,
      KEY_LENGTH,
      bytesBehindOk(frame('K', Buffer.concat([int32(1), Buffer.alloc(count, 7)]))),
      ['malformed', 'AwaitingReady'],
      { sent: ['StartupMessage'], target: { max_protocol_version: '3.2' } },
    ),
  ),
]

/** By name: what follows the tag 'v' and the length, and what kind of fault it is. Version 3.2 was asked for. */
const VERSIONS: readonly (readonly [name: string, body: Buffer, kind: 'malformed' | 'misbehaved' | 'limit'])[] = [
  ['empty', Buffer.alloc(0), 'malformed'],
  ['version-cut', Buffer.from([0, 3]), 'malformed'],
  ['without-count', int32(0x0003_0000), 'malformed'],
  ['count-cut', Buffer.concat([int32(0x0003_0000), Buffer.from([0, 0])]), 'malformed'],
  ['count-negative', Buffer.concat([int32(0x0003_0000), int32(-1)]), 'malformed'],
  ['count-least', Buffer.concat([int32(0x0003_0000), int32(-(2 ** 31))]), 'malformed'],
  ['count-without-options', Buffer.concat([int32(0x0003_0000), int32(1)]), 'malformed'],
  ['count-of-2-to-the-31', Buffer.concat([int32(0x0003_0000), int32(0x7fff_ffff)]), 'malformed'],
  ['count-too-high', Buffer.concat([int32(0x0003_0000), int32(2), Buffer.from('_pq_.one\0')]), 'malformed'],
  ['option-without-end', Buffer.concat([int32(0x0003_0000), int32(1), Buffer.from('_pq_.one')]), 'malformed'],
  ['byte-behind', Buffer.concat([int32(0x0003_0000), int32(0), Buffer.from([0])]), 'malformed'],
  [
    'options-behind-a-count-of-zero',
    Buffer.concat([int32(0x0003_0000), int32(0), Buffer.from('_pq_.one\0')]),
    'malformed',
  ],
  ['option-that-was-not-sent', Buffer.concat([int32(0x0003_0000), int32(1), Buffer.from('_pq_.one\0')]), 'misbehaved'],
  ['same-version', Buffer.concat([int32(0x0003_0002), int32(0)]), 'misbehaved'],
  ['later-version', Buffer.concat([int32(0x0003_0003), int32(0)]), 'misbehaved'],
  ['version-3-1', Buffer.concat([int32(0x0003_0001), int32(0)]), 'misbehaved'],
  ['version-2-0', Buffer.concat([int32(0x0002_0000), int32(0)]), 'misbehaved'],
  ['version-4-0', Buffer.concat([int32(0x0004_0000), int32(0)]), 'misbehaved'],
  ['version-0', Buffer.concat([int32(0), int32(0)]), 'misbehaved'],
  ['version-negative', Buffer.concat([int32(-1), int32(0)]), 'misbehaved'],
  ['minor-version-only', Buffer.concat([int32(2), int32(0)]), 'misbehaved'],
  ['2001-bytes', Buffer.concat([int32(0x0003_0000), int32(1), Buffer.alloc(1_993, 0x41)]), 'limit'],
]

const versions = [
  ...VERSIONS.map(([name, body, kind]) =>
    attack(
      `startup/negotiation-${name}`,
      `negotiates the version with a broken message (${name.replaceAll('-', ' ')})`,
      NEGOTIATION,
      bytesIn('AwaitingAuthentication', frame('v', body)),
      [kind, 'AwaitingAuthentication'],
      { target: { max_protocol_version: '3.2' } },
    ),
  ),
  attack(
    'startup/negotiation-twice',
    'negotiates the version twice',
    NEGOTIATION,
    bytesIn(
      'AwaitingAuthentication',
      frame('v', Buffer.concat([int32(0x0003_0000), int32(0)])),
      frame('v', Buffer.concat([int32(0x0003_0000), int32(0)])),
    ),
    ['misbehaved', 'AwaitingAuthentication'],
    { target: { max_protocol_version: '3.2' } },
  ),
  attack(
    'startup/negotiation-of-what-was-asked-for',
    'negotiates 3.0 although 3.0 was asked for',
    NEGOTIATION,
    bytesIn(
      'AwaitingAuthentication',
      encodeBackend({ type: 'NegotiateProtocolVersion', newestVersion: 0x0003_0000, unrecognizedOptions: [] }),
    ),
    ['misbehaved', 'AwaitingAuthentication'],
  ),
  attack(
    'startup/negotiation-below-the-minimum',
    'negotiates 3.0 although the user wants 3.2 at least',
    { ...NEGOTIATION, source: '#LIBPQ-CONNECT-MIN-PROTOCOL-VERSION' },
    bytesIn(
      'AwaitingAuthentication',
      encodeBackend({ type: 'NegotiateProtocolVersion', newestVersion: 0x0003_0000, unrecognizedOptions: [] }),
    ),
    ['incompatible', 'AwaitingAuthentication'],
    { target: { min_protocol_version: '3.2', max_protocol_version: '3.2' } },
  ),
  attack(
    'startup/key-of-3-2-after-negotiating-3-0',
    'negotiates 3.0 and then sends a cancel key of 3.2',
    KEY_LENGTH,
    bytesIn(
      'AwaitingAuthentication',
      encodeBackend({ type: 'NegotiateProtocolVersion', newestVersion: 0x0003_0000, unrecognizedOptions: [] }),
      encodeBackend({ type: 'AuthenticationOk' }),
      frame('K', Buffer.concat([int32(1), Buffer.alloc(32, 7)])),
    ),
    ['malformed', 'AwaitingReady'],
    { target: { max_protocol_version: '3.2' }, sent: ['StartupMessage'] },
  ),
]

const encodings = ['LATIN1', 'SQL_ASCII', 'UTF16', '', '\x1b[2Jowned'].map((encoding) =>
  attack(
    `startup/client-encoding-${encoding === '' ? 'empty' : encoding.startsWith('\x1b') ? 'escape' : encoding.toLowerCase().replace('_', '-')}`,
    `reports client_encoding ${encoding.startsWith('\x1b') ? 'with control characters' : `'${encoding}'`}`,
    encoding.startsWith('\x1b') ? CONTROL : ENCODING,
    bytesBehindOk(encodeBackend({ type: 'ParameterStatus', name: 'client_encoding', value: encoding })),
    ['incompatible', 'AwaitingReady'],
    { sent: ['StartupMessage'] },
  ),
)

/** Texts that do something to whoever prints them. */
const TEXTS: readonly (readonly [name: string, text: string])[] = [
  ['escape-sequences', '\x1b[2J\x1b]0;owned\x07password:'],
  ['c1-control', '\u009b2Jowned'],
  ['carriage-return', 'fine\rpassword:'],
  ['backspaces', 'no\b\byes'],
  ['turned-direction', '\u202egnp.exe\u2066'],
  ['very-long', 'x'.repeat(29_000)],
]

const texts = TEXTS.flatMap(([name, text]) =>
  (['AwaitingAuthentication', 'AwaitingReady'] as const).map((state) =>
    attack(
      `startup/error-text-${name}-in-${state.toLowerCase()}`,
      `refuses in ${state} with a text for the terminal (${name.replaceAll('-', ' ')})`,
      CONTROL,
      bytesIn(
        state,
        encodeBackend({
          type: 'ErrorResponse',
          fields: [
            { code: 'S', value: name === 'very-long' ? 'FATAL' : text },
            { code: 'C', value: name === 'very-long' ? '28000' : text },
            { code: 'M', value: text },
            { code: 'H', value: name === 'very-long' ? 'try again' : text },
          ],
        }),
      ),
      ['refused', state],
    ),
  ),
)

const fieldCode = attack(
  'startup/error-field-named-escape',
  'refuses with a field whose letter is a control character',
  CONTROL,
  bytesIn('AwaitingAuthentication', frame('E', Buffer.from('SFATAL\0Mno\0\x1bx\0\0'))),
  ['refused', 'AwaitingAuthentication'],
)

export const STARTUP: readonly Attack[] = [...bodies, ...early, ...keys, ...versions, ...encodings, ...texts, fieldCode]
