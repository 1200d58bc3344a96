/** TLS: refused where it is required, stripped, injected into, stalled, broken; and servers that are not who they say. */
import type { FailureKind } from '../../protocol/failure.ts'
import { approachStarted } from '../approach.ts'
import { type Attack, AUTHORITY_FILE } from '../attack.ts'
import type { IssuedCertificate } from '../certificate.ts'
import { attack, stall } from '../define.ts'
import { encodeBackend, frame } from '../encode-backend.ts'
import * as identities from '../identities.ts'
import type { Peer, Script } from '../peer.ts'
import type { ServerTlsOptions } from '../server-tls.ts'
import { APPLICATION_RECORD, HANDSHAKE_RECORD, newSessionTicket } from '../tls-record.ts'

const STRIPPED = {
  text: 'Where TLS is required, a server without it gets no StartupMessage.',
  source: '#LIBPQ-CONNECT-SSLMODE, #PROTOCOL-FLOW-SSL',
}
const ONE_BYTE = {
  text: "The answer to SSLRequest is one byte, 'S' or 'N'; plaintext behind it is neither parsed nor dropped.",
  source: 'CVE-2021-23222, #PROTOCOL-FLOW-SSL',
}
const WITHHELD = {
  text: "The text of an error that came before TLS may be anybody's, and is not shown as the server's.",
  source: 'CVE-2024-10977, #PROTOCOL-FLOW-SSL',
}
const LOST = {
  text: 'A connection that ends is lost at once, in the state in which it ends.',
  source: '#PROTOCOL-FLOW-SSL',
}
const SILENCE = {
  text: 'The deadline covers TLS as everything else.',
  source: '#LIBPQ-CONNECT-CONNECT-TIMEOUT',
}
const BROKEN = {
  text: 'Bytes that are no TLS end the connection, and are never read as the protocol.',
  source: 'RFC 8446 section 6.2',
}
const CERTIFICATE = {
  text: 'A server whose certificate does not hold by the rules of sslmode gets nothing inside TLS either.',
  source: '#LIBPQ-SSL-CERTIFICATE-VERIFICATION, #LIBPQ-SSL-PROTECTION',
}
const ALPN = {
  text: "Direct TLS needs the ALPN protocol 'postgresql', or another protocol's server could be made to read ours.",
  source: '#PROTOCOL-FLOW-SSL, #LIBPQ-CONNECT-SSLNEGOTIATION',
}
const BINDING = {
  text: 'Where channel binding is required nothing else will do, whichever method the server chooses.',
  source: '#LIBPQ-CONNECT-CHANNEL-BINDING, CVE-2025-49146, CVE-2026-54291',
}
const RETRY = {
  text: 'Another attempt has every security setting of the first.',
  source: 'CVE-2018-10915, CVE-2020-25694',
}

const REQUIRE = { sslmode: 'require' }
const VERIFY_CA = { sslmode: 'verify-ca', sslrootcert: AUTHORITY_FILE }
const VERIFY_FULL = { sslmode: 'verify-full', sslrootcert: AUTHORITY_FILE }
const DIRECT = { sslmode: 'require', sslnegotiation: 'direct' }

const ok = encodeBackend({ type: 'AuthenticationOk' })
const ready = encodeBackend({ type: 'ReadyForQuery', status: 'I' })

/** Wait for SSLRequest, and answer with bytes. */
function reply(...bytes: (Buffer | string)[]): Script {
  return async (peer) => {
    await peer.expectStartup()
    await peer.sendBytes(...bytes)
  }
}

/** Say yes, wait for the ClientHello, and go on without being a TLS server. */
function insteadOfTls(then: (peer: Peer) => Promise<void> | void): Script {
  return async (peer) => {
    await peer.expectStartup()
    await peer.sendBytes('S')
    const header = await peer.expectBytes(5)
    await peer.expectBytes(header.readUInt16BE(3))
    await then(peer)
  }
}

/** Be an honest TLS server, and go on behind the StartupMessage. */
function insideTls(identity: () => IssuedCertificate, then: Script, options: Partial<ServerTlsOptions> = {}): Script {
  return async (peer) => {
    await peer.expectStartup()
    await peer.sendBytes('S')
    await peer.startTls({ ...identity(), ...options })
    await peer.expectStartup()
    await then(peer)
  }
}

const ASKED = ['SSLRequest']
const HELLO = ['SSLRequest', 'ClientHello']
const STARTED = ['SSLRequest', 'StartupMessage']

const refusals = [
  ...Object.entries({ require: REQUIRE, 'verify-ca': VERIFY_CA, 'verify-full': VERIFY_FULL }).map(([mode, target]) =>
    attack(
      `tls/refused-under-${mode}`,
      `says no to TLS under sslmode=${mode}`,
      STRIPPED,
      reply('N'),
      ['policy', 'AwaitingTlsReply'],
      {
        target,
        sent: ASKED,
      },
    ),
  ),
  attack(
    'tls/refused-and-cleartext-under-prefer',
    'says no to TLS under sslmode=prefer and then asks for the password in the clear',
    { text: 'That TLS could not be had is no reason to send a password in the clear.', source: '#AUTH-PASSWORD' },
    async (peer) => {
      await reply('N')(peer)
      await peer.expectStartup()
      await peer.send({ type: 'AuthenticationCleartextPassword' })
    },
    ['policy', 'AwaitingAuthentication'],
    { target: { sslmode: 'prefer' }, sent: STARTED },
  ),
  attack(
    'tls/refused-under-required-binding',
    'says no to TLS where channel binding is required',
    BINDING,
    reply('N'),
    ['policy', 'Connected'],
    {
      target: { sslmode: 'prefer', channel_binding: 'require' },
      sent: ASKED,
    },
  ),
  attack(
    'tls/refused-under-allow',
    'refuses plaintext under sslmode=allow, and then says no to TLS',
    RETRY,
    async (peer) => {
      const first = await peer.expectStartup()
      if (first.type === 'SSLRequest') await peer.sendBytes('N')
      else
        await peer.send({
          type: 'ErrorResponse',
          fields: [
            { code: 'S', value: 'FATAL' },
            { code: 'C', value: '28000' },
            { code: 'M', value: 'no' },
          ],
        })
    },
    ['policy', 'AwaitingTlsReply'],
    { target: { sslmode: 'allow' }, sent: ['StartupMessage', 'SSLRequest'] },
  ),
]

/** What may stand behind the one byte, and in its place. */
const REPLIES: readonly (readonly [name: string, title: string, bytes: readonly (Buffer | string)[]])[] = [
  ['byte-behind-yes', "sends 'S' and one byte of plaintext", ['Sx']],
  ['yes-twice', "sends 'S' twice", ['SS']],
  ['yes-and-no', "sends 'S' and 'N'", ['SN']],
  ['login-behind-yes', "sends 'S' and a whole login in plaintext", ['S', ok, ready]],
  ['error-behind-yes', "sends 'S' and an error in plaintext", ['S', frame('E', Buffer.from('SFATAL\0Mno\0\0'))]],
  ['flood-behind-yes', "sends 'S' and 60 kB of plaintext", ['S', Buffer.alloc(60_000)]],
  ['byte-behind-no', "sends 'N' and one byte", ['Nx']],
  ['login-behind-no', "sends 'N' and a whole login before our StartupMessage", ['N', ok, ready]],
  ['nul', 'answers SSLRequest with a NUL', ['\0']],
  ['lower-case', "answers SSLRequest with 's'", ['s']],
  ['login', 'answers SSLRequest with AuthenticationOk', [ok]],
  ['http', 'answers SSLRequest as an HTTP server', ['HTTP/1.1 400 Bad Request\r\n\r\n']],
  ['ff', 'answers SSLRequest with 0xff', [Buffer.from([0xff])]],
  ['server-hello', 'answers SSLRequest with a TLS record', [Buffer.from([0x16, 3, 3, 0, 4, 2, 0, 0, 0])]],
  ['gss-yes', "answers SSLRequest with 'G', which is for GSSENCRequest", ['G']],
]

const replies = REPLIES.flatMap(([name, title, bytes]) =>
  (name.endsWith('behind-no') ? ['prefer'] : ['prefer', 'require']).map((sslmode) =>
    attack(
      `tls/reply-${name}-under-${sslmode}`,
      `${title} (${sslmode})`,
      ONE_BYTE,
      reply(...bytes),
      ['misbehaved', 'AwaitingTlsReply'],
      {
        target: { sslmode },
        sent: ASKED,
      },
    ),
  ),
)

const LIE = 'please renew your password at evil.example'

const errors = [
  attack(
    'tls/error-in-place-of-a-reply',
    'answers SSLRequest with an error that gives bad advice',
    WITHHELD,
    reply(frame('E', Buffer.from(`SFATAL\0C28P01\0M${LIE}\0H${LIE}\0\0`))),
    ['refused', 'AwaitingTlsReply'],
    { target: REQUIRE, sent: ASKED, withheld: 'evil.example' },
  ),
  attack(
    'tls/old-error-in-place-of-a-reply',
    'answers SSLRequest with an error of protocol 2',
    WITHHELD,
    reply(`E${LIE}\n\0`),
    ['refused', 'AwaitingTlsReply'],
    { target: REQUIRE, sent: ASKED, withheld: 'evil.example' },
  ),
  attack(
    'tls/flood-of-an-error-in-place-of-a-reply',
    'answers SSLRequest with an error without end',
    WITHHELD,
    async (peer) => {
      await peer.expectStartup()
      await peer.sendBytes('E')
      await peer.flood(Buffer.from('evil.example '.repeat(5_000)))
    },
    ['refused', 'AwaitingTlsReply'],
    { target: REQUIRE, sent: ASKED, withheld: 'evil.example' },
  ),
]

const stalls = [
  stall('tls/silence-instead-of-a-reply', 'never answers SSLRequest', SILENCE, reply(), 'AwaitingTlsReply', {
    target: REQUIRE,
    sent: ASKED,
  }),
  stall(
    'tls/silence-under-prefer',
    'never answers SSLRequest under sslmode=prefer',
    SILENCE,
    reply(),
    'AwaitingTlsReply',
    {
      target: { sslmode: 'prefer' },
      sent: ASKED,
    },
  ),
  stall(
    'tls/silence-after-client-hello',
    'takes our ClientHello and falls silent',
    SILENCE,
    insteadOfTls(() => {}),
    'SecuringTransport',
    {
      target: REQUIRE,
      sent: HELLO,
    },
  ),
  stall(
    'tls/drip-of-a-record',
    'sends one byte of a TLS record every 20 ms',
    SILENCE,
    insteadOfTls(async (peer) => {
      await peer.sendBytes(Buffer.from([0x16, 3, 3, 0x3f, 0xff]))
      await peer.trickle(Buffer.from([2]), 20)
    }),
    'SecuringTransport',
    { target: REQUIRE, sent: HELLO },
  ),
  stall(
    'tls/direct-silence',
    'takes the ClientHello of a direct connection and falls silent',
    SILENCE,
    async (peer) => {
      await peer.expectBytes(5)
    },
    'SecuringTransport',
    { target: DIRECT, sent: ['ClientHello'] },
  ),
  stall(
    'tls/silence-inside',
    'falls silent once TLS is up',
    SILENCE,
    insideTls(identities.honest, async () => {}),
    'AwaitingAuthentication',
    {
      target: VERIFY_FULL,
      sent: STARTED,
    },
  ),
]

/** What a server may send in place of a ServerHello. */
const GARBAGE: readonly (readonly [name: string, bytes: Buffer | string])[] = [
  ['login', Buffer.concat([ok, ready])],
  ['http', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['zeros', Buffer.alloc(512)],
  ['ones', Buffer.alloc(512, 0xff)],
  ['an-alert', Buffer.from([0x15, 3, 3, 0, 2, 2, 40])],
  ['a-record-of-the-wrong-kind', Buffer.from([0x17, 3, 3, 0, 1, 0])],
  ['a-record-too-long', Buffer.from([0x16, 3, 3, 0xff, 0xff])],
  ['a-server-hello-of-nothing', Buffer.from([0x16, 3, 3, 0, 4, 2, 0, 0, 0])],
  ['another-yes', 'S'.repeat(16)],
]

/** HelloRequest in a record: four zeros, which a client that waits for a ServerHello is to ignore (RFC 5246 section 7.4.1.1). */
const helloRequests = Buffer.concat([Buffer.from([0x16, 3, 3, 0x40, 0]), Buffer.alloc(0x4000)])

const endless = [
  attack(
    'tls/flood-of-hello-requests',
    'sends HelloRequest without end in place of a ServerHello',
    { text: 'What TLS drops in silence has a bound too.', source: 'RFC 5246 section 7.4.1.1' },
    insteadOfTls((peer) => peer.flood(helloRequests)),
    ['limit', 'SecuringTransport'],
    { target: REQUIRE, sent: HELLO },
  ),
  attack(
    'tls/direct-flood-of-hello-requests',
    'sends HelloRequest without end on a direct connection',
    { text: 'What TLS drops in silence has a bound too.', source: 'RFC 5246 section 7.4.1.1' },
    async (peer) => {
      const header = await peer.expectBytes(5)
      await peer.expectBytes(header.readUInt16BE(3))
      await peer.flood(helloRequests)
    },
    ['limit', 'SecuringTransport'],
    { target: DIRECT, sent: ['ClientHello'] },
  ),
  attack(
    'tls/flood-of-hello-requests-under-prefer',
    'sends HelloRequest without end where we could go on without TLS',
    { text: 'A server that floods is not given a second attempt, in plaintext.', source: 'RFC 5246 section 7.4.1.1' },
    insteadOfTls((peer) => peer.flood(helloRequests)),
    ['limit', 'SecuringTransport'],
    { target: { sslmode: 'prefer' }, sent: HELLO },
  ),
  stall(
    'tls/drip-of-hello-requests',
    'sends a HelloRequest every 20 ms in place of a ServerHello',
    { text: 'Progress that TLS makes of nothing does not extend the deadline.', source: 'RFC 5246 section 7.4.1.1' },
    insteadOfTls((peer) => peer.trickle(Buffer.from([0x16, 3, 3, 0, 4, 0, 0, 0, 0]), 20)),
    'SecuringTransport',
    { target: REQUIRE, sent: HELLO },
  ),
]

/** Lawful inside TLS at any time, and of no use to anybody. */
const useless = [
  attack(
    'tls/flood-of-tickets',
    'sends tickets for sessions without end once TLS is up, and not one message',
    { text: 'What TLS keeps to itself has a bound after its handshake too.', source: 'RFC 8446 section 4.6.1' },
    insideTls(identities.honest, (peer) => peer.floodRecords(HANDSHAKE_RECORD, newSessionTicket(8_000))),
    ['limit', 'AwaitingAuthentication'],
    { target: VERIFY_FULL, sent: STARTED },
  ),
  attack(
    'tls/flood-of-tickets-behind-ok',
    'lets us in, and then sends tickets for sessions without end',
    { text: 'What TLS keeps to itself has a bound until the session is ready.', source: 'RFC 8446 section 4.6.1' },
    insideTls(identities.honest, async (peer) => {
      await peer.sendRecord(APPLICATION_RECORD, ok)
      await peer.floodRecords(HANDSHAKE_RECORD, newSessionTicket(8_000))
    }),
    ['limit', 'AwaitingReady'],
    { target: VERIFY_FULL, sent: STARTED },
  ),
]

const broken = [
  ...GARBAGE.map(([name, bytes]) =>
    attack(
      `tls/instead-of-server-hello-${name}`,
      `sends something else in place of a ServerHello (${name.replaceAll('-', ' ')})`,
      BROKEN,
      insteadOfTls((peer) => peer.sendBytes(bytes)),
      ['lost', 'SecuringTransport'],
      { target: REQUIRE, sent: HELLO },
    ),
  ),
  attack(
    'tls/fin-instead-of-a-reply',
    'closes the connection in place of an answer',
    LOST,
    async (peer) => {
      await peer.expectStartup()
      peer.fin()
    },
    ['lost', 'AwaitingTlsReply'],
    { target: REQUIRE, sent: ASKED },
  ),
  attack(
    'tls/reset-instead-of-a-reply',
    'resets the connection in place of an answer',
    LOST,
    async (peer) => {
      await peer.expectStartup()
      peer.reset()
    },
    ['lost', 'AwaitingTlsReply'],
    { target: REQUIRE, sent: ASKED },
  ),
  attack(
    'tls/fin-after-client-hello',
    'takes our ClientHello and closes the connection',
    LOST,
    insteadOfTls((peer) => peer.fin()),
    ['lost', 'SecuringTransport'],
    {
      target: REQUIRE,
      sent: HELLO,
    },
  ),
  attack(
    'tls/reset-after-client-hello',
    'takes our ClientHello and resets the connection',
    LOST,
    insteadOfTls((peer) => peer.reset()),
    ['lost', 'SecuringTransport'],
    {
      target: REQUIRE,
      sent: HELLO,
    },
  ),
  attack(
    'tls/fin-in-a-record',
    'closes the connection in the middle of a TLS record',
    LOST,
    insteadOfTls(async (peer) => {
      await peer.sendBytes(Buffer.from([0x16, 3, 3, 0, 100, 2, 0, 0]))
      peer.fin()
    }),
    ['lost', 'SecuringTransport'],
    { target: REQUIRE, sent: HELLO },
  ),
  attack(
    'tls/version-too-old',
    'speaks TLS 1.1 at most',
    {
      text: 'TLS below the lowest version that is allowed is not spoken.',
      source: '#LIBPQ-CONNECT-SSL-MIN-PROTOCOL-VERSION',
    },
    insideTls(identities.honest, async () => {}, { maxVersion: 'TLSv1.1' }),
    ['lost', 'SecuringTransport'],
    { target: REQUIRE, sent: ASKED },
  ),
  attack(
    'tls/plaintext-into-tls',
    'writes a login in plaintext into the connection below TLS',
    BROKEN,
    insideTls(identities.honest, (peer) => peer.sendOutsideTls(Buffer.concat([ok, ready]))),
    ['lost', 'AwaitingAuthentication'],
    { target: REQUIRE, sent: STARTED },
  ),
  attack(
    'tls/fin-without-close-notify',
    'closes the connection below TLS without saying so inside',
    LOST,
    insideTls(identities.honest, async (peer) => peer.fin()),
    ['lost', 'AwaitingAuthentication'],
    { target: REQUIRE, sent: STARTED },
  ),
  attack(
    'tls/reset-inside',
    'resets the connection once TLS is up',
    LOST,
    insideTls(identities.honest, async (peer) => peer.reset()),
    ['lost', 'AwaitingAuthentication'],
    { target: REQUIRE, sent: STARTED },
  ),
]

/** Certificates that do not hold, and the modes in which they must not. */
const IMPOSTORS: readonly (readonly [
  name: string,
  identity: () => IssuedCertificate,
  modes: readonly ('require' | 'verify-ca' | 'verify-full')[],
])[] = [
  ['self-signed', identities.selfSigned, ['require', 'verify-ca', 'verify-full']],
  ['from-a-namesake', identities.fromNamesake, ['require', 'verify-ca', 'verify-full']],
  ['expired', identities.expired, ['require', 'verify-ca', 'verify-full']],
  ['not-yet-valid', identities.notYetValid, ['require', 'verify-ca', 'verify-full']],
  ['wrong-host', identities.wrongHost, ['verify-full']],
  ['host-in-common-name-only', identities.hostInCommonNameOnly, ['verify-full']],
  ['control-characters', identities.controlCharacters, ['verify-full']],
  ['control-characters-alone', identities.controlCharactersAlone, ['verify-full']],
]

const impostors = IMPOSTORS.flatMap(([name, identity, modes]) =>
  modes.map((sslmode) =>
    attack(
      `tls/certificate-${name}-under-${sslmode}`,
      `shows a certificate that does not hold (${name.replaceAll('-', ' ')}) under sslmode=${sslmode}${sslmode === 'require' ? ' with a root certificate' : ''}`,
      // #LIBPQ-SSL-CERTIFICATE-VERIFICATION: with a root certificate, require means verify-ca.
      CERTIFICATE,
      insideTls(identity, async () => {}),
      ['unproven', 'SecuringTransport'],
      { target: { sslmode, sslrootcert: AUTHORITY_FILE }, sent: ASKED },
    ),
  ),
)

/** The same by name: what is compared, and told, is another part of the certificate. */
const misnamed = IMPOSTORS.filter(([, , modes]) => !modes.includes('verify-ca')).map(([name, identity]) =>
  attack(
    `tls/certificate-${name}-by-name`,
    `shows a certificate for somebody else (${name.replaceAll('-', ' ')}) to a client that knows it by name`,
    CERTIFICATE,
    insideTls(identity, async () => {}),
    ['unproven', 'SecuringTransport'],
    { target: { ...VERIFY_FULL, host: 'localhost' }, sent: ASKED },
  ),
)

const direct = [
  attack(
    'tls/direct-without-alpn',
    'answers a direct connection without choosing a protocol',
    ALPN,
    async (peer) => {
      await peer.startTls({ ...identities.honest(), alpn: null })
      await peer.expectStartup()
    },
    ['misbehaved', 'SecuringTransport'],
    { target: DIRECT, sent: [] },
  ),
  attack(
    'tls/direct-other-alpn',
    'has another protocol only on a direct connection',
    ALPN,
    (peer) => peer.startTls({ ...identities.honest(), alpn: 'http/1.1' }),
    ['lost', 'SecuringTransport'],
    { target: DIRECT, sent: [] },
  ),
  attack(
    'tls/direct-plaintext',
    'answers a direct connection in plaintext',
    BROKEN,
    async (peer) => {
      const header = await peer.expectBytes(5)
      await peer.expectBytes(header.readUInt16BE(3))
      await peer.sendBytes(ok, ready)
    },
    ['lost', 'SecuringTransport'],
    { target: DIRECT, sent: ['ClientHello'] },
  ),
  attack(
    'tls/direct-self-signed',
    'shows a certificate of its own on a direct connection',
    CERTIFICATE,
    async (peer) => {
      await peer.startTls(identities.selfSigned())
      await peer.expectStartup()
    },
    ['unproven', 'SecuringTransport'],
    { target: { ...VERIFY_FULL, sslnegotiation: 'direct' }, sent: [] },
  ),
]

/** What a server may ask for where channel binding is required. */
const UNBOUND: readonly (readonly [name: string, title: string, bytes: Buffer])[] = [
  [
    'plain-scram',
    'offers SCRAM without -PLUS',
    encodeBackend({ type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] }),
  ],
  ['nothing', 'lets us in without a question', ok],
  ['cleartext', 'asks for the password', encodeBackend({ type: 'AuthenticationCleartextPassword' })],
  ['md5', 'asks for MD5', encodeBackend({ type: 'AuthenticationMD5Password', salt: Buffer.from([1, 2, 3, 4]) })],
]

/** SCRAM began with -PLUS, bound to the certificate of the one who answered, before anything was offered. */
const EARLY_BINDING = [
  ['offers-no-binding', 'offers SCRAM without channel binding', ['SCRAM-SHA-256'], 'policy'],
  ['offers-another-mechanism', 'offers a mechanism that we do not have', ['SCRAM-SHA-512-PLUS'], 'incompatible'],
] as const

const earlyBinding = [
  ...EARLY_BINDING.map(([name, title, mechanisms, kind]) =>
    attack(
      `tls/early-binding-${name}`,
      `${title} where SCRAM has begun unasked, and bound`,
      BINDING,
      insideTls(identities.honest, (peer) => peer.send({ type: 'AuthenticationSASL', mechanisms: [...mechanisms] })),
      [kind, 'AwaitingSaslOffer'],
      {
        target: { ...REQUIRE, channel_binding: 'require', require_auth: 'scram-sha-256' },
        sent: [...STARTED, 'SASLInitialResponse'],
      },
    ),
  ),
]

const binding = [
  ...UNBOUND.map(([name, title, bytes]) =>
    attack(
      `tls/binding-required-${name}`,
      `${title} where channel binding is required`,
      BINDING,
      insideTls(identities.honest, (peer) => peer.sendBytes(bytes)),
      ['policy', 'AwaitingAuthentication'],
      { target: { ...REQUIRE, channel_binding: 'require' }, sent: STARTED },
    ),
  ),
  attack(
    'tls/binding-to-a-certificate-without-hash',
    'offers -PLUS with a certificate whose signature names no hash',
    {
      text: 'What cannot be bound is not passed off as bound.',
      source: 'RFC 5929 section 4.1; libpq (pgtls_get_peer_certificate_hash)',
    },
    insideTls(identities.ed25519, (peer) =>
      peer.send({ type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] }),
    ),
    ['policy', 'AwaitingAuthentication'],
    { target: { ...REQUIRE, channel_binding: 'require' }, sent: STARTED },
  ),
  attack(
    'tls/impostor-inside',
    'takes our proof inside TLS and signs with another password',
    {
      text: 'TLS without a certificate that is checked proves nothing: the signature is checked all the same.',
      source: 'RFC 5802 section 3',
    },
    insideTls(identities.selfSigned, (peer) => approachStarted(peer, 'AwaitingReady', { password: 'guessed' })),
    ['unproven', 'AwaitingSaslOutcome'],
    { target: REQUIRE, sent: ['SSLRequest', 'StartupMessage', 'SASLInitialResponse', 'SASLResponse'] },
  ),
]

const downgrades = (['AuthenticationCleartextPassword', 'AuthenticationMD5Password', 'AuthenticationOk'] as const).map(
  (type) =>
    attack(
      `tls/require-auth-${type.slice('Authentication'.length).toLowerCase()}`,
      `sends ${type} inside TLS where SCRAM is required`,
      { text: 'TLS to somebody is no reason to hand over a password.', source: '#LIBPQ-CONNECT-REQUIRE-AUTH' },
      insideTls(identities.selfSigned, (peer) =>
        peer.send(type === 'AuthenticationMD5Password' ? { type, salt: Buffer.from([1, 2, 3, 4]) } : { type }),
      ),
      ['policy', 'AwaitingAuthentication'],
      { target: { ...REQUIRE, require_auth: 'scram-sha-256' }, sent: STARTED },
    ),
)

/** Under prefer, a TLS that fails is followed by plaintext; it must not be followed by more trust. */
const RETRIES: readonly (readonly [
  name: string,
  parameters: Readonly<Record<string, string>>,
  asks: Buffer,
  verdict: readonly [FailureKind, string],
  sent: readonly string[],
])[] = [
  [
    'cleartext',
    {},
    encodeBackend({ type: 'AuthenticationCleartextPassword' }),
    ['policy', 'AwaitingAuthentication'],
    [...HELLO, 'StartupMessage'],
  ],
  [
    'require-auth',
    { require_auth: 'scram-sha-256', early_sasl: 'false' },
    ok,
    ['policy', 'AwaitingAuthentication'],
    [...HELLO, 'StartupMessage'],
  ],
  [
    'require-auth-early',
    { require_auth: 'scram-sha-256' },
    ok,
    ['policy', 'AwaitingSaslOffer'],
    [...HELLO, 'StartupMessage', 'SASLInitialResponse'],
  ],
  ['channel-binding', { channel_binding: 'require' }, ok, ['policy', 'Connected'], HELLO],
]

const retries = RETRIES.map(([name, parameters, asks, verdict, sent]) =>
  attack(
    `tls/retry-keeps-${name}`,
    `breaks TLS, and at the second attempt, without it, tries what the first would have refused (${name.replaceAll('-', ' ')})`,
    RETRY,
    async (peer) => {
      const first = await peer.expectStartup()
      if (first.type === 'StartupMessage') {
        await peer.sendBytes(asks)
        return
      }
      await peer.sendBytes('S')
      const header = await peer.expectBytes(5)
      await peer.expectBytes(header.readUInt16BE(3))
      await peer.sendBytes('HTTP/1.1 400 Bad Request\r\n\r\n')
    },
    verdict,
    { target: { sslmode: 'prefer', ...parameters }, sent },
  ),
)

export const TLS: readonly Attack[] = [
  ...refusals,
  ...replies,
  ...errors,
  ...stalls,
  ...broken,
  ...endless,
  ...useless,
  ...impostors,
  ...misnamed,
  ...direct,
  ...binding,
  ...earlyBinding,
  ...downgrades,
  ...retries,
]
