/** The world of a command, in memory: what it was given, and what it said. */
import type { Io } from '../../src/cli/command.ts'

export interface FakeIo extends Io {
  /** What was written so far. */
  readonly out: () => string
  readonly err: () => string
}

export interface Given {
  readonly stdin?: string | Buffer
  readonly files?: Readonly<Record<string, string | Buffer>>
  readonly isTerminal?: boolean
  readonly columns?: number
  readonly env?: Io['env']
  readonly signal?: AbortSignal
}

export function fakeIo({ stdin, files = {}, isTerminal = false, columns, env = {}, signal }: Given = {}): FakeIo {
  const out: string[] = []
  const err: string[] = []
  return {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    stdin: (async function* () {
      if (stdin !== undefined) yield Buffer.from(stdin)
    })(),
    stdinIsTerminal: stdin === undefined,
    env,
    isTerminal,
    columns,
    signal: signal ?? new AbortController().signal,
    readFile: async (path) => {
      const content = files[path]
      if (content === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`)
      return Buffer.from(content)
    },
    out: () => out.join(''),
    err: () => err.join(''),
  }
}
