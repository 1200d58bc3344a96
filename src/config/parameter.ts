/**
 * One connection parameter: what it is called, what it means, and how it is read, from text (a URI) or from a
 * value (an object). There is a function below for each kind of them; the table in parameters.ts consists of
 * their results. An empty text is no value, in either form: PostgreSQL's libpq says the same of most
 * parameters, and one rule for all is easier to remember.
 */
import { Secret } from '../auth/secret.ts'
import { LIMITS } from '../protocol/limits.ts'
import { hideOptions, readOptions } from './node-tls-options.ts'
import { readElements } from './own-properties.ts'
import type { NodeTlsOptions, PasswordSource } from './settings.ts'
import type { ConnectTarget } from './target.ts'
import { unusable } from './unusable.ts'

/** What the documentation needs to know of a parameter. */
export interface About {
  /** Its name in `ConnectTarget`. */
  readonly property: keyof ConnectTarget
  /** Where the PostgreSQL manual describes it; null if it is ours, and libpq does not know it. */
  readonly anchor: string | null
  /** What holds if it is not given, in words. */
  readonly default: string
  /** What it says, in one line. */
  readonly meaning: string
}

export interface Parameter<Value> extends About {
  /** Its type in `ConnectTarget`. */
  readonly type:
    | 'string'
    | 'number'
    | 'boolean'
    | 'string | Secret'
    | 'string | Secret | PasswordSource'
    | 'object'
    | 'string | readonly string[]'
    | 'number | string | readonly number[]'
  /** Read it from a connection string. undefined: not given. Throws Fault, which names the parameter `name`. */
  readonly fromText: (name: string, text: string) => Value | undefined
  /** Read it from a property. undefined: not given. Throws Fault, which names the parameter `name`. */
  readonly fromValue: (name: string, value: unknown) => Value | undefined
}

/** Turn a value of the right type into what is kept, or throw. */
type Read<From, To> = (name: string, value: From) => To

export function text<Value = string>(about: About, read: Read<string, Value>): Parameter<Value> {
  const fromText = (name: string, value: string): Value | undefined =>
    value === '' ? undefined : read(name, checkSendable(name, value))
  return {
    ...about,
    type: 'string',
    fromText,
    fromValue: (name, value) => {
      if (typeof value !== 'string') throw wrongType(name, 'a string', value)
      return fromText(name, value)
    },
  }
}

/** One of these words. The type is theirs. */
export function choice<const Word extends string>(about: About, words: readonly Word[]): Parameter<Word> {
  return text(about, (name, value) => {
    const word = words.find((one) => one === value)
    if (word !== undefined) return word
    throw unusable(name, `must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}`)
  })
}

/** `read` says what is kept of the revealed text. Nothing that it throws may quote it. */
export function secret(about: About, read: Read<string, string> = (_, value) => value): Parameter<Secret> {
  const fromText = (name: string, value: string): Secret | undefined =>
    value === '' ? undefined : new Secret(read(name, checkSendable(name, value)))
  return {
    ...about,
    type: 'string | Secret',
    fromText,
    fromValue: (name, value) => {
      const revealed: unknown = value instanceof Secret ? value.reveal() : value
      if (typeof revealed !== 'string') throw wrongType(name, 'a string or a Secret', revealed)
      return fromText(name, revealed)
    },
  }
}

/** A secret, or a function that will be asked for it. What that returns is checked where it is called. */
export function password(about: About): Parameter<Secret | PasswordSource> {
  const { fromText, fromValue } = secret(about)
  return {
    ...about,
    type: 'string | Secret | PasswordSource',
    fromText,
    fromValue: (name, value) => {
      if (typeof value === 'function') return value as PasswordSource
      if (typeof value === 'string' || value instanceof Secret) return fromValue(name, value)
      throw wrongType(name, 'a string, a Secret or a function', value)
    },
  }
}

export function number(about: About, read: Read<number, number>): Parameter<number> {
  return {
    ...about,
    type: 'number',
    fromText: (name, value) => (value === '' ? undefined : read(name, parseInteger(name, value))),
    fromValue: (name, value) => {
      if (typeof value !== 'number') throw wrongType(name, 'a number', value)
      return read(name, value)
    },
  }
}

/**
 * One for every host: separated by commas, or in an object an array as well. null is one that was left empty. Each
 * is read by `one`, and an array may hold what its `fromValue` takes.
 */
export function list<Value>(one: Parameter<Value>): Parameter<readonly (Value | null)[]> {
  const fromText = (name: string, value: string): readonly (Value | null)[] | undefined => {
    if (value === '') return undefined
    const entries = value.includes(',') ? value.split(',', LIMITS.hostsMax + 1) : [value]
    return checkLength(name, entries).map((entry) => one.fromText(name, entry) ?? null)
  }
  return {
    ...one,
    type: one.type === 'number' ? 'number | string | readonly number[]' : 'string | readonly string[]',
    fromText,
    fromValue: (name, value) => {
      if (typeof value === 'string') return fromText(name, value)
      const elements = readElements(name, value, LIMITS.hostsMax + 1)
      if (elements !== null) {
        return checkLength(name, elements).map((element) => one.fromValue(name, element) ?? null)
      }
      if (typeof value === 'number' && one.type === 'number') return [one.fromValue(name, value) ?? null]
      throw wrongType(name, `${one.type === 'number' ? 'a number, a string' : 'a string'} or an array`, value)
    },
  }
}

function checkLength<Entry>(name: string, entries: readonly Entry[]): readonly Entry[] {
  // An empty string is no host given. An array out of which all hosts were filtered must not lead to the local one.
  if (entries.length === 0) throw unusable(name, 'is an array without elements; leave it out')
  if (entries.length > LIMITS.hostsMax) throw unusable(name, `has more than ${LIMITS.hostsMax} entries; give fewer`)
  return entries
}

const FLAG = { yes: ['true', 'on', 'yes', '1'], no: ['false', 'off', 'no', '0'] }

/** `words` are those of the text form, the ones for true and the ones for false. */
export function boolean(about: About, words: typeof FLAG = FLAG): Parameter<boolean> {
  return {
    ...about,
    type: 'boolean',
    fromText: (name, value) => {
      if (value === '') return undefined
      if (words.yes.includes(value)) return true
      if (words.no.includes(value)) return false
      throw unusable(name, `must be one of ${words.yes.join(', ')}, or one of ${words.no.join(', ')}`)
    },
    fromValue: (name, value) => {
      if (typeof value !== 'boolean') throw wrongType(name, 'a boolean', value)
      return value
    },
  }
}

/** Options for node:tls. They hold objects and functions, so there is no text for them. */
export function nodeTlsOptions(about: About): Parameter<NodeTlsOptions> {
  return {
    ...about,
    type: 'object',
    fromText: (name, value) => {
      if (value === '') return undefined
      throw unusable(name, 'is for an object only, and holds options of node:tls; whether to use TLS says sslmode')
    },
    fromValue: (name, value) => {
      if (typeof value === 'object' && value !== null) return hideOptions(readOptions(name, value))
      throw unusable(name, 'must be an object with options of node:tls; whether to use TLS says sslmode')
    },
  }
}

/**
 * A String of the protocol ends at its first NUL: what follows would be read as the next parameter, and so
 * inject one (#PROTOCOL-MESSAGE-TYPES). A lone surrogate has no UTF-8, and would leave as U+FFFD instead.
 */
export function checkSendable(name: string, value: string): string {
  if (value.includes('\0')) throw unusable(name, 'holds a NUL character, which ends a string in the protocol')
  if (!value.isWellFormed()) throw unusable(name, 'holds a lone surrogate, which cannot be sent as UTF-8')
  return value
}

/** As libpq's pqParseIntParam: decimal, spaces around it are lawful, and it must fit a C int. */
function parseInteger(name: string, value: string): number {
  const trimmed = value.trim()
  const parsed = Number(trimmed)
  if (!/^[+-]?\d+$/.test(trimmed) || Math.abs(parsed) > 2_147_483_647) {
    throw unusable(name, 'must be one decimal integer of at most 32 bits')
  }
  return parsed
}

function wrongType(name: string, expected: string, value: unknown): Error {
  return unusable(name, `must be ${expected}; what came is of type ${value === null ? 'null' : typeof value}`)
}

/** For a text of which every character counts. */
export function unchanged(_name: string, value: string): string {
  return value
}

export function between(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw unusable(name, `must be an integer from ${least} to ${most}`)
}
