/**
 * One connect, and what there was to see on its way: how the server answers to a certain way of asking. A probe either goes as far
 * as to the server's first word about authentication, so that nothing is proved to it, or all the way to a session.
 */
import { connectWith } from '../../connect.ts'
import { Deadline } from '../../net/deadline.ts'
import type { Observation } from '../../observation.ts'
import { showEndpoint } from '../../plan.ts'
import type { Failure } from '../../protocol/failure.ts'
import { versionNumber } from '../../protocol/startup.ts'
import type { Session } from '../../session.ts'
import { HandshakeError } from '../../state/errors.ts'
import type { TlsFacts } from '../../state/handshake/states.ts'
import type { Timeline } from '../../state/timeline.ts'
import type { NetworkIo } from '../network.ts'
import { observeInto } from '../observe.ts'
import { RoundTrips } from '../round-trips.ts'
import { type Whereto, withParameters } from '../whereto.ts'

/** What a server that was asked in one way has shown. Of several attempts, the last one. */
export interface Sighting {
  readonly endpoint: string
  /** How many addresses the name has; null: none was looked up. */
  readonly addresses: readonly string[] | null
  readonly tls: TlsFacts | null
  /** The answer to SSLRequest; null: it was not asked, or did not answer. */
  readonly tlsReply: string | null
  /** The message with which it asked for authentication, or AuthenticationOk; null: it did not come to that. */
  readonly asked: string | null
  readonly mechanisms: readonly string[]
  readonly iterations: number | null
  /** Whether NegotiateProtocolVersion came. */
  readonly isNegotiatedDown: boolean
  readonly cancelKeyBytes: number | null
  readonly roundTrips: number
  /** null: there was a session, or it went as far as it was meant to. */
  readonly failure: { readonly phase: string; readonly failure: Failure; readonly message: string } | null
  readonly timeline: Timeline
  readonly elapsedMs: number
}

export interface Examiner {
  readonly io: NetworkIo
  readonly whereto: Whereto
  /** Ends everything: Ctrl-C and the deadline. */
  readonly signal: AbortSignal
  readonly remainingMs: () => number
}

type Draft = { -readonly [K in keyof Sighting]: Sighting[K] }

/** As far as to the first word about authentication. */
export async function look(examiner: Examiner, parameters: Readonly<Record<string, string>>): Promise<Sighting> {
  const { sighting } = await go(examiner, parameters, true)
  return sighting
}

/** All the way, with a session if there is one: whoever asks for it closes it. */
export function enter(examiner: Examiner): Promise<{ sighting: Sighting; session: Session | null; error: unknown }> {
  return go(examiner, {}, false)
}

async function go(
  { io, whereto, remainingMs }: Examiner,
  parameters: Readonly<Record<string, string>>,
  stops: boolean,
) {
  const target = withParameters(whereto.target, parameters)
  // Ctrl-C alone: the deadline is given to the connect as its own, which then says so, and in which state.
  using enough = new Deadline({ signal: io.signal, clock: io.runtime.clock })
  const draft: Draft = {
    endpoint: '',
    addresses: null,
    tls: null,
    tlsReply: null,
    asked: null,
    mechanisms: [],
    iterations: null,
    isNegotiatedDown: false,
    cancelKeyBytes: null,
    roundTrips: 0,
    failure: null,
    timeline: [],
    elapsedMs: 0,
  }
  let trips = new RoundTrips()
  let last = ''
  const count = observeInto((entry) => trips.count(entry, last))
  let isSettled = false
  const observe = (observation: Observation) => {
    // The session's cancel request is shown to the same observer.
    if (isSettled) return
    isSettled = observation.type === 'settled'
    draft.elapsedMs = observation.atMs
    if (observation.type === 'attemptBegun') {
      draft.endpoint = showEndpoint(observation.endpoint)
      trips = new RoundTrips()
      Object.assign(draft, { tls: null, tlsReply: null, asked: null, mechanisms: [], isNegotiatedDown: false })
    }
    note(draft, observation)
    if (observation.type === 'message') last = observation.name
    count(observation)
    draft.roundTrips = trips.all.length
    if (stops && draft.asked !== null)
      enough.abort(new DOMException('the server has said what was asked for', 'AbortError'))
  }
  try {
    const { environment } = whereto.options
    const options = { timeoutMs: remainingMs(), environment, signal: enough.signal }
    const session = await connectWith({ ...io.runtime, observe }, target, options)
    draft.timeline = session.timeline
    return { sighting: draft, session, error: null }
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    draft.timeline = error.timeline
    if (!stops || draft.asked === null) {
      draft.failure = { phase: error.phase, failure: error.failure, message: error.message }
    }
    return { sighting: draft, session: null, error }
  }
}

function note(draft: Draft, observation: Observation): void {
  if (observation.type === 'hostResolved') draft.addresses = observation.addresses.map(({ address }) => address)
  if (observation.type === 'tlsEstablished') draft.tls = observation.tls
  if (observation.type !== 'message' || observation.direction !== 'received') return
  const { name, message, state, bytes } = observation
  if (message === null) {
    if (state === 'AwaitingTlsReply') draft.tlsReply = bytes.toString('latin1')
    return
  }
  if (name.startsWith('Authentication')) draft.asked ??= name
  switch (message.type) {
    case 'AuthenticationSASL':
      draft.mechanisms = message.mechanisms
      return
    case 'AuthenticationSASLContinue': {
      const [, iterations] = /(?:^|,)i=(\d{1,9})(?:,|$)/.exec(Buffer.from(message.data).toString('latin1')) ?? []
      draft.iterations = iterations === undefined ? null : Number(iterations)
      return
    }
    case 'NegotiateProtocolVersion':
      draft.isNegotiatedDown = message.newestVersion < versionNumber('3.2')
      return
    case 'BackendKeyData':
      draft.cancelKeyBytes = message.secretKey.length
  }
}
