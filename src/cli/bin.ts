#!/usr/bin/env node
/** The process around the commands: its streams, Ctrl-C, the exit code. Nothing is decided here. */
import { open, readFile } from 'node:fs/promises'
import { NODE } from '../connect.ts'
import { EXIT_CODE } from './exit-code.ts'
import { main } from './main.ts'

const { stdin, stdout, stderr, env } = process

stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // Whoever reads may have seen enough: `pg-deadline trace ... | head`.
  if (code === 'EPIPE') process.exit(0)
  stderr.write(`pg-deadline: the output cannot be written: ${message}\n`)
  process.exit(EXIT_CODE.usage)
})
// There is nowhere left to say so.
stderr.on('error', () => process.exit(EXIT_CODE.usage))

const interrupted = new AbortController()
// Once: a second Ctrl-C is for whoever does not want to wait for the first one's tidying up.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interrupted.abort(new DOMException(`the process was sent ${signal}`, 'AbortError')))
}

const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

process.exitCode = await main(
  process.argv.slice(2),
  {
    stdout,
    stderr,
    stdin,
    stdinIsTerminal: stdin.isTTY === true,
    env,
    isTerminal: stdout.isTTY === true,
    columns: stdout.columns,
    signal: interrupted.signal,
    readFile: (path) => readFile(path),
    writeFile: writePrivately,
    runtime: NODE,
    wallClock: () => Date.now(),
  },
  version,
)

/** A mode that is given on opening counts for a new file only; what is no file (a terminal, a pipe) keeps its own. */
async function writePrivately(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    if ((await file.stat()).isFile()) await file.chmod(0o600)
    await file.writeFile(text)
  } finally {
    await file.close()
  }
}
