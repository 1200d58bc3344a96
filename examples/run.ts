/** Runs an example and prints its report: `npm run example -- pg`, or pglite; `--seed` and `--runs` see the same cases again. */
import { parseArgs } from 'node:util'
import { describeReport, examineClient, examineServer } from 'pg-deadline/testing'
import { startServer } from '../test/servers/server.ts'
import { PG_PROPERTIES, pg } from './pg.ts'
import { PGLITE_PROPERTIES, Pglite } from './pglite.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, runs: { type: 'string', default: '20' } },
})
const cases = { runs: Number(values.runs), ...(values.seed !== undefined && { seed: Number(values.seed) }) }

if (positionals[0] === 'pg') {
  await using server = await startServer({ setup: ["create role app login password 'secret'"] })
  const address = { host: server.host, port: server.port, user: 'app', password: 'secret', database: 'postgres' }
  const postgres = { name: `PostgreSQL ${server.version}`, address }
  console.log(describeReport(await examineClient(pg, postgres, { ...cases, properties: PG_PROPERTIES })))
} else if (positionals[0] === 'pglite') {
  await using server = await Pglite.start()
  console.log(describeReport(await examineServer(server, { ...cases, properties: PGLITE_PROPERTIES })))
} else {
  console.error('expected one of: pg, pglite')
  process.exitCode = 1
}
