/** A machine for tests: who is logged in, what it runs, which directories and files it has. */

import type { Settings } from '../../src/config/settings.ts'
import type { Surroundings } from '../../src/config/surroundings.ts'
import type { Failure } from '../../src/protocol/failure.ts'
import { Fault } from '../../src/protocol/failure.ts'

export function machine(
  platform = 'linux',
  directories: readonly string[] = [],
  files: readonly string[] = [],
  texts: Readonly<Record<string, string>> = {},
): Surroundings {
  return {
    userName: () => 'osuser',
    platform,
    isDirectory: (path) => directories.includes(path),
    exists: (path) => files.some((file) => file === path || file.startsWith(`${path}/`)),
    readText: (path) => texts[path] ?? null,
    homeDirectory: () => '/home/osuser',
  }
}

/** The password in the clear, or undefined if there is none. */
export function revealedPassword({ password }: Settings): string | undefined {
  if (typeof password === 'function') throw new Error('the password is a function')
  return password?.reveal()
}

/** Base64 of 32 bytes, such as SCRAM's keys are. */
export const BASE64_KEY = `${'Ab+/'.repeat(10)}Ab8=`

/** The failure that `act` ends with. Anything else than a Fault of kind 'config' fails the test. */
export function refusal(act: () => unknown): Extract<Failure, { kind: 'config' }> {
  try {
    act()
  } catch (error) {
    if (error instanceof Fault && error.failure.kind === 'config') return error.failure
    throw error
  }
  throw new Error('nothing was refused')
}
