/**
 * Runs tests for Stryker in one process, which is loaded once for all mutants. Stryker compiles every mutant in and switches
 * one of them on at a time: so a mutant costs what its tests cost, until the first that fails. Stryker's own runner for vitest
 * begins a worker a mutant, which is a hundred times dearer here. A mutant that must be alive while modules are loaded (one in
 * a constant) has file after file loaded anew, until one fails.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import fc from 'fast-check'
import { bundleModules, collectBundle, type InProcessTest } from '../in-process-tests.ts'

/** What Stryker and the code that it has changed tell each other. */
interface Instrumenter {
  activeMutant?: string | undefined
  currentTestId?: string | undefined
  hitCount?: number | undefined
  hitLimit?: number | undefined
  mutantCoverage?: unknown
}

interface MutantRun {
  readonly testFilter?: readonly string[]
  readonly hitLimit?: number
  readonly activeMutant: { readonly id: string }
  readonly sandboxFileName: string
  readonly mutantActivation: 'runtime' | 'static'
}

interface TestResult {
  readonly id: string
  readonly name: string
  readonly fileName: string
  readonly timeSpentMs: number
  readonly status: number
  readonly failureMessage?: string
}

/** They keep what they have made: a mutant in the making shows only where everything is loaded anew. */
const KEEPERS = ['protocol/layout.ts']

/** Unless a test says otherwise. The same mutants are to survive again. */
const EXAMPLES = { numRuns: Number(process.env['PG_DEADLINE_RUNS']), seed: Number(process.env['PG_DEADLINE_SEED']) }

/** Stryker's numbers for a test that has passed, and one that has failed. */
const PASSED = 0
const FAILED = 1

class InProcessRunner {
  static readonly inject = [] as const
  readonly #instrumenter: Instrumenter
  readonly #loaded = new Map<string, readonly InProcessTest[]>()
  /** Relative to the copy of the tree in which Stryker lets us work. */
  readonly #files = (process.env['PG_DEADLINE_MUTATE_TESTS'] ?? '').split(',')
  #folder = ''

  constructor() {
    const scope = globalThis as { __stryker__?: Instrumenter }
    scope.__stryker__ ??= {}
    this.#instrumenter = scope.__stryker__
  }

  capabilities() {
    return { reloadEnvironment: true }
  }

  async init(): Promise<void> {
    // The smallest example is not asked for.
    fc.configureGlobal({ ...EXAMPLES, endOnFailure: true })
    this.#folder = mkdtempSync(join(process.cwd(), 'bundles-'))
    await bundleModules(process.cwd(), this.#files, this.#folder)
  }

  async dispose(): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async dryRun() {
    const tests: TestResult[] = []
    for (const file of this.#files) {
      for (const test of await this.#load(file)) tests.push(await this.#try(file, test))
    }
    return { status: 'complete', tests, mutantCoverage: this.#instrumenter.mutantCoverage }
  }

  async mutantRun({ testFilter, hitLimit, activeMutant, mutantActivation, sandboxFileName }: MutantRun) {
    const isKept = KEEPERS.some((path) => sandboxFileName.endsWith(path))
    const wanted = testFilter === undefined || isKept ? null : new Set(testFilter)
    const isStatic = mutantActivation === 'static' || isKept
    // What is loaded once is loaded while none of them is alive.
    if (!isStatic) for (const file of this.#files) await this.#load(file)
    Object.assign(this.#instrumenter, { activeMutant: activeMutant.id, hitCount: 0, hitLimit })
    let nrOfTests = 0
    try {
      for (const file of this.#nearestFirst(sandboxFileName)) {
        const tests = isStatic ? await collectBundle(this.#folder, file, activeMutant.id) : await this.#load(file)
        for (const test of tests) {
          if (wanted !== null && !wanted.has(idOf(file, test))) continue
          const { id, status, failureMessage } = await this.#try(file, test)
          nrOfTests += 1
          if (hitLimit !== undefined && (this.#instrumenter.hitCount ?? 0) > hitLimit)
            return { status: 'timeout', reason: `more than ${hitLimit} times through it` }
          if (status === FAILED) return { status: 'killed', killedBy: [id], failureMessage, nrOfTests }
        }
      }
      if (nrOfTests === 0) return { status: 'error', errorMessage: 'none of the tests that cover it was run' }
      return { status: 'survived', nrOfTests }
    } catch (error) {
      // A file that cannot be loaded has noticed.
      return { status: 'killed', killedBy: [], failureMessage: String(error), nrOfTests }
    } finally {
      this.#instrumenter.activeMutant = undefined
    }
  }

  /** Whoever is named like the module that is mutated will most likely notice. */
  #nearestFirst(mutated: string): readonly string[] {
    const named = (file: string) => basename(file).startsWith(`${basename(mutated, '.ts')}.`)
    return [...this.#files.filter(named), ...this.#files.filter((file) => !named(file))]
  }

  async #load(file: string): Promise<readonly InProcessTest[]> {
    const tests = this.#loaded.get(file) ?? (await collectBundle(this.#folder, file, ''))
    this.#loaded.set(file, tests)
    return tests
  }

  async #try(file: string, test: InProcessTest): Promise<TestResult> {
    const result = { id: idOf(file, test), name: test.name, fileName: join(process.cwd(), file) }
    const startedMs = performance.now()
    this.#instrumenter.currentTestId = result.id
    try {
      await test.run()
      return { ...result, status: PASSED, timeSpentMs: performance.now() - startedMs }
    } catch (error) {
      const failureMessage = String((error as Error | undefined)?.message ?? error).slice(0, 500)
      return { ...result, status: FAILED, timeSpentMs: performance.now() - startedMs, failureMessage }
    } finally {
      this.#instrumenter.currentTestId = undefined
    }
  }
}

function idOf(file: string, { name }: InProcessTest): string {
  return `${file}#${name}`
}

/** Stryker finds its plugins by this name. */
export const strykerPlugins = [{ kind: 'TestRunner', name: 'in-process', injectableClass: InProcessRunner }]
