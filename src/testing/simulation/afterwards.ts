/**
 * What is done with a session once there is one, and what must hold of that: the first query is answered once, a cancel request
 * goes to the session's own address, in its TLS or not at all, and every wait ends on time. It knows none of the machine.
 */
import type { Session } from '../../session.ts'
import { HandshakeError, SessionError } from '../../state/errors.ts'
import type { SimulatedConnection } from './connection.ts'
import { ENDLESS_QUERY, FIRST_VALUE } from './model-server.ts'
import type { Observer } from './observer.ts'
import type { Afterwards } from './plan.ts'
import type { World } from './simulate.ts'

/** How long close() takes at most, unless it is told otherwise: as it is documented. */
const CLOSE_MS = 5_000

export interface SessionWorld extends World {
  /** Looks at the cancel request, and at nothing else. */
  readonly cancelling: Observer
  /** From now on, what is dialed is for a cancel request. */
  readonly beginCancel: () => void
}

/** How a wait ended, and whether it was on time. */
interface Ended {
  readonly error: unknown
  readonly isLate: boolean
}

/** Use the session, and close it. Returns what was wrong. */
export async function useSession(session: Session, world: SessionWorld): Promise<string[]> {
  const { plan, connections, clock } = world
  const { afterwards, interruption, expected } = plan
  const found: string[] = []
  /** Whether all of it must go as it should. */
  const isHonest = expected?.outcome === 'ready' && interruption === null
  const own = connections.find(({ isDestroyed }) => !isDestroyed) as SimulatedConnection

  let isAnswered = session.firstResult === null
  const answered = session.firstResult?.then(
    ([result]) => {
      isAnswered = true
      if (isHonest && result?.rows[0]?.[0] !== FIRST_VALUE) found.push('the first query gave something else')
    },
    (error: unknown) => {
      isAnswered = true
      if (isHonest || !(error instanceof SessionError)) found.push(`the first query failed: ${String(error)}`)
    },
  )
  // It has no limit of its own; whoever is silent for so long does not answer any more.
  await Promise.race([answered, wait(world, plan.client.timeoutMs)])
  if (isHonest && !isAnswered) found.push('the first query was not answered')
  if (afterwards !== null) found.push(...(await interrupt(session, own, world, afterwards, isHonest)))

  const closed = await timed(world, CLOSE_MS, () => session.close())
  if (closed.error !== null) found.push(`close() rejected: ${String(closed.error)}`)
  if (closed.isLate) found.push('close() took too long')
  if (connections.some(({ isDestroyed }) => !isDestroyed)) found.push('a socket is open when close() settles')
  if (!isAnswered) found.push('the first query is not settled when close() settles')
  const ran = connections.reduce((sum, { server }) => sum + server.firstQueries, 0)
  if (ran > 1 || (isHonest && ran !== (session.firstResult === null ? 0 : 1)))
    found.push(`the first query ran ${ran} times`)
  if (clock.clientTimers > 0) found.push('a timer is armed when close() settles')
  return found
}

/** A query that ends by itself never; and cancel() or close(), while it runs. */
async function interrupt(
  session: Session,
  own: SimulatedConnection,
  world: SessionWorld,
  { queryTimeoutMs, how, afterMs, timeoutMs }: Afterwards,
  isHonest: boolean,
): Promise<string[]> {
  const { beginCancel } = world
  const found: string[] = []
  const asked = timed(world, queryTimeoutMs, () => session.query(ENDLESS_QUERY, { timeoutMs: queryTimeoutMs }))
  await wait(world, afterMs)
  if (how === 'cancel') {
    beginCancel()
    const cancelled = await timed(world, timeoutMs, () => session.cancel({ timeoutMs }))
    if (cancelled.isLate) found.push('cancel() took too long')
    found.push(...findWrongCancel(session, own, world, cancelled.error, isHonest))
  } else {
    const closed = await timed(world, timeoutMs, () => session.close({ timeoutMs }))
    if (closed.isLate) found.push('close() took too long while a query ran')
  }
  const { error, isLate } = await asked
  if (isLate) found.push('the query took too long')
  if (!(error instanceof SessionError)) found.push(`a query that never ends ended with ${String(error)}`)
  else if (isHonest && (error.sqlstate === '57014') !== own.server.hasCancelled) {
    found.push(`the query ended with ${error.failure.kind}, ${own.server.hasCancelled ? '' : 'not '}cancelled`)
  }
  return found
}

function findWrongCancel(
  session: Session,
  own: SimulatedConnection,
  { connections, cancelling, plan }: SessionWorld,
  error: unknown,
  isHonest: boolean,
): string[] {
  const found: string[] = []
  const others = connections.slice(connections.indexOf(own) + 1)
  if (others.some(({ isDestroyed }) => !isDestroyed)) found.push('a socket is open when cancel() settles')
  if (others.some(({ remote }) => JSON.stringify(remote) !== JSON.stringify(own.remote))) {
    found.push('a cancel request went to another address')
  }
  const { cancelsSecured, proofs } = cancelling
  if (cancelsSecured.length > 1) found.push('a cancel request left twice')
  if (cancelsSecured.some((isSecured) => isSecured !== (session.tls !== null))) {
    found.push('a cancel request left in another security than that of the session')
  }
  if (proofs > 0 || cancelling.startups > cancelsSecured.length) found.push('a cancel request that logs in')

  if (session.backendKeyData === null) {
    if (error === null || others.length > 0) found.push('a cancel request without a key')
    return found
  }
  if (error !== null) {
    if (!(error instanceof HandshakeError)) return [...found, `cancel() rejected with ${String(error)}`]
    if (!cancelling.phases().includes(error.phase)) {
      found.push(`cancel() says ${error.phase}, and was in ${cancelling.phases().join(' or ')}`)
    }
  }
  const { dial, fault } = plan.afterwards?.cancel ?? {}
  const isSimple = dial === 'opens' && fault === null
  if (isHonest && isSimple && (error !== null || !own.server.hasCancelled)) {
    found.push(`an honest server was not reached by a cancel request: ${String(error)}`)
  }
  return found
}

function wait({ clock }: SessionWorld, ms: number): Promise<void> {
  return new Promise((resolve) => clock.later(ms, resolve))
}

/** Begin, and see how it ends and when; an event loop that is blocked excuses everything. */
async function timed({ clock, plan }: SessionWorld, mostMs: number, begin: () => Promise<unknown>): Promise<Ended> {
  const beganMs = clock.now()
  const error = await begin().then(
    () => null,
    (reason: unknown) => reason,
  )
  return { error, isLate: clock.now() - beganMs > mostMs && plan.interruption?.how !== 'block' }
}
