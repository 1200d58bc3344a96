/**
 * Runs the benchmarks: `npm run bench`, or `npm run bench -- connect` for one of them. Each file here asks one question
 * and measures peers doing the same work in the same run: in turn, A B C A B C, so that a machine whose speed drifts
 * drifts for all of them. What is printed are medians, spread and the ratio to ours.
 */
import { arch, cpus, platform } from 'node:os'
import { startServer, type TestServer } from '../test/servers/server.ts'
import * as connecting from './connect.ts'
import * as rows from './rows.ts'

/** One question: what is asked, and who answers it. The first contestant is ours, the others are compared with it. */
export interface Question {
  readonly title: string
  readonly contestants: (server: TestServer) => Promise<readonly Contestant[]>
}

export interface Contestant {
  readonly name: string
  readonly run: () => Promise<unknown>
  readonly stop?: () => Promise<unknown>
}

const QUESTIONS: Readonly<Record<string, Question>> = { connect: connecting.question, rows: rows.question }
const WARMUP_ROUNDS = 30
const MEASURED_MS = 10_000

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in QUESTIONS))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are: ${Object.keys(QUESTIONS).join(', ')}`)
  process.exit(1)
}

const server = await startServer({ setup: ["create role bench login superuser password 'bench'"] })
try {
  console.log(
    `Node ${process.version}, PostgreSQL ${server.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${platform()}-${arch()}\n`,
  )
  for (const [name, question] of Object.entries(QUESTIONS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    await ask(name, question)
  }
} finally {
  await server.stop()
}

async function ask(name: string, { title, contestants }: Question): Promise<void> {
  console.log(`${name}: ${title}\n`)
  const all = await contestants(server)
  const samples = all.map(({ name: who, run }) => ({ who, run, tookMs: [] as number[] }))
  process.stderr.write(`  measuring ${samples.map(({ who }) => who).join(', ')}, in turn …\n`)
  for (let round = 0; round < WARMUP_ROUNDS; round++) for (const { run } of samples) await run()
  for (const end = performance.now() + MEASURED_MS; performance.now() < end; ) {
    for (const { run, tookMs } of samples) {
      const begin = performance.now()
      await run()
      tookMs.push(performance.now() - begin)
    }
  }
  for (const { stop } of all) await stop?.()

  const results = samples.map(({ who, tookMs }) => {
    const sorted = tookMs.sort((a, b) => a - b)
    const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN
    return { who, p50: at(0.5), p75: at(0.75), p99: at(0.99) }
  })
  console.log(`  ${samples[0]?.tookMs.length} rounds\n`)
  const ours = results[0]?.p50 ?? Number.NaN
  console.log(`| ${'client'.padEnd(22)} | median ms | p75 ms | p99 ms | median / ours |`)
  console.log(`|${'-'.repeat(24)}|----------:|-------:|-------:|--------------:|`)
  for (const { who, p50, p75, p99 } of results) {
    const cells = [p50.toFixed(2).padStart(9), p75.toFixed(2).padStart(6), p99.toFixed(2).padStart(6)]
    console.log(`| ${who.padEnd(22)} | ${cells.join(' | ')} | ${(p50 / ours).toFixed(2).padStart(13)} |`)
  }
  console.log()
}
