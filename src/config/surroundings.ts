/**
 * What the defaults depend on and the caller did not say: who runs this, and on what kind of machine. Handed in,
 * so that everything else in this folder is a function of its arguments.
 */
import { statSync } from 'node:fs'
import { userInfo } from 'node:os'

export interface Surroundings {
  /** The operating system's name of the effective user. Throws if it has none. */
  readonly userName: () => string
  /** `process.platform`. */
  readonly platform: string
  /** Whether a directory exists there. */
  readonly isDirectory: (path: string) => boolean
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
}
