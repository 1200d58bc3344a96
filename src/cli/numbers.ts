/** Numbers as people read them: thousands separated, and no more digits than mean something. */
const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

export function whole(number: number): string {
  return WHOLE.format(number)
}

/** Milliseconds, with one decimal below a hundred. No unit. */
export function milliseconds(durationMs: number): string {
  return durationMs < 99.95 ? durationMs.toFixed(1) : whole(durationMs)
}

/** For programs: microseconds are enough, and 27.34033700000009 is nobody's measurement. */
export function rounded(ms: number): number {
  return Number(ms.toFixed(3))
}
