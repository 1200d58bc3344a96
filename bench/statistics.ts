/** The few figures that a row of measurements is summed up in. */

export interface Summary {
  readonly count: number
  readonly p50: number
  /** The middle half lies between these two: the spread. */
  readonly p25: number
  readonly p75: number
  readonly p99: number
}

export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b)
  const [p25 = 0, p50 = 0, p75 = 0, p99 = 0] = [0.25, 0.5, 0.75, 0.99].map((part) => quantile(sorted, part))
  return { count: values.length, p25, p50, p75, p99 }
}

/** The value below which a part (0 to 1) of the sorted values lies: the nearest one that was measured, none in between. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return summarize(values).p50
}
