/** The formats by name, and the options that choose among them: for every command that shows what was said. */
import { UsageError } from './command.ts'
import type { Format, FormatContext, LibpqOptions } from './format.ts'
import { formatHex } from './format-hex.ts'
import { formatJson, formatNdjson } from './format-json.ts'
import { formatLibpq } from './format-libpq.ts'
import { formatText } from './format-text.ts'

const FORMATS = {
  text: formatText,
  json: formatJson,
  ndjson: formatNdjson,
  hex: formatHex,
  libpq: formatLibpq,
} satisfies Readonly<Record<string, (context: FormatContext) => Format>>

export type FormatName = keyof typeof FORMATS

/** For parseArgs. */
export const FORMAT_OPTIONS = {
  format: { type: 'string' },
  json: { type: 'boolean' },
  'show-secrets': { type: 'boolean' },
  'libpq-version': { type: 'string' },
  'suppress-timestamps': { type: 'boolean' },
  'regress-mode': { type: 'boolean' },
} as const

/** Their part of --help. */
export const FORMAT_HELP = `\
  --format FORMAT        text, hex (every byte explained), json, ndjson, or
                         libpq (as PQtrace writes it)
  --json                 the same as --format json
  --show-secrets         passwords, nonces, proofs and keys as they are; without
                         it, they show as •••
  --libpq-version 15|18  whose PQtrace: libpq 14 to 17, or 18 (default)
  --suppress-timestamps  PQTRACE_SUPPRESS_TIMESTAMPS
  --regress-mode         PQTRACE_REGRESS_MODE
`

/** What parseArgs made of FORMAT_OPTIONS. */
export interface FormatValues {
  readonly format?: string | undefined
  readonly json?: boolean | undefined
  readonly 'show-secrets'?: boolean | undefined
  readonly 'libpq-version'?: string | undefined
  readonly 'suppress-timestamps'?: boolean | undefined
  readonly 'regress-mode'?: boolean | undefined
}

export interface FormatChoice {
  readonly name: FormatName
  readonly libpq: LibpqOptions
  readonly showSecrets: boolean
  /** Whether the entries have times: bytes by themselves have none. */
  readonly hasTimes: boolean
}

/** Throws UsageError. */
export function chooseFormat(values: FormatValues, otherwise: FormatName): FormatChoice {
  const name = values.format ?? (values.json === true ? 'json' : otherwise)
  if (!isFormat(name)) throw new UsageError(`--format: expected ${Object.keys(FORMATS).join(', ')}, got ${name}`)
  if (values.json === true && name !== 'json') throw new UsageError(`--json and --format ${name}: choose one`)
  const dialect = values['libpq-version'] ?? '18'
  if (dialect !== '15' && dialect !== '18') throw new UsageError(`--libpq-version: expected 15 or 18, got ${dialect}`)
  return {
    name,
    showSecrets: values['show-secrets'] === true,
    hasTimes: true,
    libpq: {
      dialect,
      suppressTimestamps: values['suppress-timestamps'] === true,
      regressMode: values['regress-mode'] === true,
    },
  }
}

export function openFormat(name: FormatName, context: FormatContext): Format {
  return FORMATS[name](context)
}

function isFormat(name: string): name is FormatName {
  return Object.hasOwn(FORMATS, name)
}
