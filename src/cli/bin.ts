#!/usr/bin/env node
/** The process around the commands: its streams, Ctrl-C, the exit code. Nothing is decided here. */
import { readFile, writeFile } from 'node:fs/promises'
import { NODE } from '../connect.ts'
import { main } from './main.ts'

const { stdin, stdout, stderr, env } = process

// Whoever reads may have seen enough: `pg-deadline trace ... | head`.
for (const stream of [stdout, stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
}

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
    writeFile: (path, text) => writeFile(path, text, { mode: 0o600 }),
    runtime: NODE,
    wallClock: () => Date.now(),
  },
  version,
)
