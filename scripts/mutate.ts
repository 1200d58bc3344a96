/**
 * Mutation testing: one small thing in src/protocol, src/auth or src/state is changed at a time, and some test must fail.
 *
 *   npm run mutate                       all three folders; what is left standing is in docs/mutation.md
 *   npm run mutate -- src/auth           one folder
 *   npm run mutate -- src/auth/der.ts    one file; nothing is written to docs
 *   npm run mutate -- --no-static        without those that are alive while modules are loaded, which are dear
 *
 * Randomness of the tests has one seed here, so that the same mutants survive again. One process, so that the machine is left
 * to others. Stryker's own reports are in coverage/mutation.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { Stryker } from '@stryker-mutator/core'
import { type MutationReport, type MutationRun, summarize } from './mutate/summary.ts'

const ROOT = join(import.meta.dirname, '..')
const RESULTS = join(ROOT, 'docs', 'mutation.json')

/** Who should notice, nearest first: in memory, on a clock that stands still. */
const TESTS: Readonly<Record<string, { readonly tests: readonly string[]; readonly examples: number }>> = {
  'src/auth': { tests: ['test/auth', 'test/properties/scram.test.ts'], examples: 20 },
  'src/state': {
    tests: [
      'test/state',
      'test/properties/machine.test.ts',
      'test/properties/model.test.ts',
      'test/session.test.ts',
      'test/connect.test.ts',
      'test/connect-hosts.test.ts',
      'test/connect-tls.test.ts',
      'test/early-sasl.test.ts',
      'test/first-query.test.ts',
      'test/cancel.test.ts',
    ],
    // Few of the model's conversations get as far as a session.
    examples: 300,
  },
  'src/protocol': { tests: ['test/protocol', 'test/properties/codec.test.ts'], examples: 20 },
}
/** They start a compiler. */
const LEFT_OUT = ['illegal.test.ts']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'no-static': { type: 'boolean', default: false } },
})

// Stryker's processes load what is TypeScript here.
process.env['NODE_OPTIONS'] = '--import tsx'
process.env['PG_DEADLINE_SEED'] = '1'

for (const path of positionals.length === 0 ? Object.keys(TESTS) : positionals) await mutate(path)

async function mutate(path: string): Promise<void> {
  const folder = Object.keys(TESTS).find((one) => path === one || path.startsWith(`${one}/`))
  if (folder === undefined) throw new RangeError(`expected a path in ${Object.keys(TESTS).join(', ')}; got ${path}`)
  const { tests, examples } = TESTS[folder] as (typeof TESTS)[string]
  process.env['PG_DEADLINE_MUTATE_TESTS'] = tests.flatMap(testFiles).join(',')
  process.env['PG_DEADLINE_RUNS'] = String(examples)
  const results = join('coverage', 'mutation', basename(path))
  await new Stryker({
    testRunner: 'in-process',
    plugins: ['./scripts/mutate/runner.ts', './scripts/mutate/human-texts.ts'],
    ignorers: ['human-texts'],
    ignoreStatic: values['no-static'],
    tsconfigFile: 'none',
    mutate: path.endsWith('.ts') ? [path] : [`${path}/**/*.ts`, '!src/**/*.d.ts'],
    coverageAnalysis: 'perTest',
    concurrency: 1,
    // On a machine that is busy with other things. What runs in circles is noticed by how often it passes by.
    timeoutMS: 20_000,
    dryRunTimeoutMinutes: 60,
    // Every version of a bundle stays in memory.
    maxTestRunnerReuse: 400,
    ignorePatterns: ['/demo', '/bench', '/docs', '/coverage', '/dist', '/package-lock.json'],
    tempDirName: `coverage/stryker-${basename(path)}`,
    reporters: ['clear-text', 'json', 'progress-append-only'],
    clearTextReporter: { allowColor: false, reportTests: false, logTests: false },
    jsonReporter: { fileName: `${results}.json` },
    allowConsoleColors: false,
    warnings: { slow: false, unknownOptions: true, preprocessorErrors: true, unserializableOptions: true },
  }).runMutationTest()
  if (path === folder) keep(folder, JSON.parse(readFileSync(`${results}.json`, 'utf8')))
}

function keep(folder: string, report: MutationReport): void {
  const run: MutationRun = {
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim(),
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    stryker: createRequire(import.meta.url)('@stryker-mutator/core/package.json').version,
    files: summarize(report),
  }
  const runs = { ...JSON.parse(readFileSync(RESULTS, 'utf8')), [folder]: run }
  const inOrder = Object.keys(TESTS).map((name) => [name, runs[name]])
  writeFileSync(RESULTS, `${JSON.stringify(Object.fromEntries(inOrder), null, 1)}\n`)
}

function testFiles(path: string): readonly string[] {
  if (path.endsWith('.ts')) return [path]
  return readdirSync(join(ROOT, path), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !LEFT_OUT.includes(basename(name)))
    .sort()
    .map((name) => `${path}/${name}`)
}
