/** Who gets in when many come at once? */
import type { ClientId } from '../clients/target.ts'
import type { StormsData } from '../results.ts'
import { drawLines } from './plot.ts'
import type { Section } from './section.ts'
import { drawTable, percent, seriesOf, tally, titleOf } from './table.ts'

export function describeStorms({ maxConnections, deadlineMs, rounds, rows }: StormsData): Section {
  const sizes = [...new Set(rows.map(({ size }) => size))]
  const clients = [...new Set(rows.map(({ client }) => client))]
  const part = (retry: boolean) =>
    drawTable(
      ['client', 'at once', 'success', 'p50 ms', 'p99 ms', 'CPU ms each', 'loop late ms', 'failures'],
      rows
        .filter((row) => row.retry === retry)
        .map(({ client, size, succeeded, total, tookMs, cpuMsPerConnect, loopLagMs, failures }) => [
          titleOf(client),
          String(size),
          percent(succeeded, total),
          tookMs?.p50.toFixed(0) ?? '·',
          tookMs?.p99.toFixed(0) ?? '·',
          cpuMsPerConnect.toFixed(2),
          loopLagMs.toFixed(0),
          tally(failures),
        ]),
    )
  const plot = drawLines({
    title: `Connects at once, max_connections = ${maxConnections}, deadline ${deadlineMs / 1_000} s`,
    xTitle: 'connects at once',
    xLabels: sizes.map(String),
    yTitle: 'success, %',
    yMax: 100,
    panels: [false, true].map((retry) => ({
      name: retry ? 'tried again until the deadline' : 'tried once',
      lines: clients.map((client) => ({
        name: titleOf(client),
        series: seriesOf(client),
        values: sizes.map((size) => {
          const row = rows.find((one) => one.client === client && one.size === size && one.retry === retry)
          return row === undefined ? null : (100 * row.succeeded) / row.total
        }),
      })),
    })),
  })
  const middle = sizes[Math.floor(sizes.length / 2)]
  const cpuOf = (client: ClientId) =>
    rows.find((one) => one.client === client && one.size === middle && !one.retry)?.cpuMsPerConnect ?? Number.NaN
  const ratioTo = (client: ClientId) => (cpuOf('pg-deadline') / cpuOf(client)).toFixed(2)
  const comparison = `of ${middle} at once, one of ours costs ${ratioTo('pg')} of one of pg and ${ratioTo('postgres.js')} of one of postgres.js`
  const text = `## Who gets in when many come at once?

So many connects in the same turn of the event loop, plain, under one deadline of ${deadlineMs / 1_000} s, against a server with
\`max_connections\` ${maxConnections}, of which 3 are kept for superusers. Whoever is ready lets go at once. ${rounds} rounds, each client in a
process of its own, in turn; nobody of an earlier round is left. First each connect is made once. Then whoever is refused tries again
after 25 to 75 ms for as long as the deadline lasts, by the same few lines around every client. Success is to be ready within the
deadline by a clock outside of the client. Failures are what a program can tell them by: the kind of our error and the SQLSTATE, the
\`code\` or the text of a peer's (53300: too many connections).

Tried once:

${part(false)}
Tried again:

${part(true)}
![Success in percent by connects at once](benchmarks/storms.svg)

What it teaches: who stays outside has mostly met the deadline, and another try makes that worse, since the server is busy with
connects that nobody waits for any more. Only where it says that it has no room (53300) another try within the same deadline is worth
it. A client that needs less CPU lets its slots go sooner: ${comparison}. Fewer connects at once, by a
pool, do more than any client can.
`
  return { text, plots: { 'storms.svg': plot } }
}
