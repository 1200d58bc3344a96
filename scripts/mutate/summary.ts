/**
 * What is left of Stryker's report: how many mutants of each file met which end, and those that nobody noticed. In
 * docs/mutation.json, from which `npm run docs` makes the page; folders that have not been run again stay as they were.
 */

/** Of the report, what is used here: https://github.com/stryker-mutator/mutation-testing-elements, its schema. */
export interface MutationReport {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly ReportedMutant[] }>>
}

interface ReportedMutant {
  readonly mutatorName: string
  readonly replacement?: string
  readonly status: string
  readonly statusReason?: string
  readonly location: { readonly start: Place; readonly end: Place }
}

/** Both count from 1. */
interface Place {
  readonly line: number
  readonly column: number
}

export interface Survivor {
  readonly line: number
  readonly mutator: string
  readonly from: string
  readonly to: string
}

export interface MutatedFile {
  /** Noticed by a test that failed. */
  readonly killed: number
  /** Noticed, since it would never have ended. */
  readonly timeout: number
  readonly survivors: readonly Survivor[]
  /** Texts for people, which are left alone. */
  readonly texts: number
  /** Alive while modules are loaded, and not tried. */
  readonly notTried: number
}

/** When it was run, and with what. */
export interface MutationRun {
  readonly commit: string
  readonly date: string
  readonly node: string
  readonly stryker: string
  readonly files: Readonly<Record<string, MutatedFile>>
}

export function summarize({ files }: MutationReport): Record<string, MutatedFile> {
  return Object.fromEntries(
    Object.entries(files)
      .filter(([, { mutants }]) => mutants.length > 0)
      .map(([path, { source, mutants }]) => {
        const lines = source.split('\n')
        const ended = (...ends: readonly string[]) => mutants.filter(({ status }) => ends.includes(status))
        const isText = ({ statusReason }: ReportedMutant) => statusReason === 'a text for people'
        const ignored = ended('Ignored')
        const unknown = mutants.find(({ status }) => !KNOWN.has(status))
        if (unknown !== undefined) throw new Error(`${path}: a mutant ended with ${unknown.status}`)
        const summary = {
          killed: ended('Killed').length,
          timeout: ended('Timeout').length,
          survivors: ended('Survived', 'NoCoverage').map((mutant) => ({
            line: mutant.location.start.line,
            mutator: mutant.mutatorName,
            from: textAt(lines, mutant.location),
            to: oneLine(mutant.replacement ?? ''),
          })),
          texts: ignored.filter(isText).length,
          notTried: ignored.filter((mutant) => !isText(mutant)).length,
        }
        return [path, summary]
      }),
  )
}

const KNOWN = new Set(['Killed', 'Timeout', 'Survived', 'NoCoverage', 'Ignored'])
/** So much of a text says which one is meant. */
const SHOWN_MAX = 120

function textAt(lines: readonly string[], { start, end }: ReportedMutant['location']): string {
  const [first = '', ...others] = lines.slice(start.line - 1, end.line)
  if (others.length === 0) return oneLine(first.slice(start.column - 1, end.column - 1))
  return oneLine(
    [first.slice(start.column - 1), ...others.slice(0, -1), others.at(-1)?.slice(0, end.column - 1)].join(' '),
  )
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > SHOWN_MAX ? `${line.slice(0, SHOWN_MAX)} ...` : line
}
