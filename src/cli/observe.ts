/**
 * A connect or a cancel request as it happens, as the entries of a capture. Secrets are in them: what is shown or kept goes through
 * redact.ts.
 */
import type { Observation } from '../observation.ts'
import { showEndpoint } from '../plan.ts'
import { describeFailure, HandshakeError } from '../state/errors.ts'
import type { StateName } from '../state/handshake/table.ts'
import type { CaptureEntry } from './capture.ts'

/** An observer for Runtime that hands out entries. */
export function observeInto(take: (entry: CaptureEntry) => void): (observation: Observation) => void {
  let state: StateName = 'Disconnected'
  return (observation) => {
    if (observation.type === 'stateEntered') state = observation.state
    for (const entry of entriesOf(observation, state)) take(entry)
  }
}

function entriesOf(observation: Observation, state: StateName): CaptureEntry[] {
  const { atMs } = observation
  switch (observation.type) {
    case 'attemptBegun': {
      const { endpoint, encryption, sliceMs } = observation
      return [
        {
          kind: 'attempt',
          atMs,
          attempt: observation.attempt + 1,
          endpoint: showEndpoint(endpoint),
          encryption,
          sliceMs: Number.isFinite(sliceMs) ? sliceMs : null,
        },
      ]
    }
    case 'stateEntered':
      return [{ kind: 'state', atMs, state }]
    case 'message': {
      const { direction, bytes } = observation
      return [{ kind: 'message', atMs, direction, bytes: Buffer.from(bytes), redacted: [] }]
    }
    case 'tlsEstablished': {
      const { version, cipher, alpnProtocol } = observation.tls
      return [{ kind: 'tls', atMs, version, cipher, alpnProtocol }]
    }
    case 'attemptEnded': {
      const { failure, phase } = observation
      return failure === null ? [] : [{ kind: 'failed', atMs, state: phase, problem: describeFailure(failure, phase) }]
    }
    case 'settled':
      return [endOf(observation.error, state, atMs)]
    case 'stateLeft':
    case 'hostResolved':
    case 'transportOpened':
      return []
  }
}

function endOf(error: unknown, state: StateName, atMs: number): CaptureEntry {
  if (error === null) return { kind: 'end', atMs, state, problem: null }
  const problem = error instanceof Error ? error.message : String(error)
  return { kind: 'end', atMs, state: error instanceof HandshakeError ? error.phase : state, problem }
}
