/** Bytes that were whole once: the smallest accidents that a wire, a proxy or a bug can make of them. */
import fc from 'fast-check'

/**
 * One byte changed, taken out or put in, or the end cut off. A byte may be changed into itself: damage is where it may be, and
 * not what it must do.
 *
 * @example
 * const whole = fc.constant(encodeBackend({ type: 'ReadyForQuery', status: 'I' }))
 * fc.assert(fc.property(arbitraryDamage(whole), (bytes) => Math.abs(bytes.length - 6) <= 1 || bytes.length < 6))
 */
export function arbitraryDamage(whole: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const byte = fc.oneof(fc.constantFrom(0x00, 0x7f, 0x80, 0xff), fc.nat(0xff))
  return fc
    .tuple(whole, fc.constantFrom('change', 'remove', 'insert', 'cut'), fc.nat(), byte)
    .map(([bytes, damage, where, value]) => {
      const at = where % (bytes.length + 1)
      const before = bytes.subarray(0, at)
      const after = bytes.subarray(damage === 'insert' ? at : at + 1)
      const middle = damage === 'change' || damage === 'insert' ? [value] : []
      return Buffer.concat([before, Buffer.from(middle), damage === 'cut' ? Buffer.alloc(0) : after])
    })
}
