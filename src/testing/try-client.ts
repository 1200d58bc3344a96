/** One connect of somebody's client through a path that does as a plan says, and what became of it. */
import { monotonicClock } from '../net/deadline.ts'
import type { ClientAdapter, ClientTarget, ServerAddress } from './adapter.ts'
import { within } from './examine.ts'
import { type FaultPlan, FaultProxy } from './fault-proxy.ts'

export type ClientEnding = 'connected' | 'rejected' | 'rejected at its deadline' | 'hung'

export interface ClientOutcome {
  readonly ended: ClientEnding
  /** When it settled. */
  readonly elapsedMs: number
  /** What it rejected with. */
  readonly error: string | null
  /** Whether it let go of its socket after it had rejected; or after its close, if it connected. */
  readonly isSocketGone: boolean
  /** How many bytes of the server it was given by then. */
  readonly receivedBytes: number
  /** Whether anything of the plan came about: the connect may have been through before. */
  readonly isHarmed: boolean
}

export interface ConnectTerms {
  readonly timeoutMs: number
  readonly slackMs: number
  readonly patienceMs: number
  /** Abort its signal then. */
  readonly abortAfterMs?: number | undefined
}

/** A timer may be called this much before its time: clocks are not the same clock. */
const EARLY_MS = 5
/** A client that makes several connections finds the same path each time. */
const CONNECTIONS_MAX = 8

export async function tryClient(
  client: ClientAdapter,
  server: ServerAddress,
  plan: FaultPlan,
  terms: ConnectTerms,
): Promise<ClientOutcome> {
  const plans = Array.from({ length: CONNECTIONS_MAX }, () => plan)
  await using proxy = await FaultProxy.listen({ host: server.host, port: server.port }, plans)
  const target = { ...server, host: proxy.host, port: proxy.port, parameters: { sslmode: 'disable' } }
  const { connection, ...settled } = await settle(client, target, terms)
  const receivedBytes = proxy.connections.reduce((sum, { sentBytes }) => sum + sentBytes.toClient, 0)
  if (connection !== null)
    await within(
      connection.close().catch(() => {}),
      terms.slackMs,
    )
  const isSocketGone =
    settled.ended !== 'hung' &&
    (await within(
      proxy.settled().then(() => true),
      terms.patienceMs,
    )) !== null
  const isHarmed = proxy.connections.some(({ done }) => done.length > 0)
  return { ...settled, isSocketGone, receivedBytes, isHarmed }
}

interface Settled {
  readonly ended: ClientEnding
  readonly elapsedMs: number
  readonly error: string | null
  readonly connection: Awaited<ReturnType<ClientAdapter['connect']>> | null
}

/** Lets it connect, and waits no longer than its deadline and some slack. */
export async function settle(
  client: ClientAdapter,
  target: ClientTarget,
  { timeoutMs, slackMs, abortAfterMs }: Omit<ConnectTerms, 'patienceMs'>,
): Promise<Settled> {
  const caller = new AbortController()
  const startedMs = monotonicClock.now()
  const cancel = abortAfterMs === undefined ? () => {} : monotonicClock.setTimer(() => caller.abort(), abortAfterMs)
  // It may throw before there is a promise, and reject when nobody listens any more.
  const connecting = (async () => client.connect(target, { timeoutMs, signal: caller.signal }))().then(
    (connection) => ({ connection, error: null }),
    (error: unknown) => ({ connection: null, error: String(error) }),
  )
  const settled = await within(connecting, timeoutMs + slackMs)
  cancel()
  const elapsedMs = monotonicClock.now() - startedMs
  if (settled === null) {
    caller.abort()
    void connecting.then(({ connection }) => connection?.close()).catch(() => {})
    return { ended: 'hung', elapsedMs, error: null, connection: null }
  }
  if (settled.connection !== null) return { ended: 'connected', elapsedMs, ...settled }
  return { ended: elapsedMs >= timeoutMs - EARLY_MS ? 'rejected at its deadline' : 'rejected', elapsedMs, ...settled }
}
