/**
 * The results of one query text: one per statement, values as the text that the server sent.
 */
import { LIMITS } from '../../protocol/limits.ts'
import type { ServerReport } from '../../protocol/response-fields.ts'
import type { Column } from './states.ts'

/** The result of one statement. */
export interface QueryResult {
  /** What the server says it did: 'SELECT 3', 'INSERT 0 1', 'CREATE TABLE'. Empty for an empty statement. */
  readonly commandTag: string
  /** The number at the end of the command tag, or null if there is none. */
  readonly rowCount: number | null
  /** Empty for a statement that returns no rows. */
  readonly columns: readonly Column[]
  /** One array per row, in the order of `columns`; null is SQL's NULL. Where a column's `format` is 1 (a binary cursor) a
   *  value is `\\x` and hexadecimal digits. */
  readonly rows: readonly (readonly (string | null)[])[]
  /** What COPY TO STDOUT sent, piece by piece. */
  readonly copyData: readonly Uint8Array[]
  /** Notices that came while this statement ran, the latest 1,000. */
  readonly notices: readonly ServerReport[]
  /** The rows as objects. Of columns with the same name the last one counts; `rows` has them all. */
  objects(): Record<string, string | null>[]
}

/** Takes down what the server sends until the query is done. */
export class ResultCollector {
  readonly #results: QueryResult[] = []
  #columns: readonly Column[] = []
  #rows: (readonly (string | null)[])[] = []
  #copyData: Uint8Array[] = []
  #notices: ServerReport[] = []

  describe(columns: readonly Column[]): void {
    this.#columns = columns
  }

  addRow(values: readonly (string | null)[]): void {
    this.#rows.push(values)
  }

  addCopyData(data: Uint8Array): void {
    this.#copyData.push(data)
  }

  addNotice(report: ServerReport): void {
    keepLatest(this.#notices, report)
  }

  complete(commandTag: string): void {
    const columns = this.#columns
    const rows = this.#rows
    const count = /(?:^| )(\d+)$/.exec(commandTag)?.[1]
    this.#results.push({
      commandTag,
      rowCount: count === undefined ? null : Number(count),
      columns,
      rows,
      copyData: this.#copyData,
      notices: this.#notices,
      // Object.fromEntries defines own properties: a column named __proto__ is a name like any other.
      objects: () =>
        rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index] ?? null]))),
    })
    this.#columns = []
    this.#rows = []
    this.#copyData = []
    this.#notices = []
  }

  get results(): readonly QueryResult[] {
    return this.#results
  }

  /** Those of the statement that has not completed. */
  get notices(): readonly ServerReport[] {
    return this.#notices
  }
}

/** Add to a list of notices that must not grow for ever. */
export function keepLatest(notices: ServerReport[], report: ServerReport): void {
  if (notices.push(report) > LIMITS.noticesKeptMax) notices.shift()
}
