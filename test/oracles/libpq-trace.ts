/** libpq as an oracle: its own trace of a session, by libpq-trace.py. What it needs is found here, or what is missing is said. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findPrograms } from '../servers/embedded.ts'

const run = promisify(execFile)

const PROGRAM = join(import.meta.dirname, 'libpq-trace.py')

/** PQTRACE_SUPPRESS_TIMESTAMPS and PQTRACE_REGRESS_MODE. */
export const TRACE_FLAGS = { suppressTimestamps: 1, regressMode: 2 } as const

export interface LibpqTrace {
  /** Lines of PQtrace. */
  trace(flags: number, conninfo: Readonly<Record<string, string>>, queries?: readonly string[]): Promise<string[]>
}

/** A libpq of this major, with Python to call it; or why there is none, and what to do. */
export async function openLibpq(major: '15' | '18'): Promise<LibpqTrace | { readonly missing: string }> {
  const python = await findPython()
  if (python === null) return { missing: 'libpq is called by Python, which is not here; apt-get install python3' }
  try {
    // The binaries from npm bring their libpq along.
    const library = join(
      await findPrograms(major),
      '../lib',
      process.platform === 'darwin' ? 'libpq.5.dylib' : 'libpq.so.5',
    )
    if (!existsSync(library)) return { missing: `there is no libpq ${major} at ${library}` }
    return { trace: (flags, conninfo, queries = []) => traceBy(python, library, flags, conninfo, queries) }
  } catch (error) {
    return { missing: `there is no libpq ${major}: ${error instanceof Error ? error.message : String(error)}` }
  }
}

async function findPython(): Promise<string | null> {
  for (const name of ['/usr/bin/python3', 'python3']) {
    const works = await run(name, ['-c', 'import ctypes']).then(
      () => true,
      () => false,
    )
    if (works) return name
  }
  return null
}

async function traceBy(
  python: string,
  library: string,
  flags: number,
  conninfo: Readonly<Record<string, string>>,
  queries: readonly string[],
): Promise<string[]> {
  const pairs = Object.entries(conninfo).map(([name, value]) => `${name}='${value.replaceAll(/['\\]/g, '\\$&')}'`)
  // Nothing of whoever runs this: no PGPASSWORD, no home directory with certificates.
  const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', TZ: 'UTC' }
  const { stdout } = await run(python, [PROGRAM, library, String(flags), pairs.join(' '), ...queries], { env })
  return stdout.split('\n').slice(0, -1)
}
