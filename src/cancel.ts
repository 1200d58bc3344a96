/**
 * CancelRequest: on a connection of its own, to the very address that the session has, with the same TLS, through the same
 * machine, under a deadline of its own. The server never answers; it closes the connection once it has read the request.
 *
 * Manual: #PROTOCOL-FLOW-CANCELING-REQUESTS.
 */
import { type Errand, failureOf, heartbeatFor, makeAttempt, type Runtime } from './attempt.ts'
import { debugObserver } from './debug.ts'
import { hookCancel, onlookerOf, peerOf, type SessionIdentity } from './hooks.ts'
import { Deadline } from './net/deadline.ts'
import type { Endpoint } from './net/endpoint.ts'
import type { Remote } from './net/transport.ts'
import type { Onlooker } from './observation.ts'
import { passwordOf } from './password-request.ts'
import { showEndpoint } from './plan.ts'
import { type Failure, Fault } from './protocol/failure.ts'
import { type FailedAttempt, HandshakeError } from './state/errors.ts'
import type { Attempt, BackendKeyFacts } from './state/handshake/states.ts'
import type { StateName } from './state/handshake/table.ts'
import { TimelineRecorder } from './state/timeline.ts'
import { findMisuse, type WaitOptions } from './wait-options.ts'

/** How long a cancel request may take unless it is told otherwise: as long as close(). */
const DEFAULT_CANCEL_TIMEOUT_MS = 5_000

/** The session whose query is to be cancelled. */
export interface CancelTarget {
  /** Of the connect's what still holds: TLS with its certificates, and no password, which a cancel request needs none of. */
  readonly errand: Pick<Errand, 'tlsOptions' | 'settings'> & Pick<Attempt, 'directTls'>
  readonly identity: SessionIdentity
  /** Where it led. */
  readonly remote: Remote
  readonly isSecured: boolean
  /** null: the server has sent none. */
  readonly key: BackendKeyFacts | null
}

/** Rejects with HandshakeError, whose phase is a state of the same table. */
export function cancelWith(runtime: Runtime, target: CancelTarget, options: WaitOptions): Promise<void> {
  const { identity, remote, key } = target
  const hook = hookCancel(identity, peerOf(remote), key?.processId ?? null)
  const onlooker = onlookerOf(hook, runtime.observe, debugObserver())
  const begin = () => run(runtime, target, options, onlooker)
  return hook === undefined ? begin() : hook.trace(begin)
}

async function run(
  runtime: Runtime,
  { errand, identity, remote, isSecured, key }: CancelTarget,
  options: WaitOptions,
  onlooker: Onlooker | undefined,
): Promise<void> {
  const { clock } = runtime
  const startedMs = clock.now()
  let deadline: Deadline | undefined
  const takeLoopLag = () => deadline?.takeLoopLag() ?? 0
  const timeline = new TimelineRecorder({ now: () => clock.now(), startedMs, takeLoopLag })
  try {
    const misuse = findMisuse(options)
    if (misuse !== null) throw new Fault({ kind: 'config', ...misuse })
    if (key === null) throw new Fault(KEYLESS)
    const { timeoutMs = DEFAULT_CANCEL_TIMEOUT_MS, signal } = options
    deadline = new Deadline({ timeoutMs, signal, clock, startedMs, heartbeatMs: heartbeatFor(timeoutMs) })
    const endpoint = endpointOf(remote)
    // Whoever could read the key of a session in TLS could cancel for us: it leaves in TLS, or not at all.
    const encryption = isSecured ? 'required' : 'off'
    const outcome = await makeAttempt(
      runtime,
      {
        endpoint,
        attempt: attemptToCancel(identity, { encryption, directTls: errand.directTls, cancelKey: key }),
        tlsOptions: errand.tlsOptions,
        settings: errand.settings,
        password: passwordOf({ password: null }, deadline.signal),
        deadline,
        slice: deadline,
        sliceMs: timeoutMs,
      },
      timeline,
      onlooker,
    )
    if ('wire' in outcome) {
      outcome.wire.destroy()
      settled(null)
      return
    }
    const { phase, failure, cause } = outcome
    const attempt = {
      endpoint: showEndpoint(endpoint),
      encryption,
      sliceMs: deadline.timeoutMs,
      phase,
      failure,
    } as const
    throw failed(phase, failure, cause, [attempt])
  } catch (error) {
    throw settled(told(error))
  } finally {
    deadline?.[Symbol.dispose]()
  }

  function told(error: unknown): unknown {
    const failure = failureOf(error, deadline)
    if (failure === null) return error
    timeline.begin(deadline?.timeoutMs ?? Number.POSITIVE_INFINITY)
    return failed('Disconnected', failure, undefined, [])
  }

  function settled(error: unknown): unknown {
    const remainingMs = deadline?.remaining() ?? 0
    onlooker?.observe({ type: 'settled', atMs: timeline.elapsedMs(), remainingMs, error })
    return error
  }

  function failed(
    phase: StateName,
    failure: Failure,
    cause: unknown,
    attempts: readonly FailedAttempt[],
  ): HandshakeError {
    return new HandshakeError(phase, failure, timeline.finish(), attempts, cause === undefined ? {} : { cause })
  }
}

/** It logs nobody in: what only a login would look at is read by nobody. */
function attemptToCancel(
  { user, database }: SessionIdentity,
  wanted: Pick<Attempt, 'encryption' | 'directTls' | 'cancelKey'>,
): Attempt {
  return {
    ...wanted,
    user,
    database,
    needsLookup: false,
    hasPassword: false,
    scramKeys: null,
    channelBinding: 'disable',
    requireAuth: null,
    runtimeParameters: [],
    minProtocolVersion: '3.0',
    maxProtocolVersion: '3.0',
    allowCleartextPassword: false,
    scramIterationsMin: 1,
    scramIterationsMax: 1,
    earlySasl: false,
    remembered: null,
    earlyQuery: null,
    sessionWanted: 'any',
    clientNonce: '',
  }
}

const KEYLESS: Failure = {
  kind: 'incompatible',
  what: 'cancel request',
  offered: ['no key for one (BackendKeyData), as some poolers do'],
  supported: ['a session with backendKeyData'],
}

/** The same address, not another one of the same name. The name, for TLS, stands in the errand's tlsOptions. */
function endpointOf(remote: Remote): Endpoint {
  if ('path' in remote) return { transport: 'unix', path: remote.path }
  return { transport: 'tcp', host: remote.address, ...remote }
}
