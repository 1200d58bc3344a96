/** A report for people: facts in groups with a mark each, and what to do at the end. */
import type { Screen, Style } from '../screen.ts'
import type { Mark, Report } from './findings.ts'

const MARKS: Readonly<Record<Mark, readonly [sign: string, style: Style]>> = {
  good: ['✓', 'green'],
  weak: ['!', 'bold'],
  bad: ['✗', 'red'],
  fact: ['·', 'dim'],
}

export function drawReport(screen: Screen, { endpoint, sections, advice }: Report): string[] {
  const width = Math.max(...sections.flatMap(({ findings }) => findings.map(({ topic }) => topic.length)), 0)
  const lines = [screen.paint('bold', endpoint)]
  for (const { title, findings } of sections) {
    lines.push('', screen.paint('bold', title))
    for (const { mark, topic, found } of findings) {
      const [sign, style] = MARKS[mark]
      const [first = '', ...rest] = screen.wrap(found, ' '.repeat(width + 6))
      lines.push(
        `  ${screen.paint(style, sign)} ${screen.paint('dim', topic.padEnd(width))}  ${first.trimStart()}`,
        ...rest,
      )
    }
  }
  const isWell = sections.every(({ findings }) => findings.every(({ mark }) => mark !== 'bad'))
  if (advice.length === 0 && !isWell) return lines
  lines.push('', screen.paint('bold', 'What to do'))
  if (advice.length === 0) lines.push('  nothing: this is as good as it gets')
  for (const { side, set, because } of advice) {
    lines.push(`  ${screen.paint('dim', side.padEnd(6))}  ${screen.paint('bold', screen.cut(set, screen.width - 10))}`)
    lines.push(...screen.wrap(because, ' '.repeat(10)))
  }
  return lines
}
