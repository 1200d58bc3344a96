/** Bars of one line, in steps of half a column. */
import { whole } from './numbers.ts'
import type { Screen } from './screen.ts'

/** As wide as the longest label that is used, so that bars on different lines can be compared. */
const LABEL_WIDTH = 'aborted after 300 ms'.length
const BAR_WIDTH_MIN = 8

/** The budget of a connect: heavy is what is left, light is what was spent. */
export function drawBudget(screen: Screen, label: string, leftMs: number, timeoutMs: number): string {
  const left = Math.min(Math.max(leftMs, 0), timeoutMs)
  const whatIsLeft = (ms: number) => `${whole(ms).padStart(whole(timeoutMs).length)} ms of ${whole(timeoutMs)} ms left`
  const width = screen.width - 2 - LABEL_WIDTH - 2 - 2 - whatIsLeft(timeoutMs).length
  if (width < BAR_WIDTH_MIN) return screen.cut(`  ${label}, ${whatIsLeft(left).trimStart()}`)
  // Rounded down: what has begun to be spent shows.
  const halves = Math.floor((left / timeoutMs) * width * 2)
  const heavy = '━'.repeat(Math.floor(halves / 2)) + (halves % 2 === 1 ? '╾' : '')
  const light = '─'.repeat(width - heavy.length)
  return `  ${label.padEnd(LABEL_WIDTH)}  ${screen.paint('green', heavy)}${screen.paint('dim', light)}  ${whatIsLeft(left)}`
}

/** Where a stretch of time lies in the whole: blank before and after. Something always shows. */
export function drawSpan(from: number, to: number, total: number, width: number): string {
  const last = width * 2 - 1
  const begin = Math.min(last, Math.floor((from / total) * width * 2))
  const end = Math.max(begin + 1, Math.round((to / total) * width * 2))
  let bar = ''
  for (let column = 0; column < width; column += 1) {
    const left = column * 2 >= begin && column * 2 < end
    const right = column * 2 + 1 >= begin && column * 2 + 1 < end
    bar += left && right ? '━' : left ? '╸' : right ? '╺' : ' '
  }
  return bar
}
