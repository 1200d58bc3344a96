/** How long, as people write it on a command line. */
import { UsageError } from './command.ts'

const UNIT_MS: Readonly<Record<string, number>> = { '': 1_000, ms: 1, s: 1_000, min: 60_000 }

/** Milliseconds of '3s', '500ms', '2min'; a bare number is seconds, as for pg_isready. Throws UsageError. */
export function parseDuration(option: string, text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(text) ?? []
  const unitMs = UNIT_MS[unit]
  const ms = Number(number) * (unitMs ?? 0)
  // A deadline of nothing has passed before anything is tried, and libpq's 0 means the opposite.
  if (number === '' || unitMs === undefined || ms === 0) {
    throw new UsageError(`${option}: expected a time above 0 such as 3s, 500ms or 1min, got '${text}'`)
  }
  return ms
}
