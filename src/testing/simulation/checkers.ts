/**
 * What must hold at the moment in which a connect settles, whatever the plan was. Each checker says what it has found as a
 * sentence; none of them knows the machine.
 */
import { HandshakeError } from '../../state/errors.ts'
import type { StateName } from '../../state/handshake/table.ts'
import type { SimulatedConnection } from './connection.ts'
import type { Plan, ServerPlan } from './plan.ts'
import { findWrongRace } from './race-checker.ts'
import type { Settled, World } from './simulate.ts'

/** `phases`: where the observer saw the handshake in that moment. */
export function findViolations(world: World, settled: Settled, phases: readonly StateName[]): string[] {
  return [
    ...findLate(world, settled),
    ...findLeft(world, settled),
    ...world.races.flatMap((race) => findWrongRace(race, world.plan.interruption?.how !== 'block')),
    ...findUncounted(world),
    ...(settled.session === null ? findWrongFailure(world, settled.error, phases) : findUnproven(world, settled)),
    ...findUnexpected(world, settled),
  ]
}

/** By the deadline, and not later than the moment of it; an event loop that is blocked has until it is free. */
function findLate({ plan }: World, { atMs }: Settled): string[] {
  const { interruption, client } = plan
  const freeMs = interruption?.how === 'block' ? interruption.atMs + interruption.forMs : 0
  const dueMs = interruption?.how === 'abort' || interruption?.how === 'close' ? interruption.atMs : client.timeoutMs
  return atMs <= Math.max(Math.min(dueMs, client.timeoutMs), freeMs) ? [] : [`it settled late, after ${atMs} ms`]
}

/** In the very moment: no socket but that of a session, no timer, no listener. */
function findLeft({ clock, connections, listeners, dialing }: World, { session }: Settled): string[] {
  const open = connections.filter(({ isDestroyed }) => !isDestroyed).length
  return [
    ...(open !== (session === null ? 0 : 1) ? [`${open} sockets are open when it settles`] : []),
    ...(dialing > 0 ? [`${dialing} sockets are being opened when it settles`] : []),
    ...(clock.clientTimers > 0 ? [`${clock.clientTimers} timers are armed when it settles`] : []),
    ...(listeners !== 0 ? [`${listeners} listeners are on the caller's signal when it settles`] : []),
  ]
}

/** What cannot be stopped goes on without anybody who waits for it, and all of it is counted until it has ended. */
export function findUncounted({ unstoppable, lookups, derivations }: World): string[] {
  return [
    ...(lookups.orphaned !== unstoppable.lookups ? ['a lookup that goes on is not counted'] : []),
    ...(derivations.orphaned !== unstoppable.derivations ? ['a derivation that goes on is not counted'] : []),
  ]
}

/** The kind of failure is one that the plan can lead to, and the phase is where the handshake was. */
function findWrongFailure({ plan, clock }: World, error: unknown, phases: readonly StateName[]): string[] {
  if (!(error instanceof HandshakeError)) return [`it rejected with no HandshakeError: ${String(error)}`]
  const { failure, phase } = error
  const found: string[] = []
  const isAt = (ms: number) => clock.now() >= ms
  const { interruption, client } = plan
  if (failure.kind === 'deadline' && !isAt(client.timeoutMs) && plan.hosts.length === 1)
    found.push('a deadline that had not come')
  if (failure.kind === 'aborted' && (interruption === null || interruption.how === 'block'))
    found.push('an abort of nobody')
  if (!phases.includes(phase)) found.push(`it says ${phase} (${failure.kind}), and was in ${phases.join(' or ')}`)
  if (error.attempts.some((attempt) => attempt.sliceMs > client.timeoutMs))
    found.push('a slice is longer than the deadline')
  return found
}

/** A session: whoever was to prove something has done so. */
function findUnproven({ plan, connections }: World, { session }: Settled): string[] {
  const connection = connections.find(({ isDestroyed }) => !isDestroyed)
  if (session === null || connection === undefined) return ['a session without a connection']
  const { requireAuth, sslmode, channelBinding } = plan.client
  const found: string[] = []
  const method = session.authenticationMethod
  const { server, fault } = connection
  if (channelBinding === 'require' && !server.hasBound) found.push('ready unbound, and binding was required')
  if (channelBinding === 'disable' && server.hasBound) found.push('ready bound, and binding was switched off')
  if (fault?.kind.startsWith('another certificate') && session.tls !== null && isDetectable(plan, connection))
    found.push('ready through a stranger')
  if (fault?.kind !== 'flip' && !isSuitable(plan, connection.plan.server))
    found.push(`ready on a server that is not ${plan.client.wanted}`)
  if (requireAuth !== null && method !== requireAuth) found.push(`ready after ${method}, which was not allowed`)
  if (method === 'scram-sha-256' && !hasProved(connection)) found.push('ready, and the server had proved nothing')
  const isLocal = 'path' in connection.remote
  const mustSecure = !isLocal && (sslmode === 'require' || sslmode === 'verify-full')
  if (mustSecure && session.tls === null) found.push('ready without TLS')
  if (session.tls !== null && !connection.isSecured) found.push('a session that believes itself secure')
  if (connection.fault?.kind === 'bad certificate' && sslmode === 'verify-full')
    found.push('ready with a bad certificate')
  return found
}

/** A stranger between them cannot stay unseen: his certificate is verified, or SCRAM is bound to the server's. */
function isDetectable({ client }: Plan, { plan: { server } }: SimulatedConnection): boolean {
  if (client.sslmode === 'verify-full') return true
  return server.method === 'scram-sha-256' && server.bindsChannel && client.channelBinding !== 'disable'
}

/** #LIBPQ-CONNECT-TARGET-SESSION-ATTRS. */
function isSuitable({ client: { wanted }, hosts, expected }: Plan, server: ServerPlan): boolean {
  const isReadOnly = server.isStandby || server.isReadOnly
  switch (wanted) {
    case 'any':
      return true
    case 'read-write':
      return !isReadOnly
    case 'read-only':
      return isReadOnly
    case 'primary':
      return !server.isStandby
    case 'standby':
      return server.isStandby
    case 'prefer-standby': {
      // Another server will do, but only where there is no standby that can be reached.
      const isReachable = hosts.some(({ lookup, addresses }) => {
        return (
          lookup === 'answers' &&
          addresses.some((one) => one.dial === 'opens' && one.fault === null && one.server.isStandby)
        )
      })
      return server.isStandby || expected?.outcome !== 'ready' || !isReachable
    }
  }
}

function hasProved({ server, fault }: SimulatedConnection): boolean {
  if (!server.hasProved || server.signatureBytes === null) return false
  const [from, to] = server.signatureBytes
  return fault?.kind !== 'flip' || fault.at < from || fault.at >= to
}

function findUnexpected({ plan: { expected } }: World, { session, error }: Settled): string[] {
  if (expected === null) return []
  if (expected.outcome === 'ready') {
    return session === null ? [`an honest server was not reached: ${(error as Error).message}`] : []
  }
  if (session !== null) return [`ready, and not ${expected.kinds.join(' or ')}`]
  if (!(error instanceof HandshakeError)) return []
  const { failure, phase } = error
  const found: string[] = []
  if (!expected.kinds.includes(failure.kind))
    found.push(`${failure.kind} in ${phase}, and not ${expected.kinds.join(' or ')}`)
  if (expected.phase !== undefined && phase !== expected.phase) found.push(`in ${phase}, and not in ${expected.phase}`)
  return found
}
