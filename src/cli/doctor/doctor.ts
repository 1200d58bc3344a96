/**
 * `pg-deadline doctor`: what a server offers and requires, what is slow, and what should be set on either side. It connects several
 * times, each time another way; but for the connect that was asked for, it goes no further than to the server's first word
 * about authentication. It changes nothing.
 */
import { parseArgs } from 'node:util'
import { readSettings } from '../../config/read-settings.ts'
import { SYSTEM } from '../../config/surroundings.ts'
import { explainDeadline } from '../../explain-deadline.ts'
import { Deadline } from '../../net/deadline.ts'
import { runCommand, screenOf } from '../command.ts'
import { EXIT_CODE, type ExitCode } from '../exit-code.ts'
import { exitCodeOf, type NetworkIo } from '../network.ts'
import { readWhereto, WHERETO_HELP, WHERETO_NOTE, WHERETO_OPTIONS } from '../whereto.ts'
import { drawReport } from './draw-report.ts'
import { examine } from './examine.ts'
import { report } from './findings.ts'

const HELP = `\
Ask a server what it offers and requires (TLS, ALPN, authentication, channel
binding, protocol versions, cancel), see what is slow, and say what should be
set on either side. Several connects, one query, one query that is cancelled;
nothing is changed.

  pg-deadline doctor postgres://app@db.example/app
  pg-deadline doctor -h db.example -U app --timeout 20s --json

Usage: pg-deadline doctor [OPTIONS] [CONNECTION STRING]

${WHERETO_HELP}\
  --json                 the report as JSON
  -?, --help             this text

${WHERETO_NOTE}
Exit codes are those of the connect that was asked for: 0 ready; 1 the server
said no; 2 no answer, or the deadline; 3 called wrongly; 4 the server broke the
protocol; 5 refused, since it would have been insecure; 70 a defect of
pg-deadline; 130 Ctrl-C.
`

const DEFAULT_TIMEOUT_MS = 15_000

/** Run the command. Never rejects. */
export function doctor(args: readonly string[], io: NetworkIo): Promise<ExitCode> {
  return runCommand('doctor', io, () => run(args, io))
}

async function run(args: readonly string[], io: NetworkIo): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...WHERETO_OPTIONS, json: { type: 'boolean' }, help: { type: 'boolean', short: '?' } },
  })
  if (values.help === true) {
    io.stdout.write(HELP)
    return EXIT_CODE.ready
  }
  const whereto = readWhereto(values, positionals, io.env)
  using deadline = new Deadline({
    timeoutMs: whereto.options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    signal: io.signal,
    clock: io.runtime.clock,
  })
  const screen = screenOf(io)
  // What comes next is seen only while it comes: where nobody looks it would be noise.
  const isSeen = screen.isTerminal && values.json !== true
  const tell = (step: string) => isSeen && io.stdout.write(`\r\x1b[K${screen.paint('dim', `asking: ${step} ...`)}`)
  try {
    // A connection string that cannot be read is told of before anything is asked.
    explainDeadline(whereto.target, whereto.options)
    const { tls } = readSettings(whereto.target, SYSTEM, whereto.options.environment ?? null)
    const examiner = { io, whereto, signal: deadline.signal, remainingMs: () => deadline.remaining() }
    const examination = await examine(examiner, tell).finally(() => isSeen && io.stdout.write('\r\x1b[K'))
    // Half an examination is no report.
    io.signal.throwIfAborted()
    const result = report(examination, tls.mode, io.wallClock())
    if (values.json === true) io.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
    else io.stdout.write(`${drawReport(screen, result).join('\n')}\n`)
    return examination.error === null ? EXIT_CODE.ready : exitCodeOf(examination.error)
  } catch (error) {
    const code = exitCodeOf(error)
    io.stderr.write(`pg-deadline doctor: ${(error as Error).message}\n`)
    return code
  }
}
