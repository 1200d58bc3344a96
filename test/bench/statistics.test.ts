import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { median, quantile, summarize } from '../../bench/statistics.ts'

const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 50 })

describe('a summary', () => {
  it('is made of values that were measured', () => {
    fc.assert(
      fc.property(values, (all) => {
        const { p25, p50, p75, p99, count } = summarize(all)
        expect(count).toBe(all.length)
        for (const one of [p25, p50, p75, p99]) expect(all).toContain(one)
      }),
    )
  })

  it('goes up, and does not depend on the order of what it sums up', () => {
    fc.assert(
      fc.property(values, (all) => {
        const { p25, p50, p75, p99 } = summarize(all)
        expect(p25 <= p50 && p50 <= p75 && p75 <= p99).toBe(true)
        expect(summarize(all.toReversed())).toEqual(summarize(all))
      }),
    )
  })

  it('sorts numbers as numbers', () => {
    expect(median([10, 9, 100])).toBe(10)
  })

  it('of nothing is no number', () => {
    expect(quantile([], 0.5)).toBeNaN()
  })
})
