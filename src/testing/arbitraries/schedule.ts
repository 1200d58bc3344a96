/**
 * When things happen to a connect: bytes that come in pieces, pauses, and at most one end, which is an abort of the caller's, a
 * FIN or an RST. Times are those of a virtual clock; nothing here waits.
 */
import fc from 'fast-check'

/** Something that happens, `afterMs` after what came before it. */
export type Occurrence =
  | { readonly afterMs: number; readonly what: 'bytes'; readonly count: number }
  | { readonly afterMs: number; readonly what: 'abort' | 'fin' | 'reset' }

export type Schedule = readonly Occurrence[]

export interface ScheduleBounds {
  /** As many bytes as there are to be delivered. */
  readonly lengthBytes: number
  /** The deadline under test: the moments around it are tried more often than others. */
  readonly timeoutMs: number
}

/**
 * Any schedule within these bounds. The counts of bytes come to `lengthBytes` at most; an end comes last.
 *
 * @example
 * fc.assert(fc.property(arbitrarySchedule({ lengthBytes: 300, timeoutMs: 1_000 }), (schedule) => play(schedule)))
 */
export function arbitrarySchedule({ lengthBytes, timeoutMs }: ScheduleBounds): fc.Arbitrary<Schedule> {
  const edge = fc.constantFrom(0, 1, timeoutMs - 1, timeoutMs, timeoutMs + 1).filter((afterMs) => afterMs >= 0)
  const afterMs = fc.oneof({ weight: 3, arbitrary: fc.nat(Math.ceil(timeoutMs / 4)) }, edge)
  const pieces = fc.array(fc.tuple(afterMs, fc.integer({ min: 1, max: Math.max(1, lengthBytes) })), { maxLength: 12 })
  const end = fc.option(fc.tuple(afterMs, fc.constantFrom('abort', 'fin', 'reset')), { nil: null })
  return fc.tuple(pieces, fc.boolean(), end).map(([wanted, isWhole, last]) => {
    const schedule: Occurrence[] = []
    let left = lengthBytes
    for (const [pauseMs, count] of wanted) {
      if (left === 0) break
      schedule.push({ afterMs: pauseMs, what: 'bytes', count: Math.min(count, left) })
      left -= Math.min(count, left)
    }
    if (isWhole && left > 0) schedule.push({ afterMs: 0, what: 'bytes', count: left })
    if (last !== null) schedule.push({ afterMs: last[0], what: last[1] })
    return schedule
  })
}
