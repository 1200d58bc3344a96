/**
 * What the demo prints, and how something moves on a terminal. Into a file or a pipe goes plain text, without escapes, each line
 * once.
 */
import { Screen, type Style } from '../src/cli/screen.ts'

export const screen = Screen.of(process.stdout, process.env)

const FRAME_MS = 50

// `npm run demo | head` has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

export function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`)
}

export function heading(text: string): void {
  print('', ...screen.wrap(text, '').map((line) => screen.paint('bold', line)), '')
}

/** A paragraph. */
export function say(text: string): void {
  print(...screen.wrap(text, '  '))
}

/** Lines as one would write them in a program. */
export function code(...lines: readonly string[]): void {
  for (const line of lines) print(`  ${screen.paint('dim', '│')} ${screen.cut(line, screen.width - 4)}`)
}

/** Names and what they stand for. */
export function facts(rows: readonly (readonly [name: string, value: string])[], style: Style = 'dim'): void {
  print(...screen.facts(rows, style))
}

/** Redraws a line until `work` is done, which takes it away. Off a terminal nothing is drawn. */
export async function animate<T>(work: Promise<T>, draw: (elapsedMs: number) => string): Promise<T> {
  if (!screen.isTerminal) return work
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
