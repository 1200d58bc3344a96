/** How many runs a property is given, and from which seed. What fails prints its seed, and PG_DEADLINE_SEED plays it again. */
/** So many runs, unless PG_DEADLINE_RUNS says otherwise. */
function runs(usual: number): number {
  const { PG_DEADLINE_RUNS } = process.env
  return PG_DEADLINE_RUNS === undefined ? usual : Number(PG_DEADLINE_RUNS)
}

/** For fast-check. */
export function propertyOptions(usual: number): { numRuns: number; seed?: number } {
  const { PG_DEADLINE_SEED } = process.env
  const numRuns = runs(usual)
  return PG_DEADLINE_SEED === undefined ? { numRuns } : { numRuns, seed: Number(PG_DEADLINE_SEED) }
}

/** Seeds of plans: those that have failed once come first. */
export function seedsOf(kept: readonly number[], usual: number): number[] {
  const { PG_DEADLINE_SEED } = process.env
  if (PG_DEADLINE_SEED !== undefined) return [Number(PG_DEADLINE_SEED)]
  return [...kept, ...Array.from({ length: runs(usual) }, (_, index) => index + 1)]
}
