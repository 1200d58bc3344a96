/** How many round trips does it take to the first row? */
import type { RoundTripsData } from '../results.ts'
import { summarize } from '../statistics.ts'
import { drawBars } from './plot.ts'
import { groupsOf, type Section } from './section.ts'
import { drawTable, titleOf, verdict } from './table.ts'

/** What a connect over TLS may take at most, as a part of what a peer takes as it comes. */
const RATIO_MAX = 0.55

export function describeRoundTrips({ roundTripMs, rounds, rows }: RoundTripsData): Section {
  const medians = rows.map((row) => ({ ...row, ...summarize(row.tookMs) }))
  const ours = (tls: boolean) =>
    medians.find((row) => row.tls === tls && row.client === 'pg-deadline, fast')?.p50 ?? Number.NaN
  const table = drawTable(
    ['client', 'TLS', 'round trips', 'median ms', 'middle half ms', 'ours, fast / this'],
    medians.map(({ client, tls, roundTrips, p25, p50, p75 }) => [
      titleOf(client),
      tls ? 'verify-full' : 'no',
      String(roundTrips),
      p50.toFixed(1),
      `${p25.toFixed(1)} to ${p75.toFixed(1)}`,
      (ours(tls) / p50).toFixed(2),
    ]),
  )
  const verdicts = (['pg', 'postgres.js'] as const).map((client) => {
    const peer = medians.find((row) => row.tls && row.client === client)?.p50 ?? Number.NaN
    const ratio = ours(true) / peer
    return verdict(`over TLS ours, fast, takes at most ${RATIO_MAX} of ${client}`, ratio <= RATIO_MAX, ratio.toFixed(3))
  })
  const plot = drawBars({
    title: `Connect to first row at ${roundTripMs} ms a round trip, SCRAM`,
    unit: 'ms',
    groups: groupsOf(medians),
  })
  const text = `## How many round trips does it take to the first row?

SCRAM-SHA-256, and \`select 1\`, through a proxy that holds every byte back for half a round trip of ${roundTripMs} ms each way and
counts the round trips of each connection. The TCP handshake is one more on a real path, for everybody; the proxy does not delay it.
${rounds} rounds, all clients in turn. "Fast" is \`require_auth=scram-sha-256\` and \`firstQuery\`, over TLS also \`sslnegotiation=direct\`
and \`channel_binding=require\`. "Direct TLS" gives the same \`sslnegotiation\` to the peers, which know it but do not use it unless
told. psql has the start of a process in its times: its round trips are to be compared, not its milliseconds.

${table}
![Connect to first row, in milliseconds](benchmarks/round-trips.svg)

${verdicts.join('')}
What it teaches: at ${roundTripMs} ms nothing but the number of round trips counts. The safe default takes as many as libpq, and no more.
What saves them is to say beforehand what one would have insisted on anyway. Where the peers begin TLS without asking they are one
round trip nearer; the other two are SCRAM's first message and the first query, which no setting of theirs sends early.
`
  return { text, plots: { 'round-trips.svg': plot } }
}
