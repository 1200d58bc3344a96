/** How long does one connect take, with SCRAM over loopback, until the first row is there and the session is closed? */
import { connect } from '../src/index.ts'
import { NAMES, pg, postgres } from './peers.ts'
import type { Question } from './run.ts'

export const question: Question = {
  title: 'connect (SCRAM-SHA-256, 4,096 iterations, TCP on loopback), select 1, close',
  contestants: async (server) => {
    const url = server.url({ user: 'bench', password: 'bench' })
    return [
      {
        name: NAMES.ours,
        run: async () => {
          const session = await connect(url, { timeoutMs: 5_000 })
          await session.query('select 1')
          await session.close()
        },
      },
      {
        name: NAMES.pg,
        run: async () => {
          const client = new pg.Client({ connectionString: url })
          await client.connect()
          await client.query({ text: 'select 1' })
          await client.end()
        },
      },
      {
        name: NAMES.postgres,
        run: async () => {
          // fetch_types asks for the types of the database first: off, since the others don't.
          const sql = postgres(url, { max: 1, fetch_types: false })
          await sql.unsafe('select 1').simple().values()
          await sql.end()
        },
      },
    ]
  },
}
