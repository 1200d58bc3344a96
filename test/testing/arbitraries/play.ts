/**
 * Our handshake's table led through generated flights, without a driver, a clock or a socket: what stands between two messages of
 * the server is done at once, and where the server has nothing more to say, the stream ends.
 */
import { pbkdf2Sync } from 'node:crypto'
import { scramKeys } from '../../../src/auth/scram.ts'
import { Secret } from '../../../src/auth/secret.ts'
import { decodeBackend } from '../../../src/protocol/backend.ts'
import { Fault } from '../../../src/protocol/failure.ts'
import { FrameReader } from '../../../src/protocol/frame.ts'
import { decodeTlsReply } from '../../../src/protocol/tls-reply.ts'
import type { Effect, Event } from '../../../src/state/handshake/events.ts'
import { begin, nextMove } from '../../../src/state/handshake/policy.ts'
import type { Attempt, State } from '../../../src/state/handshake/states.ts'
import { handshake as machine } from '../../../src/state/handshake/transitions.ts'
import type { Flight, Handshake } from '../../../src/testing/arbitraries/index.ts'

export interface Played {
  readonly state: State
  /** The names of what we sent. */
  readonly sent: readonly string[]
}

export function play(honest: Handshake, flights: readonly Flight[], settings: Partial<Attempt> = {}): Played {
  const { client, scram, profile } = honest
  const { signal } = new AbortController()
  const reader = new FrameReader()
  const sent: string[] = []
  const waiting = [...flights]
  let raw: Buffer = Buffer.alloc(0)
  let state = begin({
    ...ATTEMPT,
    ...client,
    maxProtocolVersion: client.protocolVersion,
    clientNonce: scram.clientNonce,
    ...settings,
  }) as State

  const take = (event: Event): void => {
    const step = machine.receive(state, event, signal)
    state = step.state
    for (const effect of step.effects) {
      const next = consequenceOf(effect)
      if (next !== null) take(next)
    }
  }

  function consequenceOf(effect: Effect): Event | null {
    switch (effect.do) {
      case 'dial':
        return { type: 'TransportOpened' }
      case 'fetchPassword':
        return { type: 'PasswordFetched', password: new Secret(scram.password.given) }
      case 'deriveKey': {
        const { password, salt, iterations } = effect
        const keys = scramKeys(pbkdf2Sync(password.reveal(), salt, iterations, 32, 'sha256'))
        return { type: 'SaslKeyDerived', keys }
      }
      case 'useKeys':
        return { type: 'SaslKeysGiven', keys: effect.keys }
      case 'startTls':
        return {
          type: 'TlsEstablished',
          tls: {
            version: 'TLSv1.3',
            cipher: 'TLS_AES_256_GCM_SHA384',
            alpnProtocol: 'postgresql',
            serverCertificate: profile.certificate,
            rejection: null,
          },
        }
      case 'send': {
        sent.push(effect.message.type)
        const flight = waiting[0]?.waitsFor === effect.message.type ? waiting.shift() : undefined
        if (flight?.waitsFor === 'SSLRequest') raw = flight.bytes
        else if (flight !== undefined) reader.push(flight.bytes)
        return null
      }
      default:
        return null
    }
  }

  /** The next event that the server causes. */
  function listen(): Event {
    if (state.name === 'AwaitingTlsReply' && raw.length > 0) {
      const reply = decodeTlsReply(raw)
      if (reply === 'E') return { type: 'ErrorResponse', fields: [] }
      return { type: reply === 'S' ? 'TlsAccepted' : 'TlsRefused' }
    }
    const frame = reader.next()
    return frame === null
      ? { type: 'TransportLost', code: 'FIN', detail: 'end of stream' }
      : decodeBackend(frame.tag, frame.body)
  }

  while (state.name !== 'Ready' && state.name !== 'Failed') {
    const move = nextMove(state)
    try {
      take(move ?? listen())
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      state = { name: 'Failed', phase: state.name, failure: error.failure }
    }
  }
  return { state, sent }
}

const ATTEMPT: Attempt = {
  needsLookup: false,
  user: '',
  database: '',
  hasPassword: true,
  scramKeys: null,
  encryption: 'off',
  directTls: false,
  channelBinding: 'prefer',
  requireAuth: null,
  runtimeParameters: [],
  minProtocolVersion: '3.0',
  maxProtocolVersion: '3.0',
  allowCleartextPassword: true,
  scramIterationsMin: 1,
  scramIterationsMax: 100_000,
  sessionWanted: 'any',
  earlySasl: true,
  remembered: null,
  earlyQuery: null,
  cancelKey: null,
  clientNonce: '',
}
