/**
 * Who said these bytes: whichever side could have. Most tags are one side's only, and a message without a tag is a client's; some
 * are both sides' ('C', 'D', 'd'), and then the fields decide, if they can.
 */
import { Fault } from '../protocol/failure.ts'
import { type Direction, type Dissection, Dissector, dissectAll, notWhole } from './dissect.ts'

/** What is in the bytes if this side said them: messages, and perhaps a place where they end to be any. */
export interface Reading {
  readonly direction: Direction
  readonly messages: readonly Dissection[]
  readonly fault: Fault | null
}

/** One reading, or two that are as good as each other: both without a fault, or both with one at the same place. */
export function guessDirection(bytes: Buffer): readonly Reading[] {
  const readings = (['sent', 'received'] as const).map((direction) => read(direction, bytes))
  const best = Math.max(...readings.map(worthOf))
  return readings.filter((reading) => worthOf(reading) === best)
}

/** As far as it goes. */
export function read(direction: Direction, bytes: Buffer, dissector = new Dissector()): Reading {
  const reading = readOn(direction, bytes, dissector)
  if (reading.rest.length === 0 || reading.fault !== null) return reading
  return { ...reading, fault: notWhole(direction, bytes, bytes.length - reading.rest.length, dissector) }
}

/** The same where more may follow: `rest` is the beginning of a message, and no fault. */
export function readOn(direction: Direction, bytes: Buffer, dissector: Dissector): Reading & { readonly rest: Buffer } {
  const messages: Dissection[] = []
  try {
    const all = dissectAll(direction, bytes, dissector)
    for (;;) {
      const { done, value } = all.next()
      if (done === true) return { direction, messages, fault: null, rest: bytes.subarray(value) }
      messages.push(value)
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { direction, messages, fault: error, rest: Buffer.alloc(0) }
  }
}

/** Without a fault is best; then as far as possible; then where only the end is missing. */
function worthOf({ fault }: Reading): number {
  if (fault === null) return Number.POSITIVE_INFINITY
  const { failure } = fault
  return failure.kind === 'malformed' ? 2 * failure.offset + (failure.field === '' ? 1 : 0) : 0
}
