/**
 * For people: one line per state and message as it comes, with its time and what is left of the deadline; in the end the states
 * one below the other, and how often somebody had to wait for the other side.
 */
import type { CaptureEntry } from './capture.ts'
import { drawBudget } from './draw-bar.ts'
import { drawWaterfall, type Span } from './draw-waterfall.ts'
import type { Format, FormatContext } from './format.ts'
import { type Heard, Hearing } from './hear.ts'
import { milliseconds, whole } from './numbers.ts'
import { RoundTrips } from './round-trips.ts'
import type { Screen } from './screen.ts'
import { summarize } from './summarize.ts'

const TIME_WIDTH = '1,234'.length + 2
const LEFT_WIDTH = '10,000'.length + 2
const BYTES_WIDTH = 4

export function formatText({ header, screen, hasTimes }: FormatContext): Format {
  const hearing = new Hearing(header)
  const trips = new RoundTrips()
  const spans: Span[] = []
  let end: Extract<CaptureEntry, { kind: 'end' }> | null = null
  let failure: Extract<CaptureEntry, { kind: 'failed' }> | null = null
  let attempt = 1
  let hasBegun = false

  return {
    entry(entry) {
      const heard = hearing.hear(entry)
      const lines = hasBegun ? [] : begin()
      hasBegun = true
      if (entry.kind === 'message') return [...lines, lineOf(heard, entry)]
      trips.count(entry, null)
      switch (entry.kind) {
        case 'attempt':
          attempt = entry.attempt
          return [...lines, ...announce(entry)]
        case 'state':
          enter(entry.state, entry.atMs)
          return [...lines, `${times(heard)}${screen.paint('bold', entry.state)}`]
        case 'tls': {
          const alpn = entry.alpnProtocol === null ? 'no ALPN' : `ALPN ${entry.alpnProtocol}`
          return [...lines, `${times(heard)}  ${cutBeside(heard, [entry.version, entry.cipher, alpn].join(', '))}`]
        }
        case 'failed':
          failure = entry
          return lines
        case 'end':
          leave(entry.atMs)
          end = entry
          return lines
      }
    },

    finish() {
      const waterfall = spans.length === 0 ? [] : ['', ...drawWaterfall(screen, spans, end?.problem != null)]
      return [...waterfall, ...outcome(), ...counted()]
    },
  }

  function begin(): string[] {
    if (!hasTimes) return []
    const budget = header.timeoutMs === null ? 'no deadline' : `a deadline of ${whole(header.timeoutMs)} ms`
    const left = header.timeoutMs === null ? '' : 'left'.padStart(LEFT_WIDTH)
    const columns = `${'ms'.padStart(TIME_WIDTH)}${left}  state, → message sent with its bytes, ← received`
    return [screen.cut(`${header.server}, ${budget}`), '', screen.paint('dim', screen.cut(columns))]
  }

  /** What is not in the heading: why the attempt before failed, and where this one goes. The error in the end says the rest. */
  function announce(entry: Extract<CaptureEntry, { kind: 'attempt' }>): string[] {
    const why = failure === null ? [] : screen.wrap(`✗ ${failure.problem}`, '  ', '    ')
    failure = null
    if (entry.attempt === 1 && entry.endpoint === header.server) return why
    const given = entry.sliceMs === null ? '' : `, given ${milliseconds(entry.sliceMs)} ms`
    const where = screen.cut(`  attempt ${entry.attempt}: ${entry.endpoint}, TLS ${entry.encryption}${given}`)
    return [...why.map((line) => screen.paint('red', line)), '', screen.paint('dim', where)]
  }

  function lineOf(heard: Heard, entry: Extract<CaptureEntry, { kind: 'message' }>): string {
    const { direction, bytes, redacted } = entry
    const understood = hearing.understand(entry)
    const isKnown = 'dissection' in understood
    const name = isKnown ? understood.dissection.name : 'no message'
    trips.count(entry, isKnown ? name : null)
    const about = isKnown ? summarize(understood.dissection, redacted) : understood.problem
    const arrow = direction === 'sent' ? '→' : '←'
    const line = cutBeside(heard, `${arrow}${whole(bytes.length).padStart(BYTES_WIDTH)}  ${name}  ${about}`.trimEnd())
    return `${times(heard)}  ${isKnown && name !== 'ErrorResponse' ? line : screen.paint('red', line)}`
  }

  /** Of a line that begins with the times, as much as there is room for. */
  function cutBeside(heard: Heard, text: string): string {
    return screen.cut(text, screen.lineWidth - widthOfTimes(heard) - 2)
  }

  function times(heard: Heard): string {
    return screen.paint('dim', plainTimes(heard))
  }

  function widthOfTimes(heard: Heard): number {
    return plainTimes(heard).length
  }

  function plainTimes({ entry, leftMs }: Heard): string {
    if (!hasTimes) return ''
    const left = leftMs === null ? '' : whole(Math.floor(leftMs)).padStart(LEFT_WIDTH)
    return `${milliseconds(entry.atMs).padStart(TIME_WIDTH)}${left}  `
  }

  function enter(state: string, atMs: number): void {
    // What follows the end is the session's.
    if (end !== null) return
    leave(atMs)
    // What came before the first state, reading the configuration, belongs to it.
    spans.push({ state, attempt, enteredMs: spans.length === 0 ? 0 : atMs, leftMs: atMs })
  }

  function leave(atMs: number): void {
    const last = spans.pop()
    if (last !== undefined) spans.push(end === null ? { ...last, leftMs: atMs } : last)
  }

  function outcome(): string[] {
    if (end === null) return []
    const { problem, state, atMs } = end
    const label = `${problem === null ? 'ready in' : 'over after'} ${milliseconds(atMs)} ms`
    const budget =
      header.timeoutMs === null ? `  ${label}` : drawBudget(screen, label, header.timeoutMs - atMs, header.timeoutMs)
    const sentence = problem === null ? [] : ['', ...wrapProblem(screen, state, problem)]
    return ['', budget, ...sentence]
  }

  function counted(): string[] {
    const { all } = trips
    if (all.length === 0) return []
    const what = all.map(({ awaited }) => awaited).join(', ')
    return [
      '',
      ...screen.wrap(`${all.length} round trip${all.length === 1 ? '' : 's'}, waiting for: ${what}`, '  ', '    '),
    ]
  }
}

function wrapProblem(screen: Screen, state: string, problem: string): string[] {
  return screen.wrap(problem, '  ').map((line) => line.replace(state, screen.paint('red', state)))
}
