/** So many generated cases, each a trial, one at a time; of those that fail, the smallest that was found. */
import fc from 'fast-check'
import { monotonicClock } from '../../net/deadline.ts'
import type { Terms, Trial } from '../examine.ts'

/**
 * @param isWell whether what is examined still does its work: one that has broken for good fails with every smaller case, and
 *   which of them it was that broke it would be lost
 */
export async function generateTrials<T>(
  values: fc.Arbitrary<T>,
  { seed, runs, patienceMs }: Terms,
  attempt: (value: T) => Promise<Trial>,
  isWell: () => Promise<boolean> = async () => true,
): Promise<readonly Trial[]> {
  const trials: Trial[] = []
  let smallest: Trial | null = null
  let shrinksUntilMs = Number.POSITIVE_INFINITY
  const property = fc.asyncProperty(values, async (value) => {
    // Behind the first failure come smaller cases only, for as long as what must come is waited for.
    if (monotonicClock.now() > shrinksUntilMs) return
    const trial = await attempt(value)
    if (smallest === null) trials.push(trial)
    if (trial.wrong === null) return
    if (smallest === null) {
      const isOver = !(await isWell())
      smallest = isOver ? { ...trial, wrong: `${trial.wrong}; and it does not get over that` } : trial
      shrinksUntilMs = isOver ? Number.NEGATIVE_INFINITY : monotonicClock.now() + patienceMs
    } else smallest = trial
    throw new Error(trial.wrong)
  })
  await fc.check(property, { seed, numRuns: runs })
  // In place of the case that failed first, which is the last of them.
  return smallest === null ? trials : [...trials.slice(0, -1), smallest]
}
