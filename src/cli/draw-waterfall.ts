/** The states of a connect one below the other, each with its time and where it lies in the whole. */
import { drawSpan } from './draw-bar.ts'
import { milliseconds } from './numbers.ts'
import type { Screen } from './screen.ts'

export interface Span {
  readonly state: string
  readonly attempt: number
  readonly enteredMs: number
  readonly leftMs: number
}

const STATE_WIDTH = 'AwaitingAuthentication'.length
const TIME_WIDTH = 7

/** `isStuck`: the last one is where it ended, and it did not end well. */
export function drawWaterfall(screen: Screen, spans: readonly Span[], isStuck: boolean): string[] {
  const totalMs = Math.max(...spans.map(({ leftMs }) => leftMs))
  const hasSeveral = new Set(spans.map(({ attempt }) => attempt)).size > 1
  return spans.flatMap((span, index) => {
    const { state, attempt, enteredMs, leftMs } = span
    const isFirst = attempt !== spans[index - 1]?.attempt
    const heading = hasSeveral && isFirst ? [screen.paint('dim', `  attempt ${attempt}`)] : []
    if (state === 'Ready' || state === 'Cancelled') return [...heading, screen.paint('green', `✓ ${state}`)]
    const isEnd = attempt !== spans[index + 1]?.attempt && (isStuck || index < spans.length - 1)
    const name = `${isEnd ? '✗' : ' '} ${state.padEnd(STATE_WIDTH)}${milliseconds(leftMs - enteredMs).padStart(TIME_WIDTH)}`
    const width = screen.width - name.length - 2
    const bar = width < 8 || totalMs === 0 ? '' : `  ${drawSpan(enteredMs, leftMs, totalMs, width)}`.trimEnd()
    return [...heading, isEnd ? screen.paint('red', `${name}${bar}`) : `${name}${bar}`]
  })
}
