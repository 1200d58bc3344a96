/**
 * One client in a process of its own: does what it is asked for by messages, and answers with figures. Compiled beforehand, as
 * what users install is: nothing is transformed while it runs.
 */
import { floorClient } from './floor.ts'
import { type Answer, type Order, perform } from './orders.ts'
import { ourClient } from './ours.ts'
import { pgClient, postgresClient } from './peers.ts'
import type { Client, ClientId, Target } from './target.ts'

/** What its one argument says, as JSON. */
export interface Birth {
  readonly client: ClientId
  readonly target: Target
}

const { client: id, target: ownTarget }: Birth = JSON.parse(process.argv[2] ?? '')
const MAKERS: Readonly<Record<ClientId, (target: Target) => Client>> = {
  'pg-deadline': (target) => ourClient(target, 'default'),
  'pg-deadline, cold': (target) => ourClient(target, 'cold'),
  'pg-deadline, fast': (target) => ourClient(target, 'fast'),
  'pg-deadline, file': (target) => ourClient(target, 'file'),
  pg: (target) => pgClient(target, { direct: false }),
  'pg, direct': (target) => pgClient(target, { direct: true }),
  'postgres.js': (target) => postgresClient(target, { direct: false }),
  'postgres.js, direct': (target) => postgresClient(target, { direct: true }),
  floor: (target) => floorClient(target, { cold: false }),
  'floor, cold': (target) => floorClient(target, { cold: true }),
}
const own = MAKERS[id](ownTarget)
let other: Client | undefined

/** There is one other place at most. */
function elsewhere(target: Target): Client {
  other ??= MAKERS[id](target)
  return other
}

process.on('message', async (order: Order) => {
  const client = 'at' in order && order.at !== undefined ? elsewhere(order.at) : own
  const answer: Answer = await perform(client, order).catch((error: unknown) => ({ failed: String(error) }))
  process.send?.(answer)
})
process.once('disconnect', () => process.exit())
