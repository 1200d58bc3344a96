/**
 * The last line of a test run, for people and for machines: `12 passed, 0 failed`, with `, 3 skipped` if there are any.
 *
 * It is written when the process exits, after the coverage table. A failure is a test, a hook, a file that could not be
 * loaded or an error that nobody caught; a run that exits with an error for any other reason (a coverage threshold, an
 * interrupt) counts as one more, so that `0 failed` never stands under a run that failed. A run that breaks off before its
 * first test writes no such line.
 */
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export class LastLine implements Reporter {
  #counts: Counts | null = null

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    if (this.#counts === null) process.once('exit', (code) => this.#write(code))
    this.#counts = count(modules, unhandledErrors)
  }

  #write(exitCode: number): void {
    if (this.#counts !== null) process.stdout.write(`\n${lastLine(this.#counts, exitCode)}\n`)
  }
}

export function lastLine({ passed, failed, skipped }: Counts, exitCode: number): string {
  const failures = exitCode === 0 ? failed : Math.max(failed, 1)
  return `${passed} passed, ${failures} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`
}

/** A test that was begun or queued and never finished is a failure. */
function count(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): Counts {
  let [passed, failed, skipped] = [0, unhandledErrors.length, 0]
  for (const module of modules) {
    if (module.errors().length > 0) failed += 1
    for (const suite of module.children.allSuites()) if (suite.errors().length > 0) failed += 1
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'passed') passed += 1
      else if (state === 'skipped') skipped += 1
      else failed += 1
    }
  }
  return { passed, failed, skipped }
}
