/**
 * What the defaults depend on and the caller did not say: who runs this, and on what kind of machine. Handed in,
 * so that everything else in this folder is a function of its arguments.
 */
import { existsSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'

export interface Surroundings {
  /** The operating system's name of the effective user. Throws if it has none. */
  readonly userName: () => string
  /** `process.platform`. */
  readonly platform: string
  /** Whether a directory exists there. */
  readonly isDirectory: (path: string) => boolean
  /** Whether anything exists there, as far as we may look. */
  readonly exists: (path: string) => boolean
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
