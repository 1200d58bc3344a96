/** SCRAM, field by field: absent, doubled, out of order, wrong, oversize. And a server that cannot prove itself. */
import { approach, SENT } from '../approach.ts'
import type { Attack } from '../attack.ts'
import { attack, bytesIn } from '../define.ts'
import { encodeBackend, frame, int32 } from '../encode-backend.ts'
import type { ScramOptions } from '../scram-server.ts'

const GRAMMAR = {
  text: 'server-first-message is nonce, salt and iteration count, in this order, each once; then extensions.',
  source: 'RFC 5802 section 7',
}
const NONCE = {
  text: "The nonce must begin with the client's and add to it, or an old exchange is being played again.",
  source: 'RFC 5802 section 5.1',
}
const COUNT = { text: 'The iteration count is a positive decimal number.', source: 'RFC 5802 section 7 (posit-number)' }
const COST = {
  text: "The iteration count is capped before anything is computed: it is the server's to choose and ours to pay for.",
  source: 'CVE-2026-42198',
}
const BASE64 = { text: 'Salt and signature are base64, complete and canonical.', source: 'RFC 5802 section 7 (base64)' }
const MANDATORY = {
  text: "A mandatory extension that is not understood ends the exchange, wherever 'm=' stands.",
  source: 'RFC 5802 section 5.1',
}
const SIZE = {
  text: 'Every field of SCRAM is bounded by the message, and the message before it is read.',
  source: 'CVE-2019-10164; libpq: 2,000 bytes',
}
const SIGNATURE = {
  text: 'The server must prove that it knows the password; until then it is not believed.',
  source: 'RFC 5802 section 3 (ServerSignature)',
}
const FINAL = {
  text: 'server-final-message is one verifier or one error, then extensions.',
  source: 'RFC 5802 section 7',
}

type Kind = 'malformed' | 'unproven' | 'limit' | 'incompatible'
type First = NonNullable<ScramOptions['serverFirst']>
type Final = NonNullable<ScramOptions['serverFinal']>

function first(name: string, title: string, requirement: typeof GRAMMAR, kind: Kind, serverFirst: First): Attack {
  return attack(
    `scram/first-${name}`,
    title,
    requirement,
    (peer) => approach(peer, 'AwaitingSaslOutcome', { serverFirst }),
    [kind, 'AwaitingSaslChallenge'],
  )
}

function final(name: string, title: string, requirement: typeof GRAMMAR, kind: Kind, serverFinal: Final): Attack {
  return attack(`scram/final-${name}`, title, requirement, (peer) => approach(peer, 'AwaitingReady', { serverFinal }), [
    kind,
    'AwaitingSaslOutcome',
  ])
}

/** Which fields stand in server-first-message, in which order: everything but 'rsi'. */
const ORDERS: readonly (readonly [name: string, fields: string])[] = [
  ['without-nonce', 'si'],
  ['without-salt', 'ri'],
  ['without-iterations', 'rs'],
  ['nonce-only', 'r'],
  ['salt-only', 's'],
  ['iterations-only', 'i'],
  ['nonce-twice', 'rrsi'],
  ['salt-twice', 'rssi'],
  ['iterations-twice', 'rsii'],
  ['nonce-again-at-the-end', 'rsir'],
  ['salt-again-at-the-end', 'rsis'],
  ['everything-twice', 'rsirsi'],
  ['order-r-i-s', 'ris'],
  ['order-s-r-i', 'sri'],
  ['order-s-i-r', 'sir'],
  ['order-i-r-s', 'irs'],
  ['order-i-s-r', 'isr'],
]

const orders = ORDERS.map(([name, fields]) =>
  first(name, `sends a challenge with the fields ${[...fields].join(', ')}`, GRAMMAR, 'malformed', (honest) =>
    [...fields]
      .map((field) => {
        if (field === 'r') return `r=${honest.nonce}`
        return field === 's' ? `s=${honest.salt}` : `i=${honest.iterations}`
      })
      .join(','),
  ),
)

const empties = [
  first('empty', 'sends an empty challenge', GRAMMAR, 'malformed', () => ''),
  first(
    'empty-nonce',
    'sends a challenge with an empty nonce',
    GRAMMAR,
    'malformed',
    ({ salt }) => `r=,s=${salt},i=16`,
  ),
  first(
    'empty-iterations',
    'sends a challenge with an empty count',
    COUNT,
    'malformed',
    ({ nonce, salt }) => `r=${nonce},s=${salt},i=`,
  ),
  first('only-commas', 'sends a challenge of commas', GRAMMAR, 'malformed', () => ',,,,,'),
  first(
    'comma-in-front',
    'sends a challenge with a comma in front',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `,r=${nonce},s=${salt},i=16`,
  ),
  first(
    'comma-behind',
    'sends a challenge with a comma behind',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `r=${nonce},s=${salt},i=16,`,
  ),
  first(
    'capital-letters',
    'names the fields in capital letters',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `R=${nonce},S=${salt},I=16`,
  ),
  first(
    'colons',
    'writes colons for equals signs',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `r:${nonce},s:${salt},i:16`,
  ),
  first(
    'spaces',
    'puts spaces behind the commas',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `r=${nonce}, s=${salt}, i=16`,
  ),
  first(
    'nul-behind',
    'sends a challenge with a NUL behind',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `r=${nonce},s=${salt},i=16\0`,
  ),
  first(
    'nul-in-nonce',
    'sends a nonce with a NUL in it',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `r=${nonce}\0x,s=${salt},i=16`,
  ),
  first(
    'escape-in-nonce',
    'sends a nonce that clears the screen',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `r=${nonce}\x1b[2J,s=${salt},i=16`,
  ),
  first(
    'space-in-nonce',
    'sends a nonce with a space',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `r=${nonce} x,s=${salt},i=16`,
  ),
  first(
    'unicode-nonce',
    'sends a nonce that is not ASCII',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `r=${nonce}é,s=${salt},i=16`,
  ),
  first('not-utf8', 'sends a challenge that is not UTF-8', GRAMMAR, 'malformed', ({ nonce }) =>
    Buffer.from(`r=${nonce}\xff,s=QUJD,i=16`, 'latin1'),
  ),
  first('error-instead', 'sends e= where a challenge is due', GRAMMAR, 'malformed', () => 'e=other-error'),
  first('final-instead', 'sends v= where a challenge is due', GRAMMAR, 'malformed', () => 'v=QUJD'),
  first(
    'extension-without-name',
    'sends an extension without a name',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `r=${nonce},s=${salt},i=16,=x`,
  ),
  first(
    'extension-without-value',
    'sends an extension without a value',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `r=${nonce},s=${salt},i=16,x=`,
  ),
  first(
    'extension-twice',
    'sends the same extension twice',
    GRAMMAR,
    'malformed',
    ({ nonce, salt }) => `r=${nonce},s=${salt},i=16,x=1,x=2`,
  ),
]

const nonces = [
  first(
    'nonce-of-somebody-else',
    'sends a nonce that is not ours',
    NONCE,
    'unproven',
    ({ salt }) => `r=abcdefghijklmnopqrstuvwxyz,s=${salt},i=16`,
  ),
  first(
    'nonce-without-addition',
    'sends our own nonce back and adds nothing',
    NONCE,
    'unproven',
    ({ clientNonce, salt }) => `r=${clientNonce},s=${salt},i=16`,
  ),
  first(
    'nonce-cut',
    'sends our nonce without its last character',
    NONCE,
    'unproven',
    ({ clientNonce, salt }) => `r=${clientNonce.slice(0, -1)},s=${salt},i=16`,
  ),
  first(
    'nonce-cut-and-filled',
    'replaces the last character of our nonce and adds its own',
    NONCE,
    'unproven',
    ({ clientNonce, salt }) => `r=${clientNonce.slice(0, -1)}!server,s=${salt},i=16`,
  ),
  first(
    'nonce-behind',
    'puts its own nonce before ours',
    NONCE,
    'unproven',
    ({ clientNonce, salt }) => `r=server${clientNonce},s=${salt},i=16`,
  ),
  first(
    'nonce-in-capitals',
    'sends our nonce in capitals',
    NONCE,
    'unproven',
    ({ clientNonce, salt }) => `r=${clientNonce.toUpperCase()}x0,s=${salt},i=16`,
  ),
]

const salts = [
  first(
    'salt-not-base64',
    'sends a salt that is not base64',
    BASE64,
    'malformed',
    ({ nonce }) => `r=${nonce},s=****,i=16`,
  ),
  first(
    'salt-without-padding',
    'sends a salt without its padding',
    BASE64,
    'malformed',
    ({ nonce }) => `r=${nonce},s=QUI,i=16`,
  ),
  first(
    'salt-with-leftover-bits',
    'sends a salt whose last bits are not zero',
    BASE64,
    'malformed',
    ({ nonce }) => `r=${nonce},s=QUJ=,i=16`,
  ),
  first('salt-with-spaces', 'sends a salt with spaces', BASE64, 'malformed', ({ nonce }) => `r=${nonce},s=QU JD,i=16`),
  first(
    'salt-url-alphabet',
    'sends a salt in the alphabet of URLs',
    BASE64,
    'malformed',
    ({ nonce }) => `r=${nonce},s=-_-_,i=16`,
  ),
  first(
    'salt-padding-in-front',
    'sends a salt with its padding in front',
    BASE64,
    'malformed',
    ({ nonce }) => `r=${nonce},s===QUJD,i=16`,
  ),
]

/** What no posit-number is. */
const COUNTS: readonly (readonly [name: string, count: string])[] = [
  ['zero', '0'],
  ['negative', '-1'],
  ['plus', '+4096'],
  ['leading-zero', '04096'],
  ['fraction', '4096.5'],
  ['exponent', '1e3'],
  ['hexadecimal', '0x1000'],
  ['space-in-front', ' 4096'],
  ['letters', 'many'],
  ['nan', 'NaN'],
  ['infinity', 'Infinity'],
  ['full-width-digits', '４０９６'],
  ['underscore', '4_096'],
]

const counts = [
  ...COUNTS.map(([name, count]) =>
    first(
      `iterations-${name}`,
      `asks for '${count}' iterations`,
      COUNT,
      'malformed',
      ({ nonce, salt }) => `r=${nonce},s=${salt},i=${count}`,
    ),
  ),
  ...['100001', '2147483647', '2147483648', '4294967297', '18446744073709551617', `1${'0'.repeat(400)}`].map((count) =>
    first(
      `iterations-${count.length > 30 ? '10-to-the-400' : count}`,
      `asks for ${count.length > 30 ? '10 to the 400' : count} iterations`,
      COST,
      'limit',
      ({ nonce, salt }) => `r=${nonce},s=${salt},i=${count}`,
    ),
  ),
]

const mandatory = [
  first(
    'mandatory-in-front',
    'puts a mandatory extension in front',
    MANDATORY,
    'incompatible',
    ({ nonce, salt }) => `m=x,r=${nonce},s=${salt},i=16`,
  ),
  first(
    'mandatory-between',
    'puts a mandatory extension between nonce and salt',
    MANDATORY,
    'incompatible',
    ({ nonce, salt }) => `r=${nonce},m=x,s=${salt},i=16`,
  ),
  first(
    'mandatory-behind',
    'puts a mandatory extension behind',
    MANDATORY,
    'incompatible',
    ({ nonce, salt }) => `r=${nonce},s=${salt},i=16,m=x`,
  ),
  final(
    'mandatory',
    'puts a mandatory extension behind its signature',
    MANDATORY,
    'incompatible',
    ({ signature }) => `v=${signature.toString('base64')},m=x`,
  ),
]

const sizes = [
  attack(
    'scram/first-2001-bytes',
    'sends a challenge that makes its message one byte longer than may be',
    SIZE,
    bytesIn('AwaitingSaslChallenge', frame('R', Buffer.concat([int32(11), Buffer.alloc(1_997, 0x41)]))),
    ['limit', 'AwaitingSaslChallenge'],
  ),
  attack(
    'scram/final-2001-bytes',
    'sends an outcome that makes its message one byte longer than may be',
    SIZE,
    bytesIn('AwaitingSaslOutcome', frame('R', Buffer.concat([int32(12), Buffer.alloc(1_997, 0x41)]))),
    ['limit', 'AwaitingSaslOutcome'],
  ),
  attack(
    'scram/mechanisms-2001-bytes',
    'offers mechanisms until its message is one byte longer than may be',
    SIZE,
    bytesIn('AwaitingAuthentication', frame('R', Buffer.concat([int32(10), Buffer.alloc(1_997, 0x41)]))),
    ['limit', 'AwaitingAuthentication'],
  ),
]

const base64 = (bytes: Buffer) => bytes.toString('base64')
const flip = (bytes: Buffer, index: number) => Buffer.from(bytes.map((byte, at) => (at === index ? byte ^ 1 : byte)))

const signatures = [
  final(
    'first-bit',
    'signs with one wrong bit in the first byte',
    SIGNATURE,
    'unproven',
    ({ signature }) => `v=${base64(flip(signature, 0))}`,
  ),
  final(
    'last-bit',
    'signs with one wrong bit in the last byte',
    SIGNATURE,
    'unproven',
    ({ signature }) => `v=${base64(flip(signature, 31))}`,
  ),
  final('zeros', 'signs with zeros', SIGNATURE, 'unproven', () => `v=${base64(Buffer.alloc(32))}`),
  final(
    '31-bytes',
    'signs with all but the last byte',
    SIGNATURE,
    'unproven',
    ({ signature }) => `v=${base64(signature.subarray(0, 31))}`,
  ),
  final(
    '33-bytes',
    'signs, and adds a byte',
    SIGNATURE,
    'unproven',
    ({ signature }) => `v=${base64(Buffer.concat([signature, Buffer.alloc(1)]))}`,
  ),
  final('empty-signature', 'signs with nothing', SIGNATURE, 'unproven', () => 'v='),
  final(
    'our-own-proof',
    'sends our own proof back as its signature',
    SIGNATURE,
    'unproven',
    ({ proof }) => `v=${base64(proof)}`,
  ),
  final('error', 'sends an error instead of a signature', SIGNATURE, 'unproven', () => 'e=invalid-proof'),
  final(
    'error-with-secrets',
    'sends an error that looks like a message of ours',
    SIGNATURE,
    'unproven',
    ({ proof }) => `e=${base64(proof)}`,
  ),
  attack(
    'scram/final-other-password',
    'signs with another password: an impostor that took our proof',
    SIGNATURE,
    (peer) => approach(peer, 'AwaitingReady', { password: 'guessed' }),
    ['unproven', 'AwaitingSaslOutcome'],
  ),
  attack(
    'scram/final-other-iterations',
    'signs with other iterations than it asked for',
    SIGNATURE,
    (peer) =>
      approach(peer, 'AwaitingReady', {
        iterations: 17,
        serverFirst: ({ nonce, salt }) => `r=${nonce},s=${salt},i=16`,
      }),
    ['unproven', 'AwaitingSaslOutcome'],
  ),
]

const finals = [
  final('empty', 'sends an empty outcome', FINAL, 'malformed', () => ''),
  final('without-name', 'sends its signature without v=', FINAL, 'malformed', ({ signature }) => base64(signature)),
  final('not-base64', 'sends a signature that is not base64', BASE64, 'malformed', () => 'v=????'),
  final(
    'without-padding',
    'sends its signature without padding',
    BASE64,
    'malformed',
    ({ signature }) => `v=${base64(signature).replace('=', '')}`,
  ),
  final(
    'twice',
    'sends its signature twice',
    FINAL,
    'malformed',
    ({ signature }) => `v=${base64(signature)},v=${base64(signature)}`,
  ),
  final(
    'wrong-then-right',
    'sends a wrong signature and then the right one',
    FINAL,
    'malformed',
    ({ signature }) => `v=${base64(Buffer.alloc(32))},v=${base64(signature)}`,
  ),
  final(
    'error-and-signature',
    'sends an error and a signature',
    FINAL,
    'malformed',
    ({ signature }) => `e=other-error,v=${base64(signature)}`,
  ),
  final(
    'signature-and-error',
    'sends a signature and an error',
    FINAL,
    'malformed',
    ({ signature }) => `v=${base64(signature)},e=other-error`,
  ),
  final('empty-error', 'sends an error without a word', FINAL, 'malformed', () => 'e='),
  final('escape-in-error', 'sends an error that clears the screen', FINAL, 'malformed', () => 'e=\x1b[2J'),
  final(
    'nul-behind',
    'sends its signature with a NUL behind',
    FINAL,
    'malformed',
    ({ signature }) => `v=${base64(signature)}\0`,
  ),
  final('not-utf8', 'sends an outcome that is not UTF-8', FINAL, 'malformed', () =>
    Buffer.from([0x76, 0x3d, 0xff, 0xfe]),
  ),
  final('challenge-again', 'sends a challenge where the outcome is due', FINAL, 'malformed', () => 'r=abc,s=QUJD,i=16'),
]

const MECHANISM = {
  text: 'Only a mechanism that both sides have is used; what a server calls one is not passed on.',
  source: '#SASL-AUTHENTICATION, RFC 4422 section 3.1',
}

/** Offers in which there is nothing for us. */
const OFFERS: readonly (readonly [name: string, mechanisms: readonly string[]])[] = [
  ['none', []],
  ['sha-1', ['SCRAM-SHA-1']],
  ['sha-512', ['SCRAM-SHA-512', 'SCRAM-SHA-512-PLUS']],
  ['plain', ['PLAIN', 'LOGIN', 'ANONYMOUS', 'EXTERNAL']],
  ['oauth', ['OAUTHBEARER']],
  ['lower-case', ['scram-sha-256']],
  ['longer-name', ['SCRAM-SHA-2567', 'XSCRAM-SHA-256']],
  ['control-characters', ['\x1b]0;owned\x07', 'SCRAM-SHA-256\n']],
  ['property-names', ['__proto__', 'constructor', 'toString']],
  ['a-hundred', Array.from({ length: 100 }, (_, index) => `MECHANISM-${index}`)],
]

const offers = OFFERS.map(([name, mechanisms]) =>
  attack(
    `scram/offers-${name}`,
    `offers ${name === 'none' ? 'no mechanism' : `mechanisms that we do not have (${name.replaceAll('-', ' ')})`}`,
    MECHANISM,
    bytesIn('AwaitingAuthentication', encodeBackend({ type: 'AuthenticationSASL', mechanisms: [...mechanisms] })),
    ['incompatible', 'AwaitingAuthentication'],
    { sent: SENT.AwaitingAuthentication },
  ),
)

const plus = [['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'], ['SCRAM-SHA-256-PLUS']].map((mechanisms) =>
  attack(
    `scram/offers-plus-without-tls${mechanisms.length === 1 ? '-alone' : ''}`,
    'offers channel binding where there is no TLS to bind to',
    {
      text: 'A server that offers -PLUS believes that it speaks TLS with us: somebody else does.',
      source: 'RFC 5802 section 6; libpq (pg_SASL_init): "over a non-SSL connection"',
    },
    bytesIn('AwaitingAuthentication', encodeBackend({ type: 'AuthenticationSASL', mechanisms })),
    ['misbehaved', 'AwaitingAuthentication'],
  ),
)

export const SCRAM: readonly Attack[] = [
  ...orders,
  ...empties,
  ...nonces,
  ...salts,
  ...counts,
  ...mandatory,
  ...sizes,
  ...signatures,
  ...finals,
  ...offers,
  ...plus,
]
