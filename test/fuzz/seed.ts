/**
 * How long a fuzz run is and from which seed: PG_DEADLINE_RUNS, PG_DEADLINE_SEED, else a new seed at every start. The seed is
 * printed with whatever fails.
 */
import fc from 'fast-check'

const { PG_DEADLINE_SEED, PG_DEADLINE_RUNS } = process.env

export interface FuzzOptions {
  readonly seed: number
  readonly runs: number
}

export function fuzzOptions(runs: number): FuzzOptions {
  return {
    seed: readNumber('PG_DEADLINE_SEED', PG_DEADLINE_SEED) ?? newSeed(),
    runs: readNumber('PG_DEADLINE_RUNS', PG_DEADLINE_RUNS) ?? runs,
  }
}

/** So many handshakes over a path that harms them, or only delays and splits: 2,000 in every run of the tests. */
export const HANDSHAKES = { harmed: 1_900, patient: 100 }

export function newSeed(): number {
  return Date.now() % 2 ** 31
}

/** For how long a failure is made smaller; the other lanes go on for as long. */
const SHRINK_MS_MAX = 20_000

/**
 * Holds `act` against `runs` drawn values, several at a time. Each lane draws from a seed of its own, so that what fails shrinks
 * while the others go on.
 */
export async function fuzzInLanes<T>(
  { seed, runs }: FuzzOptions,
  lanes: number,
  values: fc.Arbitrary<T>,
  act: (value: T) => Promise<void>,
): Promise<void> {
  let failedAtMs = Number.POSITIVE_INFINITY
  const property = fc.asyncProperty(values, async (value) => {
    // Whatever fails now is no smaller by much, and who waits wants to be told.
    if (performance.now() > failedAtMs + SHRINK_MS_MAX) return
    try {
      await act(value)
    } catch (error) {
      failedAtMs = Math.min(failedAtMs, performance.now())
      throw error
    }
  })
  const lane = async (index: number) => {
    const numRuns = Math.floor(runs / lanes) + (index < runs % lanes ? 1 : 0)
    if (numRuns === 0) return
    try {
      await fc.assert(property, { seed: seed + index, numRuns })
    } catch (error) {
      throw explain(error, { seed, runs })
    }
  }
  const outcomes = await Promise.allSettled(Array.from({ length: lanes }, (_, index) => lane(index)))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}

/** fast-check tells the value, and keeps to itself what went wrong with it. */
function explain(error: unknown, { seed, runs }: FuzzOptions): Error {
  const { message, cause } = error as Error
  const why = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  return new Error(`${why}\n${message}\nreplay with PG_DEADLINE_SEED=${seed} PG_DEADLINE_RUNS=${runs}`, {
    cause: error,
  })
}

function readNumber(name: string, text: string | undefined): number | null {
  if (text === undefined || text === '') return null
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${name} is ${text}, which is no whole number`)
  return number
}
