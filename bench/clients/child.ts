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

const { client: id, target }: Birth = JSON.parse(process.argv[2] ?? '')
const MAKERS: Readonly<Record<ClientId, () => Client>> = {
  'pg-deadline': () => ourClient(target, 'default'),
  'pg-deadline, cold': () => ourClient(target, 'cold'),
  'pg-deadline, fast': () => ourClient(target, 'fast'),
  pg: () => pgClient(target, { direct: false }),
  'pg, direct': () => pgClient(target, { direct: true }),
  'postgres.js': () => postgresClient(target, { direct: false }),
  'postgres.js, direct': () => postgresClient(target, { direct: true }),
  floor: () => floorClient(target, { cold: false }),
  'floor, cold': () => floorClient(target, { cold: true }),
}
const client = MAKERS[id]()

process.on('message', async (order: Order) => {
  const answer: Answer = await perform(client, order).catch((error: unknown) => ({ failed: String(error) }))
  process.send?.(answer)
})
process.once('disconnect', () => process.exit())
