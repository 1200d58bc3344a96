/**
 * Tests as functions, in the process that calls them: collected by vitest and judged by its `expect`, without its workers.
 * For programs that run the same tests a thousand times over, each time with something else broken. A file of tests is one
 * bundle with all that it imports, so that everything of ours is loaded anew when it is asked for under another version.
 */
import { setMaxListeners } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { collectTests, getFn, getHooks, type Suite, type Test, type VitestRunner } from '@vitest/runner'
import { build, type Plugin } from 'esbuild'

export interface InProcessTest {
  /** With the names of what it stands in, and unique in its file. */
  readonly name: string
  /** Rejects if it fails. Hooks included, those for the whole file too. */
  readonly run: () => Promise<void>
}

/** A path of a module, relative to the root, and its text: what becomes of it. */
export type Edit = (path: string, text: string) => string

/** For a test that waits for something that never comes. */
const TIMEOUT_MS = 60_000

const CONFIG = {
  root: '/',
  name: '',
  setupFiles: [],
  sequence: { shuffle: false, hooks: 'stack', setupFiles: 'list', seed: 1 },
  tags: [],
  allowOnly: false,
  passWithNoTests: true,
  retry: 0,
  testTimeout: TIMEOUT_MS,
  hookTimeout: TIMEOUT_MS,
  maxConcurrency: 1,
  expect: {},
  snapshotOptions: {},
  fakeTimers: {},
}

const RUNNER = {
  config: CONFIG,
  pool: 'in-process',
  importFile: (path: string) => import(path),
  trace: (_name: string, given: unknown, call?: () => unknown) =>
    typeof given === 'function' ? given() : (call as () => unknown)(),
} as unknown as VitestRunner

/** Bundle each of these modules, relative to `root`, into `folder`. */
export async function bundleModules(
  root: string,
  paths: readonly string[],
  folder: string,
  edit: Edit = (_path, text) => text,
): Promise<void> {
  // In a bundle, every module still says where it stood.
  const whereItStood: Plugin = {
    name: 'where-it-stood',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => ({
        loader: 'ts',
        contents: edit(path.slice(root.length + 1), readFileSync(path, 'utf8'))
          .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
          .replaceAll('import.meta.dirname', JSON.stringify(dirname(path))),
      }))
    },
  }
  await build({
    entryPoints: paths.map((path) => join(root, path)),
    outdir: folder,
    outbase: root,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
    plugins: [whereItStood],
  })
}

/** The module in its bundle. Under another version, all of it is loaded anew. */
export function importBundle(folder: string, path: string, version: string): Promise<unknown> {
  return import(urlOf(folder, path, version))
}

/** The tests of a module that is bundled. Rejects if it cannot be loaded. */
export async function collectBundle(folder: string, path: string, version: string): Promise<InProcessTest[]> {
  // What vitest's modules look for when they ask how they are configured.
  Object.assign(globalThis, {
    __vitest_worker__: { config: CONFIG, filepath: path, providedContext: {}, ctx: {}, metaEnv: process.env },
  })
  const [file] = await collectTests([urlOf(folder, path, version)], RUNNER)
  if (file === undefined) throw new Error(`${path} has not been collected`)
  if (file.result?.state === 'fail') throw file.result.errors?.[0] ?? new Error(`${path} cannot be loaded`)
  const taken = new Map<string, number>()
  return testsIn(file).map((test) => {
    const suites = suitesAround(test)
    const name = [...suites.slice(1).map((suite) => suite.name), test.name].join(' > ')
    // The rows of a table may have one name.
    const count = (taken.get(name) ?? 0) + 1
    taken.set(name, count)
    // With each run vitest listens to it once more.
    setMaxListeners(0, test.context.signal)
    return { name: count === 1 ? name : `${name} (${count})`, run: () => runTest(test, suites) }
  })
}

function urlOf(folder: string, path: string, version: string): string {
  return `${pathToFileURL(join(folder, path.replace(/\.ts$/, '.mjs'))).href}?${version}`
}

function testsIn(suite: Suite): Test[] {
  return suite.tasks.flatMap((task) => {
    if (task.mode !== 'run' && task.mode !== 'queued') return []
    return task.type === 'suite' ? testsIn(task) : [task as Test]
  })
}

/** From the file inwards. */
function suitesAround(test: Test): Suite[] {
  const suites: Suite[] = []
  for (let suite = test.suite; suite !== undefined && suite !== test.file; suite = suite.suite) suites.unshift(suite)
  return [test.file, ...suites]
}

async function runTest(test: Test, suites: readonly Suite[]): Promise<void> {
  const fromInside = suites.toReversed()
  const undo: unknown[] = []
  test.result = { state: 'run', startTime: 0 }
  try {
    for (const suite of suites) for (const hook of getHooks(suite).beforeAll) undo.push(await hook(suite))
    for (const suite of suites) {
      for (const hook of getHooks(suite).beforeEach) undo.push(await hook(test.context, suite))
    }
    await getFn(test)?.()
    if (test.result?.errors !== undefined) throw test.result.errors[0]
  } catch (error) {
    // It has skipped itself.
    if ((error as { code?: unknown }).code !== 'VITEST_PENDING') throw error
  } finally {
    for (const suite of fromInside) {
      for (const hook of getHooks(suite).afterEach.toReversed()) await hook(test.context, suite)
    }
    for (const suite of fromInside) {
      for (const hook of getHooks(suite).afterAll.toReversed()) await hook(suite)
    }
    for (const one of undo.toReversed()) if (typeof one === 'function') await one()
  }
}
