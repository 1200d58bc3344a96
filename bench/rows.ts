/** How fast are rows read, as arrays of text, under the simple protocol? */
import { connect } from '../src/index.ts'
import { NAMES, pg, postgres } from './peers.ts'
import type { Question } from './run.ts'

const TEXT = "select i, md5(i::text), now(), null, repeat('x', 50) from generate_series(1, 10000) as i"

export const question: Question = {
  title: '10,000 rows of 5 columns, as arrays of text',
  contestants: async (server) => {
    const url = server.url({ user: 'bench', password: 'bench' })
    const session = await connect(url, { timeoutMs: 5_000 })
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const sql = postgres(url, { max: 1, fetch_types: false, types: {} })
    const text = { getTypeParser: () => (value: string) => value }
    return [
      { name: NAMES.ours, run: () => session.query(TEXT), stop: () => session.close() },
      {
        name: NAMES.pg,
        run: () => client.query({ text: TEXT, rowMode: 'array', types: text }),
        stop: () => client.end(),
      },
      { name: NAMES.postgres, run: () => sql.unsafe(TEXT).simple().values(), stop: () => sql.end() },
    ]
  },
}
