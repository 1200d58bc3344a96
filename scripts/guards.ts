/**
 * Takes every guard out, one at a time, and runs the tests that should notice: `npm run guards`. A guard is
 *
 * - a `throw`: an `if` that throws; taken out, its condition is false;
 * - an `early return` in front of something that throws; taken out, its condition is true;
 * - a `call` of a function that throws or does nothing else; taken out, it is gone;
 * - a `verdict`: an `if` that returns, in a function that judges; taken out, its condition is false.
 *
 * A guard whose removal fails no test is not guarded, and this fails.
 *
 * `npm run guards -- src/auth` looks at one folder or file only. Works on copies: the tree is not touched.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { findGuards, type Guard } from './guards/find.ts'
import { UNREACHABLE } from './guards/unreachable.ts'

const ROOT = join(import.meta.dirname, '..')
const COPIED = ['src', 'test', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts', 'biome.json']

/** Which tests should notice, by the beginning of the guard's path. No server is started for them. */
const TESTS: readonly (readonly [path: string, tests: readonly string[]])[] = [
  ['src/protocol/', ['test/protocol']],
  ['src/auth/', ['test/auth']],
  ['src/state/', ['test/state', 'test/connect.test.ts', 'test/connect-tls.test.ts', 'test/session.test.ts']],
  ['src/config/', ['test/config']],
  ['src/hooks.ts', ['test/hooks.test.ts']],
  ['src/net/', ['test/net', 'test/connect.test.ts']],
  ['src/cli/', ['test/cli']],
  ['src/cancel.ts', ['test/cancel.test.ts']],
  ['src/debug.ts', ['test/debug.test.ts']],
  ['src/explain-deadline.ts', ['test/explain-deadline.test.ts']],
  ['src/observation.ts', ['test/observation.test.ts']],
  ['src/password-request.ts', ['test/passwords.test.ts', 'test/connect-tls.test.ts']],
  ['src/passwords.ts', ['test/passwords.test.ts']],
  ['src/plan.ts', ['test/plan.test.ts', 'test/explain-deadline.test.ts']],
  ['src/redact.ts', ['test/redact.test.ts', 'test/hooks.test.ts']],
  ['src/session.ts', ['test/session.test.ts', 'test/cancel.test.ts']],
  ['src/shuffle.ts', ['test/shuffle.test.ts']],
  ['src/tls-files.ts', ['test/tls-files.test.ts', 'test/connect-tls.test.ts']],
  [
    'src/wait-options.ts',
    ['test/least-ms.test.ts', 'test/passwords.test.ts', 'test/connect.test.ts', 'test/session.test.ts'],
  ],
  [
    'src/',
    [
      'test/echo.test.ts',
      'test/observation.test.ts',
      'test/connect.test.ts',
      'test/connect-hosts.test.ts',
      'test/connect-tls.test.ts',
      'test/connecting.test.ts',
      'test/early-sasl.test.ts',
      'test/first-query.test.ts',
      'test/cancel.test.ts',
      'test/least-ms.test.ts',
      'test/session.test.ts',
    ],
  ],
]

/** What these tests take on a machine that is busy with other things. */
const PATIENCE_MS = 120_000

const wanted = process.argv.slice(2)
const guards = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .map((name) => `src/${name.split(sep).join('/')}`)
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts') && !name.startsWith('src/testing/'))
  .filter((name) => wanted.length === 0 || wanted.some((path) => name.startsWith(path)))
  .flatMap((name) => findGuards(name, readFileSync(join(ROOT, name), 'utf8')))
  .filter(({ file, text }) => !UNREACHABLE.some((one) => one.file === file && one.text === text))

if (guards.length === 0) throw new Error(`no guards in ${wanted.join(', ')}`)
console.log(
  `${guards.length} guards: ${count('throw')}, ${count('early return')}, ${count('call')}, ${count('verdict')}`,
)
await inCopy(checkThatTestsPass)

const survivors: Guard[] = []
const queue = [...guards]
await Promise.all(Array.from({ length: Math.min(availableParallelism(), guards.length) }, work))

for (const { file, line, kind, text } of survivors) console.error(`not noticed: ${file}:${line}: ${kind}: ${text}`)
console.log(`${guards.length - survivors.length} of ${guards.length} guards are noticed when they are taken out`)
if (survivors.length > 0) process.exitCode = 1

function count(kind: Guard['kind']): string {
  return `${guards.filter((guard) => guard.kind === kind).length} of kind '${kind}'`
}

async function work(): Promise<void> {
  await inCopy(async (copy) => {
    for (let guard = queue.shift(); guard !== undefined; guard = queue.shift()) {
      const path = join(copy, guard.file)
      const original = readFileSync(path, 'utf8')
      writeFileSync(path, guard.without)
      const noticed = await testsFail(copy, testsFor(guard.file))
      writeFileSync(path, original)
      if (!noticed) survivors.push(guard)
      process.stdout.write(noticed ? '.' : 'S')
    }
  })
}

/** Tests that fail anyway would notice everything. */
async function checkThatTestsPass(copy: string): Promise<void> {
  for (const tests of new Set(guards.map(({ file }) => testsFor(file)))) {
    if (await testsFail(copy, tests)) throw new Error(`fails with every guard in its place: ${tests.join(' ')}`)
  }
}

async function inCopy(run: (copy: string) => Promise<void>): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), 'guards-'))
  try {
    for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
    await run(copy)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function testsFor(file: string): readonly string[] {
  return TESTS.find(([path]) => file.startsWith(path))?.[1] ?? []
}

function testsFail(cwd: string, tests: readonly string[]): Promise<boolean> {
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
  const child = spawn(process.execPath, [vitest, 'run', '--bail=1', '--reporter=dot', '--maxWorkers=1', ...tests], {
    cwd,
    stdio: 'ignore',
    // A group of its own: the tests run in a child of this child, which would go on without it.
    detached: true,
  })
  // A guard against work without end may be the one that is missing.
  const impatience = setTimeout(() => process.kill(-Number(child.pid), 'SIGKILL'), PATIENCE_MS)
  return new Promise<boolean>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => resolve(code !== 0))
  }).finally(() => clearTimeout(impatience))
}
