/**
 * How every property is run: as often as PG_DEADLINE_RUNS says, from the seed in PG_DEADLINE_SEED, which is printed when
 * something fails.
 */
import fc from 'fast-check'

/** Runs of a property that costs next to nothing. Cheaper and dearer ones say what they take instead. */
const RUNS = 200

/** Assert a property. `runs` is its default; PG_DEADLINE_RUNS replaces it for all of them. */
export function check<T>(property: fc.IProperty<T>, runs = RUNS): void {
  fc.assert(property, settings(runs))
}

/** The same for a property that waits. */
export async function checkAsync<T>(property: fc.IAsyncProperty<T>, runs = RUNS): Promise<void> {
  await fc.assert(property, settings(runs))
}

function settings<T>(runs: number): fc.Parameters<T> {
  const { PG_DEADLINE_SEED: seed, PG_DEADLINE_RUNS: wanted } = process.env
  return {
    numRuns: wanted === undefined ? runs : Number(wanted),
    ...(seed !== undefined && { seed: Number(seed) }),
    reporter(details) {
      if (!details.failed) return
      const replay = `replay: PG_DEADLINE_SEED=${details.seed} PG_DEADLINE_RUNS=${Math.max(details.numRuns, 1)}`
      throw new Error(`${replay}\n${fc.defaultReportMessage(details)}`, { cause: details.errorInstance })
    },
  }
}
