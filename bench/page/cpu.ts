/** What does a connect cost the client's own process? */
import type { ClientId } from '../clients/target.ts'
import type { CpuData } from '../results.ts'
import { summarize } from '../statistics.ts'
import { drawBars } from './plot.ts'
import { groupsOf, type Section } from './section.ts'
import { drawTable, percent, titleOf, verdict } from './table.ts'

/** How much more than the floor a warm reconnect may cost. */
const FLOOR_RATIO_MAX = 2

export function describeCpu({ warmup, settling, cycles, proofUs, rows }: CpuData): Section {
  const medians = rows.map((row) => ({ ...row, ...summarize(row.cpuMs), leanMs: summarize(row.leanCpuMs).p50 }))
  const rowOf = (client: ClientId, tls: boolean) => medians.find((row) => row.client === client && row.tls === tls)
  const of = (client: ClientId, tls: boolean) => rowOf(client, tls)?.p50 ?? Number.NaN
  const leanOf = (client: ClientId, tls: boolean) => rowOf(client, tls)?.leanMs ?? Number.NaN
  const rounds = rows[0]?.cpuMs.length ?? 0
  const table = drawTable(
    [
      'client',
      'TLS',
      'median CPU ms',
      'middle half ms',
      '/ floor',
      'lean server ms',
      'lean / floor',
      'heap KB',
      'buffers KB',
    ],
    medians.map(({ client, tls, p25, p50, p75, leanMs, heapBytes, bufferBytes }) => [
      titleOf(client),
      tls ? 'verify-full' : 'no',
      p50.toFixed(2),
      `${p25.toFixed(2)} to ${p75.toFixed(2)}`,
      (p50 / of('floor', tls)).toFixed(2),
      leanMs.toFixed(2),
      (leanMs / leanOf('floor', tls)).toFixed(2),
      (heapBytes / 1_024).toFixed(0),
      (Math.max(0, bufferBytes) / 1_024).toFixed(0),
    ]),
  )
  const verdicts = [false, true].flatMap((tls) => {
    const where = tls ? 'over TLS' : 'plain'
    const ours = of('pg-deadline', tls)
    const peers = (['pg', 'postgres.js'] as const).map((client) => {
      const ratio = ours / of(client, tls)
      return verdict(
        `${where}, a reconnect of ours costs less than one of ${client}`,
        ratio < 1,
        `${ratio.toFixed(2)} of it`,
      )
    })
    const ratio = ours / of('floor', tls)
    return [
      ...peers,
      verdict(`${where}, at most ${FLOOR_RATIO_MAX} times the floor`, ratio <= FLOOR_RATIO_MAX, ratio.toFixed(2)),
    ]
  })
  const plot = drawBars({
    title: 'CPU of the client for connect, first row, close',
    unit: 'ms',
    groups: groupsOf(medians),
  })
  const text = `## What does a connect cost its own process?

Connect, \`select 1\`, close, one after the other, on loopback: CPU time of the whole process (\`process.cpuUsage\`,
so PBKDF2's thread and the garbage collector are in it), of a process for each client. What is asked is the price of a reconnect in
a process that is at work, and has been for a while: one session stays open; ${warmup.toLocaleString('en')} cycles first against a lean server (real
TLS and SCRAM, but no process for a connection), so that code is compiled; ${settling} against PostgreSQL, then ${rounds} rounds of ${cycles} cycles. All
clients take turns, from the first cycle on. Node runs with \`--no-memory-reducer --min-semi-space-size=16\` for all of them: a process that is idle, as while others have their
turn, or that allocates less than 1 MB a second, is otherwise shrunk by V8, which throws compiled code away, and leaves 1 MB of 16 to
the young generation; anybody's next connects cost more then. Everybody runs as installed, that is compiled to JavaScript. Everybody is given the certificate authority in memory; for the
peers the TLS context is made of it once, as ours does by itself. Allocation is what the heap grows by in a process so large that
nothing is collected.

A reconnect of ours finds its SCRAM key in memory. The peers have no such memory: each of their connects is a PBKDF2 with 4,096
iterations. Without the key cache ours pays for it, too.

The floor is a client of 100 lines that writes bytes which were made beforehand, over a bare socket of Node's, or a TLS one: no parser,
no check of the server, no deadline, no error. One thing cannot be made beforehand against a server that is real: the proof, over the
server's nonce. It takes ${proofUs.toFixed(0)} µs here and is part of the floor. A server with a nonce that never changes would make the floor lower
by that, and be no PostgreSQL.

PostgreSQL lets everybody wait, for a new process above all. Meanwhile the processor does something else or sleeps, and the same
code is slower when it goes on, the more so the more of it there is. The lean server answers at once: beside the figures that count
stand the medians of as many rounds against it, in which what the code itself costs is a larger part.

${table}
![CPU time in milliseconds](benchmarks/cpu.svg)

${verdicts.join('')}
What is left above the floor is ${left(of)} against PostgreSQL, and ${left(leanOf)} against the lean server. It is no single thing: the messages are read by their descriptions, every state is entered in the timeline,
every wait can be ended by a signal, the configuration is read anew for every connect, the
server's signature is verified, and over TLS SCRAM is bound to the channel.

What it teaches: without TLS, to remember the key saves ${percent(of('pg-deadline, cold', false) - of('pg-deadline', false), of('pg-deadline, cold', false))} of what a connect costs ours: that is PBKDF2.
`
  return { text, plots: { 'cpu.svg': plot } }
}

/** What a reconnect of ours costs more than the floor. */
function left(of: (client: ClientId, tls: boolean) => number): string {
  const [plain, secured] = [false, true].map((tls) => (of('pg-deadline', tls) - of('floor', tls)).toFixed(2))
  return `${plain} ms plain and ${secured} ms over TLS`
}
