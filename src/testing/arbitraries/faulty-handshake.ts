/**
 * A lawful handshake in which the server, or somebody on the path, commits one fault. The flight with the fault is the last one,
 * and the connection is closed behind it: so every one ends without a clock, and none may end in a session.
 */
import fc from 'fast-check'
import type { BackendMessage } from '../../protocol/backend.ts'
import type { FailureKind } from '../../protocol/failure.ts'
import { encodeBackend, frame } from '../encode-backend.ts'
import { EXAMPLES } from '../examples.ts'
import { faultsOf } from './faulty-scram-exchange.ts'
import { arbitraryHandshake, type Flight, type Handshake } from './handshake.ts'

export interface HandshakeFault {
  /** What is wrong, in words. */
  readonly title: string
  /** The flight that it is committed in. */
  readonly flight: number
  /** What is sent in its place. */
  readonly bytes: Buffer
  /** The ways in which a client may end. With a later end of stream it is 'lost'; of a server that stays silent, the deadline's. */
  readonly verdicts: readonly FailureKind[]
}

export interface FaultyHandshake {
  readonly honest: Handshake
  /** Which of the faults that are possible in it: the same in `faultyHandshake` for another nonce. */
  readonly choice: number
  readonly fault: HandshakeFault
  /** Those before the fault, and the faulty one. Then comes the end of the stream. */
  readonly flights: readonly Flight[]
}

/**
 * Any handshake with one fault.
 *
 * @example
 * fc.assert(fc.asyncProperty(arbitraryFaultyHandshake(), async ({ flights, fault }) =>
 *   fault.verdicts.includes(await endOf(client, flights))))
 */
export function arbitraryFaultyHandshake(): fc.Arbitrary<FaultyHandshake> {
  return fc.tuple(arbitraryHandshake(), fc.nat()).map(([honest, choice]) => faultyHandshake(honest, choice))
}

/** The handshake with the fault of this number. */
export function faultyHandshake(honest: Handshake, choice: number): FaultyHandshake {
  const faults = handshakeFaults(honest)
  const fault = faults[choice % faults.length] as HandshakeFault
  return { honest, choice, fault, flights: flightsWith(honest, fault) }
}

/** The flights before this fault, and the one with it. */
export function flightsWith(honest: Handshake, { flight, bytes }: HandshakeFault): readonly Flight[] {
  const { waitsFor } = honest.flights[flight] as Flight
  return [...honest.flights.slice(0, flight), { waitsFor, messages: [], bytes }]
}

/** Every fault that can be put into this handshake; how many there are does not depend on nonces and keys. */
export function handshakeFaults(honest: Handshake): readonly HandshakeFault[] {
  return honest.flights.flatMap(({ waitsFor, messages, bytes }, flight) => {
    if (waitsFor === 'SSLRequest') return tlsReplyFaults(honest, flight, bytes)
    const encoded = messages.map(encodeBackend)
    return [
      ...cuts(flight, bytes),
      ...messages.flatMap((message, index) => messageFaults(flight, message, encoded, index)),
      ...scramFaults(honest, flight),
      ...negotiationFaults(honest, flight),
    ]
  })
}

/** CVE-2021-23222: what stands behind the answer in plaintext was put there by somebody else. */
function tlsReplyFaults({ client }: Handshake, flight: number, reply: Buffer): HandshakeFault[] {
  const fault = (title: string, bytes: Buffer, verdict: FailureKind): HandshakeFault => ({
    title,
    flight,
    bytes,
    verdicts: [verdict],
  })
  const login = Buffer.concat([encodeBackend({ type: 'AuthenticationOk' }), READY])
  return [
    fault('no answer to SSLRequest', Buffer.alloc(0), 'lost'),
    fault('plaintext behind the answer to SSLRequest', Buffer.concat([reply, login]), 'misbehaved'),
    fault('one byte behind the answer to SSLRequest', Buffer.concat([reply, Buffer.from([0])]), 'misbehaved'),
    fault('a small letter as the answer to SSLRequest', Buffer.from('s'), 'misbehaved'),
    fault('a login in place of the answer to SSLRequest', login, 'misbehaved'),
    fault('an error in place of the answer to SSLRequest', ERROR, 'refused'),
    ...(client.encryption === 'required' ? [fault('no TLS where it is required', Buffer.from('N'), 'policy')] : []),
  ]
}

/** Half a flight and the end of the stream: within a header, within a body, between two messages. */
function cuts(flight: number, bytes: Buffer): HandshakeFault[] {
  // Named by what they are and not by their number, which the length of a nonce can move.
  const places = new Map(
    [0, 1, 4, 5].filter((at) => at < bytes.length).map((at) => [at, `after ${at} bytes of a flight`]),
  )
  const [middle, last] = [Math.floor(bytes.length / 2), bytes.length - 1]
  if (!places.has(middle)) places.set(middle, 'in the middle of a flight')
  if (!places.has(last)) places.set(last, 'before the last byte of a flight')
  return [...places].map(([at, where]) => ({
    title: `the end of the stream ${where}`,
    flight,
    bytes: bytes.subarray(0, at),
    verdicts: ['lost'],
  }))
}

function messageFaults(
  flight: number,
  message: BackendMessage,
  encoded: readonly Buffer[],
  index: number,
): HandshakeFault[] {
  const { type } = message
  const own = encoded[index] as Buffer
  const before = Buffer.concat(encoded.slice(0, index))
  const after = Buffer.concat(encoded.slice(index + 1))
  const replaced = (title: string, bytes: Buffer, ...verdicts: FailureKind[]): HandshakeFault => ({
    title,
    flight,
    bytes: Buffer.concat([before, bytes, after]),
    verdicts,
  })
  const tag = own.toString('latin1', 0, 1)
  const body = own.subarray(5)
  const faults = [
    replaced(`an error in place of ${type}`, ERROR, 'refused'),
    replaced(
      `a byte before ${type} with which no message begins`,
      Buffer.concat([Buffer.from([0x21]), own]),
      'malformed',
    ),
    replaced(`a length of 3 in ${type}`, frame(tag, body, 3), 'malformed'),
    replaced(`a length below zero in ${type}`, frame(tag, body, -1), 'malformed'),
    replaced(`two gigabytes promised by ${type}`, frame(tag, body, 0x7fff_ffff), 'limit'),
    ...NEVER.map(([name, never]) => replaced(`${name} before ${type}`, Buffer.concat([never, own]), 'misbehaved')),
  ]
  if (ONCE.has(type)) faults.push(replaced(`${type} twice`, Buffer.concat([own, own]), 'misbehaved'))
  // Without an answer to give, a client waits; with the next message, it sees what is missing.
  if (REQUIRED.has(type)) faults.push(replaced(`no ${type}`, Buffer.alloc(0), 'misbehaved', 'lost'))
  if (type === 'BackendKeyData') {
    const secretKey = Buffer.concat([message.secretKey, Buffer.alloc(300)])
    faults.push(replaced('a secret key that is too long', encodeBackend({ ...message, secretKey }), 'malformed'))
  }
  if (type === 'AuthenticationSASLContinue' || type === 'AuthenticationSASLFinal') {
    const login = Buffer.concat([encodeBackend({ type: 'AuthenticationOk' }), READY])
    faults.push(replaced(`a login in place of ${type}`, login, 'misbehaved'))
  }
  if (type === 'ReadyForQuery') {
    const encoding = encodeBackend({ type: 'ParameterStatus', name: 'client_encoding', value: 'LATIN1' })
    faults.push(replaced('another encoding than UTF-8', Buffer.concat([encoding, own]), 'incompatible'))
    faults.push(replaced('a transaction status that there is not', frame('Z', Buffer.from('X')), 'malformed'))
  }
  return faults
}

function scramFaults({ exchange, flights }: Handshake, flight: number): HandshakeFault[] {
  const [message] = flights[flight]?.messages ?? []
  if (exchange === null || !message?.type.startsWith('AuthenticationSASL')) return []
  return faultsOf(exchange, 'server').flatMap(({ title, message: name, bytes, verdicts }) => {
    if (name === 'serverFirst' && message?.type === 'AuthenticationSASLContinue') {
      return [{ title, flight, bytes: encodeBackend({ ...message, data: bytes }), verdicts }]
    }
    if (name === 'serverFinal' && message?.type === 'AuthenticationSASLFinal') {
      const after = Buffer.concat((flights[flight]?.messages ?? []).slice(1).map(encodeBackend))
      const wrong = encodeBackend({ ...message, data: bytes })
      return [{ title, flight, bytes: Buffer.concat([wrong, after]), verdicts }]
    }
    return []
  })
}

/** #PROTOCOL-VERSIONS: a server answers with a version below the one that was asked for, and with options that it was sent. */
function negotiationFaults({ client, flights }: Handshake, flight: number): HandshakeFault[] {
  const { waitsFor, messages } = flights[flight] as Flight
  if (waitsFor !== 'StartupMessage') return []
  const honest = Buffer.concat(
    messages.filter(({ type }) => type !== 'NegotiateProtocolVersion').map((message) => encodeBackend(message)),
  )
  const fault = (title: string, newestVersion: number, ...unrecognizedOptions: string[]): HandshakeFault => ({
    title,
    flight,
    bytes: Buffer.concat([
      encodeBackend({ type: 'NegotiateProtocolVersion', newestVersion, unrecognizedOptions }),
      honest,
    ]),
    verdicts: ['misbehaved'],
  })
  return [
    fault('a negotiation to a version above the one asked for', 0x0003_0003),
    fault('a negotiation to protocol 2', 0x0002_0000),
    fault('a negotiation of an option that was not sent', 0x0003_0000, '_pq_.nonsense'),
    ...(client.protocolVersion === '3.0' ? [fault('a negotiation down from the oldest version', 0x0003_0000)] : []),
  ]
}

/** Lawful messages that have no place in any handshake. */
const NEVER = EXAMPLES.filter(({ type }) =>
  [
    'AuthenticationGSSContinue',
    'RowDescription',
    'DataRow',
    'CommandComplete',
    'EmptyQueryResponse',
    'CopyInResponse',
    'CopyOutResponse',
    'CopyBothResponse',
    'CopyData',
    'CopyDone',
  ].includes(type),
).map((message) => [message.type, encodeBackend(message)] as const)

/** Not ReadyForQuery: the handshake is over then, and what follows is the session's affair. */
const ONCE = new Set<string>([
  'NegotiateProtocolVersion',
  'AuthenticationCleartextPassword',
  'AuthenticationMD5Password',
  'AuthenticationSASL',
  'AuthenticationSASLContinue',
  'AuthenticationSASLFinal',
  'AuthenticationOk',
  'BackendKeyData',
])

const REQUIRED = new Set<string>([
  'AuthenticationCleartextPassword',
  'AuthenticationMD5Password',
  'AuthenticationSASL',
  'AuthenticationSASLContinue',
  'AuthenticationSASLFinal',
  'AuthenticationOk',
  'ReadyForQuery',
])

const READY = encodeBackend({ type: 'ReadyForQuery', status: 'I' })

const ERROR = encodeBackend({
  type: 'ErrorResponse',
  fields: [
    { code: 'S', value: 'FATAL' },
    { code: 'V', value: 'FATAL' },
    { code: 'C', value: '53300' },
    { code: 'M', value: 'sorry, too many clients already' },
  ],
})
