/**
 * `pg-deadline replay`: a capture that trace --save has written, shown again, in any format; as fast as it can be read, or in the
 * time that it took.
 */
import { parseArgs } from 'node:util'
import type { CaptureEntry } from './capture.ts'
import { parseCapture } from './capture-file.ts'
import { type Io, pause, runCommand, UsageError } from './command.ts'
import { EXIT_CODE, type ExitCode } from './exit-code.ts'
import { chooseFormat, FORMAT_HELP, FORMAT_OPTIONS } from './formats.ts'
import { readInput } from './read-input.ts'
import { showCapture } from './show-capture.ts'

const HELP = `\
A saved handshake, shown again.

  pg-deadline trace --save capture.ndjson postgres://app@db.example/app
  pg-deadline replay capture.ndjson
  pg-deadline replay --format hex capture.ndjson
  pg-deadline replay --speed 0.1 capture.ndjson

Usage: pg-deadline replay [OPTION]... FILE|-

  --speed FACTOR         1: in the time that it took; 0.1: ten times as slowly;
                         without it, at once
${FORMAT_HELP}
Exit codes: 0 shown; 3 called wrongly, or not a capture; 130 Ctrl-C
`

/** Run the command. Never rejects. */
export function replay(args: readonly string[], io: Io): Promise<ExitCode> {
  return runCommand('replay', io, () => run(args, io))
}

async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const options = { ...FORMAT_OPTIONS, speed: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
  if (values.help === true) {
    io.stdout.write(HELP)
    return EXIT_CODE.ready
  }
  const format = chooseFormat(values, 'text')
  const speed = chooseSpeed(values.speed)
  const [path, ...more] = positionals
  if (path === undefined || more.length > 0) throw new UsageError(`expected one capture, got ${positionals.length}`)
  const capture = parseCapture((await readInput(io, path)).toString('utf8'))
  let atMs = 0
  await showCapture(io, capture, format, async (entry: CaptureEntry) => {
    const waitMs = (entry.atMs - atMs) / speed
    atMs = entry.atMs
    if (waitMs > 0) await pause(waitMs, io.signal)
    io.signal.throwIfAborted()
  })
  return EXIT_CODE.ready
}

/** Infinity: at once. */
function chooseSpeed(value: string | undefined): number {
  if (value === undefined) return Number.POSITIVE_INFINITY
  const speed = Number(value)
  if (value.trim() === '' || !(speed > 0)) throw new UsageError(`--speed: expected a number above 0, got ${value}`)
  return speed
}
