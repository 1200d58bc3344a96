/** Which command it is. What the process is, only bin.ts knows. */
import { decode } from './decode.ts'
import { doctor } from './doctor/doctor.ts'
import { EXIT_CODE, type ExitCode } from './exit-code.ts'
import type { NetworkIo } from './network.ts'
import { ping } from './ping.ts'
import { replay } from './replay.ts'
import { trace } from './trace.ts'

const COMMANDS: Readonly<Record<string, (args: readonly string[], io: NetworkIo) => Promise<ExitCode>>> = {
  trace,
  ping,
  doctor,
  decode,
  replay,
}

const HELP = `\
A PostgreSQL connect, looked at from all sides.

  pg-deadline trace postgres://app@db.example/app   where does the connect hang?
  pg-deadline ping -h db.example                    does it let anybody in?
  pg-deadline doctor postgres://app@db.example/app  what should be set?
  pg-deadline decode 5a0000000549                   what do these bytes say?
  pg-deadline replay slow.capture                   what did that trace show?

Usage: pg-deadline COMMAND [OPTION]... [CONNECTION STRING]

  trace    connect, and show the handshake message by message and state by state
  ping     ask whether a server accepts connections (pg_isready's exit codes)
  doctor   ask what a server offers and requires, what is slow, what to set
  decode   hexadecimal digits, or a capture, to messages
  replay   show a capture again

pg-deadline COMMAND --help tells more. --version prints the version.
`

/** Never rejects. */
export async function main(args: readonly string[], io: NetworkIo, version: string): Promise<ExitCode> {
  const [name = '', ...rest] = args
  if (['--help', '-?', 'help'].includes(name)) {
    io.stdout.write(HELP)
    return EXIT_CODE.ready
  }
  if (name === '--version' || name === '-V') {
    io.stdout.write(`pg-deadline ${version}\n`)
    return EXIT_CODE.ready
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) {
    const what = name === '' ? 'no command' : `no command '${name}'`
    io.stderr.write(
      `pg-deadline: there is ${what}; there are ${Object.keys(COMMANDS).join(', ')}\nTry: pg-deadline --help\n`,
    )
    return EXIT_CODE.usage
  }
  return command(rest, io)
}
