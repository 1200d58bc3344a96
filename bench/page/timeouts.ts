/** Which deadline is safe for which path? */
import type { TimeoutsData } from '../results.ts'
import { drawLines } from './plot.ts'
import type { Section } from './section.ts'
import { drawTable, percent, seriesOf, tally, titleOf } from './table.ts'

type Row = TimeoutsData['rows'][number]

/** From here on the client's own event loop is what is measured: more than an eighth of the path's round trip. */
const LATE_MS = 5

/** To be ready, the TCP handshake aside, as counted in test/live/round-trips.test.ts; a peer takes as many as the default. */
const ROUND_TRIPS = { plain: { slow: 3, fast: 2 }, tls: { slow: 5, fast: 3 } }

export function describeTimeouts(data: TimeoutsData): Section {
  const { perSecond, durationMs, roundTripMs, jitterMs, rows } = data
  const servers = [...new Set(rows.map(({ server }) => server))]
  const deadlines = [...new Set(rows.map(({ deadlineMs }) => deadlineMs))]
  const clients = [...new Set(rows.map(({ client }) => client))]
  const panels = servers.flatMap((server) => [false, true].map((tls) => ({ server, tls })))
  const plot = drawLines({
    title: `${perSecond} connects a second, round trips of ${roundTripMs} ± ${jitterMs} ms`,
    xTitle: 'deadline, ms',
    xLabels: deadlines.map(String),
    yTitle: 'success, %',
    yMax: 100,
    panels: panels.map(({ server, tls }) => ({
      name: `${server === 'lean' ? 'lean server' : server}, ${tls ? 'TLS' : 'plain'}`,
      lines: clients.map((client) => ({
        name: titleOf(client),
        series: seriesOf(client),
        values: deadlines.map((deadlineMs) => {
          const row = rows.find(
            (one) => one.server === server && one.tls === tls && one.client === client && one.deadlineMs === deadlineMs,
          )
          return row === undefined ? null : (100 * row.succeeded) / row.total
        }),
      })),
    })),
  })
  const tables = panels.map(({ server, tls }) => {
    const name = server === 'lean' ? 'The lean server' : 'PostgreSQL'
    const own = rows.filter((row) => row.server === server && row.tls === tls)
    return `### ${name}, ${tls ? 'TLS (verify-full)' : 'plain'}\n\n${tableOf(own)}`
  })
  const slowest = roundTripMs + jitterMs
  const trips = (count: number) => `${count} × ${slowest} = ${count * slowest} ms`
  const text = `## Which deadline is safe for which path?

${perSecond} connects a second, evenly, for ${durationMs / 1_000} s, whatever becomes of them: nobody waits for the one before. The path takes
${roundTripMs} ms a round trip, give or take ${jitterMs} ms, in a process of its own, with the same delays for everybody (seeded). Success is to be
ready within the deadline, by a clock outside of the client; p50 and p99 are of those that were. pg is told \`connectionTimeoutMillis\`.
postgres.js takes \`connect_timeout\` in whole seconds by its manual; it is given the fraction, which its timer understands, and judged by
the same clock as the others. It connects only for a query: its session counts as ready when it tells of the server's parameters, which come
with ReadyForQuery, and before the query is answered.

There are two servers. The *lean* one does the handshake of PostgreSQL, SCRAM and TLS for real, without a process for each connection;
so path and client are what is looked at. Then PostgreSQL itself, embedded, on the same machine, which has to start ${perSecond} processes a
second while path and client want their part of the same cores: what the deadline meets there is a machine that is overrun.

Where the event loop of the client was late by more than ${LATE_MS} ms (p99), the row is marked *: the load generator has become part of what
is measured, and the client's own CPU is why.

${tables.join('\n')}
![Success in percent by deadline](benchmarks/timeouts.svg)

### Where the time went

Of our connects that failed: mean milliseconds by state, from the error's timeline. States that took less than a millisecond are left out.

${statesOf(rows)}
### What it teaches

- A deadline is safe if it holds as many of the slowest round trips as the handshake takes, one more for TCP on a real path, and a
  margin for the machines at both ends. Here, to be ready: plain ${trips(ROUND_TRIPS.plain.slow)}, over TLS ${trips(ROUND_TRIPS.tls.slow)}; fast, plain
  ${trips(ROUND_TRIPS.plain.fast)}, over TLS ${trips(ROUND_TRIPS.tls.fast)}.
- A deadline that does not hold as many of the *fastest* round trips fails always, whoever the client is: there it is the number of
  round trips that decides. Between that and the safe one it is luck; just above it, CPU: the queue in front of PBKDF2 and of TLS is
  part of the handshake.
- A deadline that is too short makes a storm worse: all of its work is thrown away, on both sides. If it must be short, say with
  \`leastMs\` what a connect needs, and hopeless ones are not begun.
- Look at the state in which the time went before making a deadline longer: a state that waits for the server is the path or the server,
  \`DerivingSaslKey\` and a late loop are one's own machine.
`
  return { text, plots: { 'timeouts.svg': plot } }
}

function tableOf(rows: readonly Row[]): string {
  return drawTable(
    ['deadline ms', 'client', 'success', 'p50 ms', 'p99 ms', 'CPU ms each', 'loop late ms', 'failures'],
    rows.map(({ deadlineMs, client, succeeded, total, tookMs, cpuMsPerConnect, loopLagMs, failures }) => [
      String(deadlineMs),
      `${titleOf(client)}${loopLagMs > LATE_MS ? ' *' : ''}`,
      percent(succeeded, total),
      tookMs?.p50.toFixed(0) ?? '·',
      tookMs?.p99.toFixed(0) ?? '·',
      cpuMsPerConnect.toFixed(2),
      loopLagMs.toFixed(0),
      tally(failures),
    ]),
  )
}

function statesOf(rows: readonly Row[]): string {
  return drawTable(
    ['server', 'TLS', 'deadline ms', 'client', 'failed', 'states, ms'],
    rows.flatMap(({ server, tls, deadlineMs, client, succeeded, total, states }) => {
      if (states === null) return []
      const long = Object.entries(states).filter(([, ms]) => ms >= 1)
      const text = long.map(([state, ms]) => `${state} ${ms.toFixed(0)}`).join(', ')
      return [[server, tls ? 'yes' : 'no', String(deadlineMs), titleOf(client), String(total - succeeded), text]]
    }),
  )
}
