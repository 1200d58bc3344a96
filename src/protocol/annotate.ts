/**
 * Bytes explained: every byte of a message with the field that it belongs to. Made from the layouts, so that
 * an explanation cannot say anything else than the decoder does.
 */
import { type Field, type FieldType, readField, type Shape } from './layout.ts'
import type { MessageLayout } from './message.ts'

export interface Annotation {
  /** From the first byte of the message, tag included. */
  readonly offset: number
  readonly bytes: Buffer
  /** Where in the message: 'parameters.0.name'. */
  readonly path: string
  /** The manual's name for the type: 'Int32', 'String', 'Byte4'. */
  readonly type: string
  /** The value as text. */
  readonly text: string
}

/** Annotate one whole message, header included. The bytes must have been decoded before: they are taken as well-formed. */
export function annotate(layout: MessageLayout, bytes: Buffer): Annotation[] {
  const annotations: Annotation[] = []
  const note = (path: string, type: string, offset: number, lengthBytes: number, text: string) =>
    annotations.push({ offset, bytes: bytes.subarray(offset, offset + lengthBytes), path, type, text })

  let at = 0
  if (layout.tag !== null) {
    note('tag', 'Byte1', 0, 1, `'${layout.tag}' ${layout.name}`)
    at = 1
  }
  note('length', 'Int32', at, 4, `${bytes.readInt32BE(at)} bytes, itself included`)
  walkShape(layout.fields, '', at + 4)
  return annotations

  function walkShape(fields: Shape, path: string, offset: number): number {
    let end = offset
    for (const [name, of] of Object.entries(fields)) end = walk(of, path === '' ? name : `${path}.${name}`, end)
    return end
  }

  function walk(of: Field<unknown>, path: string, offset: number): number {
    const { type } = of
    if (type.kind === 'struct') return walkShape(type.fields, path, offset)
    if (type.kind === 'list') return walkList(type, path, offset)
    const { value, end } = readField(of, bytes, offset)
    if (type.kind === 'sized') {
      const lengthBytes = end - offset - 4
      note(`${path}.length`, 'Int32', offset, 4, value === null ? '-1: none' : `${lengthBytes} bytes`)
      if (value instanceof Uint8Array && lengthBytes > 0)
        note(path, `Byte${lengthBytes}`, offset + 4, lengthBytes, hex(value))
    } else if (end > offset) {
      note(path, typeName(type, end - offset), offset, end - offset, textOf(type, value))
    }
    return end
  }

  function walkList(type: Extract<FieldType, { kind: 'list' }>, path: string, offset: number): number {
    let end = offset
    if (type.ends === 'zero') {
      for (let index = 0; bytes[end] !== 0; index++) end = walk(type.of, `${path}.${index}`, end)
      note(`${path}.end`, 'Byte1', end, 1, 'ends the list')
      return end + 1
    }
    const countBytes = type.ends === 'count16' ? 2 : 4
    const count = bytes.readIntBE(end, countBytes)
    note(`${path}.count`, `Int${8 * countBytes}`, end, countBytes, String(count))
    end += countBytes
    for (let index = 0; index < count; index++) end = walk(type.of, `${path}.${index}`, end)
    return end
  }
}

/** The manual's name for a type: #PROTOCOL-MESSAGE-TYPES. */
export function typeName(type: FieldType, lengthBytes?: number): string {
  switch (type.kind) {
    case 'integer':
      return type.constant === undefined ? `Int${8 * type.bytes}` : `Int${8 * type.bytes}(${type.constant})`
    case 'character':
      return 'Byte1'
    case 'string':
      return 'String'
    case 'bytes':
      return `Byte${type.length === 'rest' ? (lengthBytes ?? 'n') : type.length}`
    case 'sized':
      return 'Int32 and as many bytes'
    case 'struct':
      return Object.entries(type.fields)
        .map(([name, of]) => `${name} ${typeName(of.type)}`)
        .join(', ')
    case 'list':
      return `${{ zero: '', count16: 'Int16 and as many of ', count32: 'Int32 and as many of ' }[type.ends]}(${typeName(type.of.type)})${type.ends === 'zero' ? '… and a zero byte' : ''}`
  }
}

function textOf(type: FieldType, value: unknown): string {
  if (value instanceof Uint8Array) return hex(value)
  if (type.kind === 'string' || type.kind === 'character') return JSON.stringify(value)
  return String(value)
}

function hex(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
}
