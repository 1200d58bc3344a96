/** What must not be seen: on the wire, and in what is shown of an error. */
import { inspect } from 'node:util'
import { PASSWORD, scramKeys, type Visit } from '../../src/testing/index.ts'

const KEYS = [16, 17, 100_000].flatMap((iterations) => Object.values(scramKeys(PASSWORD, iterations)))

/** The password itself and what is as good as it, in every spelling that could slip out. */
const SECRETS: readonly (readonly [name: string, bytes: Buffer])[] = [Buffer.from(PASSWORD), ...KEYS].flatMap(
  (secret) => {
    const name = secret.length === 32 ? 'a key of SCRAM' : 'the password'
    return [
      [name, secret],
      [`${name} in base64`, Buffer.from(secret.toString('base64').replace(/=+$/, ''))],
      [`${name} in hexadecimal`, Buffer.from(secret.toString('hex'))],
    ] as const
  },
)

/** The names of the secrets that one could read on the path. The proof of SCRAM is no secret once it is due. */
export function secretsOnTheWire({ receivedInClear, receivedInTls }: Visit): string[] {
  return SECRETS.filter(([, bytes]) => receivedInClear.includes(bytes) || receivedInTls.includes(bytes)).map(
    ([name]) => name,
  )
}

/** The names of the secrets that show in an error, nonces and proofs among them. */
export function secretsShown(error: Error, { receivedInClear, receivedInTls }: Visit): string[] {
  const sent = Buffer.concat([receivedInClear, receivedInTls]).toString('latin1')
  const shown = everyFaceOf(error)
  const found = SECRETS.filter(([, bytes]) => shown.includes(bytes.toString('latin1'))).map(([name]) => name)
  for (const [name, pattern] of [
    ['the nonce', /,r=([^,\0]{10,})/],
    ['the proof', /,p=([A-Za-z0-9+/=]{20,})/],
    ['the answer to MD5', /(md5[0-9a-f]{32})/],
  ] as const) {
    const [, value] = pattern.exec(sent) ?? []
    if (value !== undefined && shown.includes(value)) found.push(name)
  }
  return found
}

/** An error in every form in which somebody may print it. */
export function everyFaceOf(error: Error): string {
  const faces = [error.message, error.stack, String(error), JSON.stringify(error), JSON.stringify({ ...error })]
  return [...faces, inspect(error, { depth: 20, showHidden: true, maxArrayLength: null, maxStringLength: null })].join(
    '\n',
  )
}

/** Texts of an error that would do something to a terminal. Line ends and tabs are harmless. */
export function textsForTheTerminal(error: Error): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const harmful = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/
  return textsOf([error.message, error.stack, { ...error }], new Set()).filter((text) => harmful.test(text))
}

function textsOf(value: unknown, seen: Set<unknown>): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null || seen.has(value) || ArrayBuffer.isView(value)) return []
  seen.add(value)
  const parts = value instanceof Map ? [...value].flat() : Object.values(value)
  return parts.flatMap((part) => textsOf(part, seen))
}
