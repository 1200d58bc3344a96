/**
 * Measures, and writes docs/benchmarks.md: `npm run bench`. `--only <scenario>` takes one of them, any number of times; the others
 * stay as they were measured. `--quick` is a short try: it prints what it finds and keeps nothing. `--render` measures nothing and
 * makes the page again from what is kept.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { arch, cpus, platform, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { installedVersion } from './installed-version.ts'
import { measureConnect } from './measure/connect.ts'
import { measureCpu } from './measure/cpu.ts'
import { measureRoundTrips } from './measure/round-trips.ts'
import { measureRows } from './measure/rows.ts'
import { measureStorms } from './measure/storms.ts'
import { measureTimeouts } from './measure/timeouts.ts'
import { compileClients } from './measure/worker.ts'
import { openServer, type World } from './measure/world.ts'
import { makeFiles, makeSection } from './page/page.ts'
import { Progress } from './progress.ts'
import {
  type Circumstances,
  type DataOf,
  type Results,
  readResults,
  type ScenarioName,
  writeResults,
} from './results.ts'

const SCENARIOS: { readonly [N in ScenarioName]: (world: World) => Promise<DataOf[N]> } = {
  'round-trips': (world) => measureRoundTrips(world, psqlVersion),
  cpu: measureCpu,
  storms: measureStorms,
  timeouts: measureTimeouts,
  connect: measureConnect,
  rows: measureRows,
}

const names = Object.keys(SCENARIOS) as ScenarioName[]
const USAGE = `npm run bench -- [--only <scenario>]... [--quick | --render]

  --only    one of ${names.join(', ')}; default: all of them
  --quick   a short try, printed and not kept
  --render  measures nothing, and makes the page again from what is kept`

const { only = [], quick, render, help } = readArguments()
if (help) {
  console.log(USAGE)
  process.exit()
}
const unknown = only.filter((name) => !names.includes(name as ScenarioName))
if (unknown.length > 0) refuse(`unknown: ${unknown.join(', ')}`)

const psqlVersion = findPsql()
if (!render) await measureAll(names.filter((name) => only.length === 0 || only.includes(name)))
if (!quick) writePage(readResults())

function readArguments() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        quick: { type: 'boolean', default: false },
        render: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

function refuse(problem: string): never {
  console.error(`${problem}\n\n${USAGE}`)
  process.exit(1)
}

async function measureAll(chosen: readonly ScenarioName[]): Promise<void> {
  compileClients()
  const circumstances = await describe()
  for (const name of chosen) {
    const progress = new Progress(process.stderr, name)
    const measured = { ...circumstances, data: await SCENARIOS[name]({ quick, tell: progress.tell }) }
    progress.end()
    if (quick) console.log(`\n${makeSection(name, { [name]: measured })}`)
    else writeResults({ ...readResults(), [name]: measured })
  }
}

async function describe(): Promise<Circumstances> {
  await using server = await openServer()
  const memoryGb = Math.round(totalmem() / 2 ** 30)
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${memoryGb} GB, ${platform()}-${arch()}`,
    node: process.version,
    postgresql: server.version,
    peers: {
      pg: installedVersion('pg'),
      'postgres.js': installedVersion('postgres'),
      ...(psqlVersion !== null && { libpq: psqlVersion }),
    },
  }
}

function findPsql(): string | null {
  const { status, stdout } = spawnSync('psql', ['--version'], { encoding: 'utf8' })
  return status === 0 ? (/\d+(\.\d+)?/.exec(stdout)?.[0] ?? '') : null
}

function writePage(results: Results): void {
  for (const [name, text] of Object.entries(makeFiles(results))) {
    const path = join(import.meta.dirname, '../docs', name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${text.trimEnd()}\n`)
  }
  console.log('wrote docs/benchmarks.md and its plots')
}
