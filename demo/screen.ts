/**
 * What the demo knows of the place it is printed to: how wide it is, whether it has colours, whether something may move
 * on it. Into a file or a pipe goes plain text, without escapes, each line once.
 */
import { styleText } from 'node:util'

const { FORCE_COLOR, NO_COLOR, TERM } = process.env
const isTerminal = process.stdout.isTTY === true && TERM !== 'dumb'
// As Node.js itself decides: FORCE_COLOR has the first word, then NO_COLOR, then the terminal.
const hasColours = FORCE_COLOR ? !['0', 'false'].includes(FORCE_COLOR) : isTerminal && !NO_COLOR

/** Columns: 80 where nobody says (some pseudo-terminals say 0), and never more, since lines would be too long to read. */
export const WIDTH = Math.min(80, Math.max(24, process.stdout.columns || 80))

const FRAME_MS = 50

// `npm run demo | head` has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

// Colours that can be read on dark and on light: weight first, then green and red, nothing else.
type Style = 'bold' | 'dim' | 'green' | 'red'

export function paint(style: Style, text: string): string {
  return hasColours && text !== '' ? styleText(style, text) : text
}

export function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`)
}

export function heading(text: string): void {
  print('', ...wrap(text, '').map((line) => paint('bold', line)), '')
}

/** A paragraph. */
export function say(text: string): void {
  print(...wrap(text, '  '))
}

/** Lines as one would write them in a program. */
export function code(...lines: readonly string[]): void {
  for (const line of lines) print(`  ${paint('dim', '│')} ${cut(line, WIDTH - 4)}`)
}

/** Names and what they stand for. */
export function facts(rows: readonly (readonly [name: string, value: string])[], style: Style = 'dim'): void {
  const width = Math.max(...rows.map(([name]) => name.length))
  for (const [name, value] of rows) {
    const [first = '', ...rest] = wrap(value, ' '.repeat(width + 4))
    print(`  ${paint(style, name.padEnd(width))}  ${first.trimStart()}`, ...rest)
  }
}

/** Lines no wider than the screen. `hanging` goes before all but the first. */
export function wrap(text: string, indent: string, hanging = indent): string[] {
  const lines: string[] = []
  let line = indent
  let isEmpty = true
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = hanging
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line]
}

/** For what would lose its shape if it were wrapped. */
export function cut(line: string, width = WIDTH): string {
  return line.length > width ? `${line.slice(0, width - 1)}…` : line
}

/** Redraws a line until `work` is done, which takes it away. Off a terminal nothing is drawn. */
export async function animate<T>(work: Promise<T>, draw: (elapsedMs: number) => string): Promise<T> {
  if (!isTerminal) return work
  const began = performance.now()
  const redraw = () => process.stdout.write(`\r${draw(performance.now() - began)}\x1b[K`)
  redraw()
  const timer = setInterval(redraw, FRAME_MS)
  try {
    return await work
  } finally {
    clearInterval(timer)
    process.stdout.write('\r\x1b[K')
  }
}
