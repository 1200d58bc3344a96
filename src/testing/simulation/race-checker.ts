/**
 * What RFC 8305 asks of a race for the addresses of a name, held against the moments at which sockets were opened. It knows
 * nothing of how the race is run.
 */

/** One socket of a race. */
export interface Dialed {
  readonly address: string
  readonly atMs: number
  /** When it was open, had failed or was given up; null: it is still waited for. */
  endedMs: number | null
}

/** One attempt: the addresses in the order in which the name has them, and the sockets in the order in which they were opened. */
export interface RaceRecord {
  readonly addresses: readonly { readonly address: string; readonly family: number }[]
  readonly dialed: Dialed[]
}

/** RFC 8305 section 5: the Connection Attempt Delay that it recommends. */
const DELAY_MS = 250
/** LIMITS.dialsAtOnceMax, once more. */
const AT_ONCE_MAX = 8
/** A share of the deadline is no whole number of milliseconds, and a timer is. */
const TOLERANCE_MS = 1

/** `isOnTime`: false where our own event loop was blocked, since then a socket may be opened late. */
export function findWrongRace({ addresses, dialed }: RaceRecord, isOnTime: boolean): string[] {
  const found: string[] = []
  const order = orderOf(addresses)
  if (dialed.some(({ address }, index) => address !== order[index])) found.push('addresses were dialed out of order')
  for (const [index, { atMs }] of dialed.entries()) {
    const before = dialed.slice(0, index)
    const running = before.filter(({ endedMs }) => endedMs === null || endedMs > atMs)
    if (running.length >= AT_ONCE_MAX) found.push('too many sockets were being opened at once')
    const last = before.at(-1)
    if (last === undefined) continue
    const waitedMs = atMs - last.atMs
    const hasFailed = before.some(({ endedMs }) => endedMs === atMs)
    if (waitedMs < DELAY_MS - TOLERANCE_MS && !hasFailed) found.push('an address was dialed too early')
    if (isOnTime && waitedMs > DELAY_MS + TOLERANCE_MS) found.push('an address was dialed too late')
  }
  return found
}

/** Section 4: the families take turns, and the first address says which of them begins. */
function orderOf(addresses: RaceRecord['addresses']): string[] {
  const left = [...addresses]
  const order: string[] = []
  let family = left[0]?.family
  while (left.length > 0) {
    const index = left.findIndex((one) => one.family === family)
    const [taken] = left.splice(Math.max(0, index), 1)
    order.push(taken?.address ?? '')
    family = family === 4 ? 6 : 4
  }
  return order
}
