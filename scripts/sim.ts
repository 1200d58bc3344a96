/**
 * Simulated connects by the thousand, or one of them in full.
 *
 *   npm run sim -- --runs 100000            how many hold, how fast, and the seeds of those that do not
 *   npm run sim -- --runs 100000 --record   and how fast goes into docs/rates.json
 *   npm run sim -- --seed 4711 --trace      one run: its plan, and its timeline as the demo draws it
 *
 * The runs are shared out among processes, as many as there are processors unless `--processes` says otherwise.
 */
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { drawTimeline } from '../src/cli/draw-timeline.ts'
import { Screen } from '../src/cli/screen.ts'
import { planOf, type SimulationReport, simulate, simulateAll } from '../src/testing/index.ts'
import { recordRate } from './rates.ts'

const SEEDS = new URL('../test/properties/seeds.json', import.meta.url)
/** So many failures are enough to look at. */
const SHOWN_MAX = 10
/** How many reports are held at once. */
const BATCH = 1_000

/** What one process has found. */
interface Findings {
  readonly runs: number
  /** How often it ended how. */
  readonly ends: Readonly<Record<string, number>>
  readonly failed: readonly { readonly seed: number; readonly violations: readonly string[] }[]
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    processes: { type: 'string', default: String(availableParallelism()) },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
  },
})

if (values.seed !== undefined) await runOne(wholeNumber('--seed', values.seed))
else if (process.send !== undefined) {
  // Nobody reads a hundred thousand stacks, and they take a tenth of the time.
  Error.stackTraceLimit = 0
  process.send(await runHere(wholeNumber('--from', values.from), runs()))
} else await runEverywhere(wholeNumber('--processes', values.processes))

async function runOne(seed: number): Promise<void> {
  const report = await simulate(planOf(seed))
  if (values.trace) {
    print(JSON.stringify(report.plan, null, 2), '')
    print(...drawTimeline(Screen.of(process.stdout, process.env), report.timeline), '')
  }
  const { session, error, atMs } = report.settled
  print(session === null ? `${String(error)}` : `ready: ${session.authenticationMethod}`)
  print(`settled after ${atMs} ms of ${report.plan.client.timeoutMs} ms`)
  tell({ seed, violations: report.violations })
}

async function runEverywhere(processes: number): Promise<void> {
  const startedMs = performance.now()
  const kept = JSON.parse(readFileSync(SEEDS, 'utf8')) as readonly number[]
  const each = Math.ceil(runs() / processes)
  const from = wholeNumber('--from', values.from)
  // Those that have failed once come first.
  const first = await findingsOf(kept)
  const rest = await Promise.all(Array.from({ length: processes }, (_, index) => runThere(from + index * each, each)))
  const seconds = (performance.now() - startedMs) / 1_000

  const all = [first, ...rest]
  const ends = new Map<string, number>()
  for (const findings of all) {
    for (const [end, count] of Object.entries(findings.ends)) ends.set(end, (ends.get(end) ?? 0) + count)
  }
  for (const [end, count] of [...ends].sort((one, other) => other[1] - one[1]))
    print(`${String(count).padStart(9)}  ${end}`)
  const total = all.reduce((sum, findings) => sum + findings.runs, 0)
  const rate = Math.round(total / seconds)
  print(`${total} simulated connects in ${seconds.toFixed(1)} s, ${processes} processes: ${rate} a second`)
  if (values.record) recordRate('simulated', total, seconds)
  const failed = all.flatMap((findings) => findings.failed)
  for (const one of failed.slice(0, SHOWN_MAX)) tell(one)
  if (failed.length > 0) print(`${failed.length} failed; put their seeds into test/properties/seeds.json`)
}

function runThere(from: number, count: number): Promise<Findings> {
  const child = fork(fileURLToPath(import.meta.url), ['--from', String(from), '--runs', String(count)])
  return new Promise((resolve, reject) => {
    child.once('message', (findings) => resolve(findings as Findings))
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`a process ended without a result: ${signal ?? code}`)))
  })
}

function runHere(from: number, count: number): Promise<Findings> {
  return findingsOf(Array.from({ length: count }, (_, index) => from + index))
}

async function findingsOf(seeds: readonly number[]): Promise<Findings> {
  const ends: Record<string, number> = {}
  const failed: { seed: number; violations: readonly string[] }[] = []
  for (let begin = 0; begin < seeds.length; begin += BATCH) {
    for (const report of await simulateAll(seeds.slice(begin, begin + BATCH).map(planOf))) {
      const end = endOf(report)
      ends[end] = (ends[end] ?? 0) + 1
      if (report.violations.length > 0) failed.push({ seed: report.plan.seed, violations: report.violations })
    }
  }
  return { runs: seeds.length, ends, failed }
}

function endOf({ settled: { session, error } }: SimulationReport): string {
  if (session !== null) return 'Ready'
  const { failure, phase } = error as { failure?: { kind: string }; phase?: string }
  return failure === undefined ? String(error) : `${failure.kind} in ${phase}`
}

function tell({ seed, violations }: Findings['failed'][number]): void {
  if (violations.length === 0) return
  process.exitCode = 1
  print(`seed ${seed} failed: ${violations.join('; ')}`)
  print(`  npm run sim -- --seed ${seed} --trace`)
}

function runs(): number {
  return wholeNumber('--runs', values.runs)
}

function wholeNumber(option: string, text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0)
    throw new RangeError(`${option}: expected a whole number, got ${text}`)
  return number
}

function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`)
}
