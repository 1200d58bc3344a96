/**
 * The two SCRAM messages that a server sends, from bytes to values, by the grammar of RFC 5802 section 7 and by
 * nothing looser. Knows nothing of whether the values are the right ones: nonce, signature and limits are judged
 * in `scram.ts`. The length of a message needs no bound here: the frame of an authentication request has one.
 */
import { Fault } from '../protocol/failure.ts'

/** server-first-message: what the client needs in order to prove that it knows the password. */
export interface ServerFirst {
  readonly nonce: string
  readonly salt: Uint8Array
  /** At least 1. A count past what a number holds exactly is given as `Number.MAX_SAFE_INTEGER`. */
  readonly iterations: number
}

/** server-final-message: the server's own proof, or the reason why there is none. */
export type ServerFinal = { readonly signature: Uint8Array } | { readonly error: string }

/** Throws a Fault: `malformed`, or `incompatible` if the server demands an extension. */
export function parseServerFirst(data: Uint8Array): ServerFirst {
  const reader = new AttributeReader('AuthenticationSASLContinue', data)
  const nonce = reader.take('r')
  if (!PRINTABLE.test(nonce.value)) throw reader.malformed(nonce, 'is not printable ASCII')
  // An empty salt is lawful base64, and libpq (read_server_first_message) takes it. Refusing it would win nothing:
  // whoever plays the server may as well send one constant salt to everybody.
  const salt = reader.decodeBase64(reader.take('s'))
  const count = reader.take('i')
  // posit-number begins with 1 to 9, so zero, signs and leading zeros all end here.
  if (!POSITIVE_NUMBER.test(count.value)) throw reader.malformed(count, 'is not a positive decimal number')
  reader.skipExtensions()
  return { nonce: nonce.value, salt, iterations: Math.min(Number(count.value), Number.MAX_SAFE_INTEGER) }
}

/** Throws a Fault: `malformed`, or `incompatible` if the server demands an extension. */
export function parseServerFinal(data: Uint8Array): ServerFinal {
  const reader = new AttributeReader('AuthenticationSASLFinal', data)
  if (reader.isNext('e')) {
    const error = reader.take('e')
    if (error.value === '') throw reader.malformed(error, 'is empty')
    reader.skipExtensions()
    return { error: error.value }
  }
  const signature = reader.decodeBase64(reader.take('v'))
  reader.skipExtensions()
  return { signature }
}

/** `printable` of the grammar: visible ASCII but the comma, which separates attributes. */
export const PRINTABLE = /^[\x21-\x2b\x2d-\x7e]+$/
const POSITIVE_NUMBER = /^[1-9][0-9]*$/
const ALPHA = /^[A-Za-z]$/
/** Every attribute that RFC 5802 section 5.1 gives a meaning: none of them can be somebody's optional extension. */
const NAMED_BY_RFC_5802 = new Set('anmrcsipve')

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\0-\x1f\x7f]/
/** Of text that has a character for every byte. */
const NOT_ASCII = /[\x80-\xff]/

interface Attribute {
  /** One letter, or '' where there is no `ALPHA "="`. */
  readonly name: string
  readonly value: string
  readonly nameOffset: number
  readonly valueOffset: number
}

/** Walks over `name=value,name=value`. The order is fixed, so a parser asks for what must come next. */
class AttributeReader {
  readonly #message: string
  readonly #attributes: readonly Attribute[]
  readonly #lengthBytes: number
  #index = 0

  constructor(message: string, data: Uint8Array) {
    this.#message = message
    this.#lengthBytes = data.length
    this.#attributes = this.#split(data)
  }

  isNext(name: string): boolean {
    return this.#attributes[this.#index]?.name === name
  }

  take(name: string): Attribute {
    const attribute = this.#attributes[this.#index]
    if (attribute === undefined) throw this.#fault(name, this.#lengthBytes, 'is missing')
    this.#refuseMandatoryExtension(attribute)
    if (attribute.name !== name) throw this.#fault(name, attribute.nameOffset, 'does not stand where it must')
    this.#index += 1
    return attribute
  }

  /** Anything after the last known attribute is an extension that the server does not insist on: checked, not used. */
  skipExtensions(): void {
    if (this.#index === this.#attributes.length) return
    const seen = new Set(NAMED_BY_RFC_5802)
    for (const attribute of this.#attributes.slice(this.#index)) {
      this.#refuseMandatoryExtension(attribute)
      const { name, nameOffset } = attribute
      if (name === '') throw this.#fault('extension', nameOffset, 'is not a letter and an equals sign')
      if (seen.has(name)) throw this.#fault(name, nameOffset, 'comes twice, or where only an extension may stand')
      if (attribute.value === '') throw this.malformed(attribute, 'is empty')
      seen.add(name)
    }
  }

  /** Node's decoder forgives stray characters, missing padding and leftover bits; encoding again shows whether it had to. */
  decodeBase64(attribute: Attribute): Uint8Array {
    const bytes = Buffer.from(attribute.value, 'base64')
    if (bytes.toString('base64') !== attribute.value) throw this.malformed(attribute, 'is not canonical base64')
    return new Uint8Array(bytes)
  }

  /** The value itself is never told: a nonce or a signature would end up in somebody's log. */
  malformed(attribute: Attribute, problem: string): Fault {
    return this.#fault(attribute.name, attribute.valueOffset, problem)
  }

  /** RFC 5802 section 5.1: the presence of `m` must end the authentication, wherever it stands. */
  #refuseMandatoryExtension(attribute: Attribute): void {
    if (attribute.name !== 'm') return
    throw new Fault({ kind: 'incompatible', what: 'mandatory SCRAM extension', offered: ['m'], supported: [] })
  }

  /** Split first and decoded then: no byte of a longer character is a comma. */
  #split(data: Uint8Array): readonly Attribute[] {
    const attributes: Attribute[] = []
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.length).toString('latin1')
    for (let start = 0; start <= bytes.length; ) {
      const comma = bytes.indexOf(',', start)
      const end = comma === -1 ? bytes.length : comma
      attributes.push(this.#readAttribute(bytes.slice(start, end), start))
      start = end + 1
    }
    return attributes
  }

  /** `bytes` has a character for each of them. */
  #readAttribute(bytes: string, start: number): Attribute {
    const named = bytes[1] === '=' && ALPHA.test(bytes.charAt(0))
    const name = named ? bytes.charAt(0) : ''
    const valueOffset = named ? start + 2 : start
    const value = named ? bytes.slice(2) : bytes

    // The grammar would let control characters but NUL into the value of an extension. Nobody sends any, and what is
    // not let in cannot reach a log or a terminal.
    const control = value.search(CONTROL)
    if (control !== -1) throw this.#fault(name || 'extension', valueOffset + control, 'has a control character')
    return { name, value: this.#decodeUtf8(name, value, valueOffset), nameOffset: start, valueOffset }
  }

  #decodeUtf8(name: string, value: string, offset: number): string {
    if (!NOT_ASCII.test(value)) return value
    try {
      return UTF8.decode(Buffer.from(value, 'latin1'))
    } catch (cause) {
      throw this.#fault(name || 'extension', offset, 'is not UTF-8', { cause })
    }
  }

  #fault(field: string, offset: number, problem: string, options?: ErrorOptions): Fault {
    return new Fault({ kind: 'malformed', message: this.#message, field, offset, problem }, options)
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
