/** What a command is to read: from a file, or from stdin. Bounded, since stdin may have no end. */
import { InputError } from './capture.ts'
import { type Io, UsageError } from './command.ts'

/** A capture of a start-up is some KB; this is room for a long session. */
const INPUT_BYTES_MAX = 64 * 1024 * 1024

/** `path` is '-' for stdin. Throws UsageError, InputError, `io.signal.reason`. */
export async function readInput(io: Io, path: string): Promise<Buffer> {
  const bytes = path === '-' ? await readStdin(io) : await readFile(io, path)
  if (bytes.length > INPUT_BYTES_MAX) throw tooLong(path)
  return bytes
}

async function readStdin({ stdin, stdinIsTerminal, signal }: Io): Promise<Buffer> {
  if (stdinIsTerminal) throw new UsageError('nothing to read: give it as an argument, name a file, or pipe it in')
  const chunks: Buffer[] = []
  let lengthBytes = 0
  for await (const chunk of stdin) {
    signal.throwIfAborted()
    chunks.push(Buffer.from(chunk))
    lengthBytes += chunk.length
    if (lengthBytes > INPUT_BYTES_MAX) throw tooLong('-')
  }
  return Buffer.concat(chunks)
}

async function readFile(io: Io, path: string): Promise<Buffer> {
  try {
    return await io.readFile(path)
  } catch (error) {
    throw new InputError(path, error instanceof Error ? error.message : String(error))
  }
}

function tooLong(path: string): InputError {
  return new InputError(
    path === '-' ? 'stdin' : path,
    `longer than ${INPUT_BYTES_MAX} bytes, which is as much as is read`,
  )
}
