/**
 * What every command is given of the world, and how it ends: with an exit code, and with an error on stderr that says what to do.
 * A command reads no process.env and no process.argv of its own.
 */
import { Deadline } from '../net/deadline.ts'
import { InputError } from './capture.ts'
import { EXIT_CODE, type ExitCode } from './exit-code.ts'
import { type Environment, Screen } from './screen.ts'

export interface Sink {
  write(text: string): unknown
}

/** The world of a command. */
export interface Io {
  readonly stdout: Sink
  readonly stderr: Sink
  readonly stdin: AsyncIterable<Uint8Array | string>
  /** Whether somebody would have to type what is read from stdin. */
  readonly stdinIsTerminal: boolean
  readonly env: Environment
  /** Whether stdout is one. */
  readonly isTerminal: boolean
  readonly columns: number | undefined
  /** Ctrl-C. */
  readonly signal: AbortSignal
  /** The whole file. Rejects as node:fs does. */
  readonly readFile: (path: string) => Promise<Buffer>
}

export function screenOf({ env, isTerminal, columns }: Io): Screen {
  return new Screen({ env, isTerminal, columns })
}

/** The command was called wrongly. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** Run a command to its end. Never rejects: what goes wrong is said on stderr, and is the exit code. */
export async function runCommand(name: string, io: Io, command: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await command()
  } catch (error) {
    if (io.signal.aborted && error === io.signal.reason) return EXIT_CODE.interrupted
    if (error instanceof InputError) {
      io.stderr.write(`pg-deadline ${name}: ${error.message}\n`)
      return EXIT_CODE.usage
    }
    if (error instanceof UsageError || isParseArgsError(error)) {
      io.stderr.write(`pg-deadline ${name}: ${error.message}\nTry: pg-deadline ${name} --help\n`)
      return EXIT_CODE.usage
    }
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
    io.stderr.write(`pg-deadline ${name}: a defect of pg-deadline, please report it:\n${what}\n`)
    return EXIT_CODE.defect
  }
}

/** Wait, or until Ctrl-C: whoever goes on asks the signal. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  using deadline = new Deadline({ timeoutMs: ms, signal })
  await new Promise<void>((resolve) => {
    if (deadline.signal.aborted) resolve()
    deadline.signal.addEventListener('abort', () => resolve())
  })
}

/** What util.parseArgs throws for options that it does not know. */
function isParseArgsError(error: unknown): error is Error {
  return error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_')
}
