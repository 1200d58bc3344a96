/**
 * Fields described as data. One description gives the decoder, the encoder, the TypeScript type, the annotated
 * hex of annotate.ts, the documentation and the test data; message.ts makes messages of them.
 *
 * The only file that imports buffer-layout. What is known to bite in that package ends here: strings that
 * never end, strings that hold a NUL, blobs shorter than promised, properties that are missing and would
 * be left out silently, lengths beyond the buffer, the deprecated Buffer constructor.
 *
 * Types are the manual's: #PROTOCOL-MESSAGE-TYPES.
 */
import { Blob, CString, greedy, IntBE, Layout, Structure } from 'buffer-layout'
import { LIMITS } from './limits.ts'

/** What a field is, for whoever wants to look at a message rather than to read it. */
export type FieldType =
  | { readonly kind: 'integer'; readonly bytes: 1 | 2 | 4; readonly constant?: number }
  | { readonly kind: 'character'; readonly allowed: string | null }
  | { readonly kind: 'string' }
  | { readonly kind: 'bytes'; readonly length: number | 'rest' }
  | { readonly kind: 'sized' }
  | { readonly kind: 'list'; readonly of: Field<unknown>; readonly ends: 'zero' | 'count16' | 'count32' }
  | { readonly kind: 'struct'; readonly fields: Shape }

/** One field of a message: its type as data, and how it is read, written and measured. */
export interface Field<out T> {
  readonly type: FieldType
  /** Phantom: carries T to the type system; never there at run time. */
  readonly value?: T
}

/** Fields in the order in which they are sent. */
export type Shape = Readonly<Record<string, Field<unknown>>>

/** A field whose value is always the same, and which is therefore no part of the message's value. */
export interface ConstantField extends Field<undefined> {
  readonly type: Extract<FieldType, { kind: 'integer' }> & { readonly constant: number }
}

/** The value of a message with these fields. */
export type Struct<S extends Shape> = {
  readonly [K in keyof S as S[K] extends ConstantField ? never : K]: S[K] extends Field<infer T> ? T : never
}

// ---------------------------------------------------------------------------------------------------
// Describing

/** Int32, signed, as everything in this protocol is. */
export const int32: Field<number> = { type: { kind: 'integer', bytes: 4 } }
/** Int16, signed. */
export const int16: Field<number> = { type: { kind: 'integer', bytes: 2 } }
/** Int8. */
export const int8: Field<number> = { type: { kind: 'integer', bytes: 1 } }
/** String: UTF-8 and a terminating NUL. Bytes that are not UTF-8 are read as U+FFFD: before
 *  authentication a server may write in an encoding of its own. */
export const string: Field<string> = { type: { kind: 'string' } }
/** Bytes until the end of the message. */
export const rest: Field<Uint8Array> = { type: { kind: 'bytes', length: 'rest' } }
/** An Int32 that counts the bytes that follow it, or -1 for none at all. */
export const sized: Field<Uint8Array | null> = { type: { kind: 'sized' } }

/** Byte1 that is one of these characters (any but NUL, if none are given). */
export function character<C extends string = string>(...allowed: readonly C[]): Field<C> {
  return { type: { kind: 'character', allowed: allowed.length === 0 ? null : allowed.join('') } }
}

/** A fixed number of bytes. */
export function bytes(length: number): Field<Uint8Array> {
  return { type: { kind: 'bytes', length } }
}

/** An Int32 that says which message this is, and so has one lawful value. */
export function constant(value: number): ConstantField {
  return { type: { kind: 'integer', bytes: 4, constant: value } }
}

/** Several fields as one. */
export function struct<S extends Shape>(fields: S): Field<Struct<S>> {
  return { type: { kind: 'struct', fields } }
}

/** Items until a zero byte stands where the next one would begin. */
export function untilZero<T>(of: Field<T>): Field<readonly T[]> {
  return { type: { kind: 'list', of, ends: 'zero' } }
}

/** Items after an Int16 that counts them. */
export function counted16<T>(of: Field<T>): Field<readonly T[]> {
  return { type: { kind: 'list', of, ends: 'count16' } }
}

/** Items after an Int32 that counts them. */
export function counted32<T>(of: Field<T>): Field<readonly T[]> {
  return { type: { kind: 'list', of, ends: 'count32' } }
}

// ---------------------------------------------------------------------------------------------------
// Reading and writing. A problem is thrown as Bad; message.ts says in which message.

/** The value of the field that begins at `offset`, and where it ends. */
export function readField<T>(of: Field<T>, body: Buffer, offset: number): { readonly value: T; readonly end: number } {
  const layout = layoutOf(of)
  return { value: layout.decode(body, offset) as T, end: offset + layout.getSpan(body, offset) }
}

/** The same for several fields as one (a struct), each of which becomes a property of `into`; the result is where they end. */
export function readFields(
  of: Field<Readonly<Record<string, unknown>>>,
  body: Buffer,
  offset: number,
  into: Record<string, unknown>,
): number {
  return (layoutOf(of) as Fields).read(body, offset, into)
}

/** How many bytes a value takes. What cannot be sent is found here, before memory is taken for it; a list that
 *  would end too early shows while it is written, before anything is sent. */
export function measureField<T>(of: Field<T>, value: T): number {
  return layoutOf(of).measure(value)
}

/** Write a value that was measured before. */
export function writeField<T>(of: Field<T>, value: T, into: Buffer, offset: number): void {
  layoutOf(of).encode(value, into, offset)
}

// ---------------------------------------------------------------------------------------------------
// buffer-layout, made strict

/** A problem at a place; the structures on its way up add their field's name. */
export class Bad extends Error {
  readonly offset: number
  readonly problem: string
  readonly path: string[] = []

  constructor(offset: number, problem: string) {
    super(problem)
    this.offset = offset
    this.problem = problem
  }
}

/** A buffer-layout that can say beforehand how many bytes a value takes. */
interface Measured extends Layout {
  measure(value: unknown): number
}

/** The reader and writer of each description, made when first needed. */
const layouts = new WeakMap<FieldType, Measured>()

function layoutOf({ type }: Field<unknown>): Measured {
  let layout = layouts.get(type)
  if (layout === undefined) {
    layout = makeLayout(type)
    layouts.set(type, layout)
  }
  return layout
}

function makeLayout(type: FieldType): Measured {
  switch (type.kind) {
    case 'integer':
      return type.constant === undefined ? new Integer(type.bytes) : new Constant(type.constant)
    case 'character':
      return new Character(type.allowed)
    case 'string':
      return new Text()
    case 'bytes':
      return new Bytes(type.length)
    case 'sized':
      return new Sized()
    case 'list':
      return new List(type.of, type.ends)
    case 'struct':
      return new Fields(type.fields)
  }
}

function need(body: Buffer, offset: number, lengthBytes: number): void {
  if (offset + lengthBytes > body.length) {
    throw new Bad(offset, `needs ${lengthBytes} bytes, ${body.length - offset} are left`)
  }
}

/** Signed integers only: the manual knows no others, and a length of 0xffffffff is -1 and not 4 GB. */
class Integer extends IntBE implements Measured {
  override decode(body: Buffer, offset: number): number {
    need(body, offset, this.span)
    return super.decode(body, offset) as number
  }

  measure(value: unknown): number {
    const bound = 2 ** (8 * this.span - 1)
    if (!Number.isInteger(value) || (value as number) < -bound || (value as number) >= bound) {
      throw new Bad(0, `expected a whole number from ${-bound} to ${bound - 1}, got ${shown(value)}`)
    }
    return this.span
  }
}

class Constant extends Integer {
  readonly #value: number

  constructor(value: number) {
    super(4)
    this.#value = value
  }

  override decode(body: Buffer, offset: number): number {
    const value = super.decode(body, offset)
    if (value !== this.#value) throw new Bad(offset, `expected ${this.#value}, got ${value}`)
    return value
  }
}

class Character extends Layout implements Measured {
  readonly #allowed: string | null

  constructor(allowed: string | null) {
    super(1)
    this.#allowed = allowed
  }

  override decode(body: Buffer, offset: number): string {
    need(body, offset, 1)
    const value = body.toString('latin1', offset, offset + 1)
    if (!this.#allows(value)) throw new Bad(offset, `expected one of ${this.#expected()}, got ${shownCharacter(value)}`)
    return value
  }

  override encode(value: unknown, into: Buffer, offset: number): number {
    return into.write(value as string, offset, 'latin1')
  }

  measure(value: unknown): number {
    if (typeof value !== 'string' || value.length !== 1 || !this.#allows(value)) {
      throw new Bad(0, `expected one of ${this.#expected()}, got ${shown(value)}`)
    }
    return 1
  }

  #allows(value: string): boolean {
    return this.#allowed === null ? value > '\0' && value <= '\xff' : this.#allowed.includes(value)
  }

  #expected(): string {
    return this.#allowed === null ? "the characters '\\x01' to '\\xff'" : `'${[...this.#allowed].join("', '")}'`
  }
}

/** buffer-layout reads a string without end as if it had one, and writes a NUL as if it were a letter. */
class Text extends CString implements Measured {
  override getSpan(body: Buffer, offset: number): number {
    const end = body.indexOf(0, offset)
    if (end < 0) throw new Bad(offset, 'the string has no terminating NUL')
    return end + 1 - offset
  }

  override decode(body: Buffer, offset: number): string {
    const lengthBytes = this.getSpan(body, offset) - 1
    if (lengthBytes > LIMITS.stringBytesMax) throw new Bad(offset, `longer than ${LIMITS.stringBytesMax} bytes`)
    return body.toString('utf8', offset, offset + lengthBytes)
  }

  override encode(value: unknown, into: Buffer, offset: number): number {
    // The package itself would call the deprecated Buffer constructor here.
    const written = into.write(value as string, offset, 'utf8')
    into[offset + written] = 0
    return written + 1
  }

  measure(value: unknown): number {
    if (typeof value !== 'string') throw new Bad(0, `expected a string, got ${shown(value)}`)
    // A NUL ends a string: what follows would be read as the next field, or as a further parameter.
    if (value.includes('\0')) throw new Bad(0, `the string holds a NUL at index ${value.indexOf('\0')}`)
    if (!value.isWellFormed()) throw new Bad(0, 'the string holds half of a surrogate pair, which UTF-8 cannot say')
    return Buffer.byteLength(value, 'utf8') + 1
  }
}

/** Copied on reading: what comes out of a control message is small, and must not keep a network buffer alive. */
class Bytes extends Blob implements Measured {
  readonly #length: number | 'rest'

  constructor(length: number | 'rest') {
    super(length === 'rest' ? greedy() : length)
    this.#length = length
  }

  override decode(body: Buffer, offset: number): Uint8Array {
    const span = this.getSpan(body, offset)
    need(body, offset, span)
    return new Uint8Array(body.subarray(offset, offset + span))
  }

  override encode(value: unknown, into: Buffer, offset: number): number {
    // The package itself would go through a hexadecimal string here.
    into.set(value as Uint8Array, offset)
    return (value as Uint8Array).length
  }

  measure(value: unknown): number {
    if (!(value instanceof Uint8Array)) throw new Bad(0, `expected a Uint8Array, got ${shown(value)}`)
    if (this.#length !== 'rest' && value.length !== this.#length) {
      throw new Bad(0, `expected ${this.#length} bytes, got ${value.length}`)
    }
    return value.length
  }
}

class Sized extends Layout implements Measured {
  readonly #length = new Integer(4)

  constructor() {
    super(-1)
  }

  override getSpan(body: Buffer, offset: number): number {
    const length = this.#length.decode(body, offset)
    if (length < -1) throw new Bad(offset, `expected a length of -1 or more, got ${length}`)
    need(body, offset + 4, length)
    return 4 + Math.max(0, length)
  }

  override decode(body: Buffer, offset: number): Uint8Array | null {
    const span = this.getSpan(body, offset)
    if (body.readInt32BE(offset) === -1) return null
    return new Uint8Array(body.subarray(offset + 4, offset + span))
  }

  override encode(value: unknown, into: Buffer, offset: number): number {
    const content = value as Uint8Array | null
    this.#length.encode(content === null ? -1 : content.length, into, offset)
    if (content !== null) into.set(content, offset + 4)
    return 4 + (content?.length ?? 0)
  }

  measure(value: unknown): number {
    if (value !== null && !(value instanceof Uint8Array))
      throw new Bad(0, `expected a Uint8Array or null, got ${shown(value)}`)
    return 4 + (value?.length ?? 0)
  }
}

class List extends Layout implements Measured {
  readonly #of: Field<unknown>
  readonly #count: Integer | null

  constructor(of: Field<unknown>, ends: Extract<FieldType, { kind: 'list' }>['ends']) {
    super(-1)
    this.#of = of
    this.#count = ends === 'zero' ? null : new Integer(ends === 'count16' ? 2 : 4)
  }

  override getSpan(body: Buffer, offset: number): number {
    return this.#walk(body, offset, () => {})
  }

  override decode(body: Buffer, offset: number): unknown[] {
    const items: unknown[] = []
    this.#walk(body, offset, (item, at) => {
      items.push(item.decode(body, at))
    })
    return items
  }

  override encode(value: unknown, into: Buffer, offset: number): number {
    const items = value as readonly unknown[]
    const item = layoutOf(this.#of)
    let at = offset
    if (this.#count !== null) at += this.#count.encode(items.length, into, at)
    for (const [index, one] of items.entries()) {
      at += inside(index, () => {
        const lengthBytes = item.encode(one, into, at)
        // What follows such an item would be lost, and the peer would say so much later, or never.
        if (this.#count === null && into[at] === 0) throw new Bad(0, 'it begins with a zero byte, which ends the list')
        return lengthBytes
      })
    }
    if (this.#count === null) into[at++] = 0
    return at - offset
  }

  measure(value: unknown): number {
    if (!Array.isArray(value)) throw new Bad(0, `expected an array, got ${shown(value)}`)
    const item = layoutOf(this.#of)
    let sum = this.#count === null ? 1 : this.#count.measure(value.length)
    for (const [index, one] of value.entries()) sum += inside(index, () => item.measure(one))
    return sum
  }

  /** Visit every item; the number of bytes is the result. Each item takes a byte at least, so a count cannot
   *  make us do more work than the body has bytes. */
  #walk(body: Buffer, offset: number, visit: (item: Layout, at: number) => void): number {
    const item = layoutOf(this.#of)
    let at = offset
    const one = () => {
      visit(item, at)
      at += item.getSpan(body, at)
    }
    if (this.#count === null) {
      for (let index = 0; ; index++) {
        if (at >= body.length) throw new Bad(at, 'the list has no terminating zero byte')
        if (body[at] === 0) return at + 1 - offset
        inside(index, one)
      }
    }
    const count = this.#count.decode(body, at)
    if (count < 0) throw new Bad(at, `expected a count of 0 or more, got ${count}`)
    at += this.#count.span
    for (let index = 0; index < count; index++) inside(index, one)
    return at - offset
  }
}

/** A field under its name. */
class Named extends Layout {
  readonly inner: Measured

  constructor(name: string, inner: Measured) {
    super(inner.span, name)
    this.inner = inner
  }

  override getSpan(body: Buffer, offset: number): number {
    return this.inner.getSpan(body, offset)
  }
}

class Fields extends Structure implements Measured {
  readonly #members: readonly Member[]

  constructor(shape: Shape) {
    const members = Object.entries(shape).map(([name, of]) => {
      const { type } = of
      return { name, layout: layoutOf(of), constant: type.kind === 'integer' ? type.constant : undefined }
    })
    super(members.map(({ name, layout }) => new Named(name, layout)))
    this.#members = members
  }

  /** Every message comes through here, and not through the package: once, and without a closure for each field. */
  read(body: Buffer, offset: number, into: Record<string, unknown>): number {
    let end = offset
    let met = ''
    try {
      for (const { name, layout, constant } of this.#members) {
        met = name
        const one = layout.decode(body, end)
        if (constant === undefined) into[name] = one
        end += layout.getSpan(body, end)
      }
    } catch (error) {
      throw placed(error, met)
    }
    return end
  }

  override decode(body: Buffer, offset: number): Record<string, unknown> {
    const value = {}
    this.read(body, offset, value)
    return value
  }

  override encode(value: unknown, into: Buffer, offset: number): number {
    let at = offset
    let met = ''
    try {
      for (const { name, layout, constant } of this.#members) {
        met = name
        at += layout.encode(constant ?? (value as Values)[name], into, at)
      }
    } catch (error) {
      throw placed(error, met)
    }
    return at - offset
  }

  measure(value: unknown): number {
    if (typeof value !== 'object' || value === null) throw new Bad(0, `expected an object, got ${shown(value)}`)
    let sum = 0
    let met = ''
    try {
      for (const { name, layout, constant } of this.#members) {
        met = name
        const one = constant ?? (value as Values)[name]
        // The package would leave a missing property out and send a message that says something else.
        if (one === undefined) throw new Bad(0, 'the value is missing')
        sum += layout.measure(one)
      }
    } catch (error) {
      throw placed(error, met)
    }
    return sum
  }
}

interface Member {
  readonly name: string
  readonly layout: Measured
  readonly constant: number | undefined
}

type Values = Readonly<Record<string, unknown>>

/** A character that a peer chose, fit for a terminal: as itself if it is visible ASCII. */
export function shownCharacter(character: string): string {
  const code = character.charCodeAt(0)
  return code > 0x20 && code < 0x7f ? `'${character}'` : `0x${code.toString(16).padStart(2, '0')}`
}

/** What a caller gave instead of a value: numbers as they are, of anything else the type, for it may be a secret. */
function shown(value: unknown): string {
  return typeof value === 'number' || value === null ? String(value) : `a value of type ${typeof value}`
}

function inside<T>(name: string | number, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw placed(error, String(name))
  }
}

/** A problem, with the name of the place where it was met in front of its path. */
function placed(error: unknown, name: string): unknown {
  if (error instanceof Bad) error.path.unshift(name)
  return error
}
