/** Where a stream of bytes is cut into what one read gives: TCP keeps the order, and nothing else. */
import fc from 'fast-check'

/** The lengths of the pieces, over and over. A piece may be empty, but not all of them. */
export type Segmentation = readonly number[]

/**
 * Any way to cut any stream, with those that have broken readers before: byte by byte, header apart from body, all at once.
 *
 * @example
 * fc.assert(fc.property(arbitrarySegmentation(), (cuts) => Buffer.concat(segment(bytes, cuts)).equals(bytes)))
 */
export function arbitrarySegmentation(): fc.Arbitrary<Segmentation> {
  return fc.oneof(
    fc.array(fc.nat(60), { minLength: 1, maxLength: 8 }).filter((lengths) => lengths.some((length) => length > 0)),
    fc.constantFrom([1], [5], [1, 0], [4, 1], [Number.MAX_SAFE_INTEGER]),
  )
}

/** The pieces of these bytes. Each has memory of its own, as what a socket gives; together they are the bytes. */
export function segment(bytes: Uint8Array, lengths: Segmentation): Buffer[] {
  const pieces: Buffer[] = []
  let at = 0
  for (let index = 0; at < bytes.length; index++) {
    const end = Math.min(bytes.length, at + (lengths[index % lengths.length] as number))
    pieces.push(Buffer.from(bytes.subarray(at, end)))
    at = end
  }
  return pieces
}
