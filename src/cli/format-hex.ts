/**
 * For learners: every byte of every message, beside what it is. Made from the same descriptions that the messages are read with.
 */
import type { CaptureEntry, Range } from './capture.ts'
import { drawBytes } from './draw-bytes.ts'
import { explain, type Note } from './explain.ts'
import type { Format, FormatContext } from './format.ts'
import { Hearing } from './hear.ts'
import { milliseconds, whole } from './numbers.ts'

const OFFSET_WIDTH = 6
/** Offset and bytes, with what is between. */
const LEFT_WIDTH = OFFSET_WIDTH + 2 + 23 + 2

export function formatHex({ header, screen }: FormatContext): Format {
  const hearing = new Hearing(header)
  return {
    entry(entry) {
      const { state } = hearing.hear(entry)
      switch (entry.kind) {
        case 'attempt':
        case 'state':
        case 'failed':
        case 'end':
          return []
        case 'tls':
          return [
            screen.paint('dim', `TLS: ${entry.version}, ${entry.cipher}; what follows is what was said inside`),
            '',
          ]
        case 'message':
          return [...message(entry, state), '']
      }
    },
    finish: () => [],
  }

  function message(entry: Extract<CaptureEntry, { kind: 'message' }>, state: string): string[] {
    const { direction, bytes, redacted, atMs } = entry
    const understood = hearing.understand(entry)
    const name = 'dissection' in understood ? understood.dissection.name : 'no message'
    const arrow = direction === 'sent' ? '→' : '←'
    const where = state === '' ? '' : `, ${milliseconds(atMs)} ms, in ${state}`
    const heading = `${arrow} ${screen.paint('bold', name)}, ${whole(bytes.length)} byte${bytes.length === 1 ? '' : 's'}${where}`
    if ('problem' in understood) {
      const whole = { offset: 0, bytes, path: '', type: '', text: '', meaning: null }
      return [heading, screen.paint('red', `  ${understood.problem}`), ...draw([whole], redacted)]
    }
    return [heading, ...draw(explain(understood.dissection), redacted)]
  }

  function draw(notes: readonly Note[], redacted: readonly Range[]): string[] {
    return drawBytes(notes, redacted, screen.width - LEFT_WIDTH).map(({ offset, hex, text }) => {
      const left = `${(offset === null ? '' : String(offset)).padStart(OFFSET_WIDTH)}  ${hex}  `
      return text === '' ? screen.paint('dim', left.trimEnd()) : `${screen.paint('dim', left)}${text}`
    })
  }
}
