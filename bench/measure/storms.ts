/** Many connects at once under one deadline, where the server has room for a few: who gets in? */
import type { ClientId } from '../clients/target.ts'
import type { StormsData } from '../results.ts'
import { gatherEnds } from './ends.ts'
import { Worker } from './worker.ts'
import { openServer, Stack, targetOf, untilDeserted, type World } from './world.ts'

const CLIENTS: readonly ClientId[] = ['pg-deadline', 'pg-deadline, fast', 'pg', 'postgres.js']
/** PostgreSQL's default; three of them are kept for superusers. */
const CONNECTIONS_MAX = 100
const DEADLINE_MS = 5_000

export async function measureStorms({ quick, tell }: World): Promise<StormsData> {
  const sizes = quick ? [50, 200] : [50, 200, 1_000]
  const rounds = quick ? 1 : 5
  await using server = await openServer({ max_connections: String(CONNECTIONS_MAX) })
  await using all = new Stack()
  const workers = CLIENTS.map((client) => ({
    client,
    worker: all.use(new Worker({ client, target: targetOf(server, false) })),
  }))
  for (const { worker } of workers) await worker.ask({ do: 'cycles', count: quick ? 5 : 100 })
  const rows: StormsData['rows'][number][] = []
  let done = 0
  for (const retry of [false, true]) {
    for (const size of sizes) {
      const gathered = workers.map((one) => ({ ...one, answers: [] as Awaited<ReturnType<typeof storm>>[] }))
      for (let round = 0; round < rounds; round++) {
        for (const { client, worker, answers } of gathered) {
          tell(done++, 2 * sizes.length * rounds * CLIENTS.length, `${size} at once, ${client}`)
          answers.push(await storm(worker, size, retry))
          await untilDeserted(server)
        }
      }
      for (const { client, answers } of gathered) rows.push({ client, size, retry, ...gatherEnds(answers) })
    }
  }
  return { maxConnections: CONNECTIONS_MAX, deadlineMs: DEADLINE_MS, rounds, rows }
}

function storm(worker: Worker, count: number, retry: boolean) {
  return worker.ask({ do: 'storm', count, deadlineMs: DEADLINE_MS, retry })
}
