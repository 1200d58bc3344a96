/**
 * Takes every guard out, one at a time, and runs the tests that should notice: `npm run guards`. A guard is an `if` that
 * throws; taken out, its condition is false. A guard whose removal fails no test is not guarded, and this fails.
 *
 * `npm run guards -- src/auth` looks at one folder or file only. Works on copies: the tree is not touched.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, sep } from 'node:path'

interface Guard {
  readonly file: string
  readonly line: number
  readonly condition: string
  /** The file without it. */
  readonly without: string
}

const ROOT = join(import.meta.dirname, '..')
const COPIED = ['src', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts', 'biome.json']

/** Which tests should notice, by the beginning of the guard's path. No server is started for them. */
const TESTS: readonly (readonly [path: string, tests: readonly string[]])[] = [
  ['src/protocol/', ['test/protocol']],
  ['src/auth/', ['test/auth']],
  ['src/state/', ['test/state', 'test/connect.test.ts', 'test/connect-tls.test.ts', 'test/session.test.ts']],
  ['src/config/', ['test/config']],
  ['src/net/', ['test/net', 'test/connect.test.ts']],
  ['src/', ['test/connect.test.ts', 'test/connect-tls.test.ts', 'test/session.test.ts']],
]

/** Guards against ourselves, which the types make unreachable: what they say, and why they stay all the same. */
const UNREACHABLE: readonly string[] = [
  // connect.ts: the table lets nobody speak before the transport is open, nor TLS begin unasked.
  'wire === undefined',
  'tlsOptions === null',
]

const wanted = process.argv.slice(2)
const guards = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .map((name) => `src/${name.split(sep).join('/')}`)
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts') && !name.startsWith('src/testing/'))
  .filter((name) => wanted.length === 0 || wanted.some((path) => name.startsWith(path)))
  .flatMap(findGuards)
  .filter(({ condition }) => !UNREACHABLE.includes(condition))

if (guards.length === 0) throw new Error(`no guards in ${wanted.join(', ')}`)
console.log(`${guards.length} guards`)

const survivors: Guard[] = []
const queue = [...guards]
await Promise.all(Array.from({ length: Math.min(availableParallelism(), guards.length) }, work))

for (const { file, line, condition } of survivors) console.error(`not noticed: ${file}:${line}: if (${condition})`)
console.log(`${guards.length - survivors.length} of ${guards.length} guards are noticed when they are taken out`)
if (survivors.length > 0) process.exitCode = 1

async function work(): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), 'guards-'))
  try {
    for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
    for (let guard = queue.shift(); guard !== undefined; guard = queue.shift()) {
      const path = join(copy, guard.file)
      const original = readFileSync(path, 'utf8')
      writeFileSync(path, guard.without)
      const noticed = await testsFail(copy, testsFor(guard.file))
      writeFileSync(path, original)
      if (!noticed) survivors.push(guard)
      process.stdout.write(noticed ? '.' : 'S')
    }
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
    // A guard against work without end may be the one that is missing.
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => resolve(code !== 0))
  })
}

/** `if (…) throw …` and `if (…) { throw … }`, comments between them allowed. */
function findGuards(file: string): Guard[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const found: Guard[] = []
  for (const { index } of text.matchAll(/\bif \(/g)) {
    const begin = index + 'if ('.length
    const end = closingParenthesis(text, begin)
    if (!/^\)\s*(\{\s*)?(\/\/[^\n]*\s*)*throw\b/.test(text.slice(end))) continue
    const condition = text.slice(begin, end)
    // `if (!(error instanceof Fault)) throw error` passes on what is not its own: no guard against a server.
    if (/^!\(?\w+ instanceof/.test(condition)) continue
    found.push({
      file,
      line: text.slice(0, index).split('\n').length,
      condition: condition.replace(/\s+/g, ' ').trim(),
      without: `${text.slice(0, begin)}false && (${condition})${text.slice(end)}`,
    })
  }
  return found
}

function closingParenthesis(text: string, from: number): number {
  let depth = 1
  for (let at = from; at < text.length; at++) {
    if (text[at] === '(') depth += 1
    else if (text[at] === ')') depth -= 1
    if (depth === 0) return at
  }
  throw new Error('a parenthesis is not closed')
}
