/**
 * NODE_DEBUG=pg-deadline: a line on standard error for every attempt, state and message of a connect or a cancel request, with
 * what is left of the deadline. It is for people to read; who wants to compute takes the channels of hooks.ts.
 */
import { debuglog } from 'node:util'
import type { Observation, Observe } from './observation.ts'
import { showEndpoint } from './plan.ts'
import { type MessageView, Redactor } from './redact.ts'
import { AWAITED } from './state/handshake/table.ts'

const debug = debuglog('pg-deadline')

let operations = 0

/** undefined: NODE_DEBUG does not ask for it. */
export function debugObserver(): Observe | undefined {
  if (!debug.enabled) return undefined
  operations += 1
  return printTo((line) => debug('%s', line), operations)
}

/** `number` tells those apart that run at the same time. */
export function printTo(print: (line: string) => void, number: number): Observe {
  const redactor = new Redactor()
  return (observation) => {
    const text = describe(observation, redactor)
    if (text === null) return
    const { atMs, remainingMs } = observation
    print(`#${number} ${shown(atMs)} ms, ${shown(remainingMs)} ms left: ${text}`)
  }
}

function describe(observation: Observation, redactor: Redactor): string | null {
  switch (observation.type) {
    case 'attemptBegun': {
      const { goal, attempt, endpoint, encryption, sliceMs } = observation
      const given = `given ${shown(sliceMs)} ms`
      return `${goal === 'cancel' ? 'cancel request' : `attempt ${attempt}`} to ${showEndpoint(endpoint)}, TLS ${encryption}, ${given}`
    }
    case 'stateEntered': {
      const awaited = AWAITED[observation.state]
      return awaited === null ? observation.state : `${observation.state}: waiting for ${awaited}`
    }
    case 'hostResolved':
      return `found ${observation.addresses.map(({ address }) => address).join(', ')}`
    case 'transportOpened': {
      const { remote } = observation
      return `connected to ${'path' in remote ? remote.path : `${remote.address} port ${remote.port}`}`
    }
    case 'tlsEstablished':
      return `${observation.tls.version}, ${observation.tls.cipher}`
    case 'message': {
      const { direction, name, bytes, message } = observation
      const arrow = direction === 'sent' ? '->' : '<-'
      return `${arrow} ${name}, ${bytes.length} ${bytes.length === 1 ? 'byte' : 'bytes'}${facts(redactor.view(message))}`
    }
    case 'settled': {
      const { error } = observation
      // A line is one line, whatever a server has written.
      return error === null ? 'done' : `failed: ${String(error).replace(/\s+/g, ' ')}`
    }
    case 'stateLeft':
    case 'attemptEnded':
      return null
  }
}

function facts(view: MessageView): string {
  return Object.entries(view)
    .map(([name, value]) => `; ${name} ${JSON.stringify(value)}`)
    .join('')
}

/** Tenths of a millisecond are enough for a person. */
function shown(ms: number): string {
  return Number.isFinite(ms) ? String(Math.round(ms * 10) / 10) : 'any'
}
