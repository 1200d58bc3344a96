/** A machine for tests: who is logged in, what it runs, which directories it has. */

import type { Surroundings } from '../../src/config/surroundings.ts'
import type { Failure } from '../../src/protocol/failure.ts'
import { Fault } from '../../src/protocol/failure.ts'

export function machine(platform = 'linux', directories: readonly string[] = []): Surroundings {
  return { userName: () => 'osuser', platform, isDirectory: (path) => directories.includes(path) }
}

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
