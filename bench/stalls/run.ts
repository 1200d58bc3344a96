/**
 * For every place where a connect can stall: what does a deadline do about it, here and elsewhere? `npm run stalls` measures all
 * (about five minutes) and writes docs/deadlines.md. `--only <place>` and `--client <name>` select, any number of times;
 * `--only overshoot` is the second measurement alone. A selection writes no page, and an error is compared with those of the
 * selection only.
 */
import { writeFileSync } from 'node:fs'
import { arch, cpus, platform } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { observe } from './cell.ts'
import { type Client, listClients } from './clients.ts'
import { type Figures, measureOvershoot } from './overshoot.ts'
import { writePage } from './page.ts'
import { PLACES, type Place } from './places.ts'
import { SilentResolver } from './silent-resolver.ts'
import { drawEnd, drawTable, LEGEND } from './table.ts'
import { type Cell, judge } from './verdict.ts'

const OVERSHOOT = 'overshoot'
const { only = [], client = [] } = parseArgs({
  options: { only: { type: 'string', multiple: true }, client: { type: 'string', multiple: true } },
}).values

const all = listClients()
const places = choose(PLACES, only, [OVERSHOOT])
const clients = choose(all, client)
const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${platform()}-${arch()}, Node ${process.version}`
console.log(`${machine}\n${clients.map(({ title }) => title).join(', ')}`)
if (!all.some(({ id }) => id === 'libpq')) console.log('psql is not installed: no column for libpq')

const cells = await observeAll()
const verdicts = judge(cells)
if (cells.length > 0) {
  console.log(`\n${drawTable(places, clients, verdicts).join('\n')}\n\n${LEGEND.join('\n')}\n`)
}
const figures = only.length === 0 || only.includes(OVERSHOOT) ? await measureOvershoot(tell) : []
for (const { title, count, p50, p99, p999, max } of figures) {
  const numbers = [p50, p99, p999, max].map((one) => one.toFixed(1).padStart(7))
  console.log(`${title}: ${count} times\n  p50, p99, p99.9, max ${numbers.join('')} ms over`)
}
if (only.length === 0 && client.length === 0) writeDocs(figures)

async function observeAll(): Promise<readonly Cell[]> {
  const observed: Cell[] = []
  const resolver = await SilentResolver.open()
  try {
    for (const place of places) {
      for (const one of clients) {
        const cell = { place, client: one, seen: await observe(place, one, resolver) }
        observed.push(cell)
        const [verdict] = judge([cell])
        tell(`${place.id}, ${one.id}: ${verdict === undefined ? '' : drawEnd(verdict)}`)
      }
    }
  } finally {
    await resolver?.[Symbol.asyncDispose]()
  }
  return observed
}

function writeDocs(measured: readonly Figures[]): void {
  const date = new Date().toISOString().slice(0, 10)
  const page = writePage({ places, clients, verdicts, figures: measured, machine, date })
  writeFileSync(join(import.meta.dirname, '../../docs/deadlines.md'), page)
  console.log('wrote docs/deadlines.md')
}

function tell(what: string): void {
  process.stderr.write(`  ${what}\n`)
}

function choose<T extends Place | Client>(
  from: readonly T[],
  wanted: readonly string[],
  others: readonly string[] = [],
): readonly T[] {
  const ids = from.map(({ id }) => id as string)
  const unknown = wanted.filter((id) => !ids.includes(id) && !others.includes(id))
  if (unknown.length > 0) {
    console.error(`unknown: ${unknown.join(', ')}; there are: ${[...ids, ...others].join(', ')}`)
    process.exit(1)
  }
  return wanted.length === 0 ? from : from.filter(({ id }) => wanted.includes(id))
}
