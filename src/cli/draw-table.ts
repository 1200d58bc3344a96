/** The result of a query as a small table. Values are the text that the server sent. */
import type { QueryResult } from '../state/session/query-result.ts'
import type { Screen } from './screen.ts'

const NULL = 'null'

export function drawTable(screen: Screen, { columns, rows, commandTag }: QueryResult): string[] {
  const names = columns.map(({ name }) => name)
  const texts = rows.map((row) => row.map((value) => value ?? NULL))
  const widths = names.map((name, at) => Math.max(name.length, ...texts.map((row) => row[at]?.length ?? 0)))
  const draw = (row: readonly string[]) =>
    `  ${row.map((text, at) => text.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd()
  const rule = `  ${widths.map((width) => '─'.repeat(width)).join('  ')}`
  return [
    screen.cut(draw(names)),
    screen.paint('dim', screen.cut(rule)),
    ...texts.map((row) => screen.cut(draw(row))),
    screen.paint('dim', screen.cut(`  ${commandTag}`)),
  ]
}
