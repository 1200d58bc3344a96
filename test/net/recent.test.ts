import { describe, expect, it } from 'vitest'
import { Recent } from '../../src/net/recent.ts'

describe('what is held', () => {
  const of = (recent: Recent<number>) => ['a', 'b', 'c'].map((key) => recent.get(key))

  it('is no more than so many: what was not used for longest leaves first', () => {
    const recent = new Recent<number>(2)
    recent.set('a', 1)
    recent.set('b', 2)
    recent.set('c', 3)
    expect(of(recent)).toEqual([undefined, 2, 3])
    recent.get('b')
    recent.set('a', 4)
    expect(of(recent)).toEqual([4, 2, undefined])
  })

  it('is what was set last, and takes one place', () => {
    const recent = new Recent<number>(2)
    for (const value of [1, 2, 3]) recent.set('a', value)
    recent.set('b', 4)
    expect(of(recent)).toEqual([3, 4, undefined])
  })

  it('can be taken out', () => {
    const recent = new Recent<number>(2)
    recent.set('a', 1)
    recent.delete('a')
    recent.delete('b')
    expect(of(recent)).toEqual([undefined, undefined, undefined])
  })

  it('may be nothing', () => {
    const recent = new Recent<number>(0)
    recent.set('a', 1)
    expect(recent.get('a')).toBeUndefined()
  })
})
