/**
 * What the defaults depend on and the caller did not say: who runs this, and on what kind of machine. Handed in,
 * so that everything else in this folder is a function of its arguments.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { LIMITS } from '../protocol/limits.ts'

export interface Surroundings {
  /** The operating system's name of the effective user. Throws if it has none. */
  readonly userName: () => string
  /** `process.platform`. */
  readonly platform: string
  /** Whether a directory exists there. */
  readonly isDirectory: (path: string) => boolean
  /** Whether anything exists there, as far as we may look. */
  readonly exists: (path: string) => boolean
  /** The text of a file; null if there is none. Throws if there is something else, or too much. */
  readonly readText: (path: string) => string | null
  /** Where a user's own files are, as libpq's pqGetHomeDirectory has it; null if that is nowhere. */
  readonly homeDirectory: () => string | null
}

/** The machine that this runs on. */
export const SYSTEM: Surroundings = {
  userName: () => userInfo().username,
  platform: process.platform,
  isDirectory: (path) => {
    try {
      return statSync(path).isDirectory()
    } catch {
      return false
    }
  },
  exists: existsSync,
  readText: (path) => {
    if (!existsSync(path)) return null
    const stats = statSync(path)
    // To open a pipe is to wait for its other end, for ever and beyond every deadline.
    if (!stats.isFile()) throw new Error('it is not a regular file')
    if (stats.size > LIMITS.configurationFileBytesMax) {
      throw new Error(`it has more than ${LIMITS.configurationFileBytesMax} bytes`)
    }
    // As libpq, which knows of no byte order mark.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(path))
  },
  homeDirectory: () => findHomeDirectory(process.platform, process.env, () => userInfo().homedir),
}

/** HOME counts more than what the account says, and on Windows it is the folder of the application's data. */
export function findHomeDirectory(
  platform: string,
  environment: Readonly<Record<string, string | undefined>>,
  accountHome: () => string,
): string | null {
  if (platform === 'win32') return environment['APPDATA'] || null
  if (environment['HOME']) return environment['HOME']
  try {
    return accountHome() || null
  } catch {
    // A container that runs under a bare number has no account.
    return null
  }
}

/** The path of one of the user's own files, which has another name on Windows; null if they are nowhere. */
export function nameOwnFile({ homeDirectory, platform }: Surroundings, name: string, onWindows: string): string | null {
  const home = homeDirectory()
  return home && `${home}/${platform === 'win32' ? onWindows : name}`
}
