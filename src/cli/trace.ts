/**
 * `pg-deadline trace`: one connect, message by message and state by state, as it happens. What it shows is what the driver shows
 * to whoever looks on; nothing is measured a second time.
 */
import { parseArgs } from 'node:util'
import { connectWith } from '../connect.ts'
import { explainDeadline } from '../explain-deadline.ts'
import type { Capture, CaptureEntry, CaptureHeader } from './capture.ts'
import { writeCapture } from './capture-file.ts'
import { runCommand, screenOf, UsageError } from './command.ts'
import { EXIT_CODE, type ExitCode } from './exit-code.ts'
import { chooseFormat, FORMAT_HELP, FORMAT_OPTIONS, openFormat } from './formats.ts'
import { CLOSE_TIMEOUT_MS, exitCodeOf, hintFor, type NetworkIo } from './network.ts'
import { observeInto } from './observe.ts'
import { Redactor } from './redact.ts'
import { readWhereto, WHERETO_HELP, WHERETO_NOTE, WHERETO_OPTIONS } from './whereto.ts'

const HELP = `\
Connect once and show the handshake as it happens.

  pg-deadline trace postgres://app@db.example/app --timeout 3s
  pg-deadline trace 'host=/var/run/postgresql dbname=app' --format hex
  PGPASSWORD=... pg-deadline trace -h db.example -U app --save slow.capture
  pg-deadline trace postgres://app@db.example/app --format ndjson | jq .name

Usage: pg-deadline trace [OPTIONS] [CONNECTION STRING]

${WHERETO_HELP}${FORMAT_HELP}\
  --save FILE            keep it as a capture, for \`pg-deadline replay\`
  -?, --help             this text

${WHERETO_NOTE}
Exit codes: 0 ready; 1 the server said no; 2 no answer, or the deadline;
3 called wrongly; 4 the server broke the protocol; 5 refused, since it would
have been insecure; 70 a defect of pg-deadline; 130 Ctrl-C.
`

/** Run the command. Never rejects. */
export function trace(args: readonly string[], io: NetworkIo): Promise<ExitCode> {
  return runCommand('trace', io, () => run(args, io))
}

async function run(args: readonly string[], io: NetworkIo): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...WHERETO_OPTIONS, ...FORMAT_OPTIONS, save: { type: 'string' }, help: { type: 'boolean', short: '?' } },
  })
  if (values.help === true) {
    io.stdout.write(HELP)
    return EXIT_CODE.ready
  }
  const format = chooseFormat(values, 'text')
  if (values.save === '') throw new UsageError('--save: expected the name of a file, got nothing')
  const { target, options } = readWhereto(values, positionals, io.env)
  const whole = { ...options, signal: io.signal }
  let hasBegun = false
  try {
    const plan = explainDeadline(target, whole)
    const header: CaptureHeader = {
      server: [...new Set(plan.visits.map(({ endpoint }) => endpoint))].join(', '),
      startedAtMs: io.wallClock(),
      timeoutMs: Number.isFinite(plan.timeoutMs) ? plan.timeoutMs : null,
      secrets: format.showSecrets ? 'shown' : 'redacted',
    }
    const shown = openFormat(format.name, { header, screen: screenOf(io), libpq: format.libpq, hasTimes: true })
    const entries: CaptureEntry[] = []
    const redactor = new Redactor()

    const observe = observeInto((entry) => {
      hasBegun = true
      const told = format.showSecrets ? entry : redactor.redact(entry)
      print(shown.entry(told), io)
      entries.push(told)
    })
    try {
      const session = await connectWith({ ...io.runtime, observe }, target, whole)
      await session.close({ signal: io.signal, timeoutMs: CLOSE_TIMEOUT_MS })
      return EXIT_CODE.ready
    } finally {
      print(shown.finish(), io)
      if (values.save !== undefined) await save(values.save, { header, entries }, io)
    }
  } catch (error) {
    const code = exitCodeOf(error)
    // For people the sentence stands below the picture, if there is one.
    if (format.name !== 'text' || !hasBegun) io.stderr.write(`pg-deadline trace: ${(error as Error).message}\n`)
    io.stderr.write(hintFor(error))
    return code
  }
}

function print(lines: readonly string[], io: NetworkIo): void {
  if (lines.length > 0) io.stdout.write(`${lines.join('\n')}\n`)
}

/** Written when all is over: a file that begins and does not end would be taken for a connect that hung. */
async function save(path: string, capture: Capture, io: NetworkIo): Promise<void> {
  try {
    await io.writeFile(path, writeCapture(capture))
  } catch (error) {
    throw new UsageError(`--save: ${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? error})`)
  }
}
