/**
 * A timeline as a person wants to see it: a row per state with the time spent in it, the messages each way, and where
 * in the whole it lies. It takes what `session.timeline` and `error.timeline` hold, and nothing else.
 */
import type { Timeline, TimelineEntry, TimelineMessage } from '../state/timeline.ts'
import { drawSpan } from './draw-bar.ts'
import { milliseconds, whole } from './numbers.ts'
import type { Screen } from './screen.ts'

const STATE_WIDTH = 'AwaitingAuthentication'.length
const TIME_WIDTH = 7
const NAME_WIDTH = 'AuthenticationSASLContinue'.length
const BYTES_WIDTH = 6
const MESSAGE_WIDTH = 2 + NAME_WIDTH + BYTES_WIDTH
const SPAN_WIDTH = 10

const PASSED_THROUGH_MS_MAX = 0.5

/** What fits beside each other; narrower still, messages go below their state, and then without their sizes. */
const WIDTH_WITH_MESSAGES = 2 + STATE_WIDTH + TIME_WIDTH + 2 + MESSAGE_WIDTH
const WIDTH_WITH_BYTES = 4 + MESSAGE_WIDTH
const WIDTH_WITH_SPANS = WIDTH_WITH_MESSAGES + 2 + SPAN_WIDTH

export function drawTimeline(screen: Screen, timeline: Timeline): string[] {
  const totalMs = timeline.at(-1)?.leftMs ?? 0
  const hasSeveral = timeline.at(-1)?.attempt !== 0
  const rows = timeline.flatMap((entry, index) => {
    const isFirst = entry.attempt !== timeline[index - 1]?.attempt
    const isLast = entry.attempt !== timeline[index + 1]?.attempt
    return [
      ...(hasSeveral && isFirst ? [drawAttempt(screen, entry)] : []),
      ...drawEntry(screen, entry, totalMs, isLast),
    ]
  })
  return screen.width < WIDTH_WITH_MESSAGES ? rows : [drawHeader(screen), ...rows]
}

function drawHeader(screen: Screen): string {
  const columns =
    `  ${'state'.padEnd(STATE_WIDTH)}${'ms'.padStart(TIME_WIDTH)}` +
    `  ${'→ sent, ← received'.padEnd(2 + NAME_WIDTH)}${'bytes'.padStart(BYTES_WIDTH)}`
  return screen.paint('dim', screen.width < WIDTH_WITH_SPANS ? columns : `${columns}  when`)
}

function drawAttempt(screen: Screen, { attempt, sliceMs }: TimelineEntry): string {
  return screen.paint('dim', screen.cut(`  attempt ${attempt + 1}, given ${milliseconds(sliceMs)} ms of the deadline`))
}

function drawEntry(screen: Screen, entry: TimelineEntry, totalMs: number, isLast: boolean): string[] {
  const { state, enteredMs, leftMs } = entry
  // Nothing happens in Ready: the connect is over there. To be last anywhere else is to be stuck.
  if (state === 'Ready') return [screen.paint('green', `✓ ${state}`)]
  const isStuck = isLast
  const emphasize = (text: string) => (isStuck ? screen.paint('red', screen.paint('bold', text)) : text)

  const time = milliseconds(leftMs - enteredMs)
  const row = `${isStuck ? '✗' : ' '} ${state.padEnd(STATE_WIDTH)}${time.padStart(TIME_WIDTH)}`
  // Where the move was ours and nothing was said, we only passed through: it is there, and takes no attention.
  const isPassedThrough = !isStuck && entry.messages.length === 0 && leftMs - enteredMs < PASSED_THROUGH_MS_MAX
  const name = isPassedThrough ? screen.paint('dim', row) : emphasize(row)
  const messages = entry.messages.map((message) => drawMessage(screen, message).padEnd(MESSAGE_WIDTH))
  if (isStuck && entry.bytesReceived === 0) messages.push(emphasize('← nothing'.padEnd(MESSAGE_WIDTH)))
  if (screen.width < WIDTH_WITH_MESSAGES) return [name, ...messages.map((message) => `    ${message.trimEnd()}`)]

  const [first = ' '.repeat(MESSAGE_WIDTH), ...rest] = messages
  const span = screen.width < WIDTH_WITH_SPANS ? '' : emphasize(drawSpan(enteredMs, leftMs, totalMs, SPAN_WIDTH))
  const below = ' '.repeat(2 + STATE_WIDTH + TIME_WIDTH)
  return [`${name}  ${first}  ${span}`, ...rest.map((message) => `${below}  ${message}`)].map((row) => row.trimEnd())
}

function drawMessage(screen: Screen, { direction, name, count, bytes }: TimelineMessage): string {
  const shown = count === 1 ? name : `${name} × ${whole(count)}`
  const arrow = direction === 'sent' ? '→' : '←'
  if (screen.width < WIDTH_WITH_BYTES) return `${arrow} ${shown}`
  return `${arrow} ${shown.padEnd(NAME_WIDTH)}${whole(bytes).padStart(BYTES_WIDTH)}`
}
