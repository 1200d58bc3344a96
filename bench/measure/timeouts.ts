/** Which deadline is safe for which path? Bursts of connects over one that is slow and uneven, deadline by deadline. */
import type { ClientId } from '../clients/target.ts'
import type { TimeoutsData } from '../results.ts'
import { gatherEnds } from './ends.ts'
import { Place, Worker } from './worker.ts'
import { CERTIFICATE, openServer, PASSWORD, targetOf, untilDeserted, type World } from './world.ts'

const CLIENTS: readonly ClientId[] = ['pg-deadline', 'pg-deadline, fast', 'pg', 'postgres.js']
const DEADLINES_MS = [100, 250, 500, 1_000]
const QUICK_DEADLINES_MS = [100, 1_000]
const PATH = { roundTripMs: 42, jitterMs: 8, seed: 42 }
/** PostgreSQL's default for scram_iterations. */
const ITERATIONS = 4_096
const HOST = '127.0.0.1'

export async function measureTimeouts({ quick, tell }: World): Promise<TimeoutsData> {
  const perSecond = quick ? 50 : 500
  const deadlinesMs = quick ? QUICK_DEADLINES_MS : DEADLINES_MS
  const durationMs = quick ? 500 : 2_000
  await using postgresql = await openServer({ max_connections: '1500' })
  await using lean = await Place.leanServer({ password: PASSWORD, iterations: ITERATIONS, ...CERTIFICATE })
  const servers = {
    lean,
    PostgreSQL: { port: postgresql.port, directPort: postgresql.port },
  }
  const rows: TimeoutsData['rows'][number][] = []
  let done = 0
  for (const server of ['lean', 'PostgreSQL'] as const) {
    for (const tls of [false, true]) {
      for (const deadlineMs of deadlinesMs) {
        for (const client of CLIENTS) {
          tell(
            done++,
            2 * 2 * deadlinesMs.length * CLIENTS.length,
            `${server}, ${tls ? 'TLS' : 'plain'}, ${deadlineMs} ms, ${client}`,
          )
          const isDirect = tls && client === 'pg-deadline, fast'
          const port = isDirect ? servers[server].directPort : servers[server].port
          await using path = await Place.path({ target: { host: HOST, port }, options: PATH })
          await using worker = new Worker({ client, target: targetOf({ host: HOST, port: path.port }, tls) })
          // What is compiled and derived once is no part of the question.
          await worker.ask({ do: 'burst', perSecond: 50, durationMs: quick ? 200 : 1_000, deadlineMs: 5_000 })
          const answer = await worker.ask({ do: 'burst', perSecond, durationMs, deadlineMs })
          rows.push({ server, client, tls, deadlineMs, ...gatherEnds([answer]) })
          await untilDeserted(postgresql)
        }
      }
    }
  }
  return { perSecond, durationMs, roundTripMs: PATH.roundTripMs, jitterMs: PATH.jitterMs, rows }
}
