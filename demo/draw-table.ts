/** The result of a query as a small table. Values are the text that the server sent. */
import type { QueryResult } from '../src/index.ts'
import { cut, paint } from './screen.ts'

const NULL = 'null'

export function drawTable({ columns, rows, commandTag }: QueryResult): string[] {
  const names = columns.map(({ name }) => name)
  const texts = rows.map((row) => row.map((value) => value ?? NULL))
  const widths = names.map((name, at) => Math.max(name.length, ...texts.map((row) => row[at]?.length ?? 0)))
  const draw = (row: readonly string[]) =>
    `  ${row.map((text, at) => text.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd()
  const rule = `  ${widths.map((width) => '─'.repeat(width)).join('  ')}`
  return [
    cut(draw(names)),
    paint('dim', cut(rule)),
    ...texts.map((row) => cut(draw(row))),
    paint('dim', cut(`  ${commandTag}`)),
  ]
}
