import { describe, expect, it, vi } from 'vitest'
import { createRandomBytes } from '../src/random-bytes.ts'

/** 0, 1, 2 and so on: every byte that is drawn differs from the one before. */
function counting() {
  let next = 0
  return vi.fn((lengthBytes: number) => Buffer.from(Array.from({ length: lengthBytes }, () => next++ % 256)))
}

describe('random bytes', () => {
  it('are those that were drawn, each of them handed out once', () => {
    const draw = counting()
    const random = createRandomBytes(draw)
    const bytes = [18, 4, 0, 18].map((lengthBytes) => [...random(lengthBytes)])
    expect(bytes.map(({ length }) => length)).toEqual([18, 4, 0, 18])
    expect(bytes.flat()).toEqual(Array.from({ length: 40 }, (_, index) => index))
    expect(draw).toHaveBeenCalledOnce()
  })

  it('are drawn again when too few are left, and what is left of the last draw is dropped', () => {
    const draw = counting()
    const random = createRandomBytes(draw)
    for (let index = 0; index < 64; index += 1) random(18)
    expect(draw).toHaveBeenCalledTimes(1)
    expect(random(18)).toHaveLength(18)
    expect(draw).toHaveBeenCalledTimes(2)
    random(1_151 - 18)
    expect(random(2)).toHaveLength(2)
    expect(draw).toHaveBeenCalledTimes(3)
  })

  it('may be as many as one likes', () => {
    const draw = counting()
    expect(createRandomBytes(draw)(5_000)).toHaveLength(5_000)
    expect(draw.mock.calls).toEqual([[5_000]])
  })

  it('are the system’s by default', () => {
    const random = createRandomBytes()
    const all = new Set(Array.from({ length: 1_000 }, () => random(18).toString('base64')))
    expect(all.size).toBe(1_000)
  })
})
