/**
 * Plants the bugs of test/properties/seeded-bugs.ts one at a time and counts the runs after which each property finds it:
 *
 *   npm run seeded-bugs                     from 20 seeds each; median and worst go into docs/seeded-bugs.json
 *   npm run seeded-bugs -- --seeds 1 --check   fails unless each is found; nothing is written
 *   npm run seeded-bugs -- --only off-by    those whose ids contain this; the others stay as they are
 *
 * A run is one example of a property, or one plan of the simulation. What looks at every case anyway has one run.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import type { planOf, simulate } from '../src/testing/index.ts'
import { PROPERTIES } from '../test/properties/catalogue.ts'
import { SEEDED_BUGS, type SeededBug, SIMULATION } from '../test/properties/seeded-bugs.ts'
import { bundleModules, collectBundle, importBundle } from './in-process-tests.ts'

const ROOT = join(import.meta.dirname, '..')
const RESULTS = join(ROOT, 'docs', 'seeded-bugs.json')
const WORLD = 'src/testing/index.ts'
/** Whoever has not found a bug by then has not found it. */
const RUNS_MAX = 10_000

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    only: { type: 'string', default: '' },
    check: { type: 'boolean', default: false },
  },
})

process.env['PG_DEADLINE_RUNS'] = String(RUNS_MAX)
// How often it was tried is what is asked, and not the smallest example.
fc.configureGlobal({ endOnFailure: true })

/** What one run of a property or a plan has shown: after how many runs, or null if it has found nothing. */
type Finder = (seed: number) => Promise<number | null>

// Beside the sources, since packages are looked for from there.
const folder = mkdtempSync(join(ROOT, 'node_modules', '.seeded-bugs-'))
try {
  await bundleModules(ROOT, [...new Set(PROPERTIES.map(({ test }) => test)), WORLD].filter(isPure), folder, plant)
  await measure()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function measure(): Promise<void> {
  const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => index + 1)
  const results: Record<string, Record<string, { median: number; worst: number }>> = {}
  const bugs = SEEDED_BUGS.filter(({ id }) => id.includes(values.only))
  if (bugs.length === 0) throw new RangeError(`--only ${values.only}: no bug is called so`)
  for (const bug of bugs) {
    const found: Record<string, { median: number; worst: number }> = {}
    for (const property of bug.foundBy) {
      const find = await finderOf(bug, property)
      const counts: number[] = []
      for (const seed of seeds) counts.push((await find(seed)) ?? Number.POSITIVE_INFINITY)
      counts.sort((one, other) => one - other)
      const worst = counts.at(-1) as number
      const median = counts[Math.floor((counts.length - 1) / 2)] as number
      if (worst === Number.POSITIVE_INFINITY) {
        process.exitCode = 1
        console.error(`${bug.id}: not found by ${property} within ${RUNS_MAX} runs`)
      } else console.log(`${bug.id}: ${property}: median ${median}, worst ${worst}`)
      found[property] = { median, worst }
    }
    results[bug.id] = found
  }
  if (values.check || process.exitCode === 1) return
  const before = JSON.parse(readFileSync(RESULTS, 'utf8')) as { readonly found: typeof results }
  const found = SEEDED_BUGS.map(({ id }) => [id, results[id] ?? before.found[id]])
  writeFileSync(RESULTS, `${JSON.stringify({ seeds: seeds.length, found: Object.fromEntries(found) }, null, 2)}\n`)
}

/** All of them are compiled in, and one is alive: that of which the global variable has the id. */
function plant(path: string, text: string): string {
  let planted = text
  for (const { id, edits } of SEEDED_BUGS) {
    for (const { file, find, replace } of edits) {
      if (path !== `src/${file}`) continue
      if (planted.split(find).length !== 2) throw new Error(`${id}: expected once in src/${file}: ${find}`)
      const isAlive = `(globalThis as { seededBug?: string }).seededBug === '${id}'`
      const edit = replace.includes('BUG')
        ? replace.replaceAll('BUG', `(${isAlive})`)
        : `((${isAlive}) ? (${replace}) : (${find}))`
      planted = planted.replace(find, () => edit)
    }
  }
  return planted
}

async function finderOf({ id }: SeededBug, property: string): Promise<Finder> {
  Object.assign(globalThis, { seededBug: id })
  if (property === SIMULATION) {
    const world = (await importBundle(folder, WORLD, id)) as { planOf: typeof planOf; simulate: typeof simulate }
    return (seed) => findInSimulation(world, seed)
  }
  const listed = PROPERTIES.find((one) => one.id === property)
  if (listed === undefined) throw new Error(`${id}: there is no property ${property}`)
  const tests = await collectBundle(folder, listed.test, `${id}-${property}`)
  const test = tests.find(({ name }) => name.includes(`${property}: `))
  if (test === undefined) throw new Error(`${id}: ${listed.test} has no test of ${property}`)
  return async (seed) => {
    process.env['PG_DEADLINE_SEED'] = String(seed)
    try {
      await test.run()
      return null
    } catch (error) {
      return Number(/failed after (\d+) tests/.exec(String((error as Error).message))?.[1] ?? 1)
    }
  }
}

/** Each seed has plans of its own. */
async function findInSimulation(world: { planOf: typeof planOf; simulate: typeof simulate }, seed: number) {
  for (let run = 1; run <= RUNS_MAX; run += 1) {
    const { violations } = await world.simulate(world.planOf(seed * 1_000_000 + run))
    if (violations.length > 0) return run
  }
  return null
}

/** What needs no server, and no other client. */
function isPure(path: string): boolean {
  return path === WORLD || /^test\/properties\/(codec|scram|machine|model|time)\.test\.ts$/.test(path)
}
