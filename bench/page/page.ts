/** docs/benchmarks.md and its plots, from what was measured and from nothing else. */
import type { DataOf, Measured, Results, ScenarioName } from '../results.ts'
import { describeCpu } from './cpu.ts'
import { describeRoundTrips } from './round-trips.ts'
import type { Section } from './section.ts'
import { describeStorms } from './storms.ts'
import { circumstances } from './table.ts'
import { describeTimeouts } from './timeouts.ts'
import { describeConnect, describeRows } from './timing.ts'

const SECTIONS: { readonly [N in ScenarioName]: (data: DataOf[N]) => Section } = {
  'round-trips': describeRoundTrips,
  cpu: describeCpu,
  storms: describeStorms,
  timeouts: describeTimeouts,
  connect: describeConnect,
  rows: describeRows,
}
const NAMES = Object.keys(SECTIONS) as ScenarioName[]

/** By name below docs/. */
export function makeFiles(results: Results): Readonly<Record<string, string>> {
  const plots = NAMES.flatMap((name) => Object.entries(sectionOf(name, results)?.plots ?? {}))
  return {
    'benchmarks.md': writePage(results),
    ...Object.fromEntries(plots.map(([file, svg]) => [`benchmarks/${file}`, svg])),
  }
}

/** One scenario in words and figures. */
export function makeSection<N extends ScenarioName>(name: N, results: Results): string {
  const measured: Measured<unknown> | undefined = results[name]
  const section = sectionOf(name, results)
  if (measured === undefined || section === null) return ''
  return `${section.text.trimEnd()}\n\n${circumstances(measured)}\n`
}

function sectionOf<N extends ScenarioName>(name: N, results: Results): Section | null {
  const measured = results[name] as Measured<DataOf[N]> | undefined
  return measured === undefined ? null : SECTIONS[name](measured.data)
}

function writePage(results: Results): string {
  return `<!-- Made by \`npm run bench\` from benchmarks/results.json, which it has measured. Do not edit. -->

# Benchmarks

Every scenario asks one question of everybody in the same run, in turn, so that a machine whose speed drifts drifts for all of them. Peers
run at their best settings for the same work. Figures are medians; the spread is the middle half, from the 25th percentile to the 75th.
What differs by less than the spread does not differ. Ratios carry over to other machines, milliseconds do not.

\`npm run bench\` measures it all in half an hour or more, \`npm run bench -- --only cpu\` one scenario; how, stands in
[bench](../bench/README.md). What a deadline does where a connect stalls is another page: [deadlines.md](deadlines.md).

${NAMES.map((name) => makeSection(name, results)).join('\n')}`
}
