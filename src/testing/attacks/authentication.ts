/** What a server may ask for and must not get, and authentication requests that are broken. */
import type { BackendMessage } from '../../protocol/backend.ts'
import { approach, approachMd5, approachTrusted } from '../approach.ts'
import type { Attack } from '../attack.ts'
import { attack, bytesIn } from '../define.ts'
import { encodeBackend, frame, int32 } from '../encode-backend.ts'

const CLEARTEXT = {
  text: 'A password does not leave in the clear on a connection without TLS, unless the user said so.',
  source: '#AUTH-PASSWORD',
}
const NO_PASSWORD = {
  text: 'A server that asks for a password which nobody gave gets nothing, and above all no empty one.',
  source: '#LIBPQ-CONNECT-PASSWORD, #AUTH-PASSWORD',
}
const UNSUPPORTED = {
  text: 'A method that we do not have is named, and nothing is sent.',
  source: '#PROTOCOL-FLOW-START-UP',
}
const UNKNOWN = {
  text: 'An authentication request that does not exist is an error: the manual has ten.',
  source: '#PROTOCOL-MESSAGE-FORMATS',
}
const BODY = {
  text: 'Nothing is read past the end of a message, and nothing may stand behind its last field.',
  source: 'CVE-2022-41862, #PROTOCOL-MESSAGE-FORMATS',
}

const cleartext = (['tcp', 'unix'] as const).map((transport) =>
  attack(
    `authentication/cleartext-${transport}`,
    `asks for the password in the clear (${transport})`,
    CLEARTEXT,
    bytesIn('AwaitingAuthentication', encodeBackend({ type: 'AuthenticationCleartextPassword' })),
    ['policy', 'AwaitingAuthentication'],
    { transport },
  ),
)

const noPassword = [
  ['cleartext', { type: 'AuthenticationCleartextPassword' }],
  ['md5', { type: 'AuthenticationMD5Password', salt: Buffer.from([1, 2, 3, 4]) }],
  ['sasl', { type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] }],
] as const

const withoutPassword = noPassword.flatMap(([name, message]) =>
  ['', 'allowed-'].flatMap((allowed) =>
    allowed !== '' && name !== 'cleartext'
      ? []
      : attack(
          `authentication/${allowed}${name}-without-password`,
          `asks for a password that nobody gave (${name}${allowed && ', which is allowed'})`,
          NO_PASSWORD,
          bytesIn(
            'AwaitingAuthentication',
            encodeBackend(
              message.type === 'AuthenticationSASL' ? { ...message, mechanisms: [...message.mechanisms] } : message,
            ),
          ),
          ['config', 'AwaitingAuthentication'],
          { target: { password: '', ...(allowed && { allow_cleartext_password: 'true' }) } },
        ),
  ),
)

const unsupported = (['AuthenticationKerberosV5', 'AuthenticationGSS', 'AuthenticationSSPI'] as const).map((type) =>
  attack(
    `authentication/${type.slice('Authentication'.length).toLowerCase()}`,
    `asks for ${type}`,
    UNSUPPORTED,
    bytesIn('AwaitingAuthentication', encodeBackend({ type })),
    ['incompatible', 'AwaitingAuthentication'],
  ),
)

const unknown = [1, 4, 6, 13, 255, 0x7fff_ffff, -1, -(2 ** 31)].map((code) =>
  attack(
    `authentication/code-${code}`,
    `sends the authentication request ${code}`,
    UNKNOWN,
    bytesIn('AwaitingAuthentication', frame('R', int32(code))),
    ['malformed', 'AwaitingAuthentication'],
  ),
)

/** Bodies of authentication requests that are cut, too long, or without an end. */
const BODIES: readonly (readonly [name: string, body: Buffer])[] = [
  ['empty', Buffer.alloc(0)],
  ['one-byte', Buffer.from([0])],
  ['three-bytes', Buffer.from([0, 0, 0])],
  ['ok-and-a-byte', Buffer.from([0, 0, 0, 0, 0])],
  ['ok-and-another-message', Buffer.concat([int32(0), encodeBackend({ type: 'ReadyForQuery', status: 'I' })])],
  ['kerberos-and-a-byte', Buffer.concat([int32(2), Buffer.from([0])])],
  ['cleartext-and-a-byte', Buffer.concat([int32(3), Buffer.from([0])])],
  ['md5-without-salt', int32(5)],
  ['md5-one-byte-of-salt', Buffer.concat([int32(5), Buffer.alloc(1)])],
  ['md5-three-bytes-of-salt', Buffer.concat([int32(5), Buffer.alloc(3)])],
  ['md5-five-bytes-of-salt', Buffer.concat([int32(5), Buffer.alloc(5)])],
  ['gss-and-a-byte', Buffer.concat([int32(7), Buffer.from([0])])],
  ['sasl-without-list', int32(10)],
  ['sasl-list-without-end', Buffer.concat([int32(10), Buffer.from('SCRAM-SHA-256\0')])],
  ['sasl-name-without-end', Buffer.concat([int32(10), Buffer.from('SCRAM-SHA-256')])],
  ['sasl-bytes-behind-list', Buffer.concat([int32(10), Buffer.from('SCRAM-SHA-256\0\0SCRAM-SHA-256\0')])],
  ['sasl-empty-list-and-bytes', Buffer.concat([int32(10), Buffer.from('\0SCRAM-SHA-256\0\0')])],
]

const bodies = BODIES.map(([name, body]) =>
  attack(
    `authentication/body-${name}`,
    `sends an authentication request with a broken body (${name.replaceAll('-', ' ')})`,
    BODY,
    bytesIn('AwaitingAuthentication', frame('R', body)),
    ['malformed', 'AwaitingAuthentication'],
  ),
)

const brokenLater = [
  ['AwaitingSaslChallenge', 'empty', Buffer.alloc(0)],
  ['AwaitingSaslChallenge', 'two-bytes', Buffer.from([0, 0])],
  ['AwaitingSaslOutcome', 'empty', Buffer.alloc(0)],
  ['AwaitingSaslOutcome', 'two-bytes', Buffer.from([0, 0])],
  ['AwaitingVerdict', 'ok-and-a-byte', Buffer.from([0, 0, 0, 0, 0])],
  ['AwaitingVerdict', 'ok-cut', Buffer.from([0, 0, 0])],
] as const

const later = brokenLater.map(([state, name, body]) =>
  attack(
    `authentication/${state.toLowerCase()}-${name}`,
    `sends a broken authentication request in ${state} (${name.replaceAll('-', ' ')})`,
    BODY,
    bytesIn(state, frame('R', body)),
    ['malformed', state],
  ),
)

const LOST = {
  text: 'A lost connection is reported at once, in the state in which it was lost.',
  source: '#PROTOCOL-FLOW-TERMINATION',
}

const ends = [
  ...(
    [
      'AwaitingAuthentication',
      'AwaitingSaslChallenge',
      'AwaitingSaslOutcome',
      'AwaitingVerdict',
      'AwaitingReady',
    ] as const
  ).map((state) =>
    attack(
      `authentication/fin-in-${state.toLowerCase()}`,
      `closes the connection in ${state}`,
      LOST,
      async (peer) => {
        await approach(peer, state)
        peer.fin()
      },
      ['lost', state],
    ),
  ),
  ...(['AwaitingAuthentication', 'AwaitingSaslChallenge', 'AwaitingSaslOutcome'] as const).map((state) =>
    attack(
      `authentication/reset-in-${state.toLowerCase()}`,
      `resets the connection in ${state}`,
      LOST,
      async (peer) => {
        await approach(peer, state)
        peer.reset()
      },
      ['lost', state],
    ),
  ),
  attack(
    'authentication/reset-in-awaitingverdict',
    'resets the connection once it has an MD5 answer',
    LOST,
    async (peer) => {
      await approachMd5(peer)
      peer.reset()
    },
    ['lost', 'AwaitingVerdict'],
    { sent: ['StartupMessage', 'PasswordMessage'] },
  ),
  attack(
    'authentication/reset-in-awaitingready',
    'resets the connection a moment after AuthenticationOk',
    LOST,
    async (peer) => {
      await approachTrusted(peer)
      // What is not read yet when a reset comes is dropped by the system: it must have been.
      await peer.pause(50)
      peer.reset()
    },
    ['lost', 'AwaitingReady'],
    { sent: ['StartupMessage'] },
  ),
]

const REQUIRED = {
  text: 'A method that the user does not allow ends the connection before anything is answered; so does none at all.',
  source: '#LIBPQ-CONNECT-REQUIRE-AUTH',
}

/** What the user requires, and what the server asks for instead. */
const DOWNGRADES = (['cleartext', 'md5', 'none', 'sasl'] as const).flatMap((asked) =>
  ['scram-sha-256', 'md5', 'password', 'none', '!password,!md5,!none', '!scram-sha-256'].flatMap((required) =>
    isAllowed(asked, required) ? [] : [[asked, required] as const],
  ),
)

function isAllowed(asked: 'cleartext' | 'md5' | 'none' | 'sasl', required: string): boolean {
  const method = { cleartext: 'password', md5: 'md5', none: 'none', sasl: 'scram-sha-256' }[asked]
  const named = required.replaceAll('!', '').split(',').includes(method)
  return required.startsWith('!') ? !named : named
}

const ASKED = {
  cleartext: { type: 'AuthenticationCleartextPassword' },
  md5: { type: 'AuthenticationMD5Password', salt: Buffer.from([1, 2, 3, 4]) },
  none: { type: 'AuthenticationOk' },
  sasl: { type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] },
} satisfies Record<string, BackendMessage>

const downgrades = DOWNGRADES.map(([asked, required]) =>
  attack(
    `authentication/${asked}-under-require-auth-${required.replaceAll('!', 'not-').replaceAll(',', '-')}`,
    `${asked === 'none' ? 'lets us in without a question' : `asks for ${asked}`} under require_auth=${required}`,
    REQUIRED,
    bytesIn('AwaitingAuthentication', encodeBackend(ASKED[asked])),
    ['policy', 'AwaitingAuthentication'],
    // Who begins unasked meets the same in early.ts.
    { target: { require_auth: required, allow_cleartext_password: 'true', early_sasl: 'false' } },
  ),
)

const FLOOR = {
  text: 'A floor that the user sets for iterations is held before anything is computed.',
  source: 'RFC 7677 section 4',
}

const floor = attack(
  'authentication/iterations-below-the-floor',
  'asks for fewer iterations than the user allows',
  FLOOR,
  (peer) => approach(peer, 'AwaitingSaslOutcome'),
  ['policy', 'AwaitingSaslChallenge'],
  { target: { scram_iterations_min: '4096' } },
)

export const AUTHENTICATION: readonly Attack[] = [
  ...cleartext,
  ...withoutPassword,
  ...unsupported,
  ...unknown,
  ...bodies,
  ...later,
  ...ends,
  ...downgrades,
  floor,
]
