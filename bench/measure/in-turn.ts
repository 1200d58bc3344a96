/** Three clients do the same in turn, A B C A B C: a machine whose speed drifts drifts for all of them. */
import type { Order } from '../clients/orders.ts'
import type { ClientId } from '../clients/target.ts'
import type { TimingData } from '../results.ts'
import { Worker } from './worker.ts'
import { openServer, Stack, targetOf, type World } from './world.ts'

const CLIENTS: readonly ClientId[] = ['pg-deadline', 'pg', 'postgres.js']

type TimedOrder = Extract<Order, { do: 'cycles' | 'rows' }>

export async function measureInTurn(
  { tell }: World,
  warmup: TimedOrder,
  order: TimedOrder,
  rounds: number,
): Promise<TimingData> {
  await using server = await openServer()
  await using all = new Stack()
  const workers = CLIENTS.map((client) => ({
    client,
    worker: all.use(new Worker({ client, target: targetOf(server, false) })),
    tookMs: [] as number[],
  }))
  for (const { worker } of workers) await worker.ask(warmup)
  for (let round = 0; round < rounds; round++) {
    tell(round, rounds, 'rounds')
    for (const { worker, tookMs } of workers) tookMs.push(...(await worker.ask(order)).tookMs)
  }
  return { rows: workers.map(({ client, tookMs }) => ({ client, tookMs })) }
}
