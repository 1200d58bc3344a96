/** What a command that connects needs of the world besides what every command does. */
import type { Runtime } from '../attempt.ts'
import type { Failure } from '../protocol/failure.ts'
import { HandshakeError } from '../state/errors.ts'
import type { Io } from './command.ts'
import { EXIT_CODE, type ExitCode } from './exit-code.ts'

export interface NetworkIo extends Io {
  readonly runtime: Runtime
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  /** Write a file that nobody else may read. Rejects as node:fs does. */
  readonly writeFile: (path: string, text: string) => Promise<void>
}

/** How long a server may take to close a session of which nothing more is wanted. */
export const CLOSE_TIMEOUT_MS = 1_000

/** Whose fault it was, as a number. */
const CODE_OF: Readonly<Record<Failure['kind'], ExitCode>> = {
  refused: EXIT_CODE.refused,
  deadline: EXIT_CODE.noAnswer,
  lost: EXIT_CODE.noAnswer,
  aborted: EXIT_CODE.interrupted,
  config: EXIT_CODE.usage,
  misbehaved: EXIT_CODE.violation,
  malformed: EXIT_CODE.violation,
  limit: EXIT_CODE.violation,
  policy: EXIT_CODE.policy,
  unproven: EXIT_CODE.policy,
  incompatible: EXIT_CODE.policy,
}

/** How a connect has ended. What is no failure of a connect is thrown again. */
export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof HandshakeError)) throw error
  return CODE_OF[error.failure.kind]
}

/** What to do about it, where only the command line knows: from where it takes a password. Empty: the error says all there is. */
export function hintFor(error: unknown): string {
  const failure = error instanceof HandshakeError ? error.failure : null
  if (failure?.kind !== 'config' || failure.parameter !== 'password') return ''
  return 'Give one in PGPASSWORD, in ~/.pgpass (mode 600), or in the connection string.\n'
}
