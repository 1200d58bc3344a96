import { describe, expect, it } from 'vitest'
import { Recent } from '../../src/net/recent.ts'

describe('what is remembered', () => {
  it('is what was put in last, and no more than so many', () => {
    const recent = new Recent<number>(2)
    recent.set('a', 1)
    recent.set('b', 2)
    recent.set('a', 3)
    recent.set('c', 4)
    expect(['a', 'b', 'c'].map((key) => recent.get(key))).toEqual([3, undefined, 4])
  })
})
