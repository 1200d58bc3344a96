/**
 * DataRow, read by hand: it is the one message that comes a million times. Its description in backend.ts is
 * what this reader is tested against.
 *
 * Manual: #PROTOCOL-MESSAGE-FORMATS-DATAROW.
 */
import { Fault } from './failure.ts'
import { LIMITS } from './limits.ts'

/**
 * The values of one row as text, null for SQL's NULL. `formats` has one number per column, as RowDescription gives
 * them: a value in binary (1), which under the simple protocol only a binary cursor sends, becomes `\\x` and
 * hexadecimal digits, since to read it as text would destroy it.
 * Throws Fault 'malformed', and 'limit' for a value that no string can hold.
 */
export function decodeDataRow(body: Buffer, formats: readonly number[] = []): (string | null)[] {
  if (body.length < 2) throw malformed('values', 0, `needs 2 bytes, ${body.length} are left`)
  const count = body.readInt16BE(0)
  if (count < 0) throw malformed('values', 0, `expected a count of 0 or more, got ${count}`)
  const values: (string | null)[] = []
  let at = 2
  for (let index = 0; index < count; index++) {
    if (at + 4 > body.length) throw malformed(`values.${index}`, at, `needs 4 bytes, ${body.length - at} are left`)
    const length = body.readInt32BE(at)
    at += 4
    if (length === -1) {
      values.push(null)
      continue
    }
    if (length < -1) throw malformed(`values.${index}`, at - 4, `expected a length of -1 or more, got ${length}`)
    if (length > body.length - at) {
      throw malformed(`values.${index}`, at, `needs ${length} bytes, ${body.length - at} are left`)
    }
    const isBinary = formats[index] === 1
    const textLength = isBinary ? 2 + 2 * length : length
    if (textLength > LIMITS.stringBytesMax) {
      throw new Fault({ kind: 'limit', what: 'length of a value', limit: LIMITS.stringBytesMax, received: textLength })
    }
    values.push(isBinary ? `\\x${body.toString('hex', at, at + length)}` : body.toString('utf8', at, at + length))
    at += length
  }
  if (at !== body.length) throw malformed('', at, `${body.length - at} bytes follow the last field`)
  return values
}

function malformed(field: string, offset: number, problem: string): Fault {
  return new Fault({ kind: 'malformed', message: 'DataRow', field, offset, problem })
}
