/** The hazards as data: what happened or may happen, where it is answered, what proves it. docs/generate.ts makes the page. */

export interface Hazard {
  readonly lesson: string
  /** A CVE, an RFC, a page of the manual; empty where it is our own policy. */
  readonly source: string
  /** Paths below src/. */
  readonly answeredIn: readonly string[]
  /** Ids of attacks, the beginning of several of them with a '*' behind, or paths below test/. */
  readonly provedBy: readonly string[]
}

export const HAZARDS: Readonly<Record<string, readonly Hazard[]>> = {
  'Lessons with a number': [
    {
      lesson: "Plaintext behind the 'S' is neither parsed nor dropped: it ends the connection.",
      source: 'CVE-2021-23222',
      answeredIn: ['protocol/tls-reply.ts', 'net/socket.ts'],
      provedBy: ['tls/reply-*', 'tls/instead-of-server-hello-login', 'tls/plaintext-into-tls'],
    },
    {
      lesson: 'The text of an error that came before TLS is withheld.',
      source: 'CVE-2024-10977',
      answeredIn: ['state/handshake/transitions.ts'],
      provedBy: ['tls/error-in-place-of-a-reply', 'tls/old-error-in-place-of-a-reply'],
    },
    {
      lesson: "Control characters of a server never reach a user's terminal.",
      source: 'CVE-2024-10977',
      answeredIn: ['protocol/printable.ts', 'auth/choose.ts', 'auth/scram-grammar.ts'],
      provedBy: [
        'startup/error-text-*',
        'startup/error-field-named-escape',
        'startup/client-encoding-escape',
        'scram/offers-control-characters',
        'tls/certificate-control-characters-*',
      ],
    },
    {
      lesson: 'Nothing is read past the end of a message, and nothing may stand behind its last field.',
      source: 'CVE-2022-41862',
      answeredIn: ['protocol/message.ts', 'protocol/layout.ts'],
      provedBy: [
        'authentication/body-*',
        'startup/parameterstatus-*',
        'startup/errorresponse-*',
        'protocol/layout.test.ts',
      ],
    },
    {
      lesson: 'The facts of an attempt are fresh for every attempt, and a retry loses no security setting.',
      source: 'CVE-2018-10915, CVE-2020-25694',
      answeredIn: ['connect.ts', 'state/handshake/policy.ts', 'state/handshake/states.ts'],
      provedBy: ['tls/retry-keeps-*', 'tls/refused-under-allow', 'connect-tls.test.ts'],
    },
    {
      lesson: 'Every field of SCRAM is bounded.',
      source: 'CVE-2019-10164',
      answeredIn: ['protocol/limits.ts', 'protocol/frame.ts'],
      provedBy: ['scram/first-2001-bytes', 'scram/final-2001-bytes', 'scram/mechanisms-2001-bytes'],
    },
    {
      lesson: 'Channel binding that is required is required of whatever method the server chooses.',
      source: 'CVE-2025-49146, CVE-2026-54291',
      answeredIn: ['auth/choose.ts', 'state/handshake/admission.ts'],
      provedBy: ['tls/binding-*', 'tls/refused-under-required-binding'],
    },
    {
      lesson: 'Iterations are capped before they are computed.',
      source: 'CVE-2026-42198',
      answeredIn: ['auth/scram.ts', 'protocol/limits.ts'],
      provedBy: [
        'scram/first-iterations-100001',
        'scram/first-iterations-2147483647',
        'scram/first-iterations-10-to-the-400',
      ],
    },
    {
      lesson: 'Lengths below four, negative lengths and lengths beyond all measure end at the fifth byte.',
      source: 'CVE-2026-32286',
      answeredIn: ['protocol/frame.ts'],
      provedBy: [
        'framing/length-*',
        'framing/ready-length-*',
        'framing/authentication-length-*',
        'protocol/frame.test.ts',
      ],
    },
    {
      lesson: 'An encoder throws rather than wraps.',
      source: 'CVE-2024-27304, CVE-2024-32655',
      answeredIn: ['protocol/message.ts', 'protocol/startup.ts'],
      provedBy: ['protocol/message.test.ts', 'protocol/startup.test.ts'],
    },
    {
      lesson:
        'A NUL in a value would inject further parameters: refused by the encoder, and by the configuration before it.',
      source: '#PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE',
      answeredIn: ['protocol/layout.ts', 'config/parameter.ts'],
      provedBy: ['protocol/layout.test.ts', 'config/read-settings.test.ts'],
    },
    {
      lesson: 'No code is generated from names that a server sent, and no object is indexed with them.',
      source: 'CVE-2017-16082',
      answeredIn: ['state/session/query-result.ts'],
      provedBy: ['scram/offers-property-names', 'session.test.ts'],
    },
  ],
  Policy: [
    {
      lesson: 'No password in the clear without TLS, on a Unix-domain socket neither.',
      source: '#AUTH-PASSWORD',
      answeredIn: ['state/handshake/transitions.ts'],
      provedBy: ['authentication/cleartext-*', 'tls/refused-and-cleartext-under-prefer', 'tls/retry-keeps-cleartext'],
    },
    {
      lesson: 'A password that nobody gave is not answered with an empty one.',
      source: '#AUTH-PASSWORD',
      answeredIn: ['state/handshake/admission.ts'],
      provedBy: [
        'authentication/cleartext-without-password',
        'authentication/md5-without-password',
        'authentication/sasl-without-password',
      ],
    },
    {
      lesson: 'Once SASL has begun, the server must prove itself before it is believed.',
      source: 'RFC 5802 section 3',
      answeredIn: ['state/handshake/table.ts', 'auth/scram.ts'],
      provedBy: [
        'order/authentication-ok-in-awaiting-sasl-challenge',
        'order/authentication-ok-in-awaiting-sasl-outcome',
        'order/ok-behind-the-challenge',
        'scram/final-*',
      ],
    },
    {
      lesson: 'Any message out of order ends the connection; so does a second authentication request.',
      source: '#PROTOCOL-FLOW-START-UP',
      answeredIn: ['state/handshake/table.ts', 'state/machine.ts'],
      provedBy: ['order/*', 'state/handshake/table.test.ts'],
    },
    {
      lesson: 'The signature covers the bytes that came, not a message put together again.',
      source: 'RFC 5802 section 3 (AuthMessage)',
      answeredIn: ['auth/scram.ts'],
      provedBy: ['auth/scram.test.ts'],
    },
    {
      lesson: 'Every field of SCRAM stands where it must, once, in the grammar of the RFC and in nothing looser.',
      source: 'RFC 5802 section 7',
      answeredIn: ['auth/scram-grammar.ts'],
      provedBy: ['scram/first-*', 'scram/final-*', 'auth/scram-grammar.test.ts'],
    },
    {
      lesson: 'A mandatory extension of SCRAM ends the exchange; an optional one is lawful.',
      source: 'RFC 5802 section 5.1',
      answeredIn: ['auth/scram-grammar.ts'],
      provedBy: ['scram/first-mandatory-*', 'scram/final-mandatory'],
    },
    {
      lesson: "A floor for iterations is the user's to set, and is then held.",
      source: 'RFC 7677 section 4',
      answeredIn: ['auth/scram.ts'],
      provedBy: ['authentication/iterations-below-the-floor'],
    },
    {
      lesson: 'A method that require_auth does not name gets no answer; neither does none at all.',
      source: '#LIBPQ-CONNECT-REQUIRE-AUTH',
      answeredIn: ['auth/require-auth.ts', 'state/handshake/admission.ts'],
      provedBy: [
        'authentication/cleartext-under-require-auth-*',
        'authentication/none-under-require-auth-*',
        'tls/require-auth-*',
      ],
    },
    {
      lesson:
        'What was begun before the server asked is gone on with only if the server offers it; nothing less is answered.',
      source: '#SASL-AUTHENTICATION, #LIBPQ-CONNECT-REQUIRE-AUTH',
      answeredIn: ['state/handshake/policy.ts', 'state/handshake/table.ts', 'state/handshake/admission.ts'],
      provedBy: [
        'order/early-*',
        'authentication/early-*',
        'scram/early-*',
        'startup/early-*',
        'tls/early-binding-*',
        'tls/retry-keeps-require-auth-early',
        'early-sasl.test.ts',
      ],
    },
    {
      lesson: 'A query that left before the server had proven itself is not sent to a second one.',
      source: '',
      answeredIn: ['connect.ts', 'state/handshake/policy.ts'],
      provedBy: ['first-query.test.ts'],
    },
    {
      lesson: "'N' where TLS is required is an error at once, and no StartupMessage has left.",
      source: '#LIBPQ-CONNECT-SSLMODE',
      answeredIn: ['state/handshake/transitions.ts'],
      provedBy: ['tls/refused-under-require', 'tls/refused-under-verify-ca', 'tls/refused-under-verify-full'],
    },
    {
      lesson: 'A certificate that does not hold by the rules of sslmode: nothing is said inside TLS.',
      source: '#LIBPQ-SSL-CERTIFICATE-VERIFICATION',
      answeredIn: ['net/tls.ts', 'state/handshake/transitions.ts'],
      provedBy: ['tls/certificate-*', 'tls/direct-self-signed'],
    },
    {
      lesson: "A defect of the user's own files for TLS is no reason to go on in plaintext.",
      source: '#LIBPQ-SSL-CLIENTCERT',
      answeredIn: ['connect.ts', 'net/tls-context.ts'],
      provedBy: ['connect-tls.test.ts'],
    },
    {
      lesson: 'A star in a certificate stands for the whole first label of a name, never for part of it, nor for two.',
      source: 'RFC 9525 section 6.3',
      answeredIn: ['net/tls.ts'],
      provedBy: ['net/tls.test.ts'],
    },
    {
      lesson: "Direct TLS without the ALPN protocol 'postgresql' is refused.",
      source: '#LIBPQ-CONNECT-SSLNEGOTIATION',
      answeredIn: ['state/handshake/transitions.ts'],
      provedBy: ['tls/direct-without-alpn', 'tls/direct-other-alpn'],
    },
    {
      lesson: 'An offer of channel binding without TLS is an error: somebody else speaks TLS with the server.',
      source: 'RFC 5802 section 6',
      answeredIn: ['auth/choose.ts'],
      provedBy: ['scram/offers-plus-without-tls', 'scram/offers-plus-without-tls-alone'],
    },
    {
      lesson: 'A peer that speaks something else is named.',
      source: '#PROTOCOL-MESSAGE-FORMATS',
      answeredIn: ['protocol/frame.ts', 'protocol/tls-reply.ts'],
      provedBy: ['framing/stranger-*', 'tls/reply-http-under-require', 'protocol/frame.test.ts'],
    },
    {
      lesson: 'A version is lowered once, to one that exists, and not below what the user wants.',
      source: '#PROTOCOL-VERSIONS',
      answeredIn: ['state/handshake/greeting.ts'],
      provedBy: ['startup/negotiation-*', 'startup/key-of-3-2-after-negotiating-3-0'],
    },
    {
      lesson: 'A cancel key has the length that its version says.',
      source: '#PROTOCOL-MESSAGE-FORMATS-BACKENDKEYDATA',
      answeredIn: ['state/handshake/transitions.ts'],
      provedBy: ['startup/cancel-key-*'],
    },
    {
      lesson: 'Text comes as UTF-8 or not at all.',
      source: '#LIBPQ-CONNECT-CLIENT-ENCODING',
      answeredIn: ['state/encoding.ts'],
      provedBy: ['startup/client-encoding-*'],
    },
    {
      lesson: 'A byte at a time, everything in one segment, bytes behind ReadyForQuery: lawful, and nothing is lost.',
      source: '#PROTOCOL-MESSAGE-CONCEPTS',
      answeredIn: ['protocol/frame.ts', 'wire.ts'],
      provedBy: ['connect.test.ts', 'protocol/frame.test.ts'],
    },
  ],
  Time: [
    {
      lesson:
        'Silence in a state, whichever it is, costs the deadline and no more, and is told with the name of the state.',
      source: '#LIBPQ-CONNECT-CONNECT-TIMEOUT',
      answeredIn: ['net/deadline.ts', 'attempt.ts', 'net/until.ts'],
      provedBy: ['time/silence-*', 'tls/silence-*', 'tls/direct-silence', 'connect.test.ts'],
    },
    {
      lesson: 'Progress does not extend the deadline.',
      source: '#LIBPQ-CONNECT-CONNECT-TIMEOUT',
      answeredIn: ['net/deadline.ts'],
      provedBy: [
        'time/drip-*',
        'time/notices-now-and-then-*',
        'time/parameters-now-and-then',
        'tls/drip-of-a-record',
        'tls/drip-of-hello-requests',
      ],
    },
    {
      lesson: 'Lawful messages without end are ended by a bound, long before the deadline.',
      source: '#PROTOCOL-ASYNC',
      answeredIn: ['protocol/limits.ts', 'state/handshake/reports.ts'],
      provedBy: ['time/flood-of-*', 'time/notices-spread-over-states'],
    },
    {
      lesson: 'What TLS drops in silence, such as HelloRequest, has a bound too.',
      source: 'RFC 5246 section 7.4.1.1',
      answeredIn: ['protocol/limits.ts', 'net/tls.ts'],
      provedBy: ['tls/flood-of-hello-requests*', 'tls/direct-flood-of-hello-requests', 'net/tls.test.ts'],
    },
    {
      lesson: 'A server cannot negotiate TLS a second time, with a certificate that nobody verifies.',
      source: 'RFC 5246 section 7.4.1.1',
      answeredIn: ['net/tls.ts'],
      provedBy: ['net/tls.test.ts'],
    },
    {
      lesson:
        'What TLS keeps to itself once it is up, such as tickets and new keys, has a bound until the session is ready.',
      source: 'RFC 8446 section 4.6',
      answeredIn: ['protocol/limits.ts', 'net/socket.ts'],
      provedBy: ['tls/flood-of-tickets*', 'net/tls.test.ts'],
    },
    {
      lesson: 'What nobody has asked for yet waits, beyond 256 KB, in the network and not in our memory.',
      source: '',
      answeredIn: ['net/socket.ts'],
      provedBy: ['time/flood-while-we-compute', 'framing/flood-behind-a-length-of-2-gb', 'net/socket.test.ts'],
    },
    {
      lesson: 'A connection that ends, by FIN or reset, within a message or between two, is lost at once.',
      source: '',
      answeredIn: ['net/socket.ts', 'state/handshake/transitions.ts'],
      provedBy: ['framing/fin-*', 'authentication/fin-in-*', 'authentication/reset-in-*', 'tls/fin-*', 'tls/reset-*'],
    },
    {
      lesson: 'A failed connect leaves no socket, timer, listener or thrown error behind, and keeps no process alive.',
      source: '',
      answeredIn: ['connect.ts'],
      provedBy: ['hostile/children.measure.ts', 'hostile/virtual-time.test.ts', 'live/exit.test.ts'],
    },
    {
      lesson:
        'A signal that is aborted beforehand, in the tick of success, twice, or within a callback settles a connect once.',
      source: '',
      answeredIn: ['state/machine.ts', 'attempt.ts', 'net/until.ts'],
      provedBy: [
        'connect.test.ts',
        'connecting.test.ts',
        'hooks.test.ts',
        'net/until.test.ts',
        'live/invariant.test.ts',
      ],
    },
    {
      lesson: 'Deadlines of zero, NaN, Infinity, below zero and beyond 2^31 ms; ten thousand connects on one signal.',
      source: '',
      answeredIn: ['net/deadline.ts'],
      provedBy: ['net/deadline.test.ts', 'connect.test.ts'],
    },
    {
      lesson:
        'An event loop that was blocked beyond the deadline is no silent server: what has arrived meanwhile is read first.',
      source: '',
      answeredIn: ['net/deadline.ts'],
      provedBy: ['net/deadline.test.ts'],
    },
    {
      lesson:
        'Addresses that do not answer, be they a hundred, neither hide the one that does nor hold more than eight sockets.',
      source: 'RFC 8305',
      answeredIn: ['net/dial.ts', 'net/resolve.ts', 'protocol/limits.ts'],
      provedBy: ['net/race.test.ts', 'net/dial.test.ts', 'net/resolve.test.ts'],
    },
    {
      lesson: 'A name server that hangs costs one thread for each name, however many connects wait for it.',
      source: '',
      answeredIn: ['net/resolve.ts', 'net/orphans.ts'],
      provedBy: ['net/resolve.test.ts'],
    },
  ],
  'What the caller passes': [
    {
      lesson:
        'Halves of surrogate pairs, oversize values and parameters that a URI gives twice are refused before anything is sent.',
      source: '#LIBPQ-CONNSTRING-URIS',
      answeredIn: ['protocol/layout.ts', 'config/connection-uri.ts'],
      provedBy: ['protocol/layout.test.ts', 'config/connection-uri.test.ts'],
    },
    {
      lesson:
        'What is set in the environment for other programs sends nobody elsewhere: it counts only if it is handed over.',
      source: '#LIBPQ-ENVARS',
      answeredIn: ['config/environment.ts', 'config/read-settings.ts'],
      provedBy: ['config/environment.test.ts'],
    },
    {
      lesson: 'A password file that others may read or write is not used, and one that is a pipe is not waited for.',
      source: '#LIBPQ-PGPASS',
      answeredIn: ['passwords.ts'],
      provedBy: ['passwords.test.ts'],
    },
    {
      lesson: 'Secrets show in no error, message, stack, JSON or inspect, and never on the wire.',
      source: '',
      answeredIn: ['auth/secret.ts', 'config/unusable.ts', 'state/errors.ts'],
      provedBy: ['hostile/sockets.test.ts', 'auth/secret.test.ts', 'connect.test.ts'],
    },
  ],
}
