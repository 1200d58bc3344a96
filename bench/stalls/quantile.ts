/** The value below which a part (0 to 1) of the sorted values lies: the nearest one that was measured, none in between. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN
}
