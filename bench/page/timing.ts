/** How long does it take where the path costs nothing? Of connects, and of rows. */
import type { TimingData } from '../results.ts'
import { summarize } from '../statistics.ts'
import type { Section } from './section.ts'
import { drawTable, titleOf } from './table.ts'

export function describeConnect(data: TimingData): Section {
  const text = `## How long does a connect take where the path costs nothing?

SCRAM-SHA-256 over TCP on loopback, \`select 1\`, close; ${countOf(data)} times each, in turn, the key cache warm where there is one.

${tableOf(data)}
`
  return { text, plots: {} }
}

export function describeRows(data: TimingData): Section {
  const text = `## How fast are rows read?

10,000 rows of 5 columns as arrays of text, under the simple protocol; ${countOf(data)} times each, in turn.

${tableOf(data)}
`
  return { text, plots: {} }
}

function countOf({ rows }: TimingData): number {
  return rows[0]?.tookMs.length ?? 0
}

function tableOf({ rows }: TimingData): string {
  const ours = summarize(rows[0]?.tookMs ?? []).p50
  return drawTable(
    ['client', 'median ms', 'middle half ms', 'p99 ms', '/ ours'],
    rows.map(({ client, tookMs }) => {
      const { p25, p50, p75, p99 } = summarize(tookMs)
      const spread = `${p25.toFixed(2)} to ${p75.toFixed(2)}`
      return [titleOf(client), p50.toFixed(2), spread, p99.toFixed(2), (p50 / ours).toFixed(2)]
    }),
  )
}
