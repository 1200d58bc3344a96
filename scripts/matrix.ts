/**
 * What works with which server: `npm run matrix` tries every method, in plaintext and in TLS, on every major of PostgreSQL
 * (fetched on demand), on the poolers and on PGlite, and writes docs/matrix.md. A cell says what happened. It fails the run if
 * the server has what is needed and we fail, or if a connect ends in another way than columns.ts says.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, HandshakeError } from '../src/index.ts'
import { type Column, openColumns } from './matrix/columns.ts'
import { type Row, SECTIONS } from './matrix/sections.ts'

/** What does not come then does not come: some servers are silent where others refuse. */
const TIMEOUT_MS = 5_000

const names: string[] = []
const cells = new Map<Row, string[]>(SECTIONS.flatMap(({ rows }) => rows.map((row) => [row, []])))
const surprises: string[] = []

for await (const column of openColumns()) {
  names.push(column.name)
  for (const { title, rows } of SECTIONS) {
    for (const row of rows) {
      const expected = row.needs.map((need) => column.lacks[need]).find((end) => end !== undefined) ?? 'yes'
      const cell = await tryRow(column, row)
      cells.get(row)?.push(cell)
      if (cell !== expected) surprises.push(`${column.name}: ${title}: ${row.name}: expected ${expected}, got ${cell}`)
    }
  }
  console.log(`${column.name}: tried`)
}

const line = (texts: readonly string[]) => `| ${texts.join(' | ')} |\n`
const table = (rows: readonly Row[]) =>
  line(['', ...names]) +
  line(['---', ...names.map(() => '---')]) +
  rows.map((row) => line([row.name, ...(cells.get(row) ?? [])])).join('')
const page = `<!-- Made by \`npm run matrix\`, from what it has tried. Do not edit. -->

# What was tried with which server

Each cell is a connect, a query and a close, with Node.js ${process.versions.node}. Where a server does not have what is needed the cell says how
our connect ended: the kind of the failure, and the state; "deadline" is silence, for ${TIMEOUT_MS / 1_000} seconds.

- PgBouncer and Pgpool-II stand before the newest PostgreSQL of this page, authenticate clients themselves, and end TLS. So there is
  nothing to bind SCRAM to.
- Pgpool-II asks the catalog about what a query uses. A cancel request that meets that question ends the session.
- PGlite lets everybody in, as \`postgres\`; \`require_auth\` with a method refuses that (\`policy\`). It is silent to requests for TLS, for
  protocol 3.2 and to cancel, does not close the connection of who takes leave, and answers nobody any more once SCRAM has begun
  unasked.

${SECTIONS.map(({ title, about, rows }) => `## ${title}\n\n${about}\n\n${table(rows)}`).join('\n')}`

if (surprises.length > 0) throw new Error(`not as it should be, and not written:\n${surprises.join('\n')}`)
writeFileSync(join(import.meta.dirname, '..', 'docs', 'matrix.md'), page)

async function tryRow(column: Column, { method, target, options, check }: Row): Promise<string> {
  const requireAuth = method === 'trust' ? 'none' : method
  const everything = { ...column.target(method), requireAuth, earlySasl: false, ...target }
  try {
    const session = await connect(everything, { timeoutMs: TIMEOUT_MS, ...options })
    try {
      const flaw = await check(session)
      const [result] = await session.query('select 40 + 2', { timeoutMs: TIMEOUT_MS })
      return flaw ?? (result?.rows[0]?.[0] === '42' ? 'yes' : 'a wrong answer')
    } finally {
      // PGlite does not close the connection when it is told that we leave.
      await session.close({ timeoutMs: 500 })
    }
  } catch (error) {
    return error instanceof HandshakeError ? `${error.failure.kind} in ${error.phase}` : String(error)
  }
}
