import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { shuffle } from '../src/shuffle.ts'

const NUMBERS = [0, 1, 2, 3]

/** What is drawn, as numbers of 32 bits, one after the other. */
function drawing(...numbers: readonly number[]) {
  const left = [...numbers]
  return (lengthBytes: number) => {
    if (lengthBytes !== 4) throw new RangeError(`expected a draw of 4 bytes, got ${lengthBytes}`)
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(left.shift() ?? 0)
    return bytes
  }
}

describe('a shuffle', () => {
  it.each([1, 2, 3, 4])('of %i gives every order equally often', (length) => {
    // Of twelve numbers in a row, as many leave one remainder as another, whether by 1, 2, 3 or 4.
    const draws = 12 ** length
    const counts = new Map<string, number>()
    for (let count = 0; count < draws; count += 1) {
      const numbers = Array.from({ length }, (_, index) => Math.floor(count / 12 ** index) % 12)
      const order = shuffle(NUMBERS.slice(0, length), drawing(...numbers)).join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    const orders = [1, 1, 2, 6, 24][length] as number
    expect(counts.size).toBe(orders)
    expect(new Set(counts.values())).toEqual(new Set([draws / orders]))
  })

  it.each([0, 1, 2, 3])('uses byte %i of a draw, with all of its values', (at) => {
    const firsts = [0, 0, 0]
    for (let value = 0; value < 256; value += 1) {
      const bytes = Buffer.alloc(4)
      bytes[at] = value
      const [first] = shuffle([0, 1, 2], drawing(bytes.readUInt32BE()))
      firsts[first as number] = (firsts[first as number] ?? 0) + 1
    }
    // 256 leaves 1 when it is divided by 3, so that every byte counts alike.
    expect(firsts).toEqual([86, 85, 85])
  })

  it('loses nothing, adds nothing and leaves the list as it was', () => {
    const draw = fc.uint8Array({ minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(fc.array(fc.nat(9)), fc.infiniteStream(draw), (list, draws) => {
        const before = [...list]
        const shuffled = shuffle(list, () => Buffer.from(draws.next().value as Uint8Array))
        expect(list).toEqual(before)
        expect([...shuffled].sort()).toEqual([...list].sort())
      }),
    )
  })

  it('of nothing is nothing, and asks for no randomness', () => {
    const randomBytes = vi.fn(() => Buffer.alloc(4))
    expect(shuffle([], randomBytes)).toEqual([])
    expect(randomBytes).not.toHaveBeenCalled()
  })
})
