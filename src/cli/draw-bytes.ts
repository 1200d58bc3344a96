/** Bytes beside what they are: eight a line, and the explanation beside and below the first. */
import type { Range } from './capture.ts'
import type { Note } from './explain.ts'
import { textOf } from './summarize.ts'

const BYTES_A_LINE = 8
const HEX_WIDTH = 3 * BYTES_A_LINE - 1

/** One line: of bytes, of their explanation, or of both. */
export interface ByteLine {
  /** Of its first byte; null: there is none. */
  readonly offset: number | null
  /** Pairs of digits, padded to the width of a full line. */
  readonly hex: string
  readonly text: string
}

/** `textWidth`: how wide an explanation may be. Nothing of it is cut. */
export function drawBytes(notes: readonly Note[], redacted: readonly Range[], textWidth: number): ByteLine[] {
  return notes.flatMap((note) => {
    const texts = wrap(labelOf(note, redacted), textWidth)
    const count = Math.max(texts.length, Math.ceil(note.bytes.length / BYTES_A_LINE))
    return Array.from({ length: count }, (_, index): ByteLine => {
      const at = index * BYTES_A_LINE
      const bytes = [...note.bytes.subarray(at, at + BYTES_A_LINE)]
      const offset = note.offset + at
      const digits = bytes.map((byte, place) => digitsOf(byte, offset + place, redacted))
      return {
        offset: bytes.length === 0 ? null : offset,
        hex: digits.join(' ').padEnd(HEX_WIDTH),
        text: texts[index] ?? '',
      }
    })
  })
}

function digitsOf(byte: number, offset: number, redacted: readonly Range[]): string {
  return redacted.some(({ begin, end }) => begin <= offset && offset < end) ? 'xx' : byte.toString(16).padStart(2, '0')
}

function labelOf(note: Note, redacted: readonly Range[]): string {
  const { path, type, meaning } = note
  const text = textOf(note, redacted)
  // Of a constant the type says the value already.
  const value = type.includes('(') ? '' : text
  const said = text === note.text ? [value, meaning].filter(Boolean).join(', ') : `${text} (redacted)`
  return [path === '' ? '' : `${path}:`, type, said].filter(Boolean).join(' ')
}

/** Between words; a word that is too long, such as a hash, is broken. What follows the first line is indented. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const joined = line === '' || line === '  ' ? `${line}${word}` : `${line} ${word}`
    if (joined.length <= width) {
      line = joined
      continue
    }
    if (line.trim() !== '') lines.push(line)
    line = `  ${word}`
    while (line.length > width) {
      lines.push(line.slice(0, width))
      line = `  ${line.slice(width)}`
    }
  }
  return [...lines, line]
}
