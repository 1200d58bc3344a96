/**
 * Random bytes bought in bulk, as `crypto.randomUUID` does: one call of OpenSSL's generator costs as much as a hash, whether it is
 * asked for 18 bytes or for a thousand.
 */
import { randomBytes as draw } from 'node:crypto'
import type { RandomBytes } from './shuffle.ts'

const BULK_BYTES = 1_152

export function createRandomBytes(drawBytes: RandomBytes = draw): RandomBytes {
  let left: Buffer = Buffer.alloc(0)
  return (lengthBytes) => {
    if (lengthBytes > BULK_BYTES) return drawBytes(lengthBytes)
    if (left.length < lengthBytes) left = drawBytes(BULK_BYTES)
    const bytes = left.subarray(0, lengthBytes)
    left = left.subarray(lengthBytes)
    return bytes
  }
}
