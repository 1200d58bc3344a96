/**
 * The place that text is printed to, as far as a text must know it: how wide it is, and whether it has colours. The only file
 * that makes escapes, so that the rules for colours (NO_COLOR, FORCE_COLOR, no terminal) are in one place. It prints nothing.
 */
import { styleText } from 'node:util'

export type Environment = Readonly<Record<string, string | undefined>>

// Colours that can be read on dark and on light: weight first, then green and red, nothing else.
export type Style = 'bold' | 'dim' | 'green' | 'red'

export interface Surface {
  readonly env: Environment
  readonly isTerminal: boolean
  /** As the terminal says; some say 0. */
  readonly columns?: number | undefined
}

const WIDTH_MAX = 80
const WIDTH_MIN = 24

export class Screen {
  /** Columns: 80 where nobody says, and never more, since lines would be too long to read. */
  readonly width: number
  /** For what is cut rather than wrapped: all there is; off a terminal there is no end, since nobody can scroll back a file. */
  readonly lineWidth: number
  /** Whether something may move on it. */
  readonly isTerminal: boolean
  readonly #hasColours: boolean

  /** The screen behind a stream of Node's, such as process.stdout. */
  static of(stream: { readonly isTTY?: boolean; readonly columns?: number }, env: Environment): Screen {
    return new Screen({ env, isTerminal: stream.isTTY === true, columns: stream.columns })
  }

  constructor({ env, isTerminal, columns }: Surface) {
    const { FORCE_COLOR, NO_COLOR, TERM } = env
    this.width = Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, columns || WIDTH_MAX))
    this.lineWidth = isTerminal ? Math.max(WIDTH_MIN, columns || WIDTH_MAX) : Number.POSITIVE_INFINITY
    this.isTerminal = isTerminal && TERM !== 'dumb'
    // As Node.js itself decides: FORCE_COLOR has the first word, then NO_COLOR, then the terminal.
    this.#hasColours = FORCE_COLOR ? !['0', 'false'].includes(FORCE_COLOR) : this.isTerminal && !NO_COLOR
  }

  paint(style: Style, text: string): string {
    // Later versions of Node.js would decide for themselves, by what process.stdout is.
    return this.#hasColours && text !== '' ? styleText(style, text, { validateStream: false }) : text
  }

  /** For what would lose its shape if it were wrapped. Cut before it is painted: escapes take no room. */
  cut(line: string, width = this.width): string {
    return line.length > width ? `${line.slice(0, width - 1)}…` : line
  }

  /** Lines no wider than the screen. `hanging` goes before all but the first. */
  wrap(text: string, indent: string, hanging = indent): string[] {
    const lines: string[] = []
    let line = indent
    let isEmpty = true
    for (const word of text.split(' ')) {
      if (!isEmpty && line.length + 1 + word.length > this.width) {
        lines.push(line)
        line = hanging
        isEmpty = true
      }
      line += isEmpty ? word : ` ${word}`
      isEmpty = false
    }
    return [...lines, line]
  }

  /** Names and what they stand for, in two columns. */
  facts(rows: readonly (readonly [name: string, value: string])[], style: Style = 'dim'): string[] {
    const width = Math.max(...rows.map(([name]) => name.length))
    return rows.flatMap(([name, value]) => {
      const [first = '', ...rest] = this.wrap(value, ' '.repeat(width + 4))
      return [`  ${this.paint(style, name.padEnd(width))}  ${first.trimStart()}`, ...rest]
    })
  }
}
