/**
 * Tries properties on somebody and counts what comes of it. What a property is about is its own affair: a client, a server.
 */
import { monotonicClock } from '../net/deadline.ts'
import type { PropertyReport, Report, Violation } from './report.ts'

export interface ExamineOptions {
  /** The deadline that a client is given where it is the deadline that must end it. Default: 500. */
  readonly timeoutMs?: number | undefined
  /** How late an end may come, on a machine that others use too. Default: 500. */
  readonly slackMs?: number | undefined
  /** How long something is waited for that must come. Default: 10,000. */
  readonly patienceMs?: number | undefined
  /** How many trials go on at once, where they do not disturb each other. Default: 16. */
  readonly lanes?: number | undefined
  /** Where generated cases come from. Default: another seed each time; the report has it. */
  readonly seed?: number | undefined
  /** How many cases are generated for a property that is not exhaustive. Default: 50. */
  readonly runs?: number | undefined
}

/** The options, whole. */
export type Terms = { readonly [K in keyof ExamineOptions]-?: NonNullable<ExamineOptions[K]> }

/** Something that must hold of every `Subject`. */
export interface Property<Subject> {
  /** Stable: 'client/silence'. */
  readonly id: string
  readonly statement: string
  readonly source: string
  /** Try it. Null if it does not apply. */
  readonly examine: (subject: Subject, terms: Terms) => Promise<readonly Trial[] | null>
}

/** One thing that was tried. */
export interface Trial {
  readonly trial: string
  /** A word or two for how it ended, for the count. */
  readonly outcome: string
  /** What was wrong; null if all was well. */
  readonly wrong: string | null
}

export function termsOf(options: ExamineOptions): Terms {
  return {
    timeoutMs: options.timeoutMs ?? 500,
    slackMs: options.slackMs ?? 500,
    patienceMs: options.patienceMs ?? 10_000,
    lanes: options.lanes ?? 16,
    // fast-check takes a signed integer of 32 bits.
    seed: options.seed ?? (crypto.getRandomValues(new Int32Array(1))[0] as number),
    runs: options.runs ?? 50,
  }
}

/** Each property in turn; `between` is called before each. */
export async function examine<Subject>(
  names: Pick<Report, 'subject' | 'against'>,
  properties: readonly Property<Subject>[],
  terms: Terms,
  between: () => Promise<Subject>,
): Promise<Report> {
  const reports: PropertyReport[] = []
  for (const property of properties) reports.push(reportOf(property, await property.examine(await between(), terms)))
  return { ...names, seed: terms.seed, runs: terms.runs, properties: reports }
}

function reportOf<Subject>(
  { id, statement, source }: Property<Subject>,
  trials: readonly Trial[] | null,
): PropertyReport {
  const said = { id, statement, source }
  if (trials === null) return { ...said, verdict: 'untried', trials: 0, outcomes: {}, violations: [] }
  const outcomes: Record<string, number> = {}
  for (const { outcome } of trials) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  const violations = trials.flatMap(({ trial, wrong }): Violation[] => (wrong === null ? [] : [{ trial, seen: wrong }]))
  return { ...said, verdict: violations.length === 0 ? 'holds' : 'broken', trials: trials.length, outcomes, violations }
}

/** `act` on each item, several at a time; the results in the order of the items. */
export async function inLanes<Item, Result>(
  items: readonly Item[],
  lanes: number,
  act: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const queue = items.entries()
  const lane = async () => {
    for (const [index, item] of queue) results[index] = await act(item)
  }
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane))
  return results
}

/** What it resolves to, or null if it has not settled by then. A rejection is passed on. */
export async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | null> {
  let cancel = () => {}
  const late = new Promise<null>((resolve) => {
    cancel = monotonicClock.setTimer(() => resolve(null), timeoutMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    cancel()
  }
}
